//! gyeol (결, the grain of a thing): an embedded vector search engine for texts and vectors.
//!
//! - A [`Collection`] holds texts: a folder's files or your own, by key. It cuts, embeds, stores and
//!   finds them.
//! - [`Hnsw`] and [`Flat`] hold vectors only: build, save, map, search.
//! - [`cluster`] groups rows: k-means, and with features PCA, layouts and other algorithms.
//! - [`embed`] turns texts into vectors, with a model that is compiled in.
//! - With the feature `chat`, `llm` asks chat models, and `rag` answers from a collection.
//!
//! | feature | gives |
//! |---|---|
//! | (none) | [`Vectors`], [`Metric`], [`Flat`], [`Hnsw`], [`cluster::KMeans`], npy and fvecs files |
//! | `collection` | folders, chunks, keys, payloads, commits, search by words |
//! | `builtin` | the built-in English + Korean model |
//! | `cluster` | principal components, t-SNE, other libraries' clustering |
//! | `picture` | maps as a page, SVG and PNG |
//! | `chat` | chat models; with `collection`, answers from it |
//! | `cli` (default) | all of these, and the `gyeol` binary |
//! | `rerank` | `collection`, and cross-encoders that are loaded from a folder |
//!
//! Functions that can fail answer with [`Error`] or the narrower enum of their module; no call
//! panics, prints or exits because of data from outside. Work on many rows or texts runs on rayon's
//! global pool: install your own around a call to bound its threads.

#[cfg(feature = "providers")]
pub mod cache;
pub mod cluster;
#[cfg(feature = "collection")]
pub mod collection;
pub mod embed;
pub mod error;
#[cfg(feature = "providers")]
pub mod http;
pub mod index;
#[cfg(feature = "chat")]
pub mod llm;
pub mod metric;
#[cfg(feature = "picture")]
pub mod picture;
#[cfg(all(feature = "collection", feature = "chat"))]
pub mod rag;
#[cfg(feature = "collection")]
pub mod rerank;
pub mod store;
#[cfg(feature = "collection")]
pub mod text;
#[cfg(feature = "local")]
mod transformer;
pub mod vectors;

#[cfg(feature = "collection")]
pub use collection::{Collection, Filter, Hit};
pub use embed::Embedder;
pub use error::{Error, Result};
pub use index::{Effort, Flat, Hnsw, HnswParams, Index, Layout, Neighbor, RowStorage};
pub use metric::Metric;
#[cfg(feature = "collection")]
pub use rerank::Reranker;
pub use vectors::{Vectors, VectorsView};

/// The README's program is tested here.
#[cfg(all(doctest, feature = "cli"))]
#[doc = include_str!("../README.md")]
pub struct Readme;
