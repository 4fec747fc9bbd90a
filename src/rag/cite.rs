//! Citations in an answer: `[1]`, and never one of a source that there is not.

use std::collections::BTreeSet;

/// A citation is no longer.
const LONGEST: usize = 64;

/// Lets an answer through as it comes, without citations of sources that there are not.
#[derive(Debug)]
pub(super) struct Citations {
    sources: usize,
    /// Spaces, and what may be the beginning of a citation after them.
    held: String,
    /// The sources that were cited.
    pub cited: BTreeSet<usize>,
    /// Citations that were taken out.
    pub removed: usize,
}

impl Citations {
    pub fn new(sources: usize) -> Self {
        Citations { sources, held: String::new(), cited: BTreeSet::new(), removed: 0 }
    }

    /// The text that can go on.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        text.chars().for_each(|c| self.take(c, &mut out));
        out
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    fn take(&mut self, c: char, out: &mut String) {
        let is_open = self.held.contains('[');
        match c {
            '[' | ' ' if !is_open => self.held.push(c),
            ']' if is_open => {
                let held = std::mem::take(&mut self.held);
                self.close(&held, out);
            }
            '0'..='9' | ' ' | ',' | ';' | '-' | '–' | '^' if is_open && self.held.len() < LONGEST => {
                self.held.push(c)
            }
            _ => {
                out.push_str(&std::mem::take(&mut self.held));
                if matches!(c, '[' | ' ') {
                    self.held.push(c);
                } else {
                    out.push(c);
                }
            }
        }
    }

    /// `held` is spaces, a bracket, and what stands in it.
    fn close(&mut self, held: &str, out: &mut String) {
        let (spaces, inner) = held.split_once('[').unwrap_or(("", held));
        if !inner.bytes().any(|b| b.is_ascii_digit()) {
            out.push_str(held);
            out.push(']');
            return;
        }
        let mut good = Vec::new();
        for item in inner.split([',', ';', ' ']).filter(|item| !item.is_empty()) {
            match self.read(item.trim_start_matches('^')) {
                Some(range) => good.extend(range),
                None => self.removed += 1,
            }
        }
        if !good.is_empty() {
            out.push_str(spaces);
            for n in good {
                out.push_str(&format!("[{n}]"));
                self.cited.insert(n);
            }
        }
    }

    /// The sources that `2` or `2-4` means, if there are all of them.
    fn read(&self, item: &str) -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = item.split_once(['-', '–']).unwrap_or((item, item));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (1 <= first && first <= last && last <= self.sources).then_some(first..=last)
    }
}

/// A text without citations.
pub(super) fn without(text: &str) -> String {
    let mut citations = Citations::new(0);
    let mut out = citations.push(text);
    out.push_str(&citations.finish());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(text: &str, sources: usize) -> (String, Vec<usize>, usize) {
        let mut whole = Citations::new(sources);
        let mut out = whole.push(text);
        out.push_str(&whole.finish());
        for (at, _) in text.char_indices() {
            let mut cut = Citations::new(sources);
            let mut again = cut.push(&text[..at]) + &cut.push(&text[at..]);
            again.push_str(&cut.finish());
            assert_eq!(again, out, "cut at {at}");
        }
        (out, whole.cited.into_iter().collect(), whole.removed)
    }

    #[test]
    fn citations_of_no_source_are_taken_out() {
        assert_eq!(through("달이 당긴다 [1]. 해도 [4].", 3), ("달이 당긴다 [1]. 해도.".to_owned(), vec![1], 1));
        assert_eq!(through("a[2, 9]b [1-3] [3-4]", 3), ("a[2]b [1][2][3]".to_owned(), vec![1, 2, 3], 2));
        assert_eq!(through("[0] [99999999999999999999] x", 3).0, " x");
        assert_eq!(through("[ ] [x] [^2] [a1] [[3]]", 3), ("[ ] [x] [2] [a1] [[3]]".to_owned(), vec![2, 3], 0));
        assert_eq!(through("open [1", 3), ("open [1".to_owned(), vec![], 0));
        assert_eq!(through("[1][1]  [2]", 3).0, "[1][1]  [2]");
        assert_eq!(without("가 [1], 나[2]."), "가, 나.");
    }
}
