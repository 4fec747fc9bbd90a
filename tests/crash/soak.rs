//! x
use super::driver::Task;
pub fn commits(_: &Task) -> i32 {
    0
}
