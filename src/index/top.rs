//! Candidates and the bounded list of the best of them.

use std::cmp::Ordering;

/// A row with its rank (the walk's form of the distance: smaller is nearer).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub rank: f32,
    pub id: u32,
}

impl Candidate {
    /// By rank, ties by id: a total order, NaN included.
    pub fn order(&self, other: &Self) -> Ordering {
        self.rank.total_cmp(&other.rank).then(self.id.cmp(&other.id))
    }
}

/// The best `limit` candidates seen, sorted.
#[derive(Debug)]
pub(crate) struct Top {
    list: Vec<Candidate>,
    limit: usize,
}

impl Top {
    pub fn new(limit: usize) -> Self {
        Top { list: Vec::with_capacity(limit.min(4096) + 1), limit }
    }

    /// Takes a candidate if it is among the best; returns where it went.
    pub fn push(&mut self, new: Candidate) -> Option<usize> {
        if self.list.len() >= self.limit && self.list.last().is_none_or(|worst| new.order(worst).is_ge()) {
            return None;
        }
        let at = self.list.partition_point(|c| c.order(&new).is_lt());
        if self.list.len() >= self.limit {
            self.list.pop();
        }
        self.list.insert(at, new);
        Some(at)
    }

    pub fn as_slice(&self) -> &[Candidate] {
        &self.list
    }

    /// Sorted, best first.
    pub fn into_vec(self) -> Vec<Candidate> {
        self.list
    }

    /// The better of both lists.
    pub fn merge(mut self, other: Top) -> Top {
        for c in other.list {
            if self.push(c).is_none() {
                break;
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_best_and_breaks_ties_by_id() {
        let mut top = Top::new(3);
        for (rank, id) in [(0.5, 9), (0.1, 4), (0.5, 2), (0.1, 3), (f32::NAN, 0), (0.5, 1)] {
            top.push(Candidate { rank, id });
        }
        let got: Vec<u32> = top.into_vec().iter().map(|c| c.id).collect();
        assert_eq!(got, [3, 4, 1]);
        let mut none = Top::new(0);
        assert!(none.push(Candidate { rank: 0.0, id: 0 }).is_none());
    }
}
