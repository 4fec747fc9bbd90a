//! Providers over HTTP, beside servers that reverse, drop, delay, throttle, reset and lie.

mod batches;
mod caches;
mod order;
mod providers;
mod retries;
mod secrets;
mod server;
mod streams;
