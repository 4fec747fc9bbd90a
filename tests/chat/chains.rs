//! Chains, pipelines over several models, and prompts that are written by a model.

use std::time::Duration;

use gyeol::error::LlmError;
use gyeol::llm::{Chain, Example, Pipeline};

use crate::asking::futures_of;
use crate::server::{Piece, Reply, Server};

/// Says what it was asked, in brackets.
fn echo() -> Server {
    Server::new(|_, seen| Reply::text(&format!("<{}>", seen.prompt())))
}

#[test]
fn steps_see_what_came_before() {
    let server = echo();
    let llm = server.llm();
    llm.set_history(vec![gyeol::llm::Message::user("before")]);
    let chain = Chain::new()
        .step("요약", &llm, "줄여라: {{ input }}")
        .unwrap()
        .step("title", &llm, "{{ 요약 }} | {{ input }} | {{ initial_input }}")
        .unwrap()
        .step("last", &llm, "{% if title | length > 0 %}yes{% endif %} {{ initial_input }}")
        .unwrap();
    // Braces and markup of the input pass through; nothing in it is filled.
    let input = r#"{"a": {"b": "{{ input }}"}} <b>&"#;
    let run = chain.run(input).unwrap();
    let prompts: Vec<&str> = run.steps.iter().map(|step| step.prompt.as_str()).collect();
    let first = format!("줄여라: {input}");
    assert_eq!(prompts[0], first);
    assert_eq!(prompts[1], format!("<{first}> | <{first}> | {input}"));
    assert_eq!(prompts[2], format!("yes {input}"));
    assert_eq!(run.text, format!("<yes {input}>"));
    assert_eq!(run.step("title").unwrap().answer.text, format!("<{}>", prompts[1]));
    assert_eq!(futures_of(chain.run_async(input)).unwrap().text, run.text);
    assert!(server.seen().iter().all(|seen| seen.roles() == ["user"]));
    assert_eq!(llm.history().len(), 1);
}

#[test]
fn bad_names_and_places_are_refused_when_the_step_is_added() {
    let server = echo();
    let llm = server.llm();
    let chain = Chain::new().step("one", &llm, "JSON: {\"a\": 1} {{ input }}").unwrap();
    for (name, template) in [
        ("one", "x"),
        ("input", "x"),
        ("initial_input", "x"),
        ("", "x"),
        ("2nd", "x"),
        ("a b", "x"),
        ("a-b", "x"),
        ("for", "x"),
        ("two", "{{ tow }}"),
        ("two", "{{ two }}"),
        ("two", "{{ input"),
        ("two", "{% if %}"),
        ("two", "{{ input | nosuchfilter }}"),
        ("two", "{{ input.title }}"),
    ] {
        let refused = chain.clone().step(name, &llm, template);
        assert!(matches!(refused, Err(LlmError::Template { .. })), "{name}: {template}");
    }
    let message = chain.clone().step("two", &llm, "{{ tow }}").unwrap_err().to_string();
    assert!(message.contains("tow") && message.contains("one, ") || message.contains(", one"), "{message}");
    assert!(Chain::new().run("x").is_err());
    assert_eq!(server.requests(), 0);
}

#[test]
fn a_step_that_fails_is_named() {
    let server = Server::new(|number, _| if number == 0 { Reply::text("x") } else { Reply::error(400, "no") });
    let llm = server.llm();
    let chain = Chain::new().step("a", &llm, "{{ input }}").unwrap().step("b", &llm, "{{ a }}").unwrap();
    let error = chain.run("x").unwrap_err();
    assert!(matches!(&error, LlmError::Step { name, .. } if name == "b"), "{error}");
}

#[test]
fn a_batch_goes_round_the_models_with_bounded_work() {
    let server = Server::new(|_, seen| {
        let (model, prompt) = (seen.body["model"].as_str().unwrap().to_owned(), seen.prompt().to_owned());
        if prompt == "7" {
            return Reply::error(400, "unlucky");
        }
        let mut reply = Reply::text(&format!("{model}{prompt}"));
        reply.pieces.insert(0, Piece::Wait(Duration::from_millis(30)));
        reply
    });
    let models = ["a", "b", "c"].map(|m| server.named(&format!("openai-compatible::{m}"), "/v1", |_| {}));
    let pipeline = Pipeline::new(&models, 3).unwrap();
    let prompts: Vec<String> = (0..12).map(|i| i.to_string()).collect();
    for answers in [pipeline.process_batch(&prompts), futures_of(pipeline.process_batch_async(&prompts))] {
        for (i, answer) in answers.iter().enumerate() {
            match answer {
                Ok(answer) => assert_eq!(answer.text, format!("{}{i}", ["a", "b", "c"][i % 3])),
                Err(_) => assert_eq!(i, 7),
            }
        }
        assert_eq!(answers.len(), 12);
    }
    assert!((2..=3).contains(&server.most_open()), "{} at once", server.most_open());
    assert!(Pipeline::new(&[], 1).is_err() && Pipeline::new(&models, 0).is_err());
    assert!(pipeline.process_batch::<&str>(&[]).is_empty());
}

#[test]
fn a_chain_of_prompts_feeds_the_next() {
    let server =
        Server::new(|_, seen| Reply::text(&format!("{}({})", seen.body["model"].as_str().unwrap(), seen.prompt())));
    let models = ["a", "b"].map(|m| server.named(&format!("openai-compatible::{m}"), "/v1", |_| {}));
    let pipeline = Pipeline::new(&models, 2).unwrap();
    let prompts = ["첫째 {input}", "{\"x\": \"{input}\"}", "끝 {input} {input}"];
    let answers = pipeline.process_chain(&prompts, "{처음}").unwrap();
    let texts: Vec<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    assert_eq!(texts[0], "a(첫째 {처음})");
    assert_eq!(texts[1], "b({\"x\": \"a(첫째 {처음})\"})");
    assert_eq!(texts[2], format!("a(끝 {0} {0})", texts[1]));
    assert_eq!(futures_of(pipeline.process_chain_async(&prompts, "{처음}")).unwrap().len(), 3);
    let blank = pipeline.process_chain(&["{input}", " "], "x").unwrap_err();
    assert!(matches!(&blank, LlmError::Step { name, .. } if name == "2"), "{blank}");
    assert!(pipeline.process_chain::<&str>(&[], "x").is_err());
}

#[test]
fn prompts_are_written_and_mended_and_braces_pass_unharmed() {
    let server = Server::new(|_, seen| match seen.prompt() {
        prompt if prompt.contains("what is wrong") => Reply::text("```\n더 나은 프롬프트 INPUT\n```"),
        _ => Reply::text("  새 프롬프트 INPUT\n"),
    });
    let llm = server.llm();
    let task = r#"Turn {"name": "{{ name }}"} into {% raw %} text"#;
    let examples = [Example::new("{{ a }}", "{b}"), Example::new("가", "나")];
    assert_eq!(llm.generate_prompt(task, &examples).unwrap(), "새 프롬프트 INPUT");
    let prompt = server.seen()[0].prompt().to_owned();
    assert!(prompt.contains(task) && prompt.contains("input: {{ a }}\noutput: {b}"), "{prompt}");
    assert_eq!(llm.optimize_prompt("Say {{ x }} to INPUT", "too {long}").unwrap(), "더 나은 프롬프트 INPUT");
    let prompt = server.seen()[1].prompt().to_owned();
    assert!(prompt.contains("Say {{ x }} to INPUT") && prompt.contains("too {long}"));
    assert!(llm.generate_prompt(" ", &[]).is_err() && llm.optimize_prompt("x", "").is_err());
    assert!(llm.history().is_empty());
    assert!(Server::saying("``````").llm().generate_prompt("x", &[]).is_err());
}
