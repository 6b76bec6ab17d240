#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mconnect_fuzz::proxy::holds(data));
