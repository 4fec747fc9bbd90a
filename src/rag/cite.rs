//! Citations in an answer: `[1]`, and never one of a source that there is not.

use std::collections::BTreeSet;

/// What may stand within a citation; one that is longer is none of a source.
const LONGEST: usize = 256;

/// Lets an answer through as it comes, without citations of sources that there are not. Code, between backticks, goes
/// through as it is: what stands in brackets there is an index.
#[derive(Debug)]
pub(super) struct Citations {
    sources: usize,
    /// Whether a space is held back that goes with a citation.
    space: bool,
    /// The bracket that may begin a citation, and what follows it.
    open: Option<(char, String)>,
    /// Whether the last that went on is a bracket that opens.
    after_bracket: bool,
    /// Whether an inline code, or a fenced one, is open.
    inline: bool,
    fenced: bool,
    /// Backticks in a row.
    ticks: usize,
    /// The sources that were cited.
    pub cited: BTreeSet<usize>,
    /// Citations that were taken out.
    pub removed: usize,
}

impl Citations {
    pub fn new(sources: usize) -> Self {
        Citations {
            sources,
            space: false,
            open: None,
            after_bracket: false,
            inline: false,
            fenced: false,
            ticks: 0,
            cited: BTreeSet::new(),
            removed: 0,
        }
    }

    /// The text that can go on.
    pub fn push(&mut self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        text.chars().for_each(|c| self.take(c, &mut out));
        out
    }

    /// What is left at the end.
    pub fn finish(&mut self) -> String {
        let mut out = String::new();
        self.flush(&mut out);
        out
    }

    fn flush(&mut self, out: &mut String) {
        if std::mem::take(&mut self.space) {
            out.push(' ');
        }
        if let Some((bracket, inner)) = self.open.take() {
            self.after_bracket = inner.is_empty();
            out.push(bracket);
            out.push_str(&inner);
        }
    }

    /// Keeps track of code.
    fn mark(&mut self, c: char) {
        if c == '`' {
            self.ticks += 1;
            return;
        }
        match std::mem::take(&mut self.ticks) {
            0 => {}
            1 | 2 if !self.fenced => self.inline = !self.inline,
            1 | 2 => {}
            _ => self.fenced = !self.fenced,
        }
        // A backtick that is never closed says nothing of the next line.
        self.inline &= c != '\n';
    }

    fn take(&mut self, c: char, out: &mut String) {
        self.mark(c);
        if self.inline || self.fenced || self.ticks > 0 {
            self.flush(out);
            return out.push(c);
        }
        let is_part = |c: char| digit(c).is_some() || " ,;-–~〜^、，".contains(c);
        match (&mut self.open, c) {
            (Some(_), ']' | '］' | '】') => self.close(c, out),
            (Some((_, inner)), c) if is_part(c) => {
                if inner.len() < LONGEST {
                    inner.push(c);
                }
            }
            (_, '[' | '［' | '【') => {
                // The brackets before it are text, and a space before these goes with this one.
                let space = self.space && self.open.is_none();
                self.space &= self.open.is_some();
                self.flush(out);
                (self.space, self.open) = (space, Some((c, String::new())));
            }
            (_, c) => {
                self.flush(out);
                self.after_bracket = false;
                if c == ' ' {
                    self.space = true;
                } else {
                    out.push(c);
                }
            }
        }
    }

    fn close(&mut self, bracket: char, out: &mut String) {
        let Some((_, inner)) = &self.open else { return };
        let inner: String = inner.chars().map(plain).collect();
        if !inner.bytes().any(|b| b.is_ascii_digit()) {
            self.flush(out);
            return out.push(bracket);
        }
        self.open = None;
        let mut good = Vec::new();
        for item in inner.split([',', ' ']).filter(|item| !item.is_empty()) {
            match self.read(item.trim_start_matches('^')) {
                Some(range) => good.extend(range),
                None => self.removed += 1,
            }
        }
        let space = std::mem::take(&mut self.space);
        if good.is_empty() {
            // What follows must not become a citation with the bracket before.
            if std::mem::take(&mut self.after_bracket) {
                out.push('…');
            }
            return;
        }
        if space {
            out.push(' ');
        }
        for n in good {
            out.push_str(&format!("[{n}]"));
            self.cited.insert(n);
        }
    }

    /// The sources that `2` or `2-4` means, if there are all of them.
    fn read(&self, item: &str) -> Option<std::ops::RangeInclusive<usize>> {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (1 <= first && first <= last && last <= self.sources).then_some(first..=last)
    }
}

/// The value of a digit, of full width or not.
fn digit(c: char) -> Option<char> {
    match c {
        '0'..='9' => Some(c),
        '０'..='９' => char::from_u32(c as u32 - '０' as u32 + '0' as u32),
        _ => None,
    }
}

/// What a character of a citation means.
fn plain(c: char) -> char {
    match c {
        ';' | '、' | '，' => ',',
        '–' | '~' | '〜' => '-',
        c => digit(c).unwrap_or(c),
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
        assert_eq!(through("[[9]7] [[1]7]", 3).0, "[…7] [[1]7]");
        assert_eq!(through("open [1", 3), ("open [1".to_owned(), vec![], 0));
        assert_eq!(through("[1][1]  [2]", 3).0, "[1][1]  [2]");
        assert_eq!(
            through("가[1~2] 나[1、9] 다［2］ 라【9】 마[３] 【주의】", 3).0,
            "가[1][2] 나[1] 다[2] 라 마[3] 【주의】"
        );
        assert_eq!(through(&format!("a[1{}, 99] b", ", 1".repeat(300)), 3).2, 0);
        assert!(!through(&format!("a[9{}] b", ", 9".repeat(300)), 3).0.contains('9'));
        assert_eq!(through(&format!("{}[9]x", " ".repeat(100)), 3).0, format!("{}x", " ".repeat(99)));
        let code = "use `args[0]` [9]\n```rust\nvec![10, 20];\n```\nand `open [7]\n[8].";
        assert_eq!(through(code, 3).0, "use `args[0]`\n```rust\nvec![10, 20];\n```\nand `open [7]\n.");
        assert_eq!(without("가 [1], 나[2]."), "가, 나.");
    }
}
