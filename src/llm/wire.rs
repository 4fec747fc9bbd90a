//! The protocols: what is sent, and how answers are read, whole and piece by piece.
//!
//! | protocol | path | a stream's end |
//! |---|---|---|
//! | OpenAI | `chat/completions` | `data: [DONE]`, or a `finish_reason` |
//! | Anthropic | `messages` | event `message_stop` |
//! | Gemini | `models/NAME:generateContent`, `:streamGenerateContent?alt=sse` | `finishReason` |
//! | Ollama | `api/chat` | `"done": true` |

mod anthropic;
mod gemini;
mod ollama;
mod openai;

use serde_json::Value;

use super::answer::Said;
use super::message::Shape;
use super::provider::Wire;
use super::{Message, TokenUsage, ToolSpec};
use crate::http::{Frame, Framing};

/// Characters of a provider's message that are shown.
const SHOWN: usize = 300;

/// All that an answer depends on, but for the provider.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub model: &'a str,
    pub system: Option<&'a str>,
    pub messages: &'a [Message],
    pub temperature: Option<f64>,
    pub max_tokens: Option<u32>,
    pub tools: &'a [ToolSpec],
    pub shape: Option<&'a Shape>,
    /// Whether a stream of OpenAI's protocol is asked to count its tokens.
    pub counts: bool,
}

impl Wire {
    /// The path below the base URL.
    pub fn path(self, model: &str, stream: bool) -> String {
        match self {
            Wire::OpenAi => "chat/completions".to_owned(),
            Wire::Anthropic => "messages".to_owned(),
            Wire::Gemini if stream => format!("models/{model}:streamGenerateContent"),
            Wire::Gemini => format!("models/{model}:generateContent"),
            Wire::Ollama => "api/chat".to_owned(),
        }
    }

    /// The query of the URL.
    pub fn query(self, stream: bool) -> Option<&'static str> {
        // Without it the stream is one array of JSON.
        (self == Wire::Gemini && stream).then_some("alt=sse")
    }

    /// Headers of every request.
    pub fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Wire::Anthropic => &[("anthropic-version", "2023-06-01")],
            _ => &[],
        }
    }

    pub fn body(self, asked: &Asked<'_>, stream: bool) -> Value {
        match self {
            Wire::OpenAi => openai::body(asked, stream),
            Wire::Anthropic => anthropic::body(asked, stream),
            Wire::Gemini => gemini::body(asked),
            Wire::Ollama => ollama::body(asked, stream),
        }
    }

    /// Reads a whole answer; the error says what is wrong with it. `is_shaped`: a form was asked for.
    pub fn answer(self, bytes: &[u8], is_shaped: bool) -> Result<Said, String> {
        let json: Value = serde_json::from_slice(bytes).map_err(|e| format!("it is no JSON: {e}"))?;
        if let Some(error) = error_of(&json) {
            return Err(error);
        }
        match self {
            Wire::OpenAi => openai::answer(&json),
            Wire::Anthropic => anthropic::answer(&json, is_shaped),
            Wire::Gemini => gemini::answer(&json),
            Wire::Ollama => ollama::answer(&json),
        }
    }

    pub fn framing(self) -> Framing {
        if self == Wire::Ollama { Framing::Lines } else { Framing::Events }
    }
}

/// Puts an answer together from its frames. No stream is asked for with tools.
pub(super) struct Reader {
    wire: Wire,
    is_shaped: bool,
    said: Said,
    /// Whether the end was told.
    ended: bool,
    /// Whether nothing comes after it.
    done: bool,
}

impl Reader {
    pub fn new(wire: Wire, is_shaped: bool) -> Self {
        Reader { wire, is_shaped, said: Said::default(), ended: false, done: false }
    }

    /// Takes a frame and gives the text that it adds, if any; the error says what is wrong with it.
    pub fn take(&mut self, frame: &Frame) -> Result<String, String> {
        let data = frame.data.trim();
        if data == "[DONE]" {
            (self.ended, self.done) = (true, true);
            return Ok(String::new());
        }
        let json: Value = serde_json::from_str(data).map_err(|e| format!("a part of the stream is no JSON: {e}"))?;
        if let Some(error) = error_of(&json) {
            return Err(error);
        }
        let text = match self.wire {
            Wire::OpenAi => openai::frame(self, &json),
            Wire::Anthropic => anthropic::frame(self, &json),
            Wire::Gemini => gemini::frame(self, &json),
            Wire::Ollama => ollama::frame(self, &json),
        };
        self.said.text.push_str(&text);
        Ok(text)
    }

    /// Whether the end was told.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// Whether no more is to be read: in some protocols the counts of tokens come after the end.
    pub fn is_done(&self) -> bool {
        self.done
    }

    /// The text up to now.
    pub fn text(&self) -> &str {
        &self.said.text
    }

    /// All of it.
    pub fn finish(self) -> Said {
        self.said
    }
}

/// What an error within an answer says.
fn error_of(json: &Value) -> Option<String> {
    let error = json.get("error").filter(|error| !error.is_null())?;
    let message = error.get("message").unwrap_or(error);
    let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    Some(format!("the provider failed: {}", message.chars().take(SHOWN).collect::<String>()))
}

fn text_of<'a>(json: &'a Value, pointer: &str) -> &'a str {
    json.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

fn count_of(json: &Value, pointer: &str) -> Option<u64> {
    json.pointer(pointer).and_then(Value::as_u64)
}

/// Arguments of a call as text, whether they came as text or as an object.
fn arguments_of(json: Option<&Value>) -> String {
    match json {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// Tools as OpenAI and Ollama take them.
fn functions(tools: &[ToolSpec]) -> Value {
    let function = |tool: &ToolSpec| serde_json::json!({"type": "function", "function": tool});
    tools.iter().map(function).collect()
}

/// Puts a member in where there is a value.
fn put(body: &mut Value, name: &str, value: Option<impl Into<Value>>) {
    if let (Some(value), Some(object)) = (value, body.as_object_mut()) {
        object.insert(name.to_owned(), value.into());
    }
}
