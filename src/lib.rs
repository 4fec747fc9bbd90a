//! gyeol (결, the grain of a thing): an embedded vector search and clustering engine.

pub mod embed;
pub mod error;
pub mod index;
pub mod metric;
pub mod store;
#[cfg(feature = "collection")]
pub mod text;
pub mod vectors;

pub use error::{Error, Result};
pub use index::{Flat, Hnsw, HnswParams, Index, Neighbor};
pub use metric::Metric;
pub use vectors::{Vectors, VectorsView};
