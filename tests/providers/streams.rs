//! Long runs, and the commands that ask providers.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use gyeol::embed::Role;
use gyeol::vectors::npy;
use serde_json::Value;

use crate::server::{Server, answer, error, numbered, ok, refs, unit_of};

fn gyeol(server: &Server, home: &Path, args: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
    command.args(args).env("HOME", home).env("OPENAI_COMPATIBLE_BASE_URL", format!("{}/v1", server.url));
    command.env_remove("XDG_CACHE_HOME").env_remove("XDG_CONFIG_HOME").env_remove("OPENAI_API_KEY").current_dir(home);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn five_thousand_texts_in_one_call() {
    let server = Server::good();
    let texts = numbered("글 ", 5000);
    let model = server.model(|o| o.limits.inputs = Some(100));
    let got = model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
    assert!((0..5000).all(|i| got.get(i).unwrap() == unit_of(&texts[i])));
    assert_eq!(server.requests(), 50);
}

#[test]
fn the_command_streams_in_order_and_pays_once() {
    let (server, home) = (Server::good(), tempfile::tempdir().unwrap());
    let model = ["embed", "--model", "openai-compatible::m"];
    let first = lines(&gyeol(&server, home.path(), &model, "a\n\nb\n"));
    assert_eq!(server.texts(), ["a", "b"]);
    assert_eq!(first.len(), 3);
    assert_eq!((first[1]["index"].as_u64(), &first[1]["vector"]), (Some(1), &Value::Null));
    let output = gyeol(&server, home.path(), &model, "a\nb\nc\n");
    let second = lines(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 tokens, 2 texts from the cache"), "{output:?}");
    assert_eq!(server.texts(), ["a", "b", "c"]);
    assert_eq!((&second[0]["cache_hit"], second[2].get("cache_hit")), (&Value::Bool(true), None));
    assert_eq!(first[2]["vector"], second[1]["vector"]);
    let again = gyeol(&server, home.path(), &[&model[..], &["--no-cache"]].concat(), "a\n");
    assert!(String::from_utf8_lossy(&again.stderr).contains("1 requests"), "{again:?}");
    assert_eq!(server.texts(), ["a", "b", "c", "a"]);
    let out = home.path().join("x.npy");
    let done = gyeol(&server, home.path(), &[&model[..], &["--out", out.to_str().unwrap()]].concat(), "\n\na\nb\n\n");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let rows = npy::read(&out).unwrap();
    assert_eq!((rows.len(), rows.dim()), (5, 4));
    assert_eq!((rows.row(0), rows.row(2)), (&[0.0; 4][..], &unit_of("a")[..]));
    // More lines than are read together.
    let many = numbered("m", 1500);
    let all = lines(&gyeol(&server, home.path(), &model, &many.join("\n")));
    assert!(all.iter().enumerate().all(|(i, line)| line["index"] == i && line["vector"].is_array()));
    assert_eq!(all.len(), 1500);
}

#[test]
fn a_refused_line_is_told_and_the_others_are_there() {
    let server =
        Server::new(
            |_, texts, _| {
                if texts.iter().any(|t| t == "bad") { error(400, "not this one") } else { ok(answer(texts)) }
            },
        );
    let home = tempfile::tempdir().unwrap();
    let output = gyeol(&server, home.path(), &["embed", "--model", "openai-compatible::m"], "a\nbad\nb\n");
    assert_eq!(output.status.code(), Some(6));
    let text = String::from_utf8_lossy(&output.stdout);
    let all: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(all[0]["vector"].is_array() && all[1]["vector"].is_null() && all[2]["vector"].is_array());
    assert!(all[1]["error"].as_str().unwrap().contains("not this one"));
    assert!(String::from_utf8_lossy(&output.stderr).contains("line 2:"), "{output:?}");
}

#[test]
fn a_folder_is_indexed_searched_and_changes_its_model() {
    let (server, home) = (Server::good(), tempfile::tempdir().unwrap());
    fs::create_dir(home.path().join("notes")).unwrap();
    fs::write(home.path().join("notes/a.md"), "# 고양이\n\n고양이가 잔다.\n").unwrap();
    fs::write(home.path().join("notes/b.txt"), "배가 바다를 건넌다.\n").unwrap();
    let run = |args: &[&str]| {
        let output = gyeol(&server, home.path(), args, "");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let first = run(&["index", "notes", "--json"]);
    assert_eq!((first["embedded"].as_u64(), &first["usage"]), (Some(2), &Value::Null));
    let dry = run(&["index", "notes", "--json", "--dry-run", "--model", "openai::text-embedding-3-small"]);
    assert_eq!((dry["files"].as_u64(), dry["texts"].as_u64()), (Some(2), Some(2)));
    let (tokens, cost) = (dry["tokens"].as_f64().unwrap(), dry["usd"].as_f64().unwrap());
    assert!(tokens > 20.0 && (cost - tokens * 0.02 / 1e6).abs() < 1e-12);
    assert_eq!(run(&["index", "notes", "--json", "--dry-run"])["files"], 0, "nothing is left to do");
    assert_eq!(server.requests(), 0);
    let changed = run(&["index", "notes", "--json", "--model", "openai-compatible::m"]);
    assert_eq!(changed["files"]["unchanged"], 2);
    assert_eq!(changed["usage"]["requests"].as_u64(), Some(2), "one to learn the dimension, one for the texts");
    assert_eq!(run(&["status", "--in", "notes", "--json"])["model"], "openai-compatible::m");
    // Without a name, the collection's own model is asked, and as a query.
    let before = server.requests();
    let found = run(&["search", "고양이", "--in", "notes", "--json", "--dense"]);
    assert!(found["hits"].as_array().is_some_and(|hits| hits.len() == 2), "{found}");
    assert_eq!(server.seen()[before..].iter().flat_map(|s| s.texts.clone()).collect::<Vec<_>>(), ["고양이"]);
    // Another model is refused where nothing is made anew.
    let other = gyeol(&server, home.path(), &["search", "x", "--in", "notes", "--model", "builtin"], "");
    assert_eq!(other.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&other.stderr).contains("openai-compatible::m"));
    // And back.
    run(&["index", "notes", "--json", "--model", "builtin"]);
    assert_eq!(run(&["status", "--in", "notes", "--json"])["model"], "builtin::static-koen");
}

#[test]
fn the_old_collection_stands_when_the_new_model_fails() {
    let home = tempfile::tempdir().unwrap();
    let server = Server::new(|n, texts, _| if n == 0 { ok(answer(texts)) } else { error(401, "no") });
    fs::create_dir(home.path().join("notes")).unwrap();
    fs::write(home.path().join("notes/a.md"), "고양이가 잔다.\n").unwrap();
    assert!(gyeol(&server, home.path(), &["index", "notes"], "").status.success());
    let failed = gyeol(&server, home.path(), &["index", "notes", "--model", "openai-compatible::m"], "");
    assert_eq!(failed.status.code(), Some(6), "{failed:?}");
    let found = gyeol(&server, home.path(), &["search", "고양이", "--in", "notes"], "");
    assert!(found.status.success() && String::from_utf8_lossy(&found.stdout).contains("잔다"));
    assert!(gyeol(&server, home.path(), &["verify", "--full", "--in", "notes"], "").status.success());
}
