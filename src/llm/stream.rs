//! Answers piece by piece.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::AbortHandle;
use futures_util::stream::{Abortable, Stream, StreamExt, abortable, unfold};

use tracing::{Instrument, Span};

#[cfg(feature = "collection")]
use super::Message;
use super::answer::Said;
use super::ask::{self, Came, Opened, Turn};
use super::stop::Stop;
use super::wire::Reader;
use super::{Answer, Finish, Llm, Sentences};
use crate::cache::CacheKey;
use crate::error::LlmError;
use crate::http::{Driven, Effort, Frames, block_on};

/// What a stream brings: any number of texts, then the end. Nothing comes after the end, or after an error.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum StreamEvent {
    /// More of the text. Characters are whole.
    Text(String),
    /// All of it, with what it took. Only now the conversation has it.
    End(Box<Answer>),
}

/// How a stream is read.
#[derive(Clone, Debug, Default)]
pub struct StreamOptions {
    /// Keywords at which the stream ends early: the text before the first of them is the answer, and the connection is
    /// closed. A keyword may be cut by the stream in any way.
    pub until: Vec<String>,
}

enum State {
    Asked,
    Reading(Box<(Frames, Reader)>),
    Done,
}

/// A stream under way.
struct Live {
    llm: Llm,
    turn: Turn,
    /// What the conversation gets before the answer.
    prompt: Option<String>,
    stop: Stop,
    state: State,
    key: Option<CacheKey>,
    ready: VecDeque<StreamEvent>,
    /// The text that has gone out.
    out: String,
    effort: Effort,
    started: Instant,
    first: Option<Duration>,
    /// Whether the end, or an error, has gone out.
    ended: bool,
    span: Span,
}

type Item = Result<StreamEvent, LlmError>;

impl Live {
    async fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                if let StreamEvent::End(answer) = &event {
                    self.told(answer);
                }
                return Some(Ok(event));
            }
            let step = match &mut self.state {
                State::Done => return None,
                State::Asked => self.begin().await,
                State::Reading(reading) => {
                    let frame = reading.0.next().await;
                    self.read(frame).await
                }
            };
            if let Err(error) = step {
                self.state = State::Done;
                self.ended = true;
                self.tell(&Err(error.clone()));
                return Some(Err(error));
            }
        }
    }

    async fn begin(&mut self) -> Result<(), LlmError> {
        self.started = Instant::now();
        self.key = ask::key(&self.llm, &self.turn);
        if let Some(mut said) = ask::look(&self.llm, self.key).await {
            if self.pass(&said.text) {
                said.finish = Finish::Keyword;
            }
            return self.end(said, true).await;
        }
        match ask::open(&self.llm, &self.turn, &mut self.effort).await? {
            Opened::Stream(reading) => {
                self.state = State::Reading(reading);
                Ok(())
            }
            Opened::Whole(mut said) => {
                if self.pass(&said.text) {
                    said.finish = Finish::Keyword;
                }
                self.end(said, false).await
            }
        }
    }

    async fn read(
        &mut self,
        frame: Result<Option<crate::http::Frame>, crate::error::HttpError>,
    ) -> Result<(), LlmError> {
        let State::Reading(reading) = &mut self.state else { return Ok(()) };
        let reader = &mut reading.1;
        let has_ended = reader.has_ended();
        let reason = match frame {
            Ok(Some(frame)) => {
                let more = reader.take(&frame).map_err(|reason| ask::unreadable(&self.llm, reason))?;
                let is_done = reader.is_done();
                let found = self.pass(&more);
                if !found && !is_done {
                    return Ok(());
                }
                // Taking it drops the frames, which closes the connection.
                let mut said = self.take_said();
                if found {
                    said.finish = Finish::Keyword;
                }
                return self.end(said, false).await;
            }
            // What breaks after the end was told costs at most the count of tokens.
            Ok(None) | Err(_) if has_ended => {
                let said = self.take_said();
                return self.end(said, false).await;
            }
            Ok(None) => "the stream ended before its end was told".to_owned(),
            Err(error) => error.to_string(),
        };
        let text = reader.text().to_owned();
        Err(LlmError::Truncated { model: self.llm.name().to_owned(), reason, text })
    }

    fn take_said(&mut self) -> Said {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Reading(reading) => reading.1.finish(),
            _ => Said::default(),
        }
    }

    /// Lets text go out, up to a keyword; whether there was one.
    fn pass(&mut self, text: &str) -> bool {
        if text.is_empty() {
            return false;
        }
        self.first.get_or_insert_with(|| self.started.elapsed());
        let (text, found) = self.stop.push(text);
        self.put_out(text);
        found
    }

    fn put_out(&mut self, text: String) {
        if !text.is_empty() {
            self.out.push_str(&text);
            self.ready.push_back(StreamEvent::Text(text));
        }
    }

    async fn end(&mut self, mut said: Said, cache_hit: bool) -> Result<(), LlmError> {
        self.state = State::Done;
        if said.finish == Finish::Keyword {
            said.text = self.out.clone();
        } else {
            let rest = self.stop.rest();
            self.put_out(rest);
            if !cache_hit {
                ask::keep(&self.llm, self.key, &said).await;
            }
        }
        let answer = Came { said, cache_hit, effort: self.effort, started: self.started }.into_answer(&self.llm);
        self.ready.push_back(StreamEvent::End(Box::new(answer)));
        Ok(())
    }

    /// The end goes out: now the conversation has it.
    fn told(&mut self, answer: &Answer) {
        self.ended = true;
        if let Some(prompt) = self.prompt.take() {
            self.llm.remember(&prompt, &answer.text);
        }
        self.tell(&Ok(answer.clone()));
    }

    fn tell(&self, result: &Result<Answer, LlmError>) {
        ask::record(&self.span, result);
        if let Some(monitor) = &self.llm.monitor {
            monitor.record(self.llm.name(), result, self.started.elapsed(), self.first);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let has_begun = !matches!(self.state, State::Asked);
        if let Some(monitor) = self.llm.monitor.as_ref().filter(|_| has_begun && !self.ended) {
            monitor.record_abandoned(self.llm.name());
        }
    }
}

impl Llm {
    /// Asks for an answer piece by piece. Nothing is sent before the first piece is taken. Dropping the stream closes
    /// its connection and leaves the conversation as it was.
    ///
    /// ```no_run
    /// # use gyeol::llm::{Llm, StreamEvent};
    /// # let llm = Llm::new("ollama::qwen3")?;
    /// for event in llm.stream("밀물은 왜 생겨?")? {
    ///     match event? {
    ///         StreamEvent::Text(text) => print!("{text}"),
    ///         StreamEvent::End(answer) => println!("\n{:?} tokens", answer.usage.total_tokens),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), gyeol::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Llm::ask`]. The stream itself ends with [`LlmError::Truncated`] when it breaks off.
    pub fn stream(&self, prompt: &str) -> Result<AnswerStream, LlmError> {
        self.stream_with(prompt, &StreamOptions::default())
    }

    /// [`Llm::stream`] as told.
    ///
    /// # Errors
    /// As [`Llm::stream`].
    pub fn stream_with(&self, prompt: &str, options: &StreamOptions) -> Result<AnswerStream, LlmError> {
        Ok(AnswerStream::new(self.stream_async_with(prompt, options)?, self.clone()))
    }

    /// [`Llm::stream`] for asynchronous programs: a `futures` stream, for any executor.
    ///
    /// # Errors
    /// As [`Llm::stream`].
    pub fn stream_async(&self, prompt: &str) -> Result<AsyncAnswerStream, LlmError> {
        self.stream_async_with(prompt, &StreamOptions::default())
    }

    /// [`Llm::stream_async`] as told.
    ///
    /// # Errors
    /// As [`Llm::stream`].
    pub fn stream_async_with(&self, prompt: &str, options: &StreamOptions) -> Result<AsyncAnswerStream, LlmError> {
        let turn = Turn::of(self, prompt)?;
        self.stream_turn(turn, Some(prompt.to_owned()), options)
    }

    /// A stream of messages as they are; the conversation of the handle plays no part and stays as it is.
    #[cfg(feature = "collection")]
    pub(crate) fn stream_messages(&self, system: String, messages: Vec<Message>) -> Result<AnswerStream, LlmError> {
        let turn = Turn { system: Some(system), messages, ..Turn::default() };
        let inner = self.stream_turn(turn, None, &StreamOptions::default())?;
        Ok(AnswerStream::new(inner, self.clone()))
    }

    /// A stream of a turn; the conversation gets the prompt, if there is one.
    fn stream_turn(
        &self,
        turn: Turn,
        prompt: Option<String>,
        options: &StreamOptions,
    ) -> Result<AsyncAnswerStream, LlmError> {
        let live = Live {
            llm: self.clone(),
            turn,
            prompt,
            stop: Stop::new(&options.until),
            state: State::Asked,
            key: None,
            ready: VecDeque::new(),
            out: String::new(),
            effort: Effort::default(),
            started: Instant::now(),
            first: None,
            ended: false,
            span: ask::span(self, true),
        };
        let events = unfold(live, |mut live| async move {
            let span = live.span.clone();
            live.next().instrument(span).await.map(|event| (event, live))
        });
        let events: Pin<Box<dyn Stream<Item = Item> + Send>> = Box::pin(events.fuse());
        let inner = Driven::new(events).map_err(|source| self.http(source))?;
        Ok(AsyncAnswerStream { inner })
    }
}

/// An answer piece by piece, for asynchronous programs.
#[must_use]
pub struct AsyncAnswerStream {
    inner: Driven<Pin<Box<dyn Stream<Item = Item> + Send>>>,
}

impl Stream for AsyncAnswerStream {
    type Item = Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        Pin::new(&mut self.inner).poll_next(context)
    }
}

impl fmt::Debug for AsyncAnswerStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncAnswerStream").finish_non_exhaustive()
    }
}

/// An answer piece by piece.
#[derive(Debug)]
#[must_use]
pub struct AnswerStream {
    /// `None` once it was stopped.
    inner: Option<Abortable<AsyncAnswerStream>>,
    stop: AbortHandle,
    llm: Llm,
}

/// Stops a stream from another thread, also while it waits for the provider.
#[derive(Clone, Debug)]
pub struct StopHandle(AbortHandle);

impl StopHandle {
    /// Ends the stream without an end event, as dropping it does.
    pub fn stop(&self) {
        self.0.abort();
    }
}

impl AnswerStream {
    fn new(inner: AsyncAnswerStream, llm: Llm) -> AnswerStream {
        let (inner, stop) = abortable(inner);
        AnswerStream { inner: Some(inner), stop, llm }
    }

    /// What stops it from another thread.
    pub fn stop_handle(&self) -> StopHandle {
        StopHandle(self.stop.clone())
    }

    /// The sentences of the text, each as soon as it is finished.
    pub fn sentences(self) -> SentenceStream {
        SentenceStream { stream: self, sentences: Sentences::new(), ready: VecDeque::new(), answer: None }
    }

    /// Reads to the end.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn whole(self) -> Result<Answer, LlmError> {
        let llm = self.llm.clone();
        for event in self {
            if let StreamEvent::End(answer) = event? {
                return Ok(*answer);
            }
        }
        Err(llm.setting("the stream was read to its end before, or stopped"))
    }
}

impl Iterator for AnswerStream {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        let item = match block_on(StreamExt::next(self.inner.as_mut()?)) {
            Ok(item) => item,
            Err(source) => Some(Err(self.llm.http(source))),
        };
        if item.is_none() {
            // Ended, or stopped: dropping it closes the connection.
            self.inner = None;
        }
        item
    }
}

/// The sentences of an answer, each as soon as it is finished.
#[derive(Debug)]
#[must_use]
pub struct SentenceStream {
    stream: AnswerStream,
    sentences: Sentences,
    ready: VecDeque<String>,
    answer: Option<Answer>,
}

impl SentenceStream {
    /// The whole answer, once all sentences have been taken.
    pub fn answer(&self) -> Option<&Answer> {
        self.answer.as_ref()
    }
}

impl Iterator for SentenceStream {
    type Item = Result<String, LlmError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(sentence) = self.ready.pop_front() {
                return Some(Ok(sentence));
            }
            match self.stream.next()? {
                Ok(StreamEvent::Text(text)) => self.ready.extend(self.sentences.push(&text)),
                Ok(StreamEvent::End(answer)) => {
                    self.answer = Some(*answer);
                    self.ready.extend(self.sentences.finish());
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}
