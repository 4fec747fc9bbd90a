//! One question and its whole answer: from the cache, or from the provider.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::answer::Said;
use super::message::Shape;
use super::wire::{Asked, Reader};
use super::{Answer, Llm, Message, ToolSpec, kept};
use crate::cache::CacheKey;
use crate::error::{HttpError, LlmError};
use crate::http::{Effort, Failure, Frames, Framing, estimated_tokens, spawn_blocking};

/// What is asked in one go.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn {
    /// In the place of the handle's.
    pub system: Option<String>,
    pub messages: Vec<Message>,
    pub tools: Arc<[ToolSpec]>,
    pub shape: Option<Arc<Shape>>,
    /// Whether the answer is not to be kept, since it is not known yet whether it can be used.
    pub unkept: bool,
}

impl Turn {
    /// The conversation of a handle and a prompt after it.
    pub fn of(llm: &Llm, prompt: &str) -> Result<Turn, LlmError> {
        if prompt.trim().is_empty() {
            return Err(llm.setting("the prompt is blank; ask something"));
        }
        let mut messages = llm.history();
        messages.push(Message::user(prompt));
        Ok(Turn { messages, ..Turn::default() })
    }

    pub fn asked<'a>(&'a self, llm: &'a Llm) -> Asked<'a> {
        Asked {
            model: &llm.core.model,
            system: self.system.as_deref().or(llm.system.as_deref()),
            messages: &self.messages,
            temperature: llm.temperature,
            max_tokens: llm.max_tokens,
            tools: &self.tools,
            shape: self.shape.as_deref(),
            counts: llm.core.takes_counts.load(Ordering::Relaxed),
        }
    }
}

/// What came of a question, and from where.
pub(super) struct Came {
    pub said: Said,
    pub cache_hit: bool,
    pub effort: Effort,
    pub started: Instant,
}

impl Came {
    pub fn into_answer(self, llm: &Llm) -> Answer {
        Answer {
            text: self.said.text,
            model: llm.core.name.clone(),
            usage: self.said.usage,
            finish: self.said.finish,
            calls: self.said.calls,
            cache_hit: self.cache_hit,
            requests: self.effort.requests,
            retries: self.effort.retries,
            seconds: self.started.elapsed().as_secs_f64(),
        }
    }
}

/// The whole answer to a turn.
pub(super) async fn answer(llm: &Llm, turn: &Turn) -> Result<Answer, LlmError> {
    let started = Instant::now();
    let span = span(llm, false);
    let result = came(llm, turn, started).instrument(span.clone()).await.map(|came| came.into_answer(llm));
    record(&span, &result);
    if let Some(monitor) = &llm.monitor {
        monitor.record(llm.name(), &result, started.elapsed(), None);
    }
    result
}

/// The span of a question; what comes of it is put into its fields.
pub(super) fn span(llm: &Llm, stream: bool) -> Span {
    tracing::info_span!(
        "chat",
        model = llm.name(),
        stream,
        cache_hit = Empty,
        prompt_tokens = Empty,
        completion_tokens = Empty,
        requests = Empty,
        seconds = Empty,
        error = Empty,
    )
}

pub(super) fn record(span: &Span, result: &Result<Answer, LlmError>) {
    match result {
        Ok(answer) => {
            span.record("cache_hit", answer.cache_hit);
            span.record("prompt_tokens", answer.usage.prompt_tokens);
            span.record("completion_tokens", answer.usage.completion_tokens);
            span.record("requests", answer.requests);
            span.record("seconds", answer.seconds);
        }
        // Errors hold no key; a text that broke off is not shown by them.
        Err(error) => {
            span.record("error", tracing::field::display(error));
        }
    }
}

async fn came(llm: &Llm, turn: &Turn, started: Instant) -> Result<Came, LlmError> {
    let key = key(llm, turn);
    if let Some(said) = look(llm, key).await {
        return Ok(Came { said, cache_hit: true, effort: Effort::default(), started });
    }
    let mut effort = Effort::default();
    let (core, wire) = (&llm.core, llm.core.provider.wire);
    let (body, tokens) = body(llm, turn, false);
    let bytes = core.client.post(&wire.path(&core.model, false), body, tokens, &mut effort).await;
    let bytes = bytes.map_err(|failure| llm.http(of(failure)))?;
    let said = wire.answer(&bytes, turn.shape.is_some()).map_err(|reason| unreadable(llm, reason))?;
    if !turn.unkept {
        keep(llm, key, &said).await;
    }
    Ok(Came { said, cache_hit: false, effort, started })
}

/// What a server answers that was asked for a stream.
pub(super) enum Opened {
    Stream(Box<(Frames, Reader)>),
    /// It streams nothing, and answered in one piece.
    Whole(Said),
}

/// Asks for a stream; again without the wish that tokens be counted, where that is refused.
pub(super) async fn open(llm: &Llm, turn: &Turn, effort: &mut Effort) -> Result<Opened, LlmError> {
    let first = open_once(llm, turn, effort).await;
    let refuses_counts = |error: &LlmError| is_refusal(error) && error.to_string().contains("stream_options");
    if !first.as_ref().is_err_and(refuses_counts) || !llm.core.takes_counts.swap(false, Ordering::Relaxed) {
        return first;
    }
    open_once(llm, turn, effort).await
}

async fn open_once(llm: &Llm, turn: &Turn, effort: &mut Effort) -> Result<Opened, LlmError> {
    let (core, wire) = (&llm.core, llm.core.provider.wire);
    let (body, tokens) = body(llm, turn, true);
    let path = wire.path(&core.model, true);
    let incoming = core.client.open(&path, wire.query(true), body, tokens, effort).await;
    let mut incoming = incoming.map_err(|failure| llm.http(of(failure)))?;
    let is_shaped = turn.shape.is_some();
    if wire.framing() == Framing::Events && incoming.is_json() {
        let mut bytes = Vec::new();
        while let Some(piece) = incoming.piece().await.map_err(|error| llm.http(error))? {
            bytes.extend(piece);
        }
        return match wire.answer(&bytes, is_shaped) {
            Ok(said) => Ok(Opened::Whole(said)),
            Err(reason) => Err(unreadable(llm, reason)),
        };
    }
    let reading = (Frames::new(incoming, wire.framing()), Reader::new(wire, is_shaped));
    Ok(Opened::Stream(Box::new(reading)))
}

/// The body of a request, and its tokens by our estimate.
fn body(llm: &Llm, turn: &Turn, stream: bool) -> (Vec<u8>, u64) {
    let asked = turn.asked(llm);
    let texts = turn.messages.iter().map(Message::text).chain(asked.system);
    let tokens = texts.map(|text| estimated_tokens(text) as u64).sum();
    (llm.core.provider.wire.body(&asked, stream).to_string().into_bytes(), tokens)
}

fn of(failure: Failure) -> HttpError {
    match failure {
        Failure::TooLarge(error) | Failure::Refused(error) | Failure::Fatal(error) => error,
    }
}

/// An answer that is none. Nothing in it is shown that is the key.
pub(super) fn unreadable(llm: &Llm, reason: String) -> LlmError {
    llm.http(llm.core.client.body_error(reason))
}

pub(super) fn key(llm: &Llm, turn: &Turn) -> Option<CacheKey> {
    llm.cache.as_ref()?;
    kept::key(&llm.core, &turn.asked(llm))
}

/// What the cache has. One that fails or panics has nothing.
pub(super) async fn look(llm: &Llm, key: Option<CacheKey>) -> Option<Said> {
    let (cache, key) = (llm.cache.clone()?, key?);
    let found = spawn_blocking(move || cache.get_many(&[key]).ok()).await??;
    kept::read(found.first()?.as_deref()?)
}

/// Keeps an answer. One that cannot be kept is asked for again the next time.
pub(super) async fn keep(llm: &Llm, key: Option<CacheKey>, said: &Said) {
    if let (Some(cache), Some(key), Some(bytes)) = (llm.cache.clone(), key, kept::write(said)) {
        let _ = spawn_blocking(move || cache.put_many(vec![(key, bytes)])).await;
    }
}

/// Whether a refusal is of what was asked for, and not of what the model made of it this once.
pub(super) fn is_lasting(error: &LlmError) -> bool {
    let text = error.to_string().to_lowercase();
    !["failed_generation", "failed to call", "failed to generate", "failed to validate"]
        .iter()
        .any(|w| text.contains(w))
}

/// Whether the provider refuses the request for something in it, which it may do without.
pub(super) fn is_refusal(error: &LlmError) -> bool {
    let LlmError::Http { source, .. } = error else { return false };
    matches!(source, HttpError::Refused { status: 400 | 404 | 415 | 422 | 501, .. })
}
