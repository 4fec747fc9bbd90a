//! The examples of chat models, run against a server that plays a sensible model.

use std::env::consts::EXE_SUFFIX;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::server::{Piece, Reply, Seen, Server, ending, event};

const NAMES: [&str; 10] = [
    "chat_agent",
    "chat_async",
    "chat_caching",
    "chat_chain",
    "chat_cluster_titles",
    "chat_meta_prompting",
    "chat_monitor",
    "chat_retrieval",
    "chat_router",
    "chat_streaming",
];

/// An example that `cargo test` has built beside this test.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built =
        test.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(
        built.exists(),
        "{} is not there; `cargo test` builds it, `cargo test --test chat` does not",
        built.display()
    );
    built
}

fn command(name: &str, server: &Server) -> Command {
    let mut command = Command::new(example(name));
    command.env("GYEOL_CHAT_MODEL", "openai-compatible::test").env("GYEOL_CHAT_BASE_URL", format!("{}/v1", server.url));
    command
}

fn run(name: &str, server: &Server) -> String {
    run_with(name, server, &[])
}

fn run_with(name: &str, server: &Server, arguments: &[&str]) -> String {
    let Output { status, stdout, stderr } = command(name, server).args(arguments).output().unwrap();
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
        // Whoever does not hang up at the keyword waits, and gets the rest.
        _ => Reply::pieces(
            "text/event-stream",
            vec![
                Piece::Bytes(event("Tides rise. E").into_bytes()),
                Piece::Bytes(event("ND Roses").into_bytes()),
                Piece::Wait(Duration::from_secs(20)),
                Piece::Bytes(ending().into_bytes()),
            ],
        ),
    });
    let out = run("chat_streaming", &server);
    in_order(
        &out,
        &["달이 당긴다.\n(10 tokens)", "1: It is 3.5 m high.\n2: And so on.\n3: 끝\n", "Tides rise. (Keyword)"],
    );
    assert!(!out.contains("Roses"));
    assert!(server.wait_for_hang_ups(1), "the connection is closed at the keyword");
    // The second question goes on from the first.
    assert_eq!(server.seen()[1].roles(), ["user", "assistant", "user"]);
}

#[test]
fn what_is_streamed_is_seen_before_the_rest_is_there() {
    let wait = Duration::from_secs(2);
    let server = Server::new(move |number, _| match number {
        0 => Reply::pieces(
            "text/event-stream",
            vec![
                Piece::Bytes(event("먼저 ").into_bytes()),
                Piece::Wait(wait),
                Piece::Bytes(event("나중").into_bytes()),
                Piece::Bytes(ending().into_bytes()),
            ],
        ),
        _ => Reply::stream(&["x END"]),
    });
    let mut child = command("chat_streaming", &server).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdout, mut seen, mut buffer) = (child.stdout.take().unwrap(), Vec::new(), [0; 256]);
    let (mut first, mut last) = (None, None);
    loop {
        let read = stdout.read(&mut buffer).unwrap();
        seen.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&seen);
        first = first.or_else(|| text.contains("먼저").then(Instant::now));
        last = last.or_else(|| text.contains("나중").then(Instant::now));
        if read == 0 {
            break;
        }
    }
    assert!(child.wait().unwrap().success());
    let apart = last.unwrap() - first.unwrap();
    assert!(apart >= wait / 4, "the first piece came {apart:?} before the second");
}

#[test]
fn asynchronous() {
    let server = Server::new(|_, seen| {
        let mut reply = match seen.roles()[0] {
            "system" => Reply::text(&format!("<{}|{}>", seen.body["messages"][0]["content"], seen.prompt())),
            _ => echo(seen),
        };
        if !seen.is_stream() {
            reply.pieces.insert(0, Piece::Wait(Duration::from_millis(500)));
        }
        reply
    });
    let out = run("chat_async", &server);
    in_order(
        &out,
        &[
            "<한국의 수도는?> / <What is the capital of France?>",
            "1의 제곱은? <1의 제곱은?>",
            "6의 제곱은? <6의 제곱은?>",
        ],
    );
    in_order(
        &out,
        &[
            "<결이 무슨 뜻이야?>",
            "<\"한국어로 답해.\"|사과>\n<\"Answer in English.\"|바다>\n<\"한국어로 답해.\"|rust>\n",
            "<\"Answer in English.\"|Translate: <\"한국어로 답해.\"|한 줄로: 밀물과 썰물>>",
        ],
    );
    // More than the two that are joined.
    assert!((3..=4).contains(&server.most_open()), "{} at once", server.most_open());
}

#[test]
fn caching() {
    let server = Server::new(|number, seen| Reply::fitting(seen, &format!("답 {number}")));
    let out = run("chat_caching", &server);
    in_order(&out, &["답 0 (from the cache: false, requests: 1)", "답 0 (from the cache: true, requests: 0)"]);
    in_order(
        &out,
        &[
            "from the cache: false\nfrom the cache: true",
            "news from the cache: false\nfacts from the cache: false\nfacts again: true",
        ],
    );
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
    // An answer, the rewriting, an answer; the notes are in the message, quoted.
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    for answer in [&seen[0], &seen[2]] {
        assert!(answer.prompt().contains("[1] \"bread\"\n| 빵 반죽은 이스트가"), "{}", answer.prompt());
    }
}

#[test]
fn cluster_titles() {
    let server = Server::new(|_, seen| match seen.prompt() {
        prompt if prompt.contains("반죽") => Reply::text("\"빵과 국수\""),
        prompt if prompt.contains("compile") => Reply::text("Programs"),
        _ => Reply::text("달과 바다"),
    });
    let out = run("chat_cluster_titles", &server);
    // Each title stands over its own texts.
    let of: [(&str, [&str; 3]); 3] = [
        ("빵과 국수", ["빵 반죽은", "국수 반죽에는", "오븐을"]),
        ("Programs", ["Rust checks", "A compiler", "Unit tests"]),
        ("달과 바다", ["밀물과", "달은 지구를", "보름달이"]),
    ];
    for (title, [a, b, c]) in of {
        let group = out.split("3 documents: ").find(|group| group.starts_with(&format!("{title} ["))).expect(title);
        in_order(group, &[a, b, c]);
        assert_eq!(group.lines().count(), 4, "{out}");
    }
    assert_eq!(server.requests(), 3);
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
}

#[test]
fn the_agents_calculator_calculates_and_says_what_is_wrong() {
    // The question is the expression.
    let server = Server::new(|_, seen| match seen.roles().contains(&"tool") {
        true => Reply::text(&format!("= {}", seen.prompt())),
        false => Reply::calls(&[("calculator", &json!({"expression": seen.prompt()}).to_string())]),
    });
    let of = |expression: &str| run_with("chat_agent", &server, &[expression]);
    for (expression, value) in [
        ("2 + 3 * 4", "14"),
        ("(2 + 3) * 4", "20"),
        ("10 - 4 - 3", "3"),
        ("100 / 10 / 5", "2"),
        ("-(1 + 2) * 3.5", "-10.5"),
        ("2 * -3 - -1", "-5"),
        (" 1.25+.75 ", "2"),
    ] {
        assert!(of(expression).ends_with(&format!("\n= {value}\n")), "{expression}: {}", of(expression));
    }
    let (deep, long) = ("(".repeat(50_000), "9".repeat(400));
    for (expression, reason) in [
        ("1 / (2 - 2)", "division by zero"),
        ("1 / -0", "division by zero"),
        ("(1 + 2", "a parenthesis is not closed"),
        ("1 + 2)", "`)` does not belong here"),
        ("2 + ", "does not begin with a number"),
        ("1.2.3", "does not begin with a number"),
        ("2 사과", "`사과` does not belong here"),
        (&deep, "nested too deeply"),
        (&long, "the result is too large"),
    ] {
        let out = of(expression);
        assert!(out.starts_with("(tool calculator: ") && out.contains(reason), "{expression:.40}: {out:.300}");
    }
}

#[test]
fn what_goes_wrong_is_not_passed_over() {
    let server = Server::new(|_, _| Reply::error(401, "no such key"));
    for name in NAMES {
        let out = command(name, &server).output().unwrap();
        // Some say what failed, and go on to the next question.
        let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(text.contains("401"), "{name}: {text}");
        assert_eq!(out.status.success(), name == "chat_cluster_titles", "{name}: {text}");
    }
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
    for name in NAMES {
        let out = Command::new(example(name)).env_remove("GYEOL_CHAT_MODEL").output().unwrap();
        assert_eq!(out.status.code(), Some(2), "{name}");
        assert!(String::from_utf8_lossy(&out.stderr).contains("GYEOL_CHAT_MODEL"));
    }
}
