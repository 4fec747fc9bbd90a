//! Chat models over HTTP, beside servers that split, cut, delay, refuse and lie.

mod agents;
mod asking;
mod caching;
mod chains;
mod choosing;
mod commands;
mod examples;
mod monitoring;
mod retrieval;
mod server;
mod streams;
mod wires;
