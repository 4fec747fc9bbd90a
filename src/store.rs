//! Files: where they live ([`Storage`]), how they are mapped ([`Mapped`]), what they look like
//! ([`mod@file`]), and who may write ([`lock`]).
//!
//! Everything that gyeol writes goes through one [`Storage`], so that a test can put a disk in its
//! place that drops, tears or refuses writes. Files are created once, never changed, and removed
//! by unlinking: a reader that mapped a file keeps it.

mod blocks;
mod column;
pub mod file;
pub mod lock;
mod map;
pub(crate) mod memory;
#[cfg(feature = "collection")]
mod sealed;
mod storage;
mod sync;

pub use blocks::BLOCK;
pub use column::Column;
pub use file::Seal;
pub use map::Mapped;
#[cfg(feature = "collection")]
pub(crate) use sealed::{Sealed, Sealer};
pub use storage::{Disk, Storage, StorageFile, publish};
