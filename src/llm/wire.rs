//! The protocols: what is sent, and how answers are read, whole and piece by piece.
//!
//! | protocol | path | a stream's end |
//! |---|---|---|
//! | OpenAI | `chat/completions` | `data: [DONE]` |
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
use super::{Message, TokenUsage, ToolCall, ToolSpec};
use crate::http::{Frame, Framing};

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

/// Puts an answer together from its frames.
pub(super) struct Reader {
    wire: Wire,
    is_shaped: bool,
    said: Said,
    /// Whether the end was told.
    ended: bool,
    /// Calls under way, by the number that the provider gives them.
    open: Vec<(u64, ToolCall)>,
}

impl Reader {
    pub fn new(wire: Wire, is_shaped: bool) -> Self {
        Reader { wire, is_shaped, said: Said::default(), ended: false, open: Vec::new() }
    }

    /// Takes a frame and gives the text that it adds, if any; the error says what is wrong with it.
    pub fn take(&mut self, frame: &Frame) -> Result<String, String> {
        let data = frame.data.trim();
        if data == "[DONE]" {
            self.ended = true;
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

    /// Whether no more is to be read: after the end of some protocols the counts of tokens still come.
    pub fn is_done(&self) -> bool {
        self.ended && self.wire != Wire::Gemini
    }

    /// The text up to now.
    pub fn text(&self) -> &str {
        &self.said.text
    }

    /// All of it.
    pub fn finish(mut self) -> Said {
        self.said.calls.extend(self.open.into_iter().map(|(_, call)| call));
        self.said
    }

    /// The call of a number, begun where there is none.
    fn call(&mut self, number: u64) -> &mut ToolCall {
        let at = self.open.iter().position(|(n, _)| *n == number).unwrap_or_else(|| {
            let (id, name, arguments) = (String::new(), String::new(), String::new());
            self.open.push((number, ToolCall { id, name, arguments, signature: None }));
            self.open.len() - 1
        });
        &mut self.open[at].1
    }
}

/// What an error within an answer says.
fn error_of(json: &Value) -> Option<String> {
    let error = json.get("error").filter(|error| !error.is_null())?;
    let message = error.get("message").unwrap_or(error);
    let message = message.as_str().map_or_else(|| message.to_string(), str::to_owned);
    Some(format!("the provider failed: {message}"))
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
