#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| hostile::fuzz::run("tile", bytes));
