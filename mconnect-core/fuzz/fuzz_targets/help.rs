#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mconnect_fuzz::help::holds(data));
