//! One vector, as servers write it: numbers, or little-endian f32 in base64.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// The values of a vector, in whatever form they came.
#[derive(Debug, PartialEq)]
pub(super) struct Values(pub Vec<f32>);

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Read)
    }
}

/// A number, or `null`, which some servers write for what is not finite.
struct Number(f32);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<f32>::deserialize(deserializer).map(|value| Number(value.unwrap_or(f32::NAN)))
    }
}

struct Read;

impl<'de> Visitor<'de> for Read {
    type Value = Values;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers, or base64 of little-endian f32")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Values, A::Error> {
        let mut values = Vec::with_capacity(seq.size_hint().unwrap_or(1024).min(1 << 16));
        while let Some(Number(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Values(values))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Values, E> {
        let text = text.trim();
        let bytes = STANDARD.decode(text).or_else(|_| STANDARD_NO_PAD.decode(text));
        let bytes = bytes.map_err(|_| E::custom("a vector that is neither numbers nor base64"))?;
        let (values, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom(format!("base64 of {} bytes, which are no whole f32", bytes.len())));
        }
        Ok(Values(values.iter().map(|b| f32::from_le_bytes(*b)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_forms_are_read() {
        let read = |json: &str| serde_json::from_str::<Values>(json);
        assert_eq!(read("[1, -0.5, 2e-3]").unwrap().0, [1.0, -0.5, 0.002]);
        let bytes: Vec<u8> = [1.0f32, -0.5, 3.25].iter().flat_map(|v| v.to_le_bytes()).collect();
        assert_eq!(read(&format!("{:?}", STANDARD.encode(&bytes))).unwrap().0, [1.0, -0.5, 3.25]);
        assert_eq!(read(&format!("{:?}", STANDARD_NO_PAD.encode(&bytes[..4]))).unwrap().0, [1.0]);
        assert!(read("[1, null]").unwrap().0[1].is_nan());
        assert!(read("[1e39]").unwrap().0[0].is_infinite());
        for bad in ["\"!!\"", "\"AAAA\"", "{}", "[\"a\"]", "7", "[[1]]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
