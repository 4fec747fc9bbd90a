//! What the benches beside other libraries share: rows, clocks, and one way to build and ask each
//! graph. The peers are compiled from C++, so they live in a package of their own, which only
//! `cargo bench -p gyeol-peers` compiles.

pub mod clock;
pub mod curve;
pub mod graphs;
pub mod rows;
