//! The text of a page, with where each part of it stands in the file.
//!
//! Tokenised by html5gum (the WHATWG tokeniser), without building a tree: the words between the
//! tags, block elements apart by blank lines, scripts, styles and navigation left out. The title
//! and headings become the text's headings.

use html5gum::{DefaultEmitter, Span, State, Token, Tokenizer};

use super::{Heading, SourceMap, newlines};

/// Elements whose text is not the page's.
const DROPPED: &[&str] =
    &["script", "style", "noscript", "template", "svg", "nav", "iframe", "object", "select", "button", "head"];
/// Elements that stand on lines of their own.
const BLOCKS: &[&str] = &[
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "html",
    "li",
    "main",
    "ol",
    "p",
    "pre",
    "section",
    "summary",
    "table",
    "tbody",
    "tfoot",
    "thead",
    "title",
    "tr",
    "ul",
];

/// A page's text.
pub(super) struct Page {
    pub text: String,
    pub headings: Vec<Heading>,
    pub map: SourceMap,
}

#[derive(Default)]
struct Writer {
    text: String,
    pieces: Vec<(u64, u64, u64)>,
    headings: Vec<Heading>,
    /// The dropped element that is open, and how many of its name are.
    dropped: Option<(&'static str, usize)>,
    open_heading: Option<(usize, u8)>,
    title: Option<String>,
    break_before: bool,
    pre: usize,
}

/// Reads a page; `shift` bytes of the file come before `source`.
pub(super) fn page(source: &str, shift: u64) -> Page {
    let mut out = Writer::default();
    let mut tokenizer = Tokenizer::new_with_emitter(source, DefaultEmitter::<usize>::new_with_span());
    while let Some(Ok(token)) = tokenizer.next() {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                // Without a tree the tokeniser must be told where markup stops being markup.
                match name.as_str() {
                    "script" => tokenizer.set_state(State::ScriptData),
                    "style" | "iframe" | "noscript" => tokenizer.set_state(State::RawText),
                    "title" | "textarea" => tokenizer.set_state(State::RcData),
                    _ => {}
                }
                out.open(&name, tag.self_closing);
            }
            Token::EndTag(tag) => out.close(&String::from_utf8_lossy(&tag.name)),
            Token::String(words) => out.words(&String::from_utf8_lossy(&words), words.span, source, shift),
            Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    out.finish(source, shift)
}

impl Writer {
    fn open(&mut self, name: &str, self_closing: bool) {
        if let Some((dropped, depth)) = &mut self.dropped {
            if *dropped == name && !self_closing {
                *depth += 1;
            }
            if name == "title" {
                self.title = Some(String::new());
            }
            // A head without an end tag ends where the body begins.
            if *dropped != "head" || name != "body" {
                return;
            }
            self.dropped = None;
        }
        if let Some(&dropped) = DROPPED.iter().find(|d| **d == name) {
            self.dropped = (!self_closing).then_some((dropped, 1));
            return;
        }
        match name {
            "br" => self.text.push('\n'),
            "td" | "th" => self.text.push(' '),
            "title" => self.title = Some(String::new()),
            "pre" => self.pre += 1,
            _ => {}
        }
        if BLOCKS.contains(&name) {
            self.break_before = true;
        }
        if let Some(level) = heading_level(name) {
            self.open_heading = Some((self.text.len(), level));
        }
    }

    fn close(&mut self, name: &str) {
        if let Some((dropped, depth)) = &mut self.dropped {
            if *dropped == name {
                *depth -= 1;
                if *depth == 0 {
                    self.dropped = None;
                }
            }
            if name == "title" {
                self.close_title();
            }
            return;
        }
        match name {
            "title" => self.close_title(),
            "pre" => self.pre = self.pre.saturating_sub(1),
            _ => {}
        }
        if heading_level(name).is_some()
            && let Some((at, level)) = self.open_heading.take()
        {
            // The heading's text begins after the break that its tag asked for.
            let from = at + (self.text[at..].len() - self.text[at..].trim_start().len());
            let words = self.text[from..].split_whitespace().collect::<Vec<_>>().join(" ");
            if !words.is_empty() {
                self.headings.push(Heading { at: from, level, text: words });
            }
        }
        if BLOCKS.contains(&name) {
            self.break_before = true;
        }
    }

    fn close_title(&mut self) {
        if let Some(title) = self.title.take() {
            let text = title.split_whitespace().collect::<Vec<_>>().join(" ");
            if !text.is_empty() {
                self.headings.insert(0, Heading { at: 0, level: 0, text });
            }
        }
    }

    fn words(&mut self, words: &str, span: Span<usize>, source: &str, shift: u64) {
        if let Some(title) = &mut self.title {
            title.push_str(words);
            return;
        }
        if self.dropped.is_some() || (self.pre == 0 && words.trim().is_empty() && self.break_before) {
            return;
        }
        if std::mem::take(&mut self.break_before) && !self.text.is_empty() {
            let kept = self.text.trim_end().len();
            self.text.truncate(kept);
            self.text.push_str("\n\n");
        }
        let raw = source.get(span.start..span.end).unwrap_or("");
        if raw == words && self.pre == 0 {
            self.copy_words(raw, span.start as u64 + shift);
        } else {
            // Character references: the words as a whole stand for the whole stretch.
            self.pieces.push((self.text.len() as u64, span.start as u64 + shift, (span.end - span.start) as u64));
            if self.pre > 0 {
                self.text.push_str(words);
            } else {
                self.push_collapsed(words);
            }
        }
    }

    /// Copies a stretch with its white space collapsed, a piece a word, so that every word keeps
    /// its place.
    fn copy_words(&mut self, raw: &str, at: u64) {
        if raw.starts_with(char::is_whitespace) {
            self.space();
        }
        let mut rest = 0;
        for word in raw.split_whitespace() {
            let from = rest + raw[rest..].find(word).unwrap_or(0);
            self.pieces.push((self.text.len() as u64, at + from as u64, word.len() as u64));
            self.text.push_str(word);
            self.text.push(' ');
            rest = from + word.len();
        }
        if !raw.ends_with(char::is_whitespace) && self.text.ends_with(' ') {
            self.text.pop();
        }
    }

    fn push_collapsed(&mut self, words: &str) {
        if words.starts_with(char::is_whitespace) {
            self.space();
        }
        self.text.push_str(&words.split_whitespace().collect::<Vec<_>>().join(" "));
        if words.ends_with(char::is_whitespace) {
            self.space();
        }
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }

    fn finish(mut self, source: &str, shift: u64) -> Page {
        self.close_title();
        let kept = self.text.trim_end().len();
        self.text.truncate(kept);
        let mut lines = newlines(source.as_bytes());
        lines.iter_mut().for_each(|n| *n += shift);
        Page {
            text: self.text,
            headings: self.headings,
            map: SourceMap::Pieces { pieces: self.pieces, newlines: lines },
        }
    }
}

fn heading_level(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}
