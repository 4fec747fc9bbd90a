//! Agents: tools that are called, refused, and fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gyeol::error::LlmError;
use gyeol::llm::{Agent, Llm, Tool, schemars};
use serde_json::{Value, json};

use crate::asking::futures_of;
use crate::server::{Reply, Server};

/// Two numbers.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[schemars(crate = "gyeol::llm::schemars")]
struct Two {
    /// The first.
    a: f64,
    b: f64,
    /// Digits after the point.
    #[serde(default)]
    digits: Option<u8>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[schemars(crate = "gyeol::llm::schemars")]
struct Key {
    key: String,
}

fn add() -> Tool {
    Tool::new("add", "Adds two numbers.", |two: Two| {
        let digits = usize::from(two.digits.unwrap_or(0));
        Ok::<_, String>(format!("{:.digits$}", two.a + two.b))
    })
    .unwrap()
}

fn divide() -> Tool {
    let run = |two: Two| if two.b == 0.0 { Err("division by zero") } else { Ok(two.a / two.b) };
    Tool::new("divide", "Divides.", run).unwrap()
}

fn lookup() -> Tool {
    Tool::new("lookup", "Looks up.", |key: Key| Ok::<_, String>(format!("value of {}", key.key))).unwrap()
}

fn agent(llm: &Llm) -> Agent {
    [add(), divide(), lookup()].into_iter().fold(Agent::new(llm), |agent, tool| agent.tool(tool).unwrap())
}

#[test]
fn several_tools_in_several_rounds() {
    let server = Server::new(|number, _| match number {
        0 => Reply::calls(&[("add", r#"{"a": 1, "b": 2}"#), ("lookup", r#"{"key": "결"}"#)]),
        1 => Reply::calls(&[("divide", r#"{"a": 3, "b": 2}"#)]),
        _ => Reply::text("1.5 그리고 결"),
    });
    let llm = server.llm();
    let run = agent(&llm).run("계산해 줘").unwrap();
    assert_eq!((run.text.as_str(), run.rounds, run.usage.total_tokens), ("1.5 그리고 결", 3, Some(30)));
    let uses: Vec<(usize, &str, &str, bool)> =
        run.uses.iter().map(|u| (u.round, u.name.as_str(), u.result.as_str(), u.is_error)).collect();
    assert_eq!(uses, [(1, "add", "3", false), (1, "lookup", "value of 결", false), (2, "divide", "1.5", false)]);
    let seen = server.seen();
    let function = &seen[0].body["tools"][0]["function"];
    assert_eq!((&function["name"], &function["description"]), (&json!("add"), &json!("Adds two numbers.")));
    assert_eq!(function["parameters"]["required"], json!(["a", "b"]));
    assert_eq!(function["parameters"]["properties"]["a"]["description"], "The first.");
    let told: Vec<(&Value, &Value)> = seen[1].body["messages"]
        .as_array()
        .unwrap()
        .iter()
        .skip(2)
        .map(|m| (&m["tool_call_id"], &m["content"]))
        .collect();
    assert_eq!(told, [(&json!("id0"), &json!("3")), (&json!("id1"), &json!("value of 결"))]);
    // The conversation has the question and the answer.
    assert_eq!(llm.history().iter().map(gyeol::llm::Message::text).collect::<Vec<_>>(), ["계산해 줘", "1.5 그리고 결"]);
}

#[test]
fn bad_arguments_and_unknown_tools_go_back_to_the_model() {
    let server = Server::new(|number, _| match number {
        0 => Reply::calls(&[("add", r#"{"a": 1, "b": "#), ("nosuch", "{}"), ("add", r#"{"a": "one", "b": 2}"#)]),
        1 => Reply::calls(&[("add", r#"{"a": 1, "b": 2}"#)]),
        _ => Reply::text("3"),
    });
    let run = agent(&server.llm()).run("1 + 2").unwrap();
    assert_eq!((run.text.as_str(), run.rounds), ("3", 3));
    assert_eq!(run.uses.iter().map(|u| u.is_error).collect::<Vec<_>>(), [true, true, true, false]);
    let messages = server.seen()[1].body["messages"].clone();
    let told: Vec<&str> = messages.as_array().unwrap().iter().skip(2).map(|m| m["content"].as_str().unwrap()).collect();
    assert!(
        told[0].starts_with("error:") && told[1].contains("no tool nosuch; there are add, divide, lookup"),
        "{told:?}"
    );
    assert!(told[2].contains("schema"), "{told:?}");
    // What the model wrote goes back as it was.
    assert_eq!(messages[1]["tool_calls"][0]["function"]["arguments"], r#"{"a": 1, "b": "#);
}

#[test]
fn a_tool_that_fails_or_panics_is_told_to_the_caller() {
    let server = Server::new(|_, _| Reply::calls(&[("divide", r#"{"a": 1, "b": 0}"#)]));
    let llm = server.llm();
    let error = agent(&llm).run("1 / 0").unwrap_err();
    assert!(
        matches!(&error, LlmError::Tool { name, reason } if name == "divide" && reason == "division by zero"),
        "{error}"
    );
    assert!(llm.history().is_empty());
    let panics = Tool::new("divide", "d", |_: Two| -> Result<i32, String> { panic!("a bug") }).unwrap();
    let error = Agent::new(&llm).tool(panics).unwrap().run("x").unwrap_err();
    assert!(matches!(error, LlmError::Tool { .. }), "{error}");
}

#[test]
fn rounds_are_bounded() {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let tool = Tool::new("again", "d", move |_: Key| Ok::<_, String>(counted.fetch_add(1, Ordering::SeqCst))).unwrap();
    let server = Server::new(|_, _| Reply::calls(&[("again", r#"{"key": ""}"#)]));
    let error = Agent::new(&server.llm()).tool(tool).unwrap().max_rounds(3).run("x").unwrap_err();
    assert!(matches!(error, LlmError::Rounds { rounds: 3, .. }), "{error}");
    assert_eq!((server.requests(), calls.load(Ordering::SeqCst)), (3, 3));
}

#[test]
fn calls_of_one_round_are_bounded() {
    let server = Server::new(|number, _| match number {
        0 => Reply::calls(&[("lookup", r#"{"key": "x"}"#); 50]),
        _ => Reply::text("done"),
    });
    let run = agent(&server.llm()).run("x").unwrap();
    assert_eq!((run.uses.len(), run.uses.iter().filter(|used| used.is_error).count()), (50, 18));
}

#[test]
fn without_a_need_for_tools_the_answer_comes_at_once() {
    let server = Server::saying("그냥 답");
    let run = futures_of(agent(&server.llm()).run_async("안녕")).unwrap();
    assert_eq!((run.text.as_str(), run.rounds, run.uses.len()), ("그냥 답", 1, 0));
}

#[test]
fn models_without_tools_are_asked_in_words() {
    let replies = [
        "Let me see.\n```json\n{\"tool\": \"add\", \"arguments\": {\"a\": 1, \"b\": 2}}\n```",
        r#"{"tool": "add", "arguments": {"a": 1, "#,
        r#"[{"tool": "lookup", "arguments": {"key": "x"}}, {"tool": "nosuch"}]"#,
        r#"{"tool": "none", "answer": "3 and x"}"#,
    ];
    let server = Server::new(move |number, _| Reply::text(replies[number % 4]));
    let llm = server.named("openai-compatible::m", "/v1", |o| {
        o.native_tools = false;
        o.system = Some("Own words.".to_owned());
    });
    let run = agent(&llm).run("1 + 2?").unwrap();
    assert_eq!((run.text.as_str(), run.rounds), ("3 and x", 4));
    assert_eq!(
        run.uses.iter().map(|u| (u.name.as_str(), u.is_error)).collect::<Vec<_>>(),
        [("add", false), ("lookup", false), ("nosuch", true)]
    );
    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.body.get("tools").is_none()));
    let system = seen[0].body["messages"][0]["content"].as_str().unwrap();
    assert!(
        system.starts_with("Own words.")
            && system.contains("- add: Adds two numbers.")
            && system.contains("\"required\"")
    );
    assert_eq!(seen[1].prompt(), r#"{"tool":"add","result":"3"}"#);
    assert!(seen[2].prompt().starts_with("error: that was neither"), "{}", seen[2].prompt());
    assert!(seen[3].prompt().contains("value of x") && seen[3].prompt().contains("no tool nosuch"));
    assert_eq!(llm.history().len(), 2);
}

#[test]
fn a_provider_that_refuses_tools_is_asked_in_words() {
    let server = Server::new(|_, seen| match seen.body.get("tools") {
        Some(_) => Reply::error(400, "this model has no tools"),
        None if seen.roles().len() == 2 => Reply::text(r#"{"tool": "add", "arguments": {"a": 2, "b": 2}}"#),
        None => Reply::text("넷"),
    });
    let llm = server.llm().stateless();
    for _ in 0..2 {
        assert_eq!(agent(&llm).run("2 + 2").unwrap().text, "넷");
    }
    assert_eq!(server.requests(), 5, "the refusal is remembered");
}

#[test]
fn tools_are_checked_when_they_are_made() {
    let make = |name: &str| Tool::new(name, "d", |_: Key| Ok::<_, String>(1));
    for bad in ["", "a b", "결", "a.b", &"x".repeat(65)] {
        assert!(matches!(make(bad), Err(LlmError::Tool { .. })), "{bad}");
    }
    assert!(matches!(Tool::new("list", "d", |_: Vec<u8>| Ok::<_, String>(1)), Err(LlmError::Tool { .. })));
    let server = Server::saying("x");
    let agent = Agent::new(&server.llm()).tool(make("a").unwrap()).unwrap();
    assert!(matches!(agent.clone().tool(make("a").unwrap()), Err(LlmError::Tool { .. })));
    assert!(matches!(agent.tool(make("none").unwrap()), Err(LlmError::Tool { .. })));
    assert_eq!(add().call(r#"{"a": 0.5, "b": 1, "digits": 2}"#).unwrap(), "1.50");
    assert!(add().call("{}").is_err() && divide().call(r#"{"a": 1, "b": 0}"#).is_err());
}
