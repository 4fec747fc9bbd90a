//! x
use super::driver::Task;
pub fn read(_: &Task) -> i32 {
    0
}
