//! The best nodes that a walk has seen, and which of them were expanded.

use crate::index::top::Candidate;

/// At most `limit` nodes in one sorted list. An entry is one number: the rank's bits, made so that
/// they order like the rank, then the node; so one comparison orders by rank and ties by node.
#[derive(Debug, Default)]
pub(super) struct Beam {
    list: Vec<u64>,
    limit: usize,
    /// A bit for each entry: whether the node was expanded. No bit is set past the entries.
    done: Vec<u64>,
    /// No node in a word before this one is left to expand.
    first_word: usize,
    /// Nodes that found no place, all farther than those in the list; kept where it may grow.
    spill: Option<Vec<u64>>,
    /// A change among this many first nodes is noted.
    watch: usize,
    /// Nodes expanded, and how many they were when the first `watch` last changed.
    expanded: usize,
    changed: usize,
}

fn pack(rank: f32, node: u32) -> u64 {
    let bits = rank.to_bits();
    let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
    u64::from(ordered) << 32 | u64::from(node)
}

fn unpack(entry: u64) -> Candidate {
    let ordered = (entry >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
    Candidate { rank: f32::from_bits(bits), id: entry as u32 }
}

impl Beam {
    /// Forgets everything and takes a new limit, keeping the memory.
    pub fn reset(&mut self, limit: usize) {
        self.list.clear();
        self.limit = limit;
        self.done.clear();
        self.done.resize(limit / 64 + 1, 0);
        self.first_word = 0;
        (self.watch, self.expanded, self.changed) = (0, 0, 0);
        if let Some(spill) = &mut self.spill {
            spill.clear();
        }
    }

    /// From the next [`Beam::reset`] on, whether [`Beam::grow`] will be wanted.
    pub fn may_grow(&mut self, may: bool) {
        if may != self.spill.is_some() {
            self.spill = may.then(Vec::new);
        }
    }

    /// Notes changes among the first `count` nodes.
    pub fn watch(&mut self, count: usize) {
        self.watch = count;
    }

    /// The part of the expanded nodes, the last ones, that changed nothing among those watched.
    pub fn calm(&self) -> f32 {
        (self.expanded - self.changed) as f32 / self.expanded.max(1) as f32
    }

    /// Takes a larger limit, and the nodes seen before that have a place now.
    pub fn grow(&mut self, limit: usize) {
        self.limit = limit;
        self.done.resize(limit / 64 + 1, 0);
        let Some(spill) = &mut self.spill else { return };
        let room = limit.saturating_sub(self.list.len()).min(spill.len());
        if room < spill.len() && room > 0 {
            spill.select_nth_unstable(room - 1);
        }
        let from = self.list.len();
        self.list.extend(spill.drain(..room));
        self.list[from..].sort_unstable();
        self.first_word = self.first_word.min(from / 64);
    }

    /// Takes a node if it is among the best.
    #[inline]
    pub fn push(&mut self, rank: f32, node: u32) {
        let entry = pack(rank, node);
        if self.list.len() >= self.limit {
            if self.list.last().is_none_or(|&worst| entry >= worst) {
                if let Some(spill) = &mut self.spill {
                    spill.push(entry);
                }
                return;
            }
            let worst = self.list.pop();
            if let Some(spill) = &mut self.spill {
                spill.extend(worst);
            }
            let end = self.list.len();
            self.done[end / 64] &= !(1 << (end % 64));
        }
        let at = self.list.partition_point(|&e| e < entry);
        self.list.insert(at, entry);
        if at < self.watch {
            self.changed = self.expanded;
        }
        self.insert_undone(at);
    }

    /// Moves the bits from one on by one, and clears it.
    #[inline]
    fn insert_undone(&mut self, at: usize) {
        let word = at / 64;
        for i in (word + 1..self.list.len().div_ceil(64)).rev() {
            self.done[i] = self.done[i] << 1 | self.done[i - 1] >> 63;
        }
        let low = (1u64 << (at % 64)) - 1;
        let bits = self.done[word];
        self.done[word] = bits & low | (bits & !low) << 1;
        self.first_word = self.first_word.min(word);
    }

    /// The nearest node that was not expanded yet, which now is.
    pub fn pop(&mut self) -> Option<u32> {
        let at = self.unexpanded()?;
        self.first_word = at / 64;
        self.done[at / 64] |= 1 << (at % 64);
        self.expanded += 1;
        Some(self.list[at] as u32)
    }

    /// The node that [`Beam::pop`] would give.
    pub fn peek(&self) -> Option<u32> {
        self.unexpanded().map(|at| self.list[at] as u32)
    }

    #[inline]
    fn unexpanded(&self) -> Option<usize> {
        let words = self.done.get(self.first_word..)?;
        let word = words.iter().position(|&w| w != u64::MAX)?;
        let at = (self.first_word + word) * 64 + words[word].trailing_ones() as usize;
        (at < self.list.len()).then_some(at)
    }

    /// The nearest node.
    pub fn first(&self) -> Option<u32> {
        self.list.first().map(|&e| e as u32)
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

    /// Against a plain list, over several words of bits.
    #[test]
    fn expands_each_node_that_stays_once() {
        let (mut beam, mut plain) = (Beam::default(), Vec::<(u32, u32, bool)>::new());
        beam.reset(150);
        let mut state = 9u64;
        for node in 0..3000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let rank = (state >> 48) as u32;
            beam.push(rank as f32, node);
            plain.push((rank, node, false));
            plain.sort();
            plain.truncate(150);
            if state >> 40 & 3 == 0 {
                let next = plain.iter_mut().find(|p| !p.2);
                let want = next.map(|p| {
                    p.2 = true;
                    p.1
                });
                assert_eq!(beam.peek(), want);
                assert_eq!(beam.pop(), want);
            }
        }
        assert!(beam.iter().map(|c| c.id).eq(plain.iter().map(|p| p.1)));
    }
}
