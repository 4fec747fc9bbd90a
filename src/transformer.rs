//! Local transformer models of the BERT kind: a folder's files, its tokeniser and its encoder.
//!
//! A folder holds `config.json`, `tokenizer.json` and `model.safetensors`, as published on model
//! hubs. The encoder gives one vector a token; what is made of them is its user's affair.
//!
//! Texts are not padded: a batch is the tokens of its texts one after another, and attention runs
//! within each text. So a text's vectors do not depend on what else is in its batch, no work is
//! spent on padding, and there is no mask that could be wrong.

mod codes;
mod config;
mod encoder;
mod linear;
mod pointwise;
mod sequences;
mod tasks;
mod weights;

pub(crate) use config::{Config, Family};
pub(crate) use encoder::Encoder;
pub(crate) use linear::{Linear, Precision};
#[cfg(feature = "rerank")]
pub(crate) use pointwise::gelu;
pub(crate) use sequences::{Sequences, Tokens, check_table, guarded};
pub(crate) use tasks::tasks;
pub(crate) use weights::Weights;
