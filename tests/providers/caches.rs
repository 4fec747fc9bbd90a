//! Nothing is paid for twice.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gyeol::cache::{Cache, CacheConfig, CacheKey};
use gyeol::embed::{Remote, RemoteOptions, Role};
use gyeol::error::CacheError;

use crate::server::{Server, answer, error, numbered, ok, refs, unit_of};

/// After [a, b], [a, b, c] sends only c; a third call sends nothing.
fn pays_once(cache: &dyn Fn() -> Arc<dyn Cache>) {
    let server = Server::good();
    let ask = |texts: &[&str]| {
        server.model(|o| o.cache = Some(cache())).embed(texts, Role::Document).unwrap().whole().unwrap()
    };
    let first = ask(&["a", "b"]);
    assert_eq!((first.usage.cache_hits, first.usage.tokens, first.usage.cache_hit()), (0, 2, false));
    let second = ask(&["a", "b", "c"]);
    assert_eq!(server.texts(), ["a", "b", "c"]);
    assert_eq!((second.usage.cache_hits, second.usage.tokens), (2, 1));
    assert_eq!(second.from_cache, [0, 1]);
    let third = ask(&["c", "", "a"]);
    assert_eq!(server.texts(), ["a", "b", "c"]);
    assert_eq!((third.usage.requests, third.usage.tokens, third.usage.cache_hit()), (0, 0, true));
    assert_eq!(third.from_cache, [0, 2]);
    for (i, text) in [(0, "c"), (2, "a")] {
        assert_eq!(third.get(i).unwrap(), unit_of(text));
    }
}

#[test]
fn in_memory() {
    let cache = CacheConfig::InMemory { max_size: 100, ttl: 0 }.open().unwrap();
    pays_once(&|| cache.clone());
}

#[test]
fn in_files_opened_anew_each_time() {
    let dir = tempfile::tempdir().unwrap();
    pays_once(&|| CacheConfig::File { dir: dir.path().join("deep/er"), ttl: 0 }.open().unwrap());
}

#[test]
fn damaged_files_are_asked_for_again() {
    let dir = tempfile::tempdir().unwrap();
    let server = Server::good();
    let open = || CacheConfig::File { dir: dir.path().into(), ttl: 0 }.open().unwrap();
    let ask = || server.model(|o| o.cache = Some(open())).embed(&["a", "b"], Role::Document).unwrap().whole().unwrap();
    ask();
    let mut files = Vec::new();
    list(dir.path(), &mut files);
    assert_eq!(files.len(), 2);
    std::fs::write(&files[0], b"").unwrap();
    let mut bytes = std::fs::read(&files[1]).unwrap();
    let middle = bytes.len() - 13;
    bytes[middle] ^= 1;
    std::fs::write(&files[1], bytes).unwrap();
    let got = ask();
    assert_eq!((server.requests(), got.usage.cache_hits, got.missing()), (2, 0, 0));
    assert_eq!(ask().usage.cache_hits, 2, "they were written anew");
}

fn list(dir: &Path, out: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { list(&path, out) } else { out.push(path) }
    }
}

#[test]
fn entries_grow_old() {
    let server = Server::good();
    let cache = CacheConfig::InMemory { max_size: 100, ttl: 3 }.open().unwrap();
    let ask =
        || server.model(|o| o.cache = Some(cache.clone())).embed(&["a"], Role::Document).unwrap().whole().unwrap();
    ask();
    assert!(ask().usage.cache_hit());
    std::thread::sleep(Duration::from_millis(3200));
    assert!(!ask().usage.cache_hit());
    for bad in [CacheConfig::InMemory { max_size: 1, ttl: -1 }, CacheConfig::File { dir: "x".into(), ttl: -5 }] {
        assert!(matches!(bad.open(), Err(CacheError::Setting { name: "ttl", .. })));
    }
    assert!(matches!(
        CacheConfig::InMemory { max_size: 0, ttl: 0 }.open(),
        Err(CacheError::Setting { name: "max_size", .. })
    ));
}

#[test]
fn what_makes_another_vector_makes_another_entry() {
    let (one, two) = (Server::good(), Server::good());
    let cache = CacheConfig::InMemory { max_size: 1000, ttl: 0 }.open().unwrap();
    let ask = |server: &Server, model: &str, role, change: &dyn Fn(&mut RemoteOptions)| {
        let options = server.options(|o| {
            o.cache = Some(cache.clone());
            change(o);
        });
        Remote::new(model, options).unwrap().embed(&["a"], role).unwrap().whole().unwrap().usage.cache_hits
    };
    let plain: &dyn Fn(&mut RemoteOptions) = &|_| ();
    assert_eq!(ask(&one, "openai-compatible::m", Role::Document, plain), 0);
    assert_eq!(ask(&one, "openai-compatible::m", Role::Document, plain), 1);
    assert_eq!(ask(&two, "openai-compatible::m", Role::Document, plain), 0, "another URL");
    assert_eq!(ask(&one, "openai-compatible::n", Role::Document, plain), 0, "another model");
    assert_eq!(ask(&one, "tei::m", Role::Document, plain), 0, "another provider");
    assert_eq!(ask(&one, "openai-compatible::m", Role::Query, plain), 0, "another role");
    assert_eq!(ask(&one, "openai-compatible::m", Role::Document, &|o| o.dimensions = Some(4)), 0, "a dimension");
    assert_eq!(ask(&one, "openai-compatible::m", Role::Document, &|o| o.document_prefix = "p: ".into()), 0, "a prefix");
    assert_eq!(
        ask(&one, "openai-compatible::m", Role::Document, &|o| o.base_url = Some(format!("{}/v1/", one.url))),
        1,
        "a slash"
    );
}

/// A cache of one's own, that may be down.
struct Own {
    entries: Mutex<HashMap<CacheKey, Vec<u8>>>,
    is_down: bool,
}

impl Cache for Own {
    fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, CacheError> {
        if self.is_down {
            return Err(CacheError::Failed { reason: "down".into() });
        }
        let entries = self.entries.lock().unwrap();
        Ok(keys.iter().map(|key| entries.get(key).cloned()).collect())
    }

    fn put_many(&self, all: Vec<(CacheKey, Vec<u8>)>) -> Result<(), CacheError> {
        if self.is_down {
            panic!("a cache may do anything");
        }
        self.entries.lock().unwrap().extend(all);
        Ok(())
    }
}

#[test]
fn of_ones_own() {
    let own = Arc::new(Own { entries: Mutex::default(), is_down: false });
    pays_once(&|| own.clone());
    assert_eq!(own.entries.lock().unwrap().len(), 3);
}

#[test]
fn a_cache_that_is_down_breaks_nothing() {
    let server = Server::good();
    let own = Arc::new(Own { entries: Mutex::default(), is_down: true });
    let got =
        server.model(|o| o.cache = Some(own.clone())).embed(&["a", "b"], Role::Document).unwrap().whole().unwrap();
    assert_eq!((got.missing(), got.usage.cache_failures), (0, 2));
    // A server of Redis that is not there.
    let down = CacheConfig::Redis { url: "redis://127.0.0.1:1/".into(), ttl: 0 }.open().unwrap();
    let started = Instant::now();
    for _ in 0..20 {
        let got =
            server.model(|o| o.cache = Some(down.clone())).embed(&["a"], Role::Document).unwrap().whole().unwrap();
        assert!(got.missing() == 0 && got.usage.cache_failures > 0);
    }
    assert!(started.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_was_finished_before_a_failure_is_kept() {
    let server = Server::new(|n, texts, _| if n == 2 { error(401, "no") } else { ok(answer(texts)) });
    let cache = CacheConfig::InMemory { max_size: 1000, ttl: 0 }.open().unwrap();
    let texts = numbered("t", 40);
    let model = server.model(|o| (o.cache, o.limits.inputs, o.concurrency) = (Some(cache.clone()), Some(10), 1));
    assert!(model.embed(&refs(&texts), Role::Document).unwrap().failure.is_some());
    let again = model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
    assert_eq!((again.usage.cache_hits, again.usage.requests), (20, 2));
}

/// A Redis server on a socket of its own.
struct Redis(Child, tempfile::TempDir);

impl Redis {
    /// `None` where the machine has none; CI says that it must have one.
    fn start() -> Option<Redis> {
        let dir = tempfile::tempdir().unwrap();
        let socket = dir.path().join("s");
        let mut command = Command::new("redis-server");
        command.args(["--port", "0", "--save", "", "--requirepass", "s3cret-word", "--unixsocket"]).arg(&socket);
        let child = command.current_dir(dir.path()).stdout(Stdio::null()).spawn();
        let Ok(child) = child else {
            assert!(std::env::var_os("GYEOL_REDIS").is_none(), "redis-server is missing");
            eprintln!("SKIPPED: no redis-server");
            return None;
        };
        let started = Instant::now();
        while !socket.exists() && started.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Redis(child, dir))
    }

    fn url(&self, password: &str) -> String {
        format!("unix://{}?pass={password}", self.1.path().join("s").display())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn in_a_redis_server() {
    let Some(mut redis) = Redis::start() else { return };
    let url = redis.url("s3cret-word");
    pays_once(&|| CacheConfig::Redis { url: url.clone(), ttl: 0 }.open().unwrap());
    // Entries that grow old there.
    let server = Server::good();
    let cache = CacheConfig::Redis { url: url.clone(), ttl: 3 }.open().unwrap();
    let ask = |cache: &Arc<dyn Cache>| {
        server.model(|o| o.cache = Some(cache.clone())).embed(&["old"], Role::Document).unwrap().whole().unwrap()
    };
    ask(&cache);
    assert!(ask(&cache).usage.cache_hit());
    std::thread::sleep(Duration::from_millis(3300));
    assert!(!ask(&cache).usage.cache_hit());
    // A password that is wrong slows, and is told without itself.
    let wrong = CacheConfig::Redis { url: redis.url("wr0ng-word"), ttl: 0 }.open().unwrap();
    let error = wrong.get_many(&[[0; 32]]).unwrap_err().to_string();
    assert!(!error.contains("wr0ng-word") && !error.contains("s3cret-word"), "{error}");
    assert_eq!(ask(&wrong).missing(), 0);
    // The server goes down in the middle, and the call goes on.
    redis.0.kill().unwrap();
    redis.0.wait().unwrap();
    let got = ask(&cache);
    assert!(got.missing() == 0 && got.usage.cache_failures > 0);
    for bad in ["not a url", "http://localhost", "redis://:s3cret@"] {
        let error =
            CacheConfig::Redis { url: bad.into(), ttl: 0 }.open().err().map(|e| e.to_string()).unwrap_or_default();
        assert!(!error.is_empty() && !error.contains("s3cret"), "{bad}: {error}");
    }
}

#[test]
fn two_processes_share_a_folder() {
    // Two clients that write the same entries at once stand for two processes: nothing but the folder is shared.
    let dir = tempfile::tempdir().unwrap();
    let server = Server::good();
    let texts = numbered("t", 300);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let cache = CacheConfig::File { dir: dir.path().into(), ttl: 0 }.open().unwrap();
                let model = server.model(|o| o.cache = Some(cache));
                for _ in 0..3 {
                    let got = model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
                    assert!((0..300).all(|i| got.get(i).unwrap() == unit_of(&texts[i])));
                }
            });
        }
    });
    let cache = CacheConfig::File { dir: dir.path().into(), ttl: 0 }.open().unwrap();
    let got = server.model(|o| o.cache = Some(cache)).embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
    assert!(got.usage.cache_hit() && got.usage.cache_hits == 300);
}
