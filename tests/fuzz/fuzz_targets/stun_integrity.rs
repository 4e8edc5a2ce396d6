#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| railgun_fuzz::stun::integrity(data));
