//! What each commit changes: the same in the process that commits and in the one that checks.

use std::fmt;
use std::str::FromStr;

use super::embedder::Random;

/// The key of the document that holds the number of the commit.
pub const NUMBER: &str = "number";
/// A word of every text.
pub const COMMON: &str = "entry";

/// The rule that commits follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plan {
    /// Single documents are added, replaced and deleted; now and then a batch is, which leads to merges.
    Mixed,
    /// Each commit adds documents of so many bytes together, and nothing goes.
    Growing(u64),
    /// Each commit replaces all of so many documents, so that any two commits have nothing in common.
    Whole(u64),
    /// The first commit adds so many documents; each later one replaces some of them.
    Replacing(u64),
}

/// What one commit does: first the deletions, then the additions.
#[derive(Debug, Default)]
pub struct Changes {
    pub delete: Vec<String>,
    /// Keys and texts.
    pub upsert: Vec<(String, String)>,
}

impl Plan {
    /// What commit `n`, from 1, changes.
    pub fn changes(self, n: u64) -> Changes {
        let mut changes = Changes::default();
        match self {
            Plan::Mixed => mixed(n, &mut changes),
            Plan::Growing(bytes) => {
                for i in 0..bytes.div_ceil(GROWN) {
                    changes.add(format!("grown {n} {i}"), n, (GROWN / 8) as usize);
                }
            }
            Plan::Whole(documents) => (0..documents).for_each(|i| changes.add(format!("key {i}"), n, 6)),
            Plan::Replacing(documents) if n == 1 => (0..documents).for_each(|i| changes.add(format!("key {i}"), n, 30)),
            Plan::Replacing(documents) => {
                let at_once = documents.div_ceil(REPLACED);
                (0..at_once).for_each(|i| changes.add(format!("key {}", (n * at_once + i) % documents), n, 30));
            }
        }
        changes.upsert.push((NUMBER.to_owned(), number(n)));
        changes
    }
}

/// Bytes of a document of [`Plan::Growing`].
const GROWN: u64 = 1_024;
/// [`Plan::Replacing`] has replaced every document after this many commits.
const REPLACED: u64 = 40;

impl Changes {
    fn add(&mut self, key: String, n: u64, words: usize) {
        let text = text(&key, n, words);
        self.upsert.push((key, text));
    }
}

fn mixed(n: u64, changes: &mut Changes) {
    let replaced = n % 48;
    changes.add(format!("key {replaced}"), n, 8);
    let deleted = (7 * n + 5) % 48;
    if n.is_multiple_of(3) && deleted != replaced {
        changes.delete.push(format!("key {deleted}"));
    }
    match n % 20 {
        0 => (0..120).for_each(|i| changes.add(format!("batch {i}"), n, 8)),
        10 => changes.delete.extend((0..120).step_by(3).map(|i| format!("batch {i}"))),
        _ => {}
    }
}

fn text(key: &str, n: u64, words: usize) -> String {
    let mut random = Random(n);
    let mut text = format!("{COMMON} {key} of commit {n}");
    for _ in 0..words {
        text.push_str(&format!(" w{:06x}", random.below(1 << 24)));
    }
    text
}

fn number(n: u64) -> String {
    format!("{COMMON} of commit {n}")
}

/// The commit that a text is of.
pub fn number_of(text: &str) -> Option<u64> {
    text.split_once(" of commit ")?.1.split(' ').next()?.parse().ok()
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Plan::Mixed => write!(f, "mixed 0"),
            Plan::Growing(n) => write!(f, "growing {n}"),
            Plan::Whole(n) => write!(f, "whole {n}"),
            Plan::Replacing(n) => write!(f, "replacing {n}"),
        }
    }
}

impl FromStr for Plan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("no plan: {text}");
        let (name, n) = text.split_once(' ').ok_or_else(unknown)?;
        let n = n.parse().map_err(|_| unknown())?;
        match name {
            "mixed" => Ok(Plan::Mixed),
            "growing" => Ok(Plan::Growing(n)),
            "whole" => Ok(Plan::Whole(n)),
            "replacing" => Ok(Plan::Replacing(n)),
            _ => Err(unknown()),
        }
    }
}
