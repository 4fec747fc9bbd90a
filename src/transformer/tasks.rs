//! Which sequences are run together.

use std::cmp::Reverse;

use crate::transformer::Tokens;

/// Tokens that one thread takes at a time: enough for the matrix products to be fast, and few
/// enough for the values between two of them to stay in the cache.
const TASK: usize = 1024;

/// Positions of the sequences that are run together: the longest first, so that no long one begins
/// when all others are done, and no more than keeps all threads busy.
pub(crate) fn tasks(tokens: &[Tokens]) -> Vec<Vec<usize>> {
    let len = |i: usize| tokens[i].ids.len();
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by_key(|&i| Reverse(len(i)));
    let share = order.iter().map(|&i| len(i)).sum::<usize>().div_ceil(rayon::current_num_threads());
    let most = share.min(TASK);
    let mut tasks: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for i in order {
        match tasks.last_mut() {
            Some(task) if len(i) <= room => {
                room -= len(i);
                task.push(i);
            }
            _ => {
                room = most.saturating_sub(len(i));
                tasks.push(vec![i]);
            }
        }
    }
    tasks
}
