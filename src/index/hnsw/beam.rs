//! The best nodes that a walk has seen, and which of them were expanded.

use crate::index::top::Candidate;

/// At most `limit` nodes in one sorted list. An entry is one number: the rank's bits, made so that
/// they order like the rank, then the node, then whether it was expanded; so one comparison orders
/// by rank and ties by node.
#[derive(Debug, Default)]
pub(super) struct Beam {
    list: Vec<u64>,
    limit: usize,
    /// No node before this one is left to expand.
    next: usize,
}

const DONE: u64 = 1;

fn pack(rank: f32, node: u32) -> u64 {
    let bits = rank.to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(ordered) << 32 | u64::from(node) << 1
}

fn unpack(entry: u64) -> Candidate {
    let ordered = (entry >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
    Candidate { rank: f32::from_bits(bits), id: node(entry) }
}

fn node(entry: u64) -> u32 {
    entry as u32 >> 1
}

impl Beam {
    /// Forgets everything and takes a new limit, keeping the memory.
    pub fn reset(&mut self, limit: usize) {
        self.list.clear();
        self.limit = limit;
        self.next = 0;
    }

    /// Takes a node, below 2^31, if it is among the best.
    #[inline]
    pub fn push(&mut self, rank: f32, node: u32) {
        let entry = pack(rank, node);
        let full = self.list.len() >= self.limit;
        if full && self.list.last().is_none_or(|&worst| entry >= worst & !DONE) {
            return;
        }
        let at = self.list.partition_point(|&e| e < entry);
        if full {
            self.list.pop();
        }
        self.list.insert(at, entry);
        self.next = self.next.min(at);
    }

    /// The nearest node that was not expanded yet, which now is.
    pub fn pop(&mut self) -> Option<u32> {
        self.next = self.unexpanded()?;
        let entry = &mut self.list[self.next];
        *entry |= DONE;
        Some(node(*entry))
    }

    /// The node that [`Beam::pop`] would give.
    pub fn peek(&self) -> Option<u32> {
        self.unexpanded().map(|at| node(self.list[at]))
    }

    fn unexpanded(&self) -> Option<usize> {
        let rest = self.list.get(self.next..)?;
        rest.iter().position(|e| e & DONE == 0).map(|at| self.next + at)
    }

    /// The nearest node.
    pub fn first(&self) -> Option<u32> {
        self.list.first().map(|&e| node(e))
    }

    /// All nodes, nearest first.
    pub fn iter(&self) -> impl Iterator<Item = Candidate> {
        self.list.iter().map(|&e| unpack(e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_by_rank_and_breaks_ties_by_node() {
        let mut beam = Beam::default();
        beam.reset(5);
        for (rank, node) in [(0.5, 9), (-1.5, 4), (0.5, 2), (-0.25, 3), (0.0, 0), (0.5, 1), (7.0, 5)] {
            beam.push(rank, node);
        }
        let got: Vec<(f32, u32)> = beam.iter().map(|c| (c.rank, c.id)).collect();
        assert_eq!(got, [(-1.5, 4), (-0.25, 3), (0.0, 0), (0.5, 1), (0.5, 2)]);
        assert_eq!([beam.pop(), beam.pop()], [Some(4), Some(3)]);
        beam.push(-3.0, 8);
        assert_eq!((beam.peek(), beam.first()), (Some(8), Some(8)));
        assert_eq!([beam.pop(), beam.pop(), beam.pop(), beam.pop()], [Some(8), Some(0), Some(1), None]);
    }
}
