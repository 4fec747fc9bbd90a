//! `gyeol ask`, `gyeol chat` and `gyeol cluster --titles`.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::caching::walk;
use crate::server::{Piece, Reply, Server, event};

const TEXTS: [(&str, &str); 3] = [
    ("조수.md", "# 조수\n\n밀물과 썰물은 달과 해가 바닷물을 끌어당겨 생긴다.\n"),
    ("빵.txt", "빵 반죽은 이스트가 내는 기체로 부푼다.\n"),
    ("rust.txt", "Rust checks ownership and borrowing at compile time.\n"),
];

fn gyeol(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
    command.current_dir(folder).env("HOME", folder).env_remove("GYEOL_CHAT_MODEL").env_remove("OPENAI_API_KEY");
    command.env_remove("OPENAI_COMPATIBLE_BASE_URL").env_remove("XDG_CONFIG_HOME").stdin(Stdio::null());
    command
}

fn indexed() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    TEXTS.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    let made = gyeol(folder.path()).args(["index", ".", "--quiet"]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    folder
}

fn run(folder: &Path, server: Option<&Server>, args: &[&str]) -> Output {
    let mut command = gyeol(folder);
    command.args(args);
    if let Some(server) = server {
        command.args(["--model", "openai-compatible::m", "--base-url", &format!("{}/v1", server.url)]);
    }
    command.output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn ask_answers_with_sources_as_json_and_as_text() {
    let (folder, server) = (indexed(), Server::saying("달이 당긴다 [1]. 거짓말 [7]."));
    let json = run(folder.path(), Some(&server), &["ask", "밀물은", "왜 생겨?", "--json"]);
    assert!(json.status.success(), "{json:?}");
    let answer: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(
        (&answer["schema"], &answer["question"], &answer["rewritten"]),
        (&1.into(), &"밀물은 왜 생겨?".into(), &Value::Null)
    );
    assert_eq!(answer["text"], "달이 당긴다 [1]. 거짓말.");
    assert_eq!(answer["usage"], serde_json::json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}));
    assert_eq!(answer["cache_hit"], false);
    let source = &answer["sources"][0];
    assert_eq!((&source["n"], &source["path"], &source["key"]), (&1.into(), &"조수.md".into(), &"조수.md".into()));
    assert!(
        source["lines"][0].as_u64() >= Some(1)
            && source["score"].is_f64()
            && source["text"].as_str().unwrap().contains("밀물과")
    );
    for args in [&["ask", "밀물은 왜 생겨?"][..], &["ask", "밀물은 왜 생겨?", "--stream"]] {
        let plain = run(folder.path(), Some(&server), args);
        let out = text(&plain.stdout);
        assert!(out.starts_with("달이 당긴다 [1]. 거짓말.\n\n[1] 조수.md:"), "{out}");
        assert_eq!(out.matches("\n[").count(), 1, "only what is cited: {out}");
    }
}

#[test]
fn the_environment_names_the_model_and_its_url() {
    let (folder, server) = (indexed(), Server::saying("답 [1]"));
    let url = format!("{}/v1", server.url);
    let run = |args: &[&str]| {
        let mut command = gyeol(folder.path());
        command.env("GYEOL_CHAT_MODEL", "openai-compatible::m").env("GYEOL_CHAT_BASE_URL", &url);
        command.args(["ask", "밀물?"]).args(args).output().unwrap()
    };
    assert!(run(&[]).status.success());
    assert!(server.seen()[0].body["stream"] == false);
    // The URL is of the model that the environment names, and of no other.
    assert_eq!(run(&["--model", "openai-compatible::other"]).status.code(), Some(2));
    assert_eq!(server.requests(), 1);
}

#[test]
fn streamed_json_is_an_event_a_line() {
    let (folder, server) = (indexed(), Server::saying("하나 둘 [2]"));
    let out = run(folder.path(), Some(&server), &["ask", "밀물?", "--stream", "--json"]);
    let lines: Vec<Value> = text(&out.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = lines.iter().map(|line| line["event"].as_str().unwrap()).collect();
    assert_eq!((events[0], *events.last().unwrap()), ("sources", "end"));
    assert!(events[1..events.len() - 1].iter().all(|e| *e == "text") && events.len() > 3, "{events:?}");
    assert_eq!(lines.last().unwrap()["text"], "하나 둘 [2]");
}

#[test]
fn without_a_model_there_is_a_clear_message_and_quotations() {
    let folder = indexed();
    let none = run(folder.path(), None, &["ask", "밀물은 왜 생겨?"]);
    let message = text(&none.stderr);
    assert_eq!(none.status.code(), Some(2));
    for word in ["--model", "GYEOL_CHAT_MODEL", "--extractive"] {
        assert!(message.contains(word), "{message}");
    }
    let quoted = run(folder.path(), None, &["ask", "밀물은 왜 생겨?", "--extractive"]);
    let out = text(&quoted.stdout);
    assert!(
        quoted.status.success()
            && out.starts_with("“")
            && out.contains("밀물과 썰물은 달과 해가 바닷물을 끌어당겨 생긴다.” [1]"),
        "{out}"
    );
    assert!(out.contains("\n[1] 조수.md:"), "{out}");
    let json: Value =
        serde_json::from_slice(&run(folder.path(), None, &["ask", "밀물?", "--extractive", "--json"]).stdout).unwrap();
    assert_eq!((&json["sources"][0]["path"], &json["usage"]["total_tokens"]), (&"조수.md".into(), &0.into()));
    let nothing = run(folder.path(), None, &["ask", "밀물?", "--extractive", "--filter", "year > 3000"]);
    assert_eq!((nothing.status.code(), nothing.stdout.len()), (Some(1), 0));
    assert_eq!(run(folder.path(), None, &["ask", " ", "--extractive"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), None, &["ask", "x", "--extractive", "--stream"]).status.code(), Some(2));
}

#[test]
fn what_goes_wrong_has_its_exit_code() {
    let (folder, server) = (indexed(), Server::new(|_, _| Reply::error(401, "bad key")));
    let refused = run(folder.path(), Some(&server), &["ask", "밀물?", "--retries", "0"]);
    assert_eq!(refused.status.code(), Some(6), "{refused:?}");
    assert!(text(&refused.stderr).contains("does not accept the key"));
    let unknown = gyeol(folder.path()).args(["ask", "x", "--model", "gpt-4o"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("PROVIDER::MODEL"));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(run(empty.path(), Some(&server), &["ask", "x"]).status.code(), Some(3));
    let template = folder.path().join("template.txt");
    std::fs::write(&template, "{{ question }}").unwrap();
    let bad = run(folder.path(), Some(&server), &["ask", "x", "--template", template.to_str().unwrap()]);
    assert_eq!(bad.status.code(), Some(2), "{bad:?}");
    let nothing = run(folder.path(), Some(&server), &["ask", "밀물?", "--filter", "year > 3000", "--json"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert_eq!(server.requests(), 1, "nothing was asked for the others");
}

#[test]
fn answers_are_kept_when_a_cache_is_named() {
    let (folder, server) = (indexed(), Server::saying("답 [1]"));
    let hit = || {
        let out = run(folder.path(), Some(&server), &["ask", "밀물?", "--json", "--cache", "replies"]);
        serde_json::from_slice::<Value>(&out.stdout).unwrap()["cache_hit"].clone()
    };
    assert_eq!((hit(), hit(), server.requests()), (false.into(), true.into(), 1));
}

#[test]
fn a_conversation_shows_sources_and_understands_follow_ups() {
    let folder = indexed();
    let server = Server::new(|_, seen| match seen.prompt() {
        prompt if prompt.contains("Write the question anew") => Reply::text("빵 반죽은 무엇으로 부풀어?"),
        _ => Reply::fitting(seen, "답이다 [1]."),
    });
    let mut command = gyeol(folder.path());
    command.args(["chat", "--model", "openai-compatible::m", "--base-url", &format!("{}/v1", server.url)]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = "빵 반죽은?\n\n그건 왜?\n/history\n/tokens\n/sources\n/clear\n/history\n/nosuch\n/quit\nnever read\n";
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let shown = text(&out.stdout);
    assert!(shown.starts_with("[1] 빵.txt:1-1"), "sources come first: {shown}");
    assert!(shown.contains("(빵 반죽은 무엇으로 부풀어?)\n[1] 빵.txt"), "{shown}");
    assert!(shown.contains("» 그건 왜?\n\n답이다.\n"), "{shown}");
    assert!(shown.contains("21 sent, 9 back"), "{shown}");
    assert!(shown.contains("빵 반죽은 이스트가 내는 기체로 부푼다."), "{shown}");
    assert!(text(&out.stderr).contains("/sources   the texts"));
    assert_eq!(server.requests(), 3);
    // Who sends questions through a pipe learns that one had no answer; a path is a question.
    let refusing = Server::new(|_, _| Reply::error(400, "no"));
    let mut command = gyeol(folder.path());
    command.args(["chat", "--model", "openai-compatible::m", "--base-url", &format!("{}/v1", refusing.url)]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all("/etc/hosts는 뭐야?\n".as_bytes()).unwrap();
    assert_eq!((child.wait_with_output().unwrap().status.code(), refusing.requests()), (Some(6), 1));
}

#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_stops_the_answer_and_not_the_program() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let folder = indexed();
    let server = Server::new(|number, seen| match number {
        0 => {
            let mut all = vec![Piece::Bytes(event("시작").into_bytes())];
            all.extend((0..200).map(|_| Piece::Wait(Duration::from_millis(100))));
            Reply::pieces("text/event-stream", all)
        }
        _ => Reply::fitting(seen, "다음 답"),
    });
    let mut command = gyeol(folder.path());
    command.args(["chat", "--model", "openai-compatible::m", "--base-url", &format!("{}/v1", server.url)]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all("밀물은?\n".as_bytes()).unwrap();
    let mut shown = Vec::new();
    while !text(&shown).contains("시작") {
        shown.extend_from_slice(stdout.fill_buf().unwrap());
        let taken = stdout.buffer().len();
        assert!(taken > 0, "{}", text(&shown));
        stdout.consume(taken);
    }
    kill(Pid::from_raw(child.id() as i32), Signal::SIGINT).unwrap();
    assert!(server.wait_for_hang_ups(1), "the connection was closed");
    stdin.write_all("빵은?\n".as_bytes()).unwrap();
    drop(stdin);
    let mut rest = String::new();
    stdout.read_to_string(&mut rest).unwrap();
    assert!(child.wait().unwrap().success());
    assert!(rest.contains("다음 답"), "{rest}");
    // The question that was stopped is forgotten.
    assert_eq!(server.seen()[1].roles(), ["system", "user"]);
}

#[test]
fn clusters_get_titles_when_asked_for() {
    let (folder, server) = (indexed(), Server::saying("\"이야기들\""));
    let url = format!("{}/v1", server.url);
    let titles = ["cluster", "-k", "2", "--titles", "--chat-model", "openai-compatible::m", "--chat-base-url", &url];
    let out = run(folder.path(), None, &titles);
    assert!(out.status.success(), "{out:?}");
    assert_eq!(text(&out.stdout).matches("“이야기들”").count(), 2);
    let out = run(folder.path(), None, &[&titles[..], &["--json"]].concat());
    let json: Value = serde_json::from_slice(&out.stdout).unwrap();
    assert!(json["clusters"].as_array().unwrap().iter().all(|c| c["title"] == "이야기들"));
    let none = run(folder.path(), None, &["cluster", "-k", "2", "--titles"]);
    assert_eq!(none.status.code(), Some(2));
    assert!(text(&none.stderr).contains("GYEOL_CHAT_MODEL"));
    let down = Server::new(|_, _| Reply::error(400, "no"));
    let url = format!("{}/v1", down.url);
    let failed = run(
        folder.path(),
        None,
        &["cluster", "-k", "2", "--titles", "--chat-model", "openai-compatible::m", "--chat-base-url", &url],
    );
    assert_eq!(failed.status.code(), Some(6));
    assert!(text(&failed.stdout).contains("2 clusters of 3 documents"), "the clusters are shown all the same");
}

#[test]
fn keys_stand_in_no_output_log_or_file() {
    const KEY: &str = "sk-chat-s3cret-0123456789";
    let folder = indexed();
    let server = Server::new(|number, seen| match number % 4 {
        0 => Reply::error(400, &format!("you sent {}", seen.head)),
        1 => Reply::error(401, &format!("bad key {}", seen.head)),
        2 => Reply::pieces(
            "text/event-stream",
            vec![Piece::Bytes(
                format!("data: {{\"error\": \"{}\"}}\n\n", seen.head.replace('\n', " ").replace('\r', "")).into_bytes(),
            )],
        ),
        _ => Reply::fitting(seen, "답 [1]"),
    });
    let url = format!("{}/v1", server.url);
    let ask = ["ask", "밀물?", "--stream", "--model", "openai-compatible::m", "--base-url", &url, "--cache", "replies"];
    for wanted in [6, 6, 6, 0] {
        let mut command = gyeol(folder.path());
        command.args(ask).env("OPENAI_COMPATIBLE_API_KEY", KEY).env("GYEOL_LOG", "trace");
        let out = command.output().unwrap();
        assert_eq!(out.status.code(), Some(wanted), "{out:?}");
        assert!(server.seen().last().unwrap().head.contains(KEY), "the key was sent");
        let told = text(&out.stdout) + &text(&out.stderr);
        assert!(told.contains("chat{") || told.contains("TRACE"), "it was told of: {told}");
        assert!(!told.contains(KEY), "{told}");
    }
    for entry in walk(folder.path()) {
        let bytes = std::fs::read(&entry).unwrap();
        assert!(!bytes.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "{}", entry.display());
    }
}
