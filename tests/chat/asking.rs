//! Asking: settings, conversations, many at once, what goes wrong.

use std::time::Duration;

use gyeol::error::{HttpError, LlmError};
use gyeol::http::{Key, Retry};
use gyeol::llm::{Finish, Llm, LlmOptions, Message, TokenUsage};
use serde_json::json;

use crate::server::{Reply, Server};

#[test]
fn settings_and_system_go_along() {
    let server = Server::saying("hello");
    let llm = server.named("openai-compatible::qwen3-max", "/v1", |o| {
        o.temperature = Some(0.25);
        o.max_tokens = Some(77);
        o.system = Some("Be brief.".to_owned());
        o.key = Some(Key::new("sk-test-key").unwrap());
    });
    let answer = llm.ask("안녕?").unwrap();
    assert_eq!((answer.text.as_str(), answer.model.as_str()), ("hello", "openai-compatible::qwen3-max"));
    assert_eq!((answer.cache_hit, answer.requests, answer.retries), (false, 1, 0));
    assert_eq!(answer.finish, Finish::Stop);
    let usage = TokenUsage { prompt_tokens: Some(7), completion_tokens: Some(3), total_tokens: Some(10) };
    assert_eq!(answer.usage, usage);
    let seen = &server.seen()[0];
    assert_eq!(seen.path, "/v1/chat/completions");
    // A name is sent as it is: no part of it is taken for a setting.
    assert_eq!(seen.body["model"], "qwen3-max");
    assert_eq!((&seen.body["temperature"], &seen.body["max_tokens"]), (&json!(0.25), &json!(77)));
    assert_eq!((seen.roles(), seen.prompt()), (vec!["system", "user"], "안녕?"));
    assert!(seen.head.contains("authorization: bearer sk-test-key"));
    assert!(seen.body.get("tools").is_none() && seen.body.get("response_format").is_none());
}

#[test]
fn names_lead_to_their_provider_and_nothing_is_guessed() {
    for bad in ["gpt-4o-mini", "llama3", "openai", "opena::x", ""] {
        assert!(matches!(Llm::new(bad), Err(LlmError::UnknownModel { .. })), "{bad}");
    }
    assert!(matches!(Llm::new("voyage::voyage-3"), Err(LlmError::EmbedOnly { .. })));
    let compatible = Llm::with("openai-compatible::x", LlmOptions::default());
    assert!(
        matches!(&compatible, Err(LlmError::Setting { reason, .. }) if reason.contains("base URL")),
        "{compatible:?}"
    );
    let far = LlmOptions { base_url: Some("http://example.org/v1".to_owned()), ..LlmOptions::default() };
    assert!(matches!(Llm::with("openai::x", far), Err(LlmError::Setting { .. })));
    for change in [
        |o: &mut LlmOptions| o.temperature = Some(2.1),
        |o: &mut LlmOptions| o.temperature = Some(f64::NAN),
        |o: &mut LlmOptions| o.max_tokens = Some(0),
        |o: &mut LlmOptions| o.timeout = Duration::ZERO,
    ] {
        let mut options = LlmOptions::default();
        change(&mut options);
        assert!(matches!(Llm::with("ollama::x", options), Err(LlmError::Setting { .. })));
    }
    let providers = gyeol::llm::providers();
    for name in ["openai", "anthropic", "gemini", "ollama", "upstage", "openai-compatible"] {
        assert!(providers.iter().any(|p| p.name == name), "{name}");
    }
}

#[test]
fn a_url_with_and_without_a_slash_is_one() {
    let server = Server::saying("x");
    for below in ["/v1", "/v1/"] {
        server.named("openai::m", below, |_| {}).ask("?").unwrap();
    }
    assert!(server.seen().iter().all(|seen| seen.path == "/v1/chat/completions"));
}

#[test]
fn a_conversation_is_kept_and_a_stateless_handle_keeps_none() {
    let server = Server::new(|number, _| Reply::text(&format!("answer {number}")));
    let llm = server.llm();
    llm.ask("one").unwrap();
    llm.ask("two").unwrap();
    assert_eq!(server.seen()[1].roles(), ["user", "assistant", "user"]);
    let kept = vec![
        Message::user("one"),
        Message::assistant("answer 0"),
        Message::user("two"),
        Message::assistant("answer 1"),
    ];
    assert_eq!(llm.history(), kept);
    llm.stateless().ask("alone").unwrap();
    assert_eq!((server.seen()[2].roles(), llm.history().len()), (vec!["user"], 4));
    let other = llm.conversation();
    other.ask("new").unwrap();
    assert_eq!((server.seen()[3].roles(), other.history().len(), llm.history().len()), (vec!["user"], 2, 4));
    // Clones are one conversation.
    let clone = llm.clone();
    clone.ask("three").unwrap();
    assert_eq!((server.seen()[4].roles().len(), llm.history().len()), (5, 6));
    llm.set_history(kept[..2].to_vec());
    assert_eq!(clone.history(), kept[..2]);
}

#[test]
fn a_failed_question_leaves_the_conversation_as_it_was() {
    let server = Server::new(|number, _| match number {
        0 => Reply::text("good"),
        1 => Reply::error(400, "no such parameter"),
        2 => Reply::json(200, &json!({"nothing": true})),
        3 => Reply::json(200, &json!({"error": {"message": "overloaded"}})),
        _ => Reply::text("good again"),
    });
    let llm = server.llm();
    llm.ask("one").unwrap();
    let refused = llm.ask("two").unwrap_err();
    assert!(matches!(&refused, LlmError::Http { source: HttpError::Refused { status: 400, .. }, .. }), "{refused}");
    for _ in 0..2 {
        assert!(matches!(llm.ask("three"), Err(LlmError::Http { source: HttpError::Body { .. }, .. })));
    }
    assert!(matches!(llm.ask("  \n"), Err(LlmError::Setting { .. })));
    assert_eq!(llm.history().len(), 2);
    llm.ask("four").unwrap();
    assert_eq!(server.seen()[4].roles(), ["user", "assistant", "user"]);
    assert_eq!(server.requests(), 5);
}

#[test]
fn what_is_not_told_is_none_and_not_zero() {
    let server = Server::new(|number, _| {
        let usage = match number {
            0 => json!(null),
            1 => json!({"prompt_tokens": 5}),
            _ => json!({"prompt_tokens": 5, "completion_tokens": 0}),
        };
        let choice = json!({"message": {"content": "x"}});
        Reply::json(200, &json!({"choices": [choice], "usage": usage}))
    });
    let llm = server.llm();
    assert_eq!(llm.ask("a").unwrap().usage, TokenUsage::default());
    let part = llm.ask("b").unwrap().usage;
    assert_eq!((part.prompt_tokens, part.completion_tokens, part.total_tokens), (Some(5), None, None));
    assert_eq!(llm.ask("c").unwrap().usage.total_tokens, Some(5));
}

#[test]
fn busy_servers_are_asked_again_and_bad_keys_are_not() {
    let server = Server::new(|number, _| match number {
        0 => Reply::error(429, "slow down"),
        1 => Reply::error(503, "starting"),
        2 => Reply::text("there"),
        3 => Reply::error(401, "bad key sk-secret-secret"),
        _ => Reply::json(429, &json!({"error": {"message": "no credit", "code": "insufficient_quota"}})),
    });
    let llm = server.named("openai-compatible::m", "/v1", |o| o.key = Some(Key::new("sk-secret-secret").unwrap()));
    let answer = llm.ask("x").unwrap();
    assert_eq!((answer.requests, answer.retries), (3, 2));
    let error = llm.ask("x").unwrap_err();
    assert!(matches!(&error, LlmError::Http { source: HttpError::Unauthorized { .. }, .. }));
    assert!(!format!("{error} {error:?}").contains("sk-secret-secret"), "{error}");
    assert!(matches!(llm.ask("x"), Err(LlmError::Http { source: HttpError::Quota { .. }, .. })));
    assert_eq!(server.requests(), 5);
}

#[test]
fn many_are_answered_in_order_and_one_that_fails_fails_alone() {
    let server = Server::new(|_, seen| {
        let number: u64 = seen.prompt().trim_start_matches("질문 ").parse().unwrap();
        if number == 5 {
            return Reply::error(400, "not this one");
        }
        // The later, the faster.
        let wait = crate::server::Piece::Wait(Duration::from_millis(40 - 2 * number));
        let mut reply = Reply::text(&format!("답 {number}"));
        reply.pieces.insert(0, wait);
        reply
    });
    let prompts: Vec<String> = (0..16).map(|i| format!("질문 {i}")).collect();
    let llm = server.llm();
    for answers in [llm.ask_many(&prompts, 4), futures_of(llm.ask_many_async(&prompts, 4))] {
        assert_eq!(answers.len(), 16);
        for (i, answer) in answers.iter().enumerate() {
            match answer {
                Ok(answer) => assert_eq!(answer.text, format!("답 {i}")),
                Err(error) => assert_eq!((i, error.to_string().contains("not this one")), (5, true)),
            }
        }
    }
    assert_eq!((server.requests(), llm.history().len()), (32, 0));
    assert!((2..=4).contains(&server.most_open()), "{} at once", server.most_open());
}

#[test]
fn futures_run_in_any_executor_and_close_when_dropped() {
    let server = Server::new(|number, _| match number {
        0 => Reply::text("first"),
        _ => Reply::pieces("application/json", vec![crate::server::Piece::Wait(Duration::from_secs(20))]),
    });
    let llm = server.llm();
    assert_eq!(futures_of(llm.ask_async("one")).unwrap().text, "first");
    // No runtime at all: polled by hand.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let dropped =
        runtime.block_on(async { tokio::time::timeout(Duration::from_millis(1500), llm.ask_async("two")).await });
    assert!(dropped.is_err());
    assert!(server.wait_for_hang_ups(1), "the connection was closed");
    assert_eq!(llm.history().len(), 2);
}

#[test]
fn an_answer_that_says_nothing_is_not_remembered() {
    let server = Server::saying("\n");
    let llm = server.llm();
    assert_eq!(llm.ask("x").unwrap().text, "\n");
    assert!(llm.history().is_empty(), "providers refuse blank messages");
}

#[test]
fn an_error_that_does_not_end_is_given_up() {
    let server = Server::new(|_, _| {
        let mut reply = Reply::error(503, "busy");
        reply.pieces.push(crate::server::Piece::Wait(Duration::from_secs(20)));
        reply
    });
    let llm = server.named("openai-compatible::m", "/v1", |o| {
        o.timeout = Duration::from_millis(200);
        o.retry = Retry { repeats: 1, ..o.retry };
    });
    let started = std::time::Instant::now();
    assert!(matches!(llm.stream("x").unwrap().whole(), Err(LlmError::Http { .. })));
    assert!(llm.ask("x").is_err() && started.elapsed() < Duration::from_secs(10));
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let server = Server::new(|_, _| {
        Reply::pieces("application/json", vec![crate::server::Piece::Wait(Duration::from_secs(20))])
    });
    let llm = server.named("openai-compatible::m", "/v1", |o| {
        o.timeout = Duration::from_millis(100);
        o.retry = Retry { repeats: 1, ..o.retry };
    });
    let error = llm.ask("x").unwrap_err();
    assert!(matches!(error, LlmError::Http { source: HttpError::Timeout { attempts: 2, .. }, .. }), "{error}");
}

/// Runs a future on a bare runtime that has neither sockets nor timers.
pub fn futures_of<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}
