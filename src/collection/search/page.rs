//! Where a page of hits ended, so that the next one can go on.

use std::fmt;
use std::str::FromStr;

use super::candidates::Candidate;
use crate::error::CollectionError;

/// Where a page of hits ended: [`super::Found::next`] has one while there may be more, and
/// [`super::Search::after`] goes on from there. It is written as a text of letters, digits and dashes, which means
/// something only to the same search.
///
/// Hits are told apart by score and place, so a page does not repeat the one before; what was added above its end since
/// is not shown. A commit in between changes BM25, by little, and with it the scores by words: then a hit may come again
/// or be passed over. With variety or a reranker the order is another than that of the scores; then hits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// Hits on the pages before.
    pub(super) offset: usize,
    /// Candidates that variety or a reranker had to choose from.
    pub(super) pool: usize,
    /// Bits of the last score, and its slot.
    pub(super) last: (u32, u64),
}

impl Cursor {
    /// Whether a candidate comes after the page, in the order of scores.
    pub(super) fn is_before(&self, candidate: &Candidate) -> bool {
        let last = f32::from_bits(self.last.0);
        // The last hit itself may score a rounding lower when it is found another way.
        candidate.slot != self.last.1
            && candidate.score.total_cmp(&last).reverse().then(candidate.slot.cmp(&self.last.1)).is_gt()
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{:x}-{:x}-{:x}-{:x}", self.offset, self.pool, self.last.0, self.last.1)
    }
}

impl FromStr for Cursor {
    type Err = CollectionError;

    fn from_str(text: &str) -> Result<Self, CollectionError> {
        let wrong = || {
            let shown: String = text.chars().take(80).collect();
            CollectionError::Query(format!("{shown:?} is no cursor; give one that a search of this kind returned"))
        };
        let mut parts = text.strip_prefix('p').ok_or_else(wrong)?.split('-');
        let mut number = || {
            let digits = parts.next().filter(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))?;
            u64::from_str_radix(digits, 16).ok()
        };
        let parsed = (number(), number(), number(), number());
        let (Some(offset), Some(pool), Some(score), Some(slot)) = parsed else { return Err(wrong()) };
        let whole = |n: u64| usize::try_from(n).ok().filter(|&n| n <= MOST).ok_or_else(wrong);
        let score = u32::try_from(score).map_err(|_| wrong())?;
        if parts.next().is_some() {
            return Err(wrong());
        }
        Ok(Cursor { offset: whole(offset)?, pool: whole(pool)?, last: (score, slot) })
    }
}

/// More hits than this are on no pages.
const MOST: usize = u32::MAX as usize;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_reads_back_as_it_was() {
        for cursor in [
            Cursor { offset: 0, pool: 0, last: (0, 0) },
            Cursor { offset: 40, pool: 200, last: ((-1.5f32).to_bits(), u64::MAX) },
        ] {
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
        for bad in [
            "",
            "p",
            "p1-2-3",
            "p1-2-3-4-5",
            "q1-2-3-4",
            "p+1-2-3-4",
            "p1-2-3-x",
            "p1-2-1ffffffff-4",
            "p1-ffffffffffff-0-0",
        ] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }
}
