//! Any bytes as a capture, replayed whole: every row that comes out can be written.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sensor::config::{Checksums, Config, Limits};
use spanlake_fuzz::{Input, engine, rows};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input::new(bytes);
    let choices = input.byte();
    let mut config = Config {
        workers: 1,
        checksums: [Checksums::Auto, Checksums::Ignore, Checksums::Verify, Checksums::Ignore]
            [usize::from(choices & 3)],
        vlan_in_key: choices & 4 != 0,
        keep_duplicates: choices & 8 != 0,
        ..Config::default()
    };
    if choices & 16 != 0 {
        config.limits = Limits { flows: 2, stream_bytes: 1 << 10, fragment_bytes: 4 << 10 };
    }
    engine::replay(input.rest.to_vec(), &config, |records| rows::check(records, choices >> 5 == 7));
});
