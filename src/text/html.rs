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
/// Elements that may stand in a head; any other start tag ends it.
const OF_HEAD: &[&str] =
    &["base", "basefont", "bgsound", "head", "link", "meta", "noscript", "script", "style", "template", "title"];
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
    /// The level of the heading that is open, and where its words begin once there are some.
    open_heading: Option<(Option<usize>, u8)>,
    title: Option<String>,
    break_before: bool,
    pre: usize,
}

/// Reads a page; `shift` bytes of the file come before `source`.
pub(super) fn page(source: &str, shift: u64) -> Page {
    let mut out = Writer::default();
    // Only in XML does `<script/>` close itself.
    let start = &source[..source.floor_char_boundary(512)];
    let xml = start.contains("<?xml") || start.contains("xhtml") || start.contains("XHTML");
    let mut tokenizer = Tokenizer::new_with_emitter(source, DefaultEmitter::<usize>::new_with_span());
    while let Some(Ok(token)) = tokenizer.next() {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                // Without a tree the tokeniser must be told where markup stops being markup.
                let closed = tag.self_closing && (xml || name == "svg");
                match name.as_str() {
                    _ if closed => {}
                    "script" => tokenizer.set_state(State::ScriptData),
                    "style" | "iframe" | "noscript" => tokenizer.set_state(State::RawText),
                    "title" | "textarea" => tokenizer.set_state(State::RcData),
                    _ => {}
                }
                out.open(&name, closed);
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
            if *dropped != "head" || OF_HEAD.contains(&name) {
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
            self.open_heading = Some((None, level));
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
            && let Some((Some(at), level)) = self.open_heading.take()
        {
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
            self.trim_end();
            self.text.push_str("\n\n");
        }
        if let Some((at @ None, _)) = &mut self.open_heading {
            *at = Some(self.text.len());
        }
        let raw = source.get(span.start..span.end).unwrap_or("");
        let at = span.start as u64 + shift;
        if self.pre > 0 { self.copy_lines(raw, words, at) } else { self.copy_words(raw, words, at) }
    }

    /// Takes white space off the end, and what was noted of it.
    fn trim_end(&mut self) {
        let kept = self.text.trim_end().len();
        self.text.truncate(kept);
        while self.pieces.last().is_some_and(|p| p.0 >= kept as u64) {
            self.pieces.pop();
        }
        if let Some((at, _)) = &mut self.open_heading {
            *at = at.filter(|&at| at <= kept);
        }
    }

    /// Copies words with the white space between them collapsed, a piece a word, so that every word
    /// keeps its place. `raw` is how they stand in the file, with character references.
    fn copy_words(&mut self, raw: &str, words: &str, at: u64) {
        if words.starts_with(|c: char| c.is_ascii_whitespace()) {
            self.space();
        }
        let same = raw.split_ascii_whitespace().count() == words.split_ascii_whitespace().count();
        if !same && !words.trim().is_empty() {
            // A reference to white space: the words as a whole stand for the whole stretch.
            self.pieces.push((self.text.len() as u64, at, raw.len() as u64));
        }
        let mut places = raw.split_ascii_whitespace();
        for (i, word) in words.split_ascii_whitespace().enumerate() {
            if i > 0 {
                self.text.push(' ');
            }
            if let Some(place) = places.next().filter(|_| same) {
                self.pieces.push((self.text.len() as u64, at + offset(raw, place), place.len() as u64));
            }
            self.text.push_str(word);
        }
        if words.ends_with(|c: char| c.is_ascii_whitespace()) {
            self.space();
        }
    }

    /// Copies preformatted lines as they are, a piece a line.
    fn copy_lines(&mut self, raw: &str, words: &str, at: u64) {
        let same = raw.split('\n').count() == words.split('\n').count();
        if !same && !words.trim().is_empty() {
            self.pieces.push((self.text.len() as u64, at, raw.len() as u64));
        }
        let mut places = raw.split('\n');
        for (i, line) in words.split('\n').enumerate() {
            if i > 0 {
                self.text.push('\n');
            }
            if let Some(place) = places.next().filter(|_| same && !line.trim().is_empty()) {
                let place = place.trim_end_matches('\r');
                self.pieces.push((self.text.len() as u64, at + offset(raw, place), place.len() as u64));
            }
            self.text.push_str(line);
        }
    }

    fn space(&mut self) {
        if !self.text.is_empty() && !self.text.ends_with(char::is_whitespace) {
            self.text.push(' ');
        }
    }

    fn finish(mut self, source: &str, shift: u64) -> Page {
        self.close_title();
        self.trim_end();
        let mut lines = newlines(source.as_bytes());
        lines.iter_mut().for_each(|n| *n += shift);
        Page {
            text: self.text,
            headings: self.headings,
            map: SourceMap::Pieces { pieces: self.pieces, newlines: lines },
        }
    }
}

/// Where a part of a text begins in it.
fn offset(whole: &str, part: &str) -> u64 {
    (part.as_ptr() as usize - whole.as_ptr() as usize) as u64
}

fn heading_level(name: &str) -> Option<u8> {
    match name.as_bytes() {
        [b'h', level @ b'1'..=b'6'] => Some(level - b'0'),
        _ => None,
    }
}
