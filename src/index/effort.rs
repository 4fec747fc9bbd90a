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
    /// Every row was compared.
    #[default]
    Scan,
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
            Plan::Codes => "graph by codes",
            Plan::Rows => "graph by rows",
            Plan::Partitions => "partitions",
        })
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
