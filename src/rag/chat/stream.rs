//! An answer from sources, piece by piece.

use std::collections::VecDeque;

use super::{ChatStop, Prepared};
use crate::error::Result;
use crate::llm::{Answer, AnswerStream, Llm, StreamEvent, TokenUsage};
use crate::rag::CitedSource;
use crate::rag::cite::{self, Citations};

/// What the answer to a question brings, in this order.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ChatEvent {
    /// First, and once.
    Sources {
        /// The question as it was searched for, where that differs from what was asked.
        rewritten: Option<String>,
        /// What the answer is made from.
        sources: Vec<CitedSource>,
    },
    /// More of the text; citations are whole, and of sources that there are.
    Text(String),
    /// Last. Only now the conversation has it.
    End(Box<ChatAnswer>),
}

/// An answer from sources.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ChatAnswer {
    /// The question as it was asked.
    pub question: String,
    /// The question as it was searched for, where that differs.
    pub rewritten: Option<String>,
    /// What it is made from.
    pub sources: Vec<CitedSource>,
    /// The text, with citations `[n]` of these sources only.
    pub text: String,
    /// The sources that it cites, in order.
    pub cited: Vec<usize>,
    /// Citations that were taken out, since there is no such source.
    pub removed: usize,
    /// Tokens of the answer and of the rewriting.
    pub usage: TokenUsage,
    /// Whether the answer came from a cache.
    pub cache_hit: bool,
    /// The model's answer as it came; `None` when nothing was found and no model was asked.
    pub answer: Option<Answer>,
}

/// An answer from sources, piece by piece. Dropping it closes its connection and leaves the conversation as it was.
#[derive(Debug)]
#[must_use]
pub struct ChatStream {
    llm: Llm,
    /// `None` once it has ended.
    prepared: Option<Prepared>,
    stream: Option<AnswerStream>,
    citations: Citations,
    text: String,
    ready: VecDeque<ChatEvent>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("question", &self.question).finish_non_exhaustive()
    }
}

impl ChatStream {
    fn new(llm: Llm, prepared: Prepared) -> ChatStream {
        let (rewritten, sources) = (prepared.rewritten.clone(), prepared.sources.clone());
        let citations = Citations::new(sources.len());
        let ready = VecDeque::from([ChatEvent::Sources { rewritten, sources }]);
        ChatStream { llm, prepared: Some(prepared), stream: None, citations, text: String::new(), ready }
    }

    /// A stream; nothing is sent yet.
    pub(super) fn begun(llm: Llm, stop: &ChatStop, mut prepared: Prepared) -> Result<ChatStream> {
        let stream = match prepared.asked.take() {
            Some((system, messages)) => Some(llm.stream_messages(system, messages)?),
            None => None,
        };
        stream.iter().for_each(|stream| stop.watch_stream(stream.stop_handle()));
        Ok(ChatStream { stream, ..ChatStream::new(llm, prepared) })
    }

    /// The whole answer in one request.
    pub(super) fn answered(llm: Llm, stop: &ChatStop, mut prepared: Prepared) -> Result<ChatAnswer> {
        let answer = match prepared.asked.take() {
            Some((system, messages)) => Some(stop.wait(llm.ask_messages(system, messages))??),
            None => None,
        };
        let mut all = ChatStream::new(llm, prepared);
        if let Some(answer) = answer {
            let text = all.citations.push(&answer.text);
            all.put_out(text);
            all.end(Some(answer));
        }
        all.whole()
    }

    /// What the answer is made from; nothing once the end was read, which has it.
    pub fn sources(&self) -> &[CitedSource] {
        self.prepared.as_ref().map(|prepared| prepared.sources.as_slice()).unwrap_or_default()
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn whole(mut self) -> Result<ChatAnswer> {
        let llm = self.llm.clone();
        for event in &mut self {
            if let ChatEvent::End(answer) = event? {
                return Ok(*answer);
            }
        }
        Err(llm.setting("the stream was read to its end before, or stopped").into())
    }

    fn put_out(&mut self, text: String) {
        if !text.is_empty() {
            self.text.push_str(&text);
            self.ready.push_back(ChatEvent::Text(text));
        }
    }

    fn end(&mut self, answer: Option<Answer>) {
        let rest = self.citations.finish();
        self.put_out(rest);
        let Some(prepared) = self.prepared.take() else { return };
        let usage = answer.as_ref().map_or(TokenUsage::default(), |answer| answer.usage);
        let answer = ChatAnswer {
            question: prepared.question,
            rewritten: prepared.rewritten,
            sources: prepared.sources,
            text: std::mem::take(&mut self.text),
            cited: self.citations.cited.iter().copied().collect(),
            removed: self.citations.removed,
            usage: prepared.usage.plus(usage),
            cache_hit: answer.as_ref().is_some_and(|answer| answer.cache_hit),
            answer,
        };
        self.ready.push_back(ChatEvent::End(Box::new(answer)));
    }
}

impl Iterator for ChatStream {
    type Item = Result<ChatEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if let ChatEvent::End(answer) = &event {
                    self.llm.remember(&answer.question, &cite::without(&answer.text));
                }
                return Some(Ok(event));
            }
            let told = self.prepared.as_ref()?.told.clone();
            let Some(stream) = &mut self.stream else {
                self.put_out(told);
                self.end(None);
                continue;
            };
            match stream.next()? {
                Ok(StreamEvent::Text(text)) => {
                    let text = self.citations.push(&text);
                    self.put_out(text);
                }
                Ok(StreamEvent::End(answer)) => self.end(Some(*answer)),
                Err(error) => {
                    self.prepared = None;
                    return Some(Err(error.into()));
                }
            }
        }
    }
}
