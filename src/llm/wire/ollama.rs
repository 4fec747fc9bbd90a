//! `POST api/chat`; a stream is a line of JSON a piece.

use serde_json::{Value, json};

use super::{Asked, Reader, TokenUsage, arguments_of, count_of, functions, put, text_of};
use crate::http::estimated_tokens;
use crate::llm::answer::Said;
use crate::llm::{Finish, Message, ToolCall};

/// Tokens that a server gives a conversation by itself, at least of late.
const OWN_WINDOW: usize = 4096;
/// No more is asked for, whatever the prompt: the server needs memory for it.
const LARGEST_WINDOW: usize = 131_072;
/// Room for an answer where no limit is set.
const ANSWER: usize = 1024;
/// Tokens around a message.
const AROUND: usize = 8;

pub(super) fn body(asked: &Asked<'_>, stream: bool) -> Value {
    let system = asked.system.map(|text| json!({"role": "system", "content": text}));
    let messages: Vec<Value> = system.into_iter().chain(asked.messages.iter().map(message)).collect();
    let mut body = json!({"model": asked.model, "messages": messages, "stream": stream});
    let mut options = json!({});
    put(&mut options, "temperature", asked.temperature);
    put(&mut options, "num_predict", asked.max_tokens);
    put(&mut options, "num_ctx", window(asked));
    put(&mut body, "options", options.as_object().is_some_and(|o| !o.is_empty()).then_some(options));
    put(&mut body, "tools", (!asked.tools.is_empty()).then(|| functions(asked.tools)));
    put(&mut body, "format", asked.shape.map(|shape| shape.schema.clone()));
    body
}

/// The window that the prompt and its answer need, where the server's own would cut the prompt without a word. In powers
/// of two, since another window has the model loaded anew.
fn window(asked: &Asked<'_>) -> Option<usize> {
    let texts = asked.messages.iter().map(Message::text).chain(asked.system);
    let prompt: usize = texts.map(|text| estimated_tokens(text) + AROUND).sum();
    let answer = asked.max_tokens.map_or(ANSWER, |tokens| tokens as usize);
    let needed = prompt.saturating_add(answer);
    (needed > OWN_WINDOW).then(|| needed.next_power_of_two().min(LARGEST_WINDOW))
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text, calls } if calls.is_empty() => json!({"role": "assistant", "content": text}),
        Message::Assistant { text, calls } => {
            let call = |call: &ToolCall| json!({"function": {"name": call.name, "arguments": call.object()}});
            json!({"role": "assistant", "content": text, "tool_calls": calls.iter().map(call).collect::<Vec<_>>()})
        }
        Message::Tool { name, result, .. } => json!({"role": "tool", "tool_name": name, "content": result}),
    }
}

/// What a line, or all of it, adds; the text comes back.
fn add(said: &mut Said, json: &Value) -> String {
    let calls = json.pointer("/message/tool_calls").and_then(Value::as_array);
    for call in calls.map(Vec::as_slice).unwrap_or_default() {
        let id = call.get("id").and_then(Value::as_str).map(str::to_owned);
        said.calls.push(ToolCall {
            id: id.unwrap_or_else(|| format!("call_{}", said.calls.len())),
            name: text_of(call, "/function/name").to_owned(),
            arguments: arguments_of(call.pointer("/function/arguments")),
            signature: None,
        });
    }
    if json.get("done").and_then(Value::as_bool) == Some(true) {
        said.usage = TokenUsage::new(count_of(json, "/prompt_eval_count"), count_of(json, "/eval_count"), None);
        let finish = Finish::read(text_of(json, "/done_reason"));
        let called = finish == Finish::Stop && !said.calls.is_empty();
        said.finish = if called { Finish::ToolCalls } else { finish };
    }
    text_of(json, "/message/content").to_owned()
}

pub(super) fn answer(json: &Value) -> Result<Said, String> {
    json.get("message").ok_or("it has no message")?;
    let mut said = Said::default();
    said.text = add(&mut said, json);
    Ok(said)
}

pub(super) fn frame(reader: &mut Reader, json: &Value) -> String {
    let text = add(&mut reader.said, json);
    reader.done |= json.get("done").and_then(Value::as_bool) == Some(true);
    reader.ended = reader.done;
    text
}
