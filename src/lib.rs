//! gyeol (결, the grain of a thing): an embedded vector search and clustering engine.

#[cfg(feature = "collection")]
pub mod collection;
pub mod embed;
pub mod error;
pub mod index;
pub mod metric;
pub mod store;
#[cfg(feature = "collection")]
pub mod text;
pub mod vectors;

#[cfg(feature = "collection")]
pub use collection::{Collection, Hit};
pub use embed::Embedder;
pub use error::{Error, Result};
pub use index::{Flat, Hnsw, HnswParams, Index, Neighbor};
pub use metric::Metric;
pub use vectors::{Vectors, VectorsView};
