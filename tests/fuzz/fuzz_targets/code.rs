#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| rotator_fuzz::run("code", data));
