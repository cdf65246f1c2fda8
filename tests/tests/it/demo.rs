//! The story that `cargo xtask demo` plays, which checks what it tells.

use std::net::{Ipv4Addr, SocketAddr};

use device::messages::Lang;
use device::screen::{COLUMNS, width};
use tests::demo::play;

fn told(lang: Lang) -> String {
    let mut out = Vec::new();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    play(lang, listen, true, &mut out).unwrap_or_else(|error| {
        panic!("{}\n{error:?}", String::from_utf8_lossy(&out));
    });
    String::from_utf8(out).expect("a story in UTF-8")
}

#[test]
fn the_story_holds_in_chinese() {
    let story = told(Lang::Zh);
    for told in [
        "待核对",
        "未生效",
        "任职期内所写，离任后才收到",
        "拒收：离任之后所写",
        "代送的 1 批已送达",
        "退回待核",
        "结论: 全部成立",
        "结论: 不成立",
    ] {
        assert!(story.contains(told), "{told}: {story}");
    }
}

#[test]
fn the_story_holds_in_english_and_its_sentences_fit_a_terminal() {
    let story = told(Lang::En);
    for told in [
        "everything holds",
        "DOES NOT HOLD",
        "To be settled",
        "Returned",
    ] {
        assert!(story.contains(told), "{told}: {story}");
    }
    let sentences = story.lines().filter(|line| !line.starts_with(' '));
    for line in sentences {
        assert!(width(line) <= COLUMNS, "{line}");
    }
}
