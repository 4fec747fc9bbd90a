//! Requests to providers: one client for JSON over HTTP, with keys, retries, rate limits and time-outs.
//!
//! - A base URL is `https`, or plain `http` to this machine only; it holds no user, password or query. It reaches the
//!   same path with and without a slash at its end. Redirects are not followed.
//! - A [`Key`] goes into one header, is marked as secret there, and is taken out of every message of a server.
//! - What may pass by itself (408, 409, 425, 429, 5xx, resets, time-outs) is tried again after growing, jittered
//!   waits, never before the server's `retry-after-ms` or `retry-after` (RFC 9110, seconds or date). A key that is not
//!   accepted and a quota that is used up are sent once.
//! - Futures need no runtime of the caller's: the network is driven by a thread of our own. Dropping one closes its
//!   connection.

mod base_url;
mod client;
mod endpoint;
#[cfg(feature = "chat")]
mod frames;
mod key;
mod limits;
mod message;
mod retry;
mod runtime;
mod tokens;

pub use base_url::BaseUrl;
#[cfg(feature = "chat")]
pub(crate) use client::Incoming;
pub(crate) use client::{Client, ClientOptions, Effort, Failure};
pub(crate) use endpoint::Known;
#[cfg(feature = "chat")]
pub(crate) use frames::{Frame, Frames, Framing};
pub use key::{Key, KeySource};
pub use limits::RateLimit;
pub use retry::Retry;
pub(crate) use runtime::{Driven, block_on, spawn_blocking};
pub(crate) use tokens::cut_to_tokens;
pub use tokens::estimated_tokens;
