#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mconnect_fuzz::proxy_header::holds(data));
