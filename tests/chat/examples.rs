//! The examples of chat models, run against a server that plays a sensible model.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::json;

use crate::server::{Reply, Seen, Server};

/// An example that `cargo test` has built beside this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(name);
    assert!(
        built.exists(),
        "{} is not there; `cargo test` builds it, `cargo test --test chat` does not",
        built.display()
    );
    built
}

fn run(name: &str, server: &Server) -> String {
    let mut command = Command::new(example(name));
    command.env("GYEOL_CHAT_MODEL", "openai-compatible::test").env("GYEOL_CHAT_BASE_URL", format!("{}/v1", server.url));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert!(status.success(), "{name}: {out}\n{err}");
    out
}

/// Says the prompt's last line in brackets.
fn echo(seen: &Seen) -> Reply {
    Reply::fitting(seen, &format!("<{}>", seen.prompt().lines().last().unwrap_or_default()))
}

fn in_order(text: &str, parts: &[&str]) {
    let mut from = 0;
    for part in parts {
        let at = text[from..].find(part).unwrap_or_else(|| panic!("{part} after {} in: {text}", &text[..from]));
        from += at + part.len();
    }
}

#[test]
fn streaming() {
    let server = Server::new(|number, _| match number {
        0 => Reply::stream(&["달이 ", "당긴다."]),
        1 => Reply::stream(&["It is 3.", "5 m high. And", " so on. 끝"]),
        _ => Reply::stream(&["Tides rise. E", "ND Roses"]),
    });
    let out = run("chat_streaming", &server);
    in_order(
        &out,
        &["달이 당긴다.\n(Some(10) tokens)", "1: It is 3.5 m high.\n2: And so on.\n3: 끝\n", "Tides rise. (Keyword)"],
    );
    assert!(!out.contains("Roses"));
    // The second question goes on from the first.
    assert_eq!(server.seen()[1].roles(), ["user", "assistant", "user"]);
}

#[test]
fn asynchronous() {
    let server = Server::new(|_, seen| echo(seen));
    let out = run("chat_async", &server);
    in_order(
        &out,
        &[
            "<한국의 수도는?> / <What is the capital of France?>",
            "1의 제곱은? <1의 제곱은?>",
            "6의 제곱은? <6의 제곱은?>",
        ],
    );
    in_order(&out, &["<결이 무슨 뜻이야?>", "<사과>\n<바다>\n<rust>\n", "<Translate: <한 줄로: 밀물과 썰물>>"]);
    assert!(server.most_open() <= 4);
}

#[test]
fn caching() {
    let server = Server::new(|number, seen| Reply::fitting(seen, &format!("답 {number}")));
    let out = run("chat_caching", &server);
    in_order(&out, &["답 0 (from the cache: false, requests: 1)", "답 0 (from the cache: true, requests: 0)"]);
    in_order(&out, &["from the cache: false\nfrom the cache: true", "facts from the cache: false\nfacts again: true"]);
    assert_eq!(server.requests(), 4);
}

#[test]
fn retrieval() {
    let server = Server::new(|_, seen| match seen.prompt() {
        prompt if prompt.contains("Write the question anew") => Reply::text("빵 반죽은 얼마나 두어야 해?"),
        _ => Reply::fitting(seen, "그렇다 [1]. 아니다 [8]."),
    });
    let out = run("chat_retrieval", &server);
    in_order(
        &out,
        &[
            "» 빵 반죽은",
            "[1] bread ",
            "그렇다 [1]. 아니다.\ncites [1]",
            "(빵 반죽은 얼마나 두어야 해?)\n[1] bread ",
            "cites [1]",
        ],
    );
}

#[test]
fn cluster_titles() {
    let server = Server::new(|_, seen| match seen.prompt() {
        prompt if prompt.contains("반죽") => Reply::text("\"빵과 국수\""),
        prompt if prompt.contains("compile") => Reply::text("Programs"),
        _ => Reply::text("달과 바다"),
    });
    let out = run("chat_cluster_titles", &server);
    for title in ["3 documents: 빵과 국수 [", "3 documents: Programs [", "3 documents: 달과 바다 ["] {
        assert!(out.contains(title), "{out}");
    }
}

#[test]
fn meta_prompting() {
    let server = Server::new(|_, seen| match seen.prompt() {
        prompt if prompt.contains("what is wrong") && prompt.contains("{\"kind\": ...}") => {
            Reply::text("JSON만: INPUT")
        }
        prompt if prompt.contains("output: {\"kind\": \"불만\"}") => Reply::text("```\nClassify INPUT\n```"),
        _ => echo(seen),
    });
    let out = run("chat_meta_prompting", &server);
    in_order(
        &out,
        &["-- written\nClassify INPUT\n", "-- mended\nJSON만: INPUT\n", "-- used\n<JSON만: 언제 문을 열어요?>"],
    );
}

#[test]
fn chain() {
    let server = Server::new(|number, seen| match number {
        2 => Reply::text(&seen.prompt().replace('\n', "|")),
        _ => echo(seen),
    });
    let out = run("chat_chain", &server);
    in_order(
        &out,
        &[
            "refused: ",
            "sumary",
            "-- summary\n<밀물과 썰물은",
            "-- english\n<<밀물과 썰물은",
            "-- title\nGive a title.|The summary: <<밀물과",
            "{\"출처\": \"교과서\"}",
            "-- the end\nGive a title.",
        ],
    );
}

#[test]
fn router() {
    let server = Server::new(|_, seen| {
        if seen.body.get("response_format").is_none() {
            return echo(seen);
        }
        let prompt = seen.prompt();
        let choice = match prompt {
            _ if prompt.contains("fruit") => "사과",
            _ if prompt.contains("늦었어요") => "complaint",
            _ if prompt.contains("몇 시에") => "question",
            _ if prompt.contains("마음에") => "praise",
            _ => return Reply::text("none of them"),
        };
        Reply::text(&json!({"choice": choice}).to_string())
    });
    let out = run("chat_router", &server);
    in_order(
        &out,
        &[
            "배송이 사흘이나 늦었어요. -> complaint: <이 일에 대한 짧은 사과문을 써라: <무엇이 불만인지",
            "몇 시에 문을 열어요? -> question: <몇 시에",
            "정말 마음에 들어요! -> praise: 고맙습니다! (정말 마음에 들어요!)",
            "음... -> (none): 사람에게 넘깁니다: 음...",
            "chosen: 사과 (0)",
        ],
    );
}

#[test]
fn agent() {
    let server = Server::new(|number, seen| match number {
        0 => Reply::calls(&[("price_list", r#"{"query": "사과 배 값"}"#)]),
        1 if seen.prompt().contains("1,200원") => {
            Reply::calls(&[("calculator", r#"{"expression": "3 * 1200 + 2*(3500)"}"#)])
        }
        _ => Reply::text(&format!("모두 {}원", seen.prompt())),
    });
    let out = run("chat_agent", &server);
    in_order(&out, &["1. price_list(", "사과는 한 개에", "2. calculator(", ") = 10600\n", "모두 10600원"]);
    assert!(out.contains("without a model: Ok(-10.5), Err(\"division by zero\")"), "{out}");
    // A tool that fails is told.
    let server = Server::new(|_, _| Reply::calls(&[("calculator", r#"{"expression": "1 / 0"}"#)]));
    assert!(run("chat_agent", &server).contains("(tool calculator: division by zero)"));
}

#[test]
fn monitor() {
    let server = Server::saying("답");
    let out = run("chat_monitor", &server);
    let json: serde_json::Value = serde_json::from_str(out.lines().last().unwrap()).unwrap();
    let model = &json["models"][0];
    assert_eq!(
        (&model["model"], &model["requests"], &model["errors"]),
        (&json!("openai-compatible::test"), &json!(4), &json!(0))
    );
    assert_eq!((&model["cache_hits"], &model["total_tokens"]), (&json!(1), &json!(30)));
    assert!((model["cost"].as_f64().unwrap() - (21.0 * 0.15 + 9.0 * 0.60) / 1e6).abs() < 1e-12);
    assert!(
        model["first_token_seconds"].is_f64() && out.contains("openai-compatible::test                 4      0     1"),
        "{out}"
    );
    assert_eq!(server.requests(), 3);
}

#[test]
fn without_a_model_they_say_what_is_missing() {
    for name in ["chat_streaming", "chat_agent", "chat_monitor"] {
        let out = Command::new(example(name)).env_remove("GYEOL_CHAT_MODEL").output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("GYEOL_CHAT_MODEL"));
    }
}
