//! A provider of chat models for tests, on real sockets: it keeps what it is sent, and answers as it is told, in
//! pieces where that matters.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gyeol::http::Retry;
use gyeol::llm::{Llm, LlmOptions};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub path: String,
    /// In lower case, a line each.
    pub head: String,
    pub body: Value,
}

impl Seen {
    /// The last message's text, in OpenAI's form.
    pub fn prompt(&self) -> &str {
        let messages = self.body["messages"].as_array().expect("messages");
        messages.last().expect("a message")["content"].as_str().unwrap_or_default()
    }

    /// The roles of the messages.
    pub fn roles(&self) -> Vec<&str> {
        self.body["messages"].as_array().expect("messages").iter().map(|m| m["role"].as_str().unwrap()).collect()
    }

    pub fn is_stream(&self) -> bool {
        self.body["stream"] == json!(true)
    }
}

/// What it answers with.
pub struct Reply {
    pub status: u16,
    pub kind: &'static str,
    pub pieces: Vec<Piece>,
}

pub enum Piece {
    Bytes(Vec<u8>),
    Wait(Duration),
    /// The connection breaks here.
    Cut,
}

impl Reply {
    pub fn json(status: u16, body: &Value) -> Reply {
        Reply { status, kind: "application/json", pieces: vec![Piece::Bytes(body.to_string().into_bytes())] }
    }

    pub fn error(status: u16, message: &str) -> Reply {
        Reply::json(status, &json!({"error": {"message": message}}))
    }

    /// An answer in OpenAI's form.
    pub fn text(text: &str) -> Reply {
        Reply::message(&json!({"role": "assistant", "content": text}), "stop")
    }

    pub fn message(message: &Value, finish: &str) -> Reply {
        Reply::json(
            200,
            &json!({
                "choices": [{"index": 0, "message": message, "finish_reason": finish}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
            }),
        )
    }

    /// Calls of tools in OpenAI's form.
    pub fn calls(calls: &[(&str, &str)]) -> Reply {
        let call = |(i, (name, arguments)): (usize, &(&str, &str))| json!({"id": format!("id{i}"), "type": "function", "function": {"name": name, "arguments": arguments}});
        let calls: Vec<Value> = calls.iter().enumerate().map(call).collect();
        Reply::message(&json!({"role": "assistant", "content": null, "tool_calls": calls}), "tool_calls")
    }

    pub fn pieces(kind: &'static str, pieces: Vec<Piece>) -> Reply {
        Reply { status: 200, kind, pieces }
    }

    /// A stream in OpenAI's form, an event a text.
    pub fn stream(texts: &[&str]) -> Reply {
        Reply::pieces("text/event-stream", vec![Piece::Bytes(events(texts).into_bytes())])
    }

    /// The text, whole or as a stream, as it was asked for.
    pub fn fitting(seen: &Seen, text: &str) -> Reply {
        if !seen.is_stream() {
            return Reply::text(text);
        }
        let words: Vec<&str> = text.split_inclusive(' ').collect();
        Reply::stream(&words)
    }
}

/// An event of a stream in OpenAI's form.
pub fn event(text: &str) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": {"content": text}}]}))
}

/// What ends such a stream.
pub fn ending() -> String {
    let finish = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]});
    let usage = json!({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}});
    format!("data: {finish}\n\ndata: {usage}\n\ndata: [DONE]\n\n")
}

pub fn events(texts: &[&str]) -> String {
    texts.iter().map(|text| event(text)).collect::<String>() + &ending()
}

type Answer = dyn Fn(usize, &Seen) -> Reply + Send + Sync;

#[derive(Default)]
struct State {
    seen: Mutex<Vec<Seen>>,
    /// Connections that the client closed before the answer was out.
    hung_up: AtomicUsize,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

/// The server, on a thread of its own.
pub struct Server {
    pub url: String,
    state: Arc<State>,
    _runtime: Runtime,
}

impl Server {
    /// A server that answers with what `answer` makes of the number of the request, from 0, and the request.
    pub fn new(answer: impl Fn(usize, &Seen) -> Reply + Send + Sync + 'static) -> Server {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (state, answer): (Arc<State>, Arc<Answer>) = (Arc::default(), Arc::new(answer));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = state.clone();
        runtime.spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (state, answer) = (shared.clone(), answer.clone());
                tokio::spawn(async move { drop(serve(socket, &state, &*answer).await) });
            }
        });
        Server { url, state, _runtime: runtime }
    }

    /// One that says the same to everything.
    pub fn saying(text: &'static str) -> Server {
        Server::new(move |_, seen| Reply::fitting(seen, text))
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.state.seen.lock().unwrap().clone()
    }

    pub fn requests(&self) -> usize {
        self.state.seen.lock().unwrap().len()
    }

    /// Requests that were under way at once, at most.
    pub fn most_open(&self) -> usize {
        self.state.most_open.load(Ordering::SeqCst)
    }

    /// Waits until so many connections were closed by the client in the middle of an answer.
    pub fn wait_for_hang_ups(&self, count: usize) -> bool {
        for _ in 0..500 {
            if self.state.hung_up.load(Ordering::SeqCst) >= count {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    /// A model of it.
    pub fn llm(&self) -> Llm {
        self.named("openai-compatible::m", "/v1", |_| {})
    }

    pub fn named(&self, name: &str, below: &str, change: impl FnOnce(&mut LlmOptions)) -> Llm {
        Llm::with(name, self.options(below, change)).unwrap()
    }

    /// Options that lead to it, and wait little.
    pub fn options(&self, below: &str, change: impl FnOnce(&mut LlmOptions)) -> LlmOptions {
        let retry = Retry { repeats: 2, first_wait: Duration::from_millis(5), ..Retry::default() };
        let base_url = Some(format!("{}{below}", self.url));
        let mut options = LlmOptions { base_url, retry, timeout: Duration::from_secs(20), ..LlmOptions::default() };
        change(&mut options);
        options
    }
}

async fn serve(mut socket: TcpStream, state: &State, answer: &Answer) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    loop {
        let Some(seen) = request(&mut socket, &mut bytes).await? else { return Ok(()) };
        let number = {
            let mut all = state.seen.lock().unwrap();
            all.push(seen.clone());
            all.len() - 1
        };
        let open = state.open.fetch_add(1, Ordering::SeqCst) + 1;
        state.most_open.fetch_max(open, Ordering::SeqCst);
        let done = send(&mut socket, answer(number, &seen)).await;
        state.open.fetch_sub(1, Ordering::SeqCst);
        match done {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(error) => {
                state.hung_up.fetch_add(1, Ordering::SeqCst);
                return Err(error);
            }
        }
    }
}

/// The next request of a connection.
async fn request(socket: &mut TcpStream, bytes: &mut Vec<u8>) -> std::io::Result<Option<Seen>> {
    let mut buffer = [0; 16384];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
            let length: usize = length.and_then(|l| l.trim().parse().ok()).unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let path = String::from_utf8_lossy(&bytes[..end]).split(' ').nth(1).unwrap_or_default().to_owned();
                let body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).unwrap_or(Value::Null);
                bytes.drain(..end + 4 + length);
                return Ok(Some(Seen { path, head, body }));
            }
        }
        match socket.read(&mut buffer).await? {
            0 => return Ok(None),
            n => bytes.extend_from_slice(&buffer[..n]),
        }
    }
}

/// Whether the connection is good for another request.
async fn send(socket: &mut TcpStream, reply: Reply) -> std::io::Result<bool> {
    socket.set_nodelay(true)?;
    let head =
        format!("HTTP/1.1 {} X\r\ncontent-type: {}\r\ntransfer-encoding: chunked\r\n\r\n", reply.status, reply.kind);
    socket.write_all(head.as_bytes()).await?;
    for piece in reply.pieces {
        match piece {
            Piece::Bytes(bytes) => {
                let chunk = [format!("{:x}\r\n", bytes.len()).as_bytes(), &bytes, b"\r\n"].concat();
                socket.write_all(&chunk).await?;
                socket.flush().await?;
            }
            Piece::Wait(wait) => {
                // Whoever hangs up meanwhile is heard.
                let mut byte = [0];
                if let Ok(read) = tokio::time::timeout(wait, socket.read(&mut byte)).await
                    && read? == 0
                {
                    return Err(std::io::ErrorKind::ConnectionReset.into());
                }
            }
            Piece::Cut => return Ok(false),
        }
    }
    socket.write_all(b"0\r\n\r\n").await?;
    Ok(true)
}
