//! Answers that come piece by piece, cut into frames: server-sent events (WHATWG HTML, 9.2) or lines of JSON.
//!
//! Pieces are cut at line feeds before they are read as text, so a character may be split across any number of them.

use std::collections::VecDeque;

use super::Incoming;
use crate::error::HttpError;

/// A frame is no longer.
const LONGEST: usize = 32 << 20;

/// How frames are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Events, each a few lines and a blank one.
    Events,
    /// A line each.
    Lines,
}

/// What a server sends at a time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The event's name; empty where it has none.
    pub event: String,
    pub data: String,
}

/// Puts frames together.
struct Assembler {
    framing: Framing,
    line: Vec<u8>,
    /// Whether the last line ended with a carriage return: a line feed that follows belongs to it.
    after_return: bool,
    event: Frame,
    has_data: bool,
    /// What a frame has already.
    length: usize,
}

impl Assembler {
    fn new(framing: Framing) -> Self {
        Assembler {
            framing,
            line: Vec::new(),
            after_return: false,
            event: Frame::default(),
            has_data: false,
            length: 0,
        }
    }

    /// Takes bytes; `None` when a frame grows too long.
    fn take(&mut self, bytes: &[u8], out: &mut VecDeque<Frame>) -> Option<()> {
        for byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' => self.end_of_line(out),
                // Within JSON lines it can only stand before a line feed.
                b'\r' => {
                    self.after_return = true;
                    self.end_of_line(out);
                }
                byte => {
                    self.line.push(*byte);
                    self.length += 1;
                    if self.length > LONGEST {
                        return None;
                    }
                }
            }
        }
        Some(())
    }

    fn end_of_line(&mut self, out: &mut VecDeque<Frame>) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        match self.framing {
            Framing::Lines => {
                self.length = 0;
                if !line.trim().is_empty() {
                    out.push_back(Frame { event: String::new(), data: line });
                }
            }
            Framing::Events if line.is_empty() => {
                self.length = 0;
                let event = std::mem::take(&mut self.event);
                // Without data it only keeps the connection open.
                if std::mem::take(&mut self.has_data) && !event.data.trim().is_empty() {
                    out.push_back(event);
                }
            }
            Framing::Events => self.field(line.trim_start_matches('\u{feff}')),
        }
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => self.event.event = value.to_owned(),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                self.has_data = true;
                self.event.data.push_str(value);
            }
            // Comments, identifiers, times to come back after.
            _ => {}
        }
    }

    /// What stands at the end without a line feed. An event that was not ended is dropped, as the standard has it, unless
    /// it is whole: some servers leave out the last blank line.
    fn finish(&mut self, out: &mut VecDeque<Frame>) {
        if !self.line.is_empty() {
            self.end_of_line(out);
        }
        if self.framing == Framing::Events && is_whole(&self.event.data) {
            self.end_of_line(out);
        }
    }
}

/// Whether a text is all of what was to be sent: the mark of an end, or JSON that is closed.
fn is_whole(data: &str) -> bool {
    data.trim() == "[DONE]" || serde_json::from_str::<serde_json::Value>(data).is_ok_and(|json| json.is_object())
}

/// The frames of an answer. Dropping it closes the connection.
pub(crate) struct Frames {
    incoming: Incoming,
    assembler: Assembler,
    ready: VecDeque<Frame>,
    ended: bool,
}

impl Frames {
    pub fn new(incoming: Incoming, framing: Framing) -> Self {
        Frames { incoming, assembler: Assembler::new(framing), ready: VecDeque::new(), ended: false }
    }

    /// The next frame; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Frame>, HttpError> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Ok(Some(frame));
            }
            if self.ended {
                return Ok(None);
            }
            match self.incoming.piece().await? {
                Some(piece) => self
                    .assembler
                    .take(&piece, &mut self.ready)
                    .ok_or_else(|| self.incoming.body_error(format!("a frame of over {LONGEST} bytes")))?,
                None => {
                    self.ended = true;
                    self.assembler.finish(&mut self.ready);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(framing: Framing, pieces: &[&[u8]]) -> Vec<(String, String)> {
        let (mut assembler, mut out) = (Assembler::new(framing), VecDeque::new());
        pieces.iter().for_each(|piece| assembler.take(piece, &mut out).unwrap());
        assembler.finish(&mut out);
        out.into_iter().map(|frame| (frame.event, frame.data)).collect()
    }

    #[test]
    fn events_are_read_however_they_are_cut() {
        let text = ": hello\r\nevent: a\r\ndata: 한글 {\"x\":1}\r\ndata:two\r\nid: 7\r\n\r\n\ndata: [DONE]\n\nevent: none\n\ndata: b\r\rdata: open";
        let wanted = [("a", "한글 {\"x\":1}\ntwo"), ("", "[DONE]"), ("", "b")]
            .map(|(event, data)| (event.to_owned(), data.to_owned()));
        assert_eq!(frames(Framing::Events, &[text.as_bytes()]), wanted);
        for at in 0..=text.len() {
            let (a, b) = text.as_bytes().split_at(at);
            assert_eq!(frames(Framing::Events, &[a, b]), wanted, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
        assert_eq!(frames(Framing::Events, &bytes), wanted);
        let ends = [
            ("data: [DONE]", 1),
            ("data: [DONE]\n", 1),
            ("data: {\"a\": 1}", 1),
            ("data: {\"a\": ", 0),
            ("data:\n\n", 0),
        ];
        for (text, count) in ends {
            assert_eq!(frames(Framing::Events, &[text.as_bytes()]).len(), count, "{text}");
        }
    }

    #[test]
    fn lines_are_read_to_the_last_one_that_has_no_end() {
        let lines = frames(Framing::Lines, &["{\"a\":\"".as_bytes(), &[0xea], &[0xb0], &[0x80], b"\"}\r\n\n{\"b\":2}"]);
        assert_eq!(lines.into_iter().map(|(_, data)| data).collect::<Vec<_>>(), ["{\"a\":\"가\"}", "{\"b\":2}"]);
    }

    #[test]
    fn frames_without_an_end_stop() {
        let (mut assembler, mut out) = (Assembler::new(Framing::Events), VecDeque::new());
        let piece = vec![b'x'; LONGEST];
        assert_eq!(assembler.take(&piece, &mut out), Some(()));
        assert_eq!(assembler.take(b"x", &mut out), None);
    }
}
