//! Caches of replies: what is paid for once, and what makes another question of it.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use gyeol::cache::{Cache, CacheConfig, CacheKey};
use gyeol::error::CacheError;
use gyeol::llm::{Agent, CacheKind, CacheKinds, Finish, Llm, StreamEvent, StreamOptions, Tool, schemars};

use crate::server::{Piece, Reply, Server, event};

fn memory() -> Arc<dyn Cache> {
    CacheConfig::InMemory { max_size: 100, ttl: 0 }.open().unwrap()
}

/// Says the number of the request.
fn counting() -> Server {
    Server::new(|number, seen| Reply::fitting(seen, &format!("answer number {number}")))
}

#[test]
fn a_hit_costs_no_request_and_streams_too() {
    let server = counting();
    let llm = server.llm().stateless().cached(memory());
    let first = llm.ask("one").unwrap();
    assert_eq!((first.cache_hit, first.requests), (false, 1));
    let again = llm.ask("one").unwrap();
    assert_eq!((again.cache_hit, again.requests, again.text.as_str()), (true, 0, "answer number 0"));
    assert_eq!(again.usage, first.usage);
    let events: Vec<StreamEvent> = llm.stream("one").unwrap().map(Result::unwrap).collect();
    let [StreamEvent::Text(text), StreamEvent::End(answer)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((text.as_str(), answer.cache_hit), ("answer number 0", true));
    // What was streamed is kept as well.
    assert!(!llm.stream("two").unwrap().whole().unwrap().cache_hit);
    assert_eq!(llm.ask("two").unwrap().text, "answer number 1");
    assert_eq!(server.requests(), 2);
    assert!(!llm.uncached().ask("one").unwrap().cache_hit);
    assert_eq!(server.requests(), 3);
}

#[test]
fn everything_that_an_answer_depends_on_makes_another_entry() {
    let (server, cache) = (counting(), memory());
    let with =
        |name: &str, change: fn(&mut gyeol::llm::LlmOptions)| server.named(name, "/v1", change).cached(cache.clone());
    let plain = with("openai-compatible::m", |_| {});
    plain.ask("q").unwrap();
    let others = [
        with("openai-compatible::n", |_| {}),
        with("openai::m", |_| {}),
        with("openai-compatible::m", |o| o.temperature = Some(0.0)),
        with("openai-compatible::m", |o| o.max_tokens = Some(5)),
        with("openai-compatible::m", |o| o.system = Some("s".to_owned())),
        // Another conversation.
        plain.clone(),
        server.named("openai-compatible::m", "/v1/other", |_| {}).cached(cache.clone()),
    ];
    for (i, other) in others.iter().enumerate() {
        assert!(!other.ask("q").unwrap().cache_hit, "{i}");
    }
    assert_eq!(server.requests(), 8);
    assert!(with("openai-compatible::m", |_| {}).ask("q").unwrap().cache_hit);
    // A conversation that took the same turns is the same question.
    let same = with("openai-compatible::m", |_| {});
    assert!(same.ask("q").unwrap().cache_hit && same.ask("q").unwrap().cache_hit);
    assert_eq!(same.history().len(), 4);
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[schemars(crate = "gyeol::llm::schemars")]
struct Nothing {}

#[test]
fn tools_are_of_the_question() {
    let server = counting();
    let llm = server.llm().stateless().cached(memory());
    let tool = |name: &str| Tool::new(name, "d", |_: Nothing| Ok::<_, String>(1)).unwrap();
    let run = |tools: &[&str]| {
        let agent = tools.iter().fold(Agent::new(&llm), |agent, name| agent.tool(tool(name)).unwrap());
        agent.run("q").unwrap().text
    };
    assert_eq!(run(&["a"]), "answer number 0");
    assert_eq!(run(&["a"]), "answer number 0");
    assert_eq!(run(&["b"]), "answer number 1");
    assert_eq!(llm.ask("q").unwrap().text, "answer number 2");
}

#[test]
fn files_survive_and_age_and_damage_is_a_miss() {
    let (server, dir) = (counting(), tempfile::tempdir().unwrap());
    let open = |ttl| CacheConfig::File { dir: dir.path().to_owned(), ttl }.open().unwrap();
    let ask = |ttl| server.llm().cached(open(ttl)).ask("q").unwrap().cache_hit;
    assert_eq!((ask(0), ask(0)), (false, true));
    std::thread::sleep(Duration::from_millis(2100));
    assert_eq!((ask(1), server.requests()), (false, 2));
    let file = walk(dir.path()).pop().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    assert_eq!((ask(0), ask(0), server.requests()), (false, true, 3));
    assert!(CacheConfig::File { dir: dir.path().to_owned(), ttl: -1 }.open().is_err());
}

pub fn walk(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

struct Redis(Child, u16);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn redis() -> Option<Redis> {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"]).stdout(Stdio::null());
    let Ok(child) = command.spawn() else {
        assert!(std::env::var_os("GYEOL_REDIS").is_none(), "redis-server is missing");
        eprintln!("SKIPPED: there is no redis-server");
        return None;
    };
    let server = Redis(child, port);
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        std::thread::sleep(Duration::from_millis(20));
    }
    Some(server)
}

#[test]
fn a_real_redis_keeps_replies() {
    let Some(redis) = redis() else { return };
    let server = counting();
    let url = format!("redis://127.0.0.1:{}/0", redis.1);
    let open = || CacheConfig::Redis { url: url.clone(), ttl: 60 }.open().unwrap();
    let ask = || server.llm().cached(open()).ask("질문").unwrap();
    assert_eq!((ask().cache_hit, ask().cache_hit), (false, true));
    assert_eq!(ask().text, "answer number 0");
    drop(redis);
    // Down: slower, and not broken.
    assert_eq!(ask().text, "answer number 1");
}

/// A cache of the program's own, which fails as it is told.
struct Own(&'static str);

impl Cache for Own {
    fn get_many(&self, _: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, CacheError> {
        match self.0 {
            "fails" => Err(CacheError::Failed { reason: "down".to_owned() }),
            "lies" => Ok(vec![Some(b"{\"version\":1}".to_vec())]),
            "short" => Ok(Vec::new()),
            _ => panic!("a bug of the cache"),
        }
    }

    fn put_many(&self, _: Vec<(CacheKey, Vec<u8>)>) -> Result<(), CacheError> {
        Err(CacheError::Failed { reason: "full".to_owned() })
    }
}

#[test]
fn a_cache_that_fails_lies_or_panics_does_not_break_the_call() {
    let server = counting();
    for (number, how) in ["fails", "lies", "short", "panics"].into_iter().enumerate() {
        let answer = server.llm().cached(Arc::new(Own(how))).ask("q").unwrap();
        assert_eq!((answer.text, answer.cache_hit), (format!("answer number {number}"), false));
    }
}

#[test]
fn kinds_are_apart_and_no_model_answers_for_another() {
    let (server, caches) = (counting(), CacheKinds::in_memory(100).unwrap());
    let (m, n) = (server.llm().stateless(), server.named("openai-compatible::n", "/v1", |_| {}).stateless());
    let hit = |llm: &Llm, kind| caches.on(llm, kind).ask("q").unwrap().cache_hit;
    assert!(!hit(&m, CacheKind::Short));
    assert!(!hit(&m, CacheKind::Medium) && !hit(&m, CacheKind::Long));
    // Another handle of the same model shares, another model does not.
    assert!(hit(&server.llm(), CacheKind::Short) && hit(&m, CacheKind::Medium) && hit(&m, CacheKind::Long));
    assert!(!hit(&n, CacheKind::Short) && hit(&n, CacheKind::Short));
    assert_eq!(server.requests(), 4);
    let short = CacheConfig::InMemory { max_size: 10, ttl: 1 }.open().unwrap();
    let own = CacheKinds::new(short, memory(), memory());
    assert!(!own.on(&m, CacheKind::Short).ask("q").unwrap().cache_hit);
    std::thread::sleep(Duration::from_millis(1100));
    assert!(!own.on(&m, CacheKind::Short).ask("q").unwrap().cache_hit, "a short entry is old by now");
}

#[test]
fn what_is_not_whole_is_not_kept() {
    let server = Server::new(|number, seen| match number {
        0 => Reply::pieces("text/event-stream", vec![Piece::Bytes(event("half").into_bytes())]),
        1 => Reply::stream(&["one ", "END", " two"]),
        _ => Reply::fitting(seen, "one END two"),
    });
    let llm = server.llm().stateless().cached(memory());
    assert!(llm.stream("q").unwrap().whole().is_err());
    let until = StreamOptions { until: vec!["END".to_owned()] };
    let early = || llm.stream_with("q", &until).unwrap().whole().unwrap();
    assert_eq!((early().cache_hit, server.requests()), (false, 2));
    let whole = llm.ask("q").unwrap();
    assert_eq!((whole.cache_hit, whole.text.as_str()), (false, "one END two"));
    // A kept answer ends at the keyword, too.
    let kept = early();
    assert_eq!((kept.cache_hit, kept.text.as_str(), kept.finish), (true, "one ", Finish::Keyword));
}
