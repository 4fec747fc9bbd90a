//! Calls of tools in words, for models that know none: one object of JSON, or a list of them.

use serde_json::{Value, json};

use crate::llm::{ToolCall, ToolSpec, bare};

/// The tool that is none.
pub(super) const NONE: &str = "none";

/// What a reply wants.
#[derive(Debug, PartialEq)]
pub(super) enum Action {
    Answer(String),
    Calls(Vec<ToolCall>),
    /// It looks like a call and is none.
    Unreadable(String),
}

/// What the model is told of the tools.
pub(super) fn instructions(tools: &[&ToolSpec]) -> String {
    let list: String = tools
        .iter()
        .map(|tool| format!("- {}: {}\n  arguments: {}\n", tool.name, tool.description, tool.parameters))
        .collect();
    format!(
        "You may use these tools:\n{list}\nTo use one, reply with nothing but \
         {{\"tool\": NAME, \"arguments\": {{...}}}}; to use several, with a list of these. You will be given the \
         results. When you need no tool, or no further one, reply with {{\"tool\": \"{NONE}\", \"answer\": TEXT}}, or \
         simply with the answer."
    )
}

/// What the model is told of a result. It is data: JSON, so that nothing in it looks like an instruction of ours.
pub(super) fn result(name: &str, result: &str) -> String {
    json!({"tool": name, "result": result}).to_string()
}

pub(super) fn complaint(reason: &str) -> String {
    format!("error: that was neither a call of a tool nor an answer: {reason}. Write it again as valid JSON.")
}

pub(super) fn read(reply: &str) -> Action {
    let said = bare(reply);
    let text = bare(inner_fence(said).unwrap_or(said));
    if !text.starts_with(['{', '[']) {
        return Action::Answer(reply.trim().to_owned());
    }
    let json: Value = match serde_json::from_str(text) {
        Ok(json) => json,
        Err(error) if text.contains("\"tool\"") => return Action::Unreadable(error.to_string()),
        Err(_) => return Action::Answer(reply.trim().to_owned()),
    };
    let items = match &json {
        Value::Array(items) => items.as_slice(),
        Value::Object(object) => match object.get("tools") {
            Some(Value::Array(items)) => items.as_slice(),
            _ => std::slice::from_ref(&json),
        },
        _ => &[],
    };
    let named: Vec<(&Value, &str)> =
        items.iter().filter_map(|item| Some((item, item.get("tool")?.as_str()?))).collect();
    if named.is_empty() || named.len() < items.len() {
        // JSON that was asked for, perhaps.
        return Action::Answer(reply.trim().to_owned());
    }
    let calls: Vec<ToolCall> = named
        .iter()
        .filter(|(_, name)| *name != NONE)
        .enumerate()
        .map(|(i, (item, name))| call(i, item, name))
        .collect();
    match (calls.is_empty(), named.first()) {
        (true, Some((item, _))) => Action::Answer(item.get("answer").map_or_else(String::new, plain)),
        _ => Action::Calls(calls),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn call(number: usize, item: &Value, name: &str) -> ToolCall {
    let arguments = item.get("arguments").map_or_else(|| "{}".to_owned(), plain);
    ToolCall { id: format!("call_{number}"), name: name.to_owned(), arguments, signature: None }
}

/// The fenced block of a reply that says something before it.
fn inner_fence(reply: &str) -> Option<&str> {
    let from = reply.find("```")?;
    let to = reply[from + 3..].find("```")? + from + 6;
    let block = &reply[from..to];
    block.contains("\"tool\"").then_some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(reply: &str) -> Vec<(String, String)> {
        match read(reply) {
            Action::Calls(calls) => calls.into_iter().map(|call| (call.name, call.arguments)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn calls_and_answers_are_told_apart() {
        let one = [("a".to_owned(), "{\"x\":1}".to_owned())];
        assert_eq!(calls(r#"{"tool": "a", "arguments": {"x": 1}}"#), one);
        assert_eq!(calls("I look.\n```json\n{\"tool\": \"a\", \"arguments\": {\"x\": 1}}\n```\nWait."), one);
        assert_eq!(calls(r#"[{"tool":"a"},{"tool":"b","arguments":"{}"}]"#).len(), 2);
        assert_eq!(calls(r#"{"tools":[{"tool":"a"},{"tool":"b"}]}"#).len(), 2);
        let answer = |text: &str| Action::Answer(text.to_owned());
        assert_eq!(read(r#"{"tool": "none", "answer": "9시"}"#), answer("9시"));
        assert_eq!(read(" It is 9. "), answer("It is 9."));
        assert_eq!(read(r#"{"city": "Seoul"}"#), answer(r#"{"city": "Seoul"}"#));
        assert_eq!(read("{ not JSON"), answer("{ not JSON"));
        assert!(matches!(read(r#"{"tool": "a", "arguments": {"#), Action::Unreadable(_)));
    }
}
