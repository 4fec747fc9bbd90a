//! A filter that cannot be read, shown with the place where reading stopped.

use std::fmt;

/// Cells of the expression shown on each side of the place.
const CONTEXT: usize = 36;

/// A filter expression that cannot be read or is over a limit.
///
/// Its message has three lines: the reason, the expression around the place, and a caret under it, which lines up where
/// a terminal gives wide characters (Hangul, Han, kana) two cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The whole expression, as it was given.
    pub expression: String,
    /// Where reading stopped: characters from the start of the expression, from 1. One past the last character means
    /// that something is missing at the end.
    pub column: usize,
    /// What is wrong there, and what to write instead.
    pub reason: String,
}

impl FilterError {
    /// The line that is shown, and the cells before the place in it.
    fn excerpt(&self) -> (String, usize) {
        let chars: Vec<char> = self.expression.chars().map(shown).collect();
        let at = self.column.saturating_sub(1).min(chars.len());
        let mut start = at;
        let mut before = 0;
        while start > 0 && before + cells(chars[start - 1]) <= CONTEXT {
            start -= 1;
            before += cells(chars[start]);
        }
        let mut end = at;
        let mut after = 0;
        while end < chars.len() && after + cells(chars[end]) <= CONTEXT {
            after += cells(chars[end]);
            end += 1;
        }
        let mut line = String::new();
        if start > 0 {
            line.push('…');
            before += 1;
        }
        line.extend(&chars[start..end]);
        if end < chars.len() {
            line.push('…');
        }
        (line, before)
    }
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, before) = self.excerpt();
        let reason: String = self.reason.chars().map(shown).collect();
        writeln!(f, "the filter fails at column {}: {reason}", self.column)?;
        writeln!(f, "  {line}")?;
        write!(f, "  {:before$}^", "")
    }
}

impl std::error::Error for FilterError {}

/// A character as it is shown: a line break within a name would break the message.
fn shown(c: char) -> char {
    if c.is_control() { ' ' } else { c }
}

/// Characters that take no cell: combining marks, vowels and tails of decomposed Hangul, joiners.
const NO_CELL: [(u32, u32); 6] =
    [(0x300, 0x36F), (0x1160, 0x11FF), (0x200B, 0x200F), (0x20D0, 0x20FF), (0xFE00, 0xFE0F), (0xFE20, 0xFE2F)];
/// Characters that take two cells (UAX #11, wide and full width, by block).
const TWO_CELLS: [(u32, u32); 12] = [
    (0x1100, 0x115F),
    (0x2E80, 0x303E),
    (0x3041, 0x33FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0xA4CF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7A3),
    (0xF900, 0xFAFF),
    (0xFE30, 0xFE6F),
    (0xFF01, 0xFF60),
    (0x1F300, 0x1FAFF),
    (0x20000, 0x3FFFD),
];

/// How many cells of a terminal a character takes.
fn cells(c: char) -> usize {
    let within = |ranges: &[(u32, u32)]| ranges.iter().any(|&(from, to)| (from..=to).contains(&u32::from(c)));
    match c {
        ' '..='~' => 1,
        _ if within(&NO_CELL) => 0,
        _ if within(&TWO_CELLS) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(expression: &str, column: usize) -> String {
        FilterError { expression: expression.to_owned(), column, reason: "why".to_owned() }.to_string()
    }

    #[test]
    fn the_caret_stands_under_the_place() {
        assert_eq!(message("a = b", 5), "the filter fails at column 5: why\n  a = b\n      ^");
        // Four characters of Hangul are eight cells.
        assert_eq!(message("언어 = 한국", 6), "the filter fails at column 6: why\n  언어 = 한국\n         ^");
        assert_eq!(message("", 1), "the filter fails at column 1: why\n  \n  ^");
        assert_eq!(message("a\nb", 3), "the filter fails at column 3: why\n  a b\n    ^");
    }

    #[test]
    fn a_long_expression_is_cut_around_the_place() {
        let long = "가".repeat(1_000);
        let message = message(&long, 501);
        let lines: Vec<&str> = message.lines().collect();
        assert_eq!(lines[1], format!("  …{}…", "가".repeat(36)));
        assert_eq!(lines[2], format!("  {}^", " ".repeat(37)));
    }

    #[test]
    fn a_column_past_the_end_is_shown_at_the_end() {
        assert!(message("ab", 99).ends_with("\n  ab\n    ^"));
    }
}
