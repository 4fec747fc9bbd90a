//! The text of a page, with where each part of it stands in the file.
//!
//! Tokenised by html5gum (the WHATWG tokeniser), without building a tree: the words between the
//! tags, block elements apart by blank lines, scripts, styles and navigation left out. The title
//! and headings become the text's headings.

use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};
use html5gum::{Span, State, Tokenizer};

use super::limits::{LONGEST_HEADING, LONGEST_WORD};
use super::stretch::long_words;
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
    /// What was left out as data: its line and length.
    pub data: Vec<(u64, usize)>,
}

/// What of a page matters. Attributes, comments and the rest of long names are never kept.
enum Part {
    Start { name: String, self_closing: bool },
    End(String),
    Words(String, Span<usize>),
}

/// Longer names are of no element that matters.
const LONGEST_NAME: usize = 16;

#[derive(Default)]
struct Writer {
    text: String,
    pieces: Vec<(u32, u32, u32)>,
    /// Whether the text of the last piece is as it stands in the file, byte by byte.
    copied: bool,
    headings: Vec<Heading>,
    /// Where data was left out, and its length.
    data: Vec<(u64, usize)>,
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
    let mut open = String::new();
    let parts = move |event: CallbackEvent<'_>, span: Span<usize>| match event {
        CallbackEvent::OpenStartTag { name } => {
            open = tag_name(name);
            None
        }
        CallbackEvent::CloseStartTag { self_closing } => Some(Part::Start { name: open.clone(), self_closing }),
        CallbackEvent::EndTag { name } => Some(Part::End(tag_name(name))),
        CallbackEvent::String { value } => Some(Part::Words(String::from_utf8_lossy(value).into_owned(), span)),
        _ => None,
    };
    let mut tokenizer = Tokenizer::new_with_emitter(source, CallbackEmitter::<_, Part, usize>::new(parts));
    while let Some(Ok(part)) = tokenizer.next() {
        match part {
            Part::Start { name, self_closing } => {
                // Without a tree the tokeniser must be told where markup stops being markup.
                let closed = self_closing && (xml || name == "svg");
                match name.as_str() {
                    _ if closed => {}
                    "script" => tokenizer.set_state(State::ScriptData),
                    "style" | "iframe" | "noscript" => tokenizer.set_state(State::RawText),
                    "title" | "textarea" => tokenizer.set_state(State::RcData),
                    _ => {}
                }
                out.open(&name, closed);
            }
            Part::End(name) => out.close(&name),
            Part::Words(words, span) => out.words(&words, span, source, shift),
        }
    }
    out.finish(source, shift)
}

fn tag_name(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(LONGEST_NAME)]).into_owned()
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
            let text = heading_words(&self.text[from..]);
            if !text.is_empty() {
                self.headings.push(Heading { at: from, level, text });
            }
        }
        if BLOCKS.contains(&name) {
            self.break_before = true;
        }
    }

    fn close_title(&mut self) {
        if let Some(title) = self.title.take() {
            let text = heading_words(&title);
            // The first title is the page's.
            if !text.is_empty() && self.headings.first().is_none_or(|h| h.level > 0) {
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
        while self.pieces.last().is_some_and(|p| p.0 as usize >= kept) {
            self.pieces.pop();
            self.copied = false;
        }
        if let Some(last) = self.pieces.last_mut().filter(|_| self.copied) {
            last.2 = last.2.min(kept as u32 - last.0);
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
            self.piece(at, raw.len(), false);
        }
        let mut places = raw.split_ascii_whitespace();
        for (i, word) in words.split_ascii_whitespace().enumerate() {
            if i > 0 {
                self.space();
            }
            let place = places.next().filter(|_| same);
            let from = at + place.map_or(0, |place| offset(raw, place));
            if self.is_data(word, from) {
                continue;
            }
            if let Some(place) = place {
                self.piece(from, place.len(), place == word);
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
            self.piece(at, raw.len(), false);
        }
        let mut places = raw.split('\n');
        for (i, line) in words.split('\n').enumerate() {
            if i > 0 {
                self.text.push('\n');
            }
            let place = places.next().filter(|_| same && !line.trim().is_empty());
            let from = at + place.map_or(0, |place| offset(raw, place));
            if self.is_data(line, from) {
                continue;
            }
            if let Some(place) = place.map(|place| place.trim_end_matches('\r')) {
                self.piece(from, place.len(), place == line);
            }
            self.text.push_str(line);
        }
    }

    /// Whether a word or line is nothing but data, which is noted then.
    fn is_data(&mut self, words: &str, at: u64) -> bool {
        let data = words.len() > LONGEST_WORD && long_words(words, LONGEST_WORD).first() == Some(&(0..words.len()));
        if data {
            self.data.push((at, words.len()));
        }
        data
    }

    /// Notes where the text that comes next stands in the file. Where it goes on as the text does, byte
    /// by byte, the last piece grows, so that an ordinary page has few.
    fn piece(&mut self, at: u64, len: usize, copied: bool) {
        let (text, at, len) = (self.text.len() as u32, at as u32, len as u32);
        match self.pieces.last_mut() {
            Some(last) if copied && self.copied && text - last.0 == at - last.1 => last.2 = at + len - last.1,
            _ => {
                self.pieces.push((text, at, len));
                self.copied = copied;
            }
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
        lines.iter_mut().for_each(|n| *n += shift as u32);
        let line = |at: u64| lines.partition_point(|&n| u64::from(n) < at) as u64 + 1;
        let data = self.data.iter().map(|&(at, len)| (line(at), len)).collect();
        if !self.pieces.is_empty() {
            self.pieces.push((self.text.len() as u32, source.len() as u32 + shift as u32, 0));
        }
        let map = SourceMap::Pieces { pieces: self.pieces, newlines: lines };
        Page { text: self.text, headings: self.headings, map, data }
    }
}

/// The beginning of a heading, on one line.
fn heading_words(text: &str) -> String {
    let mut out = String::new();
    for word in text.split_whitespace() {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word[..word.floor_char_boundary(LONGEST_HEADING)]);
        if out.len() > LONGEST_HEADING {
            break;
        }
    }
    out
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
