#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mconnect_fuzz::resume::holds(data));
