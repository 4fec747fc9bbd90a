//! The protocols: what each provider is sent, and how its answers are read, whole and streamed.

use gyeol::error::LlmError;
use gyeol::http::Key;
use gyeol::llm::{Agent, Finish, Llm, StreamEvent, TokenUsage, Tool, schemars};
use serde_json::{Value, json};

use crate::server::{Piece, Reply, Seen, Server};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[schemars(crate = "gyeol::llm::schemars")]
struct City {
    name: String,
}

fn weather() -> Tool {
    Tool::new("weather", "Tells the weather.", |city: City| Ok::<_, String>(format!("맑음 in {}", city.name))).unwrap()
}

fn server_of(answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static, name: &str, below: &str) -> (Server, Llm) {
    let server = Server::new(answer);
    let llm = server.named(name, below, |o| {
        o.system = Some("Be brief.".to_owned());
        o.temperature = Some(0.5);
        o.max_tokens = Some(64);
        o.key = Some(Key::new("key-of-the-test").unwrap());
    });
    (server, llm)
}

fn usage(prompt: u64, completion: u64) -> TokenUsage {
    TokenUsage {
        prompt_tokens: Some(prompt),
        completion_tokens: Some(completion),
        total_tokens: Some(prompt + completion),
    }
}

/// The texts of a stream, and its end.
fn read(llm: &Llm, prompt: &str) -> (Vec<String>, gyeol::llm::Answer) {
    let mut texts = Vec::new();
    for event in llm.stream(prompt).unwrap() {
        match event.unwrap() {
            StreamEvent::Text(text) => texts.push(text),
            StreamEvent::End(answer) => return (texts, *answer),
            _ => {}
        }
    }
    panic!("no end");
}

fn sse(events: &[Value]) -> Reply {
    let text: String =
        events.iter().map(|e| format!("event: {}\ndata: {e}\n\n", e["type"].as_str().unwrap_or("x"))).collect();
    Reply::pieces("text/event-stream", vec![Piece::Bytes(text.into_bytes())])
}

#[test]
fn anthropic() {
    let (server, llm) = server_of(
        |number, seen| match number {
            0 => Reply::json(
                200,
                &json!({"content": [{"type": "text", "text": "안녕"}], "stop_reason": "end_turn",
                    "usage": {"input_tokens": 5, "cache_read_input_tokens": 4, "output_tokens": 2}}),
            ),
            1 => sse(&[
                json!({"type": "message_start", "message": {"usage": {"input_tokens": 8, "output_tokens": 1}}}),
                json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
                json!({"type": "ping"}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "한 "}}),
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "글"}}),
                json!({"type": "content_block_stop", "index": 0}),
                json!({"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 6}}),
                json!({"type": "message_stop"}),
            ]),
            2 => Reply::json(
                200,
                &json!({"content": [{"type": "text", "text": "I look."},
                    {"type": "tool_use", "id": "t1", "name": "weather", "input": {"name": "서울"}},
                    {"type": "tool_use", "id": "t2", "name": "weather", "input": {"name": "부산"}}], "stop_reason": "tool_use"}),
            ),
            3 => Reply::json(200, &json!({"content": [{"type": "text", "text": "맑다"}], "stop_reason": "end_turn"})),
            4 => {
                let name = seen.body["tool_choice"]["name"].clone();
                Reply::json(
                    200,
                    &json!({"content": [{"type": "tool_use", "id": "x", "name": name, "input": {"choice": "no"}}], "stop_reason": "tool_use"}),
                )
            }
            // Stopped before its end.
            _ => sse(&[
                json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "half"}}),
            ]),
        },
        "anthropic::claude-x",
        "/v1",
    );
    let answer = llm.ask("hi").unwrap();
    assert_eq!((answer.text.as_str(), answer.usage), ("안녕", usage(9, 2)));
    let (texts, end) = read(&llm, "again");
    assert_eq!((texts, end.usage, end.finish), (vec!["한 ".to_owned(), "글".to_owned()], usage(8, 6), Finish::Length));
    let run = Agent::new(&llm.stateless()).tool(weather()).unwrap().run("weather?").unwrap();
    assert_eq!((run.text.as_str(), run.uses.len(), run.uses[1].result.as_str()), ("맑다", 2, "맑음 in 부산"));
    assert_eq!(llm.choose("good?", &["yes", "no"]).unwrap().index, 1);
    assert!(matches!(llm.stream("x").unwrap().whole(), Err(LlmError::Truncated { text, .. }) if text == "half"));

    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.path == "/v1/messages"));
    assert!(
        seen[0].head.contains("x-api-key: key-of-the-test") && seen[0].head.contains("anthropic-version: 2023-06-01")
    );
    assert!(!seen[0].head.contains("authorization"));
    assert_eq!((&seen[0].body["system"], &seen[0].body["max_tokens"]), (&json!("Be brief."), &json!(64)));
    assert_eq!(seen[0].body["messages"], json!([{"role": "user", "content": "hi"}]));
    assert_eq!(seen[2].body["tools"][0]["input_schema"]["properties"]["name"]["type"], "string");
    let results = &seen[3].body["messages"][2]["content"];
    assert_eq!(seen[3].body["messages"].as_array().unwrap().len(), 3, "results of one round are one message");
    assert_eq!((&results[0]["tool_use_id"], &results[1]["tool_use_id"]), (&json!("t1"), &json!("t2")));
    assert_eq!(seen[3].body["messages"][1]["content"][1]["input"], json!({"name": "서울"}));
}

#[test]
fn gemini() {
    let candidate = |parts: Value, finish: Value| {
        json!({"candidates": [{"content": {"parts": parts}, "finishReason": finish}],
        "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 2, "thoughtsTokenCount": 3, "totalTokenCount": 9}})
    };
    let (server, llm) = server_of(
        move |number, _| match number {
            0 => Reply::json(
                200,
                &candidate(
                    json!([{"text": "thinking", "thought": true}, {"text": "안"}, {"text": "녕"}]),
                    json!("STOP"),
                ),
            ),
            1 => sse(&[
                json!({"candidates": [{"content": {"parts": [{"text": "하나 "}]}}]}),
                candidate(json!([{"text": "둘"}]), json!("STOP")),
            ]),
            2 => Reply::json(
                200,
                &candidate(
                    json!([{"functionCall": {"name": "weather", "args": {"name": "서울"}}, "thoughtSignature": "sig"}]),
                    json!("STOP"),
                ),
            ),
            3 => Reply::json(200, &candidate(json!([{"text": "맑다"}]), json!("STOP"))),
            4 => Reply::json(200, &candidate(json!([{"text": "{\"choice\": \"yes\"}"}]), json!("STOP"))),
            5 => Reply::json(200, &json!({"promptFeedback": {"blockReason": "SAFETY"}})),
            _ => sse(&[json!({"candidates": [{"content": {"parts": [{"text": "half"}]}}]})]),
        },
        "gemini::gemini-x",
        "/v1beta",
    );
    let answer = llm.ask("hi").unwrap();
    assert_eq!(
        (answer.text.as_str(), answer.usage.completion_tokens, answer.usage.total_tokens),
        ("안녕", Some(5), Some(9))
    );
    let (texts, end) = read(&llm, "again");
    assert_eq!((texts.join("|"), end.usage.total_tokens), ("하나 |둘".to_owned(), Some(9)));
    let run = Agent::new(&llm.stateless()).tool(weather()).unwrap().run("weather?").unwrap();
    assert_eq!((run.text.as_str(), run.uses[0].result.as_str()), ("맑다", "맑음 in 서울"));
    assert_eq!(llm.choose("good?", &["yes", "no"]).unwrap().index, 0);
    assert_eq!(llm.stateless().ask("bad").unwrap().finish, Finish::Filter);
    assert!(matches!(llm.stream("x").unwrap().whole(), Err(LlmError::Truncated { .. })));

    let seen = server.seen();
    assert_eq!(seen[0].path, "/v1beta/models/gemini-x:generateContent");
    assert_eq!(seen[1].path, "/v1beta/models/gemini-x:streamGenerateContent?alt=sse");
    assert!(
        seen.iter().all(|seen| seen.head.contains("x-goog-api-key: key-of-the-test") && !seen.path.contains("key"))
    );
    assert_eq!(seen[0].body["generationConfig"], json!({"temperature": 0.5, "maxOutputTokens": 64}));
    assert_eq!(seen[0].body["systemInstruction"]["parts"][0]["text"], "Be brief.");
    assert_eq!(seen[1].body["contents"][1]["role"], "model");
    let contents = &seen[3].body["contents"];
    assert_eq!(contents[1]["parts"][0]["thoughtSignature"], "sig");
    assert_eq!(contents[2]["parts"][0]["functionResponse"]["response"]["result"], "맑음 in 서울");
    assert_eq!(seen[4].body["generationConfig"]["responseMimeType"], "application/json");
}

#[test]
fn ollama() {
    let done = json!({"message": {"role": "assistant", "content": ""}, "done": true, "done_reason": "stop",
        "prompt_eval_count": 6, "eval_count": 2});
    let with = move |text: &str, done: &Value| {
        let mut whole = done.clone();
        whole["message"]["content"] = json!(text);
        whole
    };
    let lines = |values: &[Value]| {
        let text: String = values.iter().map(|value| format!("{value}\n")).collect();
        Reply::pieces("application/x-ndjson", vec![Piece::Bytes(text.into_bytes())])
    };
    let (server, llm) = server_of(
        move |number, _| match number {
            0 => Reply::json(200, &with("안녕", &done)),
            1 => {
                lines(&[json!({"message": {"content": "하나 "}}), json!({"message": {"content": "둘"}}), done.clone()])
            }
            2 => {
                let call = json!({"message": {"content": "", "tool_calls": [{"function": {"name": "weather", "arguments": {"name": "서울"}}}]}, "done": true});
                Reply::json(200, &call)
            }
            3 => Reply::json(200, &with("맑다", &done)),
            4 => Reply::json(200, &with("{\"choice\": \"no\"}", &done)),
            5 => lines(&[json!({"message": {"content": "half"}})]),
            _ => lines(&[json!({"error": "out of memory"})]),
        },
        "ollama::qwen3:8b",
        "",
    );
    assert_eq!(llm.ask("hi").unwrap().usage, usage(6, 2));
    let (texts, end) = read(&llm, "again");
    assert_eq!((texts.join("|"), end.usage), ("하나 |둘".to_owned(), usage(6, 2)));
    let run = Agent::new(&llm.stateless()).tool(weather()).unwrap().run("weather?").unwrap();
    assert_eq!((run.text.as_str(), run.uses.len()), ("맑다", 1));
    assert_eq!(llm.choose("good?", &["yes", "no"]).unwrap().index, 1);
    assert!(matches!(llm.stream("x").unwrap().whole(), Err(LlmError::Truncated { .. })));
    let failed = llm.stream("x").unwrap().whole().unwrap_err();
    assert!(failed.to_string().contains("out of memory"), "{failed}");

    // A prompt that is longer than the server's own window gets a larger one, or it would be cut without a word.
    let _ = llm.stateless().ask(&"가".repeat(4000));
    assert_eq!(server.seen().last().unwrap().body["options"]["num_ctx"], 16384);

    let seen = server.seen();
    assert!(seen.iter().all(|seen| seen.path == "/api/chat" && seen.body["model"] == "qwen3:8b"));
    assert_eq!(seen[0].body["options"], json!({"temperature": 0.5, "num_predict": 64}));
    assert_eq!((&seen[0].body["stream"], &seen[1].body["stream"]), (&json!(false), &json!(true)));
    assert_eq!(seen[3].body["messages"][3], json!({"role": "tool", "tool_name": "weather", "content": "맑음 in 서울"}));
    // The form goes along, so that nothing but a choice can come back.
    assert_eq!(seen[4].body["format"]["properties"]["choice"]["enum"], json!(["yes", "no"]));
}

#[test]
fn openai_streams_calls_and_reasoning_models() {
    let server = Server::new(|_, _| Reply::text("x"));
    server.named("openai::gpt-5-mini", "/v1", |o| o.max_tokens = Some(9)).ask("?").unwrap();
    server.named("upstage::solar-pro2", "/v1", |o| o.max_tokens = Some(9)).ask("?").unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].body["max_completion_tokens"], 9);
    assert_eq!(seen[1].body["max_tokens"], 9);
    // Content may come as a list of parts.
    let parts = Server::new(|_, _| {
        Reply::message(
            &json!({"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "ok"}]}),
            "stop",
        )
    });
    assert_eq!(parts.llm().ask("?").unwrap().text, "ok");
}
