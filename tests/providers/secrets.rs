//! A key goes into one header, and nowhere else.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::json;
use wiremock::ResponseTemplate;

use crate::server::{Server, answer, ok};

const SECRET: &str = "sk-test-9f8e7d6c5b4a/+";

/// A server that says back all that it was sent.
fn echo(status: u16) -> Server {
    Server::new(move |n, texts, body| {
        let said = format!("Incorrect API key: {SECRET}; you sent Authorization: Bearer {SECRET} and {body}");
        match (status, n) {
            (200, _) => ok(answer(texts)).insert_header("x-echo", SECRET),
            (503, 0) => ResponseTemplate::new(503).set_body_json(json!({"error": {"message": said, "code": SECRET}})),
            (503, _) => ok(answer(texts)),
            _ => ResponseTemplate::new(status).set_body_json(json!({"error": {"message": said, "code": SECRET}})),
        }
    })
}

/// `gyeol embed` with everything told.
fn run(server: &Server, home: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
    command.args(["embed", "--model", "openai-compatible::m", "--base-url", &format!("{}/v1", server.url)]).args(args);
    command
        .env("GYEOL_LOG", "trace")
        .env("OPENAI_API_KEY", SECRET)
        .env("HOME", home)
        .env_remove("XDG_CACHE_HOME")
        .env("RUST_BACKTRACE", "1");
    command.env_remove("XDG_CONFIG_HOME").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // What is refused at once does not read its input.
    let _ = std::io::Write::write_all(&mut child.stdin.take().unwrap(), "하나\n둘\n".as_bytes());
    child.wait_with_output().unwrap()
}

fn without_secret(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    assert!(!text.contains("sk-test") && !text.contains("9f8e7d6c"), "{what}: {text}");
}

fn files_without_secret(dir: &Path) -> usize {
    let mut count = 0;
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            count += files_without_secret(&path);
        } else {
            without_secret(&path.display().to_string(), &fs::read(&path).unwrap());
            count += 1;
        }
    }
    count
}

#[test]
fn a_key_is_in_no_output_log_error_or_file() {
    for (status, code) in [(200, 0), (503, 0), (400, 6), (401, 6), (404, 6), (429, 6), (302, 6)] {
        let (server, home) = (echo(status), tempfile::tempdir().unwrap());
        let output = run(&server, home.path(), &["--retries", "1"]);
        assert_eq!(output.status.code(), Some(code), "{status}: {}", String::from_utf8_lossy(&output.stderr));
        without_secret("stdout", &output.stdout);
        without_secret("stderr", &output.stderr);
        let sent = &server.seen()[0];
        let bearer = format!("Bearer {SECRET}");
        assert!(sent.headers.iter().any(|(name, value)| name == "authorization" && *value == bearer), "it was sent");
        assert!(sent.headers.iter().all(|(name, value)| name == "authorization" || !value.contains("sk-test")));
        without_secret("the body", sent.body.to_string().as_bytes());
        let kept = files_without_secret(home.path());
        assert_eq!(kept, if code == 0 { 2 } else { 0 }, "vectors are kept by default");
        assert!(String::from_utf8_lossy(&output.stderr).contains("TRACE"), "everything is told");
    }
}

#[test]
fn a_secret_in_a_url_is_refused_before_anything_is_sent() {
    let (server, home) = (echo(200), tempfile::tempdir().unwrap());
    let url = server
        .url
        .replace("http://", &format!("http://user:{SECRET}@").replace('/', "%2F").replace("http:%2F%2F", "http://"));
    let output = run(&server, home.path(), &["--base-url", &url]);
    assert_eq!(output.status.code(), Some(2));
    without_secret("stderr", &output.stderr);
    assert_eq!(server.requests(), 0);
}

#[test]
fn doctor_says_where_a_key_is_and_not_what() {
    let (server, home) = (echo(200), tempfile::tempdir().unwrap());
    for args in [&["doctor"][..], &["doctor", "--json"], &["doctor", "--model", "openai-compatible::m", "--json"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
        command
            .args(args)
            .env("OPENAI_API_KEY", SECRET)
            .env("OPENAI_COMPATIBLE_BASE_URL", format!("{}/v1", server.url));
        let output = command.env("HOME", home.path()).env_remove("XDG_CONFIG_HOME").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        without_secret("stdout", &output.stdout);
        assert!(String::from_utf8_lossy(&output.stdout).contains("OPENAI_API_KEY"));
    }
    // A key that the server does not accept.
    let bad = echo(401);
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
    command.args(["doctor", "--model", "openai-compatible::m", "--base-url", &format!("{}/v1", bad.url)]);
    let output = command.env("OPENAI_API_KEY", SECRET).env("HOME", home.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(6));
    without_secret("stderr", &output.stderr);
}

#[test]
fn neither_a_project_nor_its_collection_says_where_keys_go() {
    let (server, home) = (Server::good(), tempfile::tempdir().unwrap());
    // Files that other tools would read settings from, in the folder that gyeol is run in.
    let evil = format!("base_url = \"{}/v1\"\nopenai = \"{SECRET}\"\n", server.url);
    for name in ["gyeol.toml", ".gyeol.toml", "keys.toml", "gyeol/keys.toml", ".env", "config.toml"] {
        let path = home.path().join("project").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &evil).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_gyeol"));
    command
        .args(["embed", "--model", "openai-compatible::m"])
        .current_dir(home.path().join("project"))
        .env("HOME", home.path());
    let output = command
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("OPENAI_COMPATIBLE_BASE_URL")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2), "there is no base URL");
    assert_eq!(server.requests(), 0);
}
