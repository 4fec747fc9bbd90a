//! How much work a search does.

use crate::error::IndexError;

/// How much work a search does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effort {
    /// As much as the part of the true neighbours that is to be found needs, from 0 to 1, by what
    /// was measured on the index's own rows when it was built.
    Recall(f32),
    /// Candidates that the walk of a graph keeps (`ef_search`), at least 1; `k` where that is larger. Of
    /// an index by partitions: how many of them are scanned.
    Ef(usize),
    /// Every row is compared.
    Exact,
}

/// What a search of one index did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// How the neighbours were found.
    pub plan: Plan,
    /// Why that way.
    pub why: Why,
    /// The rows that were to be searched: all, or those that passed a filter and are not deleted.
    pub among: usize,
    /// Candidates that the walk kept (`ef_search`), or partitions scanned; 0 where neither was done.
    pub ef: usize,
    /// Rows compared on the way, by code or in full.
    pub compared: usize,
    /// Candidates by codes that were compared by their full rows after.
    pub rescored: usize,
}

/// How the neighbours were found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Plan {
    /// Every row that was to be searched was compared in full.
    #[default]
    Scan,
    /// Every row that was to be searched was compared by its 8-bit code, and the candidates by their full rows.
    CodeScan,
    /// The graph was walked by 8-bit codes, and the candidates compared by their full rows.
    Codes,
    /// The graph was walked by full rows, since codes could not tell them apart.
    Rows,
    /// Some partitions were scanned by 4-bit codes, and the candidates compared by their full rows.
    Partitions,
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Plan::Scan => "scan",
            Plan::CodeScan => "scan by codes",
            Plan::Codes => "graph by codes",
            Plan::Rows => "graph by rows",
            Plan::Partitions => "partitions",
        })
    }
}

/// Why neighbours were found as they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It is what the index was built for, over all its rows.
    #[default]
    Built,
    /// [`Effort::Exact`] was asked for.
    Asked,
    /// There are too few rows for a graph or partitions.
    Small,
    /// Graph, partitions or codes are damaged.
    Damaged,
    /// So many neighbours were asked for that comparing all rows is faster.
    ManyAsked,
    /// Of the rows that pass, few enough to compare all: what was foretold, in nanoseconds on one core.
    FewPass {
        /// For comparing all that pass.
        scan: u64,
        /// For the graph or the partitions; `None` where these are not sure to find enough among so few.
        walk: Option<u64>,
    },
    /// So many rows pass that the graph or the partitions are foretold to be faster.
    ManyPass {
        /// For comparing all that pass, in nanoseconds on one core.
        scan: u64,
        /// For the graph or the partitions.
        walk: u64,
    },
    /// Graph or partitions did not find enough, or took more than comparing all would.
    GaveUp,
}

impl std::fmt::Display for Why {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let us = |ns: u64| ns as f64 / 1000.0;
        match *self {
            Why::Built => f.write_str("over all rows"),
            Why::Asked => f.write_str("exact search was asked for"),
            Why::Small => f.write_str("too few rows for a graph"),
            Why::ManyAsked => f.write_str("a large part of all rows was asked for"),
            Why::Damaged => f.write_str("the faster structure is damaged"),
            Why::FewPass { scan, walk: Some(walk) } => {
                write!(f, "foretold {:.0} us, and {:.0} us by graph or partitions", us(scan), us(walk))
            }
            Why::FewPass { scan, walk: None } => {
                write!(f, "foretold {:.0} us; too few rows pass for graph or partitions", us(scan))
            }
            Why::ManyPass { scan, walk } => {
                write!(f, "foretold {:.0} us, and {:.0} us for comparing all that pass", us(walk), us(scan))
            }
            Why::GaveUp => f.write_str("graph or partitions found too few of those that pass, or took too long"),
        }
    }
}

impl Effort {
    /// The recall that is aimed at when nothing else is asked for.
    pub const DEFAULT_RECALL: f32 = 0.95;

    /// Checks the effort against its range.
    ///
    /// # Errors
    /// [`IndexError::Parameter`].
    pub fn validate(self) -> Result<(), IndexError> {
        let bad = |name, value, allowed| Err(IndexError::Parameter { name, value, allowed });
        match self {
            Effort::Recall(recall) if !(recall > 0.0 && recall <= 1.0) => {
                bad("recall", recall.to_string(), "over 0 and at most 1")
            }
            Effort::Ef(0) => bad("ef", "0".to_owned(), "at least 1"),
            _ => Ok(()),
        }
    }
}

impl Default for Effort {
    fn default() -> Self {
        Effort::Recall(Self::DEFAULT_RECALL)
    }
}
