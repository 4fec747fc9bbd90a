//! `POST models/NAME:generateContent`.

use serde_json::{Value, json};

use super::{Asked, Reader, TokenUsage, arguments_of, count_of, put, text_of};
use crate::llm::answer::Said;
use crate::llm::{Finish, Message, ToolCall, ToolSpec};

pub(super) fn body(asked: &Asked<'_>) -> Value {
    let mut body = json!({"contents": contents(asked.messages)});
    put(&mut body, "systemInstruction", asked.system.map(|text| json!({"parts": [{"text": text}]})));
    let mut config = json!({});
    put(&mut config, "temperature", asked.temperature);
    put(&mut config, "maxOutputTokens", asked.max_tokens);
    if let Some(shape) = asked.shape {
        put(&mut config, "responseMimeType", Some("application/json"));
        put(&mut config, "responseJsonSchema", Some(shape.schema.clone()));
    }
    put(&mut body, "generationConfig", config.as_object().is_some_and(|c| !c.is_empty()).then_some(config));
    let tool = |tool: &ToolSpec| json!({"name": tool.name, "description": tool.description, "parametersJsonSchema": tool.parameters});
    let tools: Vec<Value> = asked.tools.iter().map(tool).collect();
    put(&mut body, "tools", (!tools.is_empty()).then(|| json!([{"functionDeclarations": tools}])));
    body
}

/// Results of tools that were called together go into one content.
fn contents(all: &[Message]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut after_tool = false;
    for message in all {
        match message {
            Message::User { text } => out.push(json!({"role": "user", "parts": [{"text": text}]})),
            Message::Assistant { text, calls } => {
                let text = (!text.is_empty() || calls.is_empty()).then(|| json!({"text": text}));
                let parts: Vec<Value> = text.into_iter().chain(calls.iter().map(call)).collect();
                out.push(json!({"role": "model", "parts": parts}));
            }
            Message::Tool { name, result, .. } => {
                let part = json!({"functionResponse": {"name": name, "response": {"result": result}}});
                let last = out.last_mut().filter(|_| after_tool).and_then(|last| last["parts"].as_array_mut());
                match last {
                    Some(parts) => parts.push(part),
                    None => out.push(json!({"role": "user", "parts": [part]})),
                }
            }
        }
        after_tool = matches!(message, Message::Tool { .. });
    }
    out
}

fn call(call: &ToolCall) -> Value {
    let mut part = json!({"functionCall": {"name": call.name, "args": call.object()}});
    put(&mut part, "thoughtSignature", call.signature.clone());
    part
}

/// What a part of the stream, or all of it, adds; the text comes back.
fn add(said: &mut Said, json: &Value) -> String {
    if let Some(usage) = json.get("usageMetadata") {
        // Thoughts are paid for as what comes back.
        let thoughts = count_of(usage, "/thoughtsTokenCount").unwrap_or(0);
        let completion = count_of(usage, "/candidatesTokenCount").map(|count| count.saturating_add(thoughts));
        let total = count_of(usage, "/totalTokenCount");
        said.usage = TokenUsage::new(count_of(usage, "/promptTokenCount"), completion, total);
    }
    let parts = json.pointer("/candidates/0/content/parts").and_then(Value::as_array);
    let mut text = String::new();
    for part in parts.map(Vec::as_slice).unwrap_or_default() {
        if let Some(call) = part.get("functionCall") {
            let id = call.get("id").and_then(Value::as_str).map(str::to_owned);
            said.calls.push(ToolCall {
                id: id.unwrap_or_else(|| format!("call_{}", said.calls.len())),
                name: text_of(call, "/name").to_owned(),
                arguments: arguments_of(call.get("args")),
                signature: part.get("thoughtSignature").and_then(Value::as_str).map(str::to_owned),
            });
        } else if part.get("thought").and_then(Value::as_bool) != Some(true) {
            text.push_str(text_of(part, "/text"));
        }
    }
    text
}

fn finish(json: &Value, has_calls: bool) -> Option<Finish> {
    let word = json.pointer("/candidates/0/finishReason").and_then(Value::as_str);
    match (word, json.pointer("/promptFeedback/blockReason")) {
        (None, Some(_)) => Some(Finish::Filter),
        (Some(word), _) if has_calls && Finish::read(word) == Finish::Stop => Some(Finish::ToolCalls),
        (Some(word), _) => Some(Finish::read(word)),
        (None, None) => None,
    }
}

pub(super) fn answer(json: &Value) -> Result<Said, String> {
    let mut said = Said::default();
    said.text = add(&mut said, json);
    said.finish = match finish(json, !said.calls.is_empty()) {
        Some(finish) => finish,
        None if json.get("candidates").is_none() => return Err("it has no candidates".to_owned()),
        None => Finish::Stop,
    };
    Ok(said)
}

pub(super) fn frame(reader: &mut Reader, json: &Value) -> String {
    let text = add(&mut reader.said, json);
    if let Some(finish) = finish(json, !reader.said.calls.is_empty()) {
        reader.said.finish = finish;
        reader.ended = true;
    }
    text
}
