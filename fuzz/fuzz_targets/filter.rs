//! A filter expression: what is read is written so that it reads back equal, what is refused names its place.
#![no_main]

use gyeol::Filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match text.parse::<Filter>() {
        Ok(filter) => {
            let written = filter.to_string();
            let read: Filter = written.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(read, filter);
            assert_eq!(read.to_string(), written);
            filter.matches("key", Some("path"), &Default::default());
        }
        Err(error) => {
            assert!((1..=text.chars().count() + 1).contains(&error.column), "{error}");
            assert_eq!(error.to_string().lines().count(), 3, "{error}");
        }
    }
});
