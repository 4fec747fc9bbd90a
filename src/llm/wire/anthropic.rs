//! `POST messages`.
//!
//! A form of the reply is asked for as a tool that the model must call: all of its models know tools. Its arguments
//! are the text then.

use serde_json::{Value, json};

use super::{Asked, Reader, TokenUsage, arguments_of, count_of, put, text_of};
use crate::llm::answer::Said;
use crate::llm::{Finish, Message, ToolCall, ToolSpec};

/// The API wants a limit; all of its models can give so many.
const MAX_TOKENS: u32 = 4096;

pub(super) fn body(asked: &Asked<'_>, stream: bool) -> Value {
    let mut body = json!({
        "model": asked.model,
        "max_tokens": asked.max_tokens.unwrap_or(MAX_TOKENS),
        "messages": messages(asked.messages),
        "stream": stream,
    });
    put(&mut body, "system", asked.system);
    put(&mut body, "temperature", asked.temperature);
    let tool =
        |tool: &ToolSpec| json!({"name": tool.name, "description": tool.description, "input_schema": tool.parameters});
    let mut tools: Vec<Value> = asked.tools.iter().map(tool).collect();
    if let Some(shape) = asked.shape {
        tools.push(json!({"name": shape.name, "description": "Gives the reply.", "input_schema": shape.schema}));
        put(&mut body, "tool_choice", Some(json!({"type": "tool", "name": shape.name})));
    }
    put(&mut body, "tools", (!tools.is_empty()).then_some(tools));
    body
}

/// Results of tools that were called together go into one message.
fn messages(all: &[Message]) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    let mut after_tool = false;
    for message in all {
        match message {
            Message::User { text } => out.push(json!({"role": "user", "content": text})),
            Message::Assistant { text, calls } if calls.is_empty() => {
                out.push(json!({"role": "assistant", "content": text}));
            }
            Message::Assistant { text, calls } => {
                // The API refuses texts that are blank.
                let text = (!text.trim().is_empty()).then(|| json!({"type": "text", "text": text}));
                let call = |c: &ToolCall| json!({"type": "tool_use", "id": c.id, "name": c.name, "input": c.object()});
                let parts: Vec<Value> = text.into_iter().chain(calls.iter().map(call)).collect();
                out.push(json!({"role": "assistant", "content": parts}));
            }
            Message::Tool { id, result, .. } => {
                let part = json!({"type": "tool_result", "tool_use_id": id, "content": result});
                let last = out.last_mut().filter(|_| after_tool).and_then(|last| last["content"].as_array_mut());
                match last {
                    Some(parts) => parts.push(part),
                    None => out.push(json!({"role": "user", "content": [part]})),
                }
            }
        }
        after_tool = matches!(message, Message::Tool { .. });
    }
    out
}

/// Tokens read from and written to the provider's own cache are of the prompt, too.
fn prompt_tokens(usage: &Value) -> Option<u64> {
    let input = count_of(usage, "/input_tokens")?;
    let more = ["/cache_creation_input_tokens", "/cache_read_input_tokens"];
    Some(more.iter().filter_map(|name| count_of(usage, name)).fold(input, u64::saturating_add))
}

/// A form is given by a call of a tool, which is the end of the answer.
fn shaped(finish: Finish, is_shaped: bool) -> Finish {
    if is_shaped && finish == Finish::ToolCalls { Finish::Stop } else { finish }
}

pub(super) fn answer(json: &Value, is_shaped: bool) -> Result<Said, String> {
    let parts = json.get("content").and_then(Value::as_array).ok_or("it has no content")?;
    let mut said = Said { finish: Finish::read(text_of(json, "/stop_reason")), ..Said::default() };
    for part in parts {
        match text_of(part, "/type") {
            "text" if !is_shaped => said.text.push_str(text_of(part, "/text")),
            "tool_use" if is_shaped => said.text = arguments_of(part.get("input")),
            "tool_use" => said.calls.push(ToolCall {
                id: text_of(part, "/id").to_owned(),
                name: text_of(part, "/name").to_owned(),
                arguments: arguments_of(part.get("input")),
                signature: None,
            }),
            _ => {}
        }
    }
    said.finish = shaped(said.finish, is_shaped);
    if let Some(usage) = json.get("usage") {
        said.usage = TokenUsage::new(prompt_tokens(usage), count_of(usage, "/output_tokens"), None);
    }
    Ok(said)
}

pub(super) fn frame(reader: &mut Reader, json: &Value) -> String {
    match text_of(json, "/type") {
        "message_start" => {
            let prompt = json.pointer("/message/usage").and_then(prompt_tokens);
            reader.said.usage = TokenUsage::new(prompt, None, None);
        }
        "content_block_delta" => return delta(reader, json),
        "message_delta" => {
            reader.said.finish = shaped(Finish::read(text_of(json, "/delta/stop_reason")), reader.is_shaped);
            let prompt = reader.said.usage.prompt_tokens;
            reader.said.usage = TokenUsage::new(prompt, count_of(json, "/usage/output_tokens"), None);
        }
        "message_stop" => {
            (reader.ended, reader.done) = (true, true);
        }
        _ => {}
    }
    String::new()
}

fn delta(reader: &Reader, json: &Value) -> String {
    match text_of(json, "/delta/type") {
        "text_delta" if !reader.is_shaped => text_of(json, "/delta/text").to_owned(),
        "input_json_delta" if reader.is_shaped => text_of(json, "/delta/partial_json").to_owned(),
        _ => String::new(),
    }
}
