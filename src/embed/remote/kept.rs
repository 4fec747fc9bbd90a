//! Vectors in a cache: what they are known by, and how they are written.
//!
//! An entry is the number of values (u32), the values (f32), both little-endian, and a BLAKE3 of those, cut to 8 bytes.
//! Values are as the provider gave them, scaled to length 1.

use crate::cache::CacheKey;
use crate::embed::Role;

const SUM: usize = 8;

/// All that a vector depends on.
pub(super) struct Identity<'a> {
    pub provider: &'a str,
    pub url: &'a str,
    pub model: &'a str,
    pub dimensions: Option<usize>,
    pub role: Role,
}

impl Identity<'_> {
    /// A hasher that has seen all but the text.
    pub fn hasher(&self) -> blake3::Hasher {
        let mut hasher = blake3::Hasher::new_derive_key("gyeol 2026 embedding cache");
        let role = match self.role {
            Role::Document => "document",
            Role::Query => "query",
        };
        let dimensions = self.dimensions.map(|d| d.to_string()).unwrap_or_default();
        for part in [self.provider, self.url, self.model, &dimensions, role] {
            // With its length before it, so that no two lists of parts are one text.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher
    }
}

/// The key of a text, prefix included.
pub(super) fn key(identity: &blake3::Hasher, text: &str) -> CacheKey {
    let mut hasher = identity.clone();
    hasher.update(text.as_bytes());
    *hasher.finalize().as_bytes()
}

/// A vector as it is kept.
pub(super) fn write(row: &[f32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4 + 4 * row.len() + SUM);
    bytes.extend_from_slice(&(row.len() as u32).to_le_bytes());
    row.iter().for_each(|value| bytes.extend_from_slice(&value.to_le_bytes()));
    let sum = blake3::hash(&bytes);
    bytes.extend_from_slice(&sum.as_bytes()[..SUM]);
    bytes
}

/// The vector of an entry; `None` when it is damaged.
pub(super) fn read(bytes: &[u8]) -> Option<Vec<f32>> {
    let (content, sum) = bytes.split_at_checked(bytes.len().checked_sub(SUM)?)?;
    let (length, values) = content.split_first_chunk::<4>()?;
    let (values, rest) = values.as_chunks::<4>();
    let whole = rest.is_empty() && values.len() == u32::from_le_bytes(*length) as usize;
    (whole && !values.is_empty() && blake3::hash(content).as_bytes()[..SUM] == *sum)
        .then(|| values.iter().map(|b| f32::from_le_bytes(*b)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_none() {
        let row = [0.5f32, -0.25, 1e-9];
        let bytes = write(&row);
        assert_eq!(read(&bytes).as_deref(), Some(&row[..]));
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 4;
            assert_eq!(read(&bad), None);
            assert_eq!(read(&bytes[..i]), None);
        }
        assert_eq!(read(&write(&[])), None);
    }

    #[test]
    fn every_part_makes_another_key() {
        let of = |provider, url, model, dimensions, role, text| {
            key(&Identity { provider, url, model, dimensions, role }.hasher(), text)
        };
        let first = of("p", "u", "m", None, Role::Document, "t");
        let others = [
            of("q", "u", "m", None, Role::Document, "t"),
            of("p", "v", "m", None, Role::Document, "t"),
            of("p", "u", "n", None, Role::Document, "t"),
            of("p", "u", "m", Some(8), Role::Document, "t"),
            of("p", "u", "m", None, Role::Query, "t"),
            of("p", "u", "m", None, Role::Document, "s"),
            of("pu", "", "m", None, Role::Document, "t"),
        ];
        assert!(others.iter().all(|other| *other != first));
        assert_eq!(of("p", "u", "m", None, Role::Document, "t"), first);
    }
}
