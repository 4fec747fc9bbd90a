//! The `gyeol` binary.
fn main(){}
