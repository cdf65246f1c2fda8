//! Plays random days natively: `play SEED COMMANDS`. What it prints, the module must print as well.

fn main() {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse());
    let numbers = (numbers.next(), numbers.next(), numbers.next());
    let (Some(Ok(seed)), Some(Ok(commands)), None) = numbers else {
        panic!("usage: play SEED COMMANDS");
    };
    print!("{}", web_wasm::play::play(seed, commands));
}
