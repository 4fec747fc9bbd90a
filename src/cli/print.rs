//! Words on a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::io::{BufWriter, Write};

use super::failure::Failure;

/// stdout, buffered; styles are dropped where it is not a terminal or `NO_COLOR` is set.
pub fn stdout() -> BufWriter<anstream::AutoStream<std::io::StdoutLock<'static>>> {
    BufWriter::new(anstream::AutoStream::auto(std::io::stdout().lock()))
}

/// Prints to stdout, where a broken pipe ends the run quietly.
pub fn out(write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), Failure> {
    let mut out = stdout();
    write(&mut out).and_then(|()| out.flush()).map_err(|e| Failure::stream("stdout", &e))
}

/// One JSON value and a line end.
pub fn json(value: &impl serde::Serialize) -> Result<(), Failure> {
    out(|mut out| {
        serde_json::to_writer(&mut out, value)?;
        writeln!(out)
    })
}

/// A line on stderr; what cannot be written there is lost.
pub fn note(line: &str) {
    let _ = writeln!(anstream::stderr(), "{line}");
}

/// A text from outside as a terminal may show it: control characters, which could move the cursor
/// or turn the writing direction, are written as escapes.
pub fn shown(text: &str) -> Cow<'_, str> {
    let unsafe_here = |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    if !text.contains(unsafe_here) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            _ if !unsafe_here(c) => out.push(c),
            _ => {
                let _ = write!(out, "{}", c.escape_default());
            }
        }
    }
    Cow::Owned(out)
}

/// The beginning of a text on one line: white space is one space, and what is over `limit`
/// characters is cut at a word.
pub fn beginning(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        let room = limit.saturating_sub(length + 1);
        let long = word.chars().count();
        if long > room {
            if out.is_empty() {
                out.extend(word.chars().take(limit));
            }
            out.push('…');
            return out;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
        length += long + 1;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_steers_the_terminal() {
        assert_eq!(shown("가나 plain"), "가나 plain");
        assert_eq!(shown("a\u{1b}[31mb\n\u{202e}"), "a\\u{1b}[31mb\\n\\u{202e}");
    }

    #[test]
    fn beginnings_end_at_words() {
        assert_eq!(beginning("  one\n two  three", 80), "one two three");
        assert_eq!(beginning("one two three", 9), "one two…");
        assert_eq!(beginning("가나다라마바사", 3), "가나다…");
        assert_eq!(beginning("", 3), "");
    }
}
