//! A disk that loses what was not synced, and documents that are easily checked.

pub mod answers;
pub mod disk;
pub mod durable;
pub mod words;
