//! Choices and routes.

use gyeol::error::LlmError;
use gyeol::llm::{Chain, Router};
use serde_json::json;

use crate::asking::futures_of;
use crate::server::{Reply, Server};

const KINDS: [&str; 3] = ["칭찬", "불만", "질문"];

#[test]
fn a_form_is_asked_for_and_one_of_the_choices_comes_back() {
    let server = Server::saying(r#"{"choice": "불만"}"#);
    let llm = server.llm();
    let choice = llm.choose("배송이 너무 늦어요 {braces}", &KINDS).unwrap();
    assert_eq!((choice.index, choice.text.as_str()), (1, "불만"));
    assert_eq!(futures_of(llm.choose_async("배송?", &KINDS)).unwrap().index, 1);
    let seen = &server.seen()[0];
    let schema = &seen.body["response_format"]["json_schema"];
    assert_eq!((&schema["strict"], &schema["schema"]["properties"]["choice"]["enum"]), (&json!(true), &json!(KINDS)));
    assert!(seen.prompt().contains("{braces}") && seen.prompt().contains("2. 불만"));
    assert!(llm.history().is_empty());
}

#[test]
fn replies_in_prose_are_read_strictly() {
    let replies: [(&str, Option<usize>); 12] = [
        ("불만", Some(1)),
        ("2", Some(1)),
        ("2. 불만", Some(1)),
        ("이 글은 불만입니다.", Some(1)),
        ("```json\n{\"choice\": \"질문\"}\n```", Some(2)),
        ("칭찬이거나 불만입니다", None),
        ("칭찬 or 불만", None),
        ("1. 불만", None),
        ("4", None),
        ("0", None),
        ("불만은 아니다", None),
        ("모르겠다", None),
    ];
    let server = Server::new(move |number, _| Reply::text(replies[number].0));
    let llm = server.named("openai-compatible::m", "/v1", |o| o.native_shapes = false);
    for (reply, wanted) in replies {
        match (llm.choose("?", &KINDS), wanted) {
            (Ok(choice), Some(index)) => assert_eq!(choice.index, index, "{reply}"),
            (Err(LlmError::Choice { reply: shown, .. }), None) => assert_eq!(shown, reply),
            (other, _) => panic!("{reply}: {other:?}"),
        }
    }
    assert!(server.seen().iter().all(|seen| seen.body.get("response_format").is_none()));
}

#[test]
fn a_provider_without_forms_is_asked_in_words() {
    let server = Server::new(|_, seen| match seen.body.get("response_format") {
        Some(_) => Reply::error(400, "response_format is not supported"),
        None => Reply::text("질문"),
    });
    let llm = server.llm();
    assert_eq!(llm.choose("?", &KINDS).unwrap().index, 2);
    assert_eq!(llm.choose("?", &KINDS).unwrap().index, 2);
    assert_eq!(server.requests(), 3, "the refusal is remembered");
    // What is refused for another reason is no lack of forms.
    let server = Server::new(|_, _| Reply::error(400, "no such thing"));
    assert!(matches!(server.llm().choose("?", &KINDS), Err(LlmError::Http { .. })));
}

#[test]
fn lists_to_choose_from_are_checked_before_anything_is_sent() {
    let server = Server::saying("a");
    let llm = server.llm();
    let bad: [&[&str]; 4] = [&[], &["one"], &["a", ""], &["a", "A"]];
    for bad in bad {
        assert!(matches!(llm.choose("?", bad), Err(LlmError::Choices { .. })), "{bad:?}");
    }
    assert!(matches!(llm.choose(" ", &KINDS), Err(LlmError::Setting { .. })));
    assert_eq!(server.requests(), 0);
}

#[test]
fn an_input_goes_to_the_processor_of_its_kind() {
    let server = Server::new(|_, seen| {
        let prompt = seen.prompt();
        let kind = ["칭찬", "불만", "질문"].into_iter().find(|_| prompt.contains("The kinds:"));
        match kind {
            Some(_) if prompt.contains("늦어요") => Reply::text(r#"{"choice": "불만"}"#),
            Some(_) if prompt.contains("몇 시") => Reply::text(r#"{"choice": "질문"}"#),
            Some(_) => Reply::text("none of them"),
            None => Reply::text(&format!("({prompt})")),
        }
    });
    let llm = server.llm();
    let chain = Chain::new().step("sorry", &llm, "사과문: {{ input }}").unwrap();
    let router = Router::new(&llm)
        .route("칭찬", "likes it", |input: &str| Ok(format!("고맙습니다: {input}")))
        .unwrap()
        .route("불만", "does not like it", chain)
        .unwrap()
        .route("질문", "asks", llm.stateless())
        .unwrap();
    let complaint = router.run("배송이 늦어요 {{ x }}").unwrap();
    assert_eq!(
        (complaint.route.as_deref(), complaint.text.as_str()),
        (Some("불만"), "(사과문: 배송이 늦어요 {{ x }})")
    );
    assert_eq!(router.run("몇 시에 열어요?").unwrap().text, "(몇 시에 열어요?)");
    let none = router.run("음").unwrap_err();
    assert!(matches!(&none, LlmError::NoRoute { known, .. } if known == "칭찬, 불만, 질문"), "{none}");
    let rest = router.clone().otherwise(|input: &str| Ok(format!("사람에게: {input}"))).run("음").unwrap();
    assert_eq!((rest.route, rest.text.as_str()), (None, "사람에게: 음"));
    let twice = router.route("불만 ", "again", |_: &str| Ok(String::new()));
    assert!(matches!(twice, Err(LlmError::Choices { .. })));
    let one = Router::new(&llm).route("a", "b", |_: &str| Ok(String::new())).unwrap();
    assert!(matches!(one.run("x"), Err(LlmError::Choices { .. })));
}

#[test]
fn a_classifier_that_must_choose_can_name_no_route() {
    // It obeys the form: nothing but one of the choices comes back.
    let server = Server::new(|_, seen| {
        let schema = &seen.body["response_format"]["json_schema"]["schema"];
        let choices = schema["properties"]["choice"]["enum"].as_array().unwrap().clone();
        Reply::text(&json!({"choice": choices.last().unwrap()}).to_string())
    });
    let done = |input: &str| Ok(input.to_owned());
    let router = Router::new(&server.llm()).route("a", "", done).unwrap().route("b", "", done).unwrap();
    assert!(matches!(router.run("asdf"), Err(LlmError::NoRoute { .. })));
    assert_eq!(router.clone().otherwise(done).run("asdf").unwrap().route, None);
    assert!(router.route("None of these", "", done).is_err());
}

#[test]
fn a_reply_that_is_no_choice_is_asked_for_again() {
    let server = Server::new(|number, _| Reply::text(["모르겠다", "불만"][number.min(1)]));
    let cache = gyeol::cache::CacheConfig::InMemory { max_size: 10, ttl: 0 }.open().unwrap();
    let llm = server.llm().cached(cache);
    assert!(llm.choose("?", &KINDS).is_err());
    let choice = llm.choose("?", &KINDS).unwrap();
    let again = llm.choose("?", &KINDS).unwrap();
    assert_eq!((choice.answer.cache_hit, again.answer.cache_hit, again.index, server.requests()), (false, true, 1, 2));
}

#[test]
fn a_generation_that_failed_once_turns_nothing_off() {
    let server = Server::new(|number, seen| match (number, seen.body.get("response_format")) {
        (0, Some(_)) => Reply::error(400, "Failed to validate JSON. See 'failed_generation'"),
        (_, Some(_)) => Reply::text(r#"{"choice": "칭찬"}"#),
        (_, None) => Reply::text("질문"),
    });
    let llm = server.llm();
    assert_eq!((llm.choose("?", &KINDS).unwrap().index, llm.choose("?", &KINDS).unwrap().index), (2, 0));
}

#[test]
fn errors_of_a_processor_are_its_own() {
    let server = Server::saying(r#"{"choice": "a"}"#);
    let failing = |_: &str| Err::<String, _>(LlmError::Processor { reason: "no paper".to_owned() });
    let router = Router::new(&server.llm()).route("a", "", failing).unwrap().route("b", "", failing).unwrap();
    assert!(matches!(router.run("x"), Err(LlmError::Processor { reason }) if reason == "no paper"));
}
