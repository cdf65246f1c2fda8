//! Both sides killed under load: `cargo xtask kill` does the same as often as one likes.

use tests::kill;

const TIMES: u64 = 24;

#[test]
fn nothing_saved_or_acknowledged_is_lost_or_doubled_when_both_sides_are_killed() {
    let seed = match std::env::var("ZHUCUN_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => rand::random(),
    };
    println!("ZHUCUN_SEED={seed}");
    let told = kill::run(env!("CARGO_BIN_EXE_kill").as_ref(), TIMES, seed).unwrap();
    println!("{told}");
    assert!(told.holds(), "{told}");
    assert!(told.kills() >= TIMES && told.servers > 0 && told.phones > 0);
    assert!(told.acknowledged > 0, "{told}");
}
