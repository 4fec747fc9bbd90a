//! Patterns of whole texts: `*` is any run of characters, `?` one character, `\` takes the next as it is.

use std::fmt;

use super::value::quoted;

/// A pattern, with what it was written as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::collection) struct Glob {
    pattern: String,
    parts: Vec<Part>,
    /// What stands between its runs, when it has no `?`.
    pieces: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Run,
    One,
    Just(char),
}

impl Glob {
    /// Every text is a pattern; a `\` at its end stands for itself.
    pub fn new(pattern: &str) -> Self {
        let mut parts = Vec::new();
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            match c {
                '*' if parts.last() == Some(&Part::Run) => {}
                '*' => parts.push(Part::Run),
                '?' => parts.push(Part::One),
                '\\' => parts.push(Part::Just(chars.next().unwrap_or('\\'))),
                c => parts.push(Part::Just(c)),
            }
        }
        let pieces = (!parts.contains(&Part::One)).then(|| {
            let just = |part: &Part| if let Part::Just(c) = part { Some(*c) } else { None };
            parts.split(|part| *part == Part::Run).map(|piece| piece.iter().filter_map(just).collect()).collect()
        });
        Glob { pattern: pattern.to_owned(), parts, pieces }
    }

    /// What every text that fits begins with, and whether any text that begins so fits.
    pub fn prefix(&self) -> (String, bool) {
        let just = |part: &Part| if let Part::Just(c) = part { Some(*c) } else { None };
        let prefix: String = self.parts.iter().map_while(just).collect();
        let rest = &self.parts[prefix.chars().count()..];
        (prefix, rest == [Part::Run])
    }

    /// Whether a whole text fits.
    pub fn fits(&self, text: &str) -> bool {
        match self.pieces.as_deref() {
            Some([whole]) => text == whole,
            Some([first, between @ .., last]) => {
                let Some(rest) = text.strip_prefix(&**first).and_then(|rest| rest.strip_suffix(&**last)) else {
                    return false;
                };
                // Each piece as early as it can be leaves the most for the next.
                let after = |rest: &'_ str, piece: &String| rest.find(&**piece).map(|at| at + piece.len());
                let mut at = 0;
                between.iter().all(|piece| after(&rest[at..], piece).map(|end| at += end).is_some())
            }
            _ => self.fits_by_character(text),
        }
    }

    fn fits_by_character(&self, text: &str) -> bool {
        let (mut part, mut rest) = (0, text.chars());
        // Where the last run stands, and the text that is left when it takes as little as was tried so far.
        let mut run: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            let before = rest.clone();
            let fits = match (self.parts.get(part), rest.next()) {
                (Some(Part::Run), _) => {
                    run = Some((part, before.clone()));
                    rest = before;
                    true
                }
                (Some(Part::One), Some(_)) => true,
                (Some(Part::Just(just)), Some(c)) => *just == c,
                (None, None) => return true,
                _ => false,
            };
            if fits {
                part += 1;
                continue;
            }
            // The run takes one character more.
            let Some((at, from)) = &mut run else { return false };
            if from.next().is_none() {
                return false;
            }
            (part, rest) = (*at + 1, from.clone());
        }
    }
}

/// As a text in quotes.
impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted(f, &self.pattern, '"')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_texts() {
        for (pattern, fitting, others) in [
            ("drafts/*", &["drafts/", "drafts/a/b.md"][..], &["drafts", "x/drafts/a", "Drafts/a"][..]),
            ("*.md", &[".md", "a/b.md", "a.md.md"], &["a.md ", "amd"]),
            ("a?c", &["abc", "a한c", "a?c"], &["ac", "abbc"]),
            ("?", &["한", "a"], &["", "ab"]),
            ("", &[""], &["a"]),
            ("*", &["", "a"], &[]),
            ("a*b*c", &["abc", "a1b2c", "abcbc", "aXbc"], &["ab", "acb", "abca"]),
            ("*a*", &["a", "bab"], &["", "b"]),
            (r"\*\?\\", &[r"*?\"], &[r"ab\"]),
            (r"a\", &[r"a\"], &["a"]),
            ("ab*ba", &["abba", "ab-ba"], &["aba", "ab", "abb"]),
            ("*aa*aa*", &["aaaa", "xaayaaz"], &["aaa", "aa"]),
            ("**a**", &["a", "xax"], &["x"]),
        ] {
            let glob = Glob::new(pattern);
            let fits = |text| [glob.fits(text), glob.fits_by_character(text)];
            fitting.iter().for_each(|text| assert_eq!(fits(text), [true; 2], "{pattern} {text}"));
            others.iter().for_each(|text| assert_eq!(fits(text), [false; 2], "{pattern} {text}"));
        }
    }

    #[test]
    fn the_prefix_is_what_all_fitting_texts_begin_with() {
        let prefix = |pattern| Glob::new(pattern).prefix();
        assert_eq!(prefix("drafts/*"), ("drafts/".to_owned(), true));
        assert_eq!(prefix(r"초\*안*x"), ("초*안".to_owned(), false));
        assert_eq!(prefix("*a"), (String::new(), false));
        assert_eq!(prefix("abc"), ("abc".to_owned(), false));
    }
}
