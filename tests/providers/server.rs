//! A provider for tests: it checks what it gets and answers as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gyeol::embed::{Remote, RemoteOptions};
use gyeol::http::Retry;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// The dimension of the vectors that it gives.
pub const DIM: usize = 4;

/// A vector that tells texts apart.
pub fn vector_of(text: &str) -> Vec<f32> {
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes()[..DIM].iter().map(|b| f32::from(*b) - 127.5).collect()
}

/// [`vector_of`], scaled to length 1.
pub fn unit_of(text: &str) -> Vec<f32> {
    let mut row = vector_of(text);
    gyeol::vectors::normalize(&mut row);
    row
}

/// What an OpenAI-like server answers to texts.
pub fn answer(texts: &[String]) -> Value {
    let data = texts.iter().enumerate().map(|(i, text)| json!({"index": i, "embedding": vector_of(text)}));
    json!({"data": data.collect::<Vec<_>>(), "model": "m", "usage": {"prompt_tokens": texts.len(), "total_tokens": texts.len()}})
}

pub fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

pub fn error(status: u16, message: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(json!({"error": {"message": message}}))
}

type Answerer = dyn Fn(usize, &[String], &Value) -> ResponseTemplate + Send + Sync;

/// What it saw of one request.
#[derive(Clone, Debug)]
pub struct Seen {
    pub texts: Vec<String>,
    pub body: Value,
    pub headers: Vec<(String, String)>,
    pub at: Instant,
}

struct Script {
    answer: Box<Answerer>,
    count: AtomicUsize,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Respond for Script {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let body: Value = serde_json::from_slice(&request.body).expect("JSON");
        let texts: Vec<String> = match &body {
            body if body["requests"].is_array() => {
                let all = body["requests"].as_array().unwrap();
                all.iter().map(|r| r["content"]["parts"][0]["text"].as_str().expect("a string").to_owned()).collect()
            }
            body => {
                let input = body.get("input").or(body.get("texts")).expect("texts");
                input.as_array().expect("a list").iter().map(|t| t.as_str().expect("strings only").to_owned()).collect()
            }
        };
        let headers = request.headers.iter().map(|(n, v)| (n.to_string(), v.to_str().unwrap_or_default().to_owned()));
        let seen = Seen { texts: texts.clone(), body: body.clone(), headers: headers.collect(), at: Instant::now() };
        self.seen.lock().unwrap().push(seen);
        (self.answer)(self.count.fetch_add(1, Ordering::SeqCst), &texts, &body)
    }
}

/// The server, on a thread of its own.
pub struct Server {
    pub url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    _server: MockServer,
    _runtime: Runtime,
}

impl Server {
    /// A server that answers `POST at` with what `answer` makes of the number of the request and its texts.
    pub fn at(
        at: &str,
        answer: impl Fn(usize, &[String], &Value) -> ResponseTemplate + Send + Sync + 'static,
    ) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let script = Script { answer: Box::new(answer), count: AtomicUsize::new(0), seen: seen.clone() };
        let server = runtime.block_on(async {
            let server = MockServer::start().await;
            Mock::given(method("POST")).and(path(at)).respond_with(script).mount(&server).await;
            server
        });
        Server { url: server.uri(), seen, _server: server, _runtime: runtime }
    }

    pub fn new(answer: impl Fn(usize, &[String], &Value) -> ResponseTemplate + Send + Sync + 'static) -> Server {
        Server::at("/v1/embeddings", answer)
    }

    /// One that behaves.
    pub fn good() -> Server {
        Server::new(|_, texts, _| ok(answer(texts)))
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// All texts that it got, in the order of their coming.
    pub fn texts(&self) -> Vec<String> {
        self.seen().into_iter().flat_map(|seen| seen.texts).collect()
    }

    pub fn requests(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// A model of it.
    pub fn model(&self, change: impl FnOnce(&mut RemoteOptions)) -> Remote {
        Remote::new("openai-compatible::m", self.options(change)).unwrap()
    }

    /// Options that lead to it, and wait little.
    pub fn options(&self, change: impl FnOnce(&mut RemoteOptions)) -> RemoteOptions {
        let retry = Retry { repeats: 3, first_wait: Duration::from_millis(5), ..Retry::default() };
        let base_url = Some(format!("{}/v1", self.url));
        let mut options =
            RemoteOptions { base_url, retry, timeout: Duration::from_secs(20), ..RemoteOptions::default() };
        change(&mut options);
        options
    }
}

/// `prefix0`, `prefix1`, ...
pub fn numbered(prefix: &str, n: usize) -> Vec<String> {
    (0..n).map(|i| format!("{prefix}{i}")).collect()
}

pub fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}
