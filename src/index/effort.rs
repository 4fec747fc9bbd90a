//! How much work a search does.

use crate::error::IndexError;

/// How much work a search does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Effort {
    /// As much as the part of the true neighbours that is to be found needs, from 0 to 1, by what
    /// was measured on the index's own rows when it was built.
    Recall(f32),
    /// Candidates that the walk keeps (`ef_search`), at least 1; `k` where that is larger.
    Ef(usize),
    /// Every row is compared.
    Exact,
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
