//! `POST chat/completions`.

use serde_json::{Value, json};

use super::{Asked, Reader, TokenUsage, arguments_of, count_of, functions, put, text_of};
use crate::llm::answer::Said;
use crate::llm::{Finish, Message, ToolCall};

pub(super) fn body(asked: &Asked<'_>, stream: bool) -> Value {
    let system = asked.system.map(|text| json!({"role": "system", "content": text}));
    let messages: Vec<Value> = system.into_iter().chain(asked.messages.iter().map(message)).collect();
    let mut body = json!({"model": asked.model, "messages": messages, "stream": stream});
    if stream && asked.counts {
        // Else no tokens are told.
        put(&mut body, "stream_options", Some(json!({"include_usage": true})));
    }
    put(&mut body, "temperature", asked.temperature);
    put(&mut body, most_tokens(asked.model), asked.max_tokens);
    put(&mut body, "tools", (!asked.tools.is_empty()).then(|| functions(asked.tools)));
    let format = asked.shape.map(|shape| {
        json!({"type": "json_schema", "json_schema": {"name": shape.name, "strict": true, "schema": shape.schema}})
    });
    put(&mut body, "response_format", format);
    body
}

/// OpenAI's reasoning models refuse the name that all others take.
fn most_tokens(model: &str) -> &'static str {
    let reasons = ["o1", "o3", "o4", "gpt-5", "gpt-6"].iter().any(|start| model.starts_with(start));
    if reasons { "max_completion_tokens" } else { "max_tokens" }
}

fn message(message: &Message) -> Value {
    match message {
        Message::User { text } => json!({"role": "user", "content": text}),
        Message::Assistant { text, calls } if calls.is_empty() => json!({"role": "assistant", "content": text}),
        Message::Assistant { text, calls } => {
            let call = |call: &ToolCall| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}});
            let text = (!text.is_empty()).then_some(text);
            json!({"role": "assistant", "content": text, "tool_calls": calls.iter().map(call).collect::<Vec<_>>()})
        }
        Message::Tool { id, result, .. } => json!({"role": "tool", "tool_call_id": id, "content": result}),
    }
}

fn usage(json: &Value) -> Option<TokenUsage> {
    let usage = json.get("usage").filter(|usage| usage.is_object())?;
    let count = |name| count_of(usage, name);
    Some(TokenUsage::new(count("/prompt_tokens"), count("/completion_tokens"), count("/total_tokens")))
}

/// The text of a content: a string, or a list of parts.
fn content(json: Option<&Value>) -> String {
    match json {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => {
            parts.iter().filter(|part| text_of(part, "/type") == "text").map(|part| text_of(part, "/text")).collect()
        }
        _ => String::new(),
    }
}

pub(super) fn answer(json: &Value) -> Result<Said, String> {
    let choice = json.pointer("/choices/0").ok_or("it has no choices")?;
    let message = choice.get("message").ok_or("its choice has no message")?;
    let calls = message.get("tool_calls").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let call = |(i, call): (usize, &Value)| ToolCall {
        id: call.get("id").and_then(Value::as_str).map_or_else(|| format!("call_{i}"), str::to_owned),
        name: text_of(call, "/function/name").to_owned(),
        arguments: arguments_of(call.pointer("/function/arguments")),
        signature: None,
    };
    Ok(Said {
        text: content(message.get("content")),
        usage: usage(json).unwrap_or_default(),
        finish: Finish::read(text_of(choice, "/finish_reason")),
        calls: calls.iter().enumerate().map(call).collect(),
    })
}

pub(super) fn frame(reader: &mut Reader, json: &Value) -> String {
    if let Some(usage) = usage(json) {
        reader.said.usage = usage;
    }
    let Some(choice) = json.pointer("/choices/0") else { return String::new() };
    if let Some(word) = choice.get("finish_reason").and_then(Value::as_str) {
        reader.said.finish = Finish::read(word);
        reader.ended = true;
    }
    content(choice.pointer("/delta/content"))
}
