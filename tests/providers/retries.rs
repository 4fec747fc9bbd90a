//! What is sent again, when, and how often.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use gyeol::embed::{Remote, Role};
use gyeol::error::{EmbedError, HttpError};
use gyeol::http::{RateLimit, Retry};
use serde_json::json;
use wiremock::ResponseTemplate;

use crate::server::{Server, answer, error, numbered, ok, refs, unit_of};

fn source(failure: EmbedError) -> HttpError {
    match failure {
        EmbedError::Request { source, .. } => source,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_may_pass_by_itself_is_sent_again() {
    for status in [408, 409, 425, 429, 500, 502, 503, 504, 529] {
        let server = Server::new(move |n, texts, _| if n < 2 { error(status, "busy") } else { ok(answer(texts)) });
        let got = server.model(|_| ()).embed(&["a"], Role::Document).unwrap().whole().unwrap();
        assert_eq!(got.get(0).unwrap(), unit_of("a"));
        assert_eq!((got.usage.requests, got.usage.retries), (3, 2), "{status}");
    }
}

#[test]
fn repetitions_end_and_say_how_many_there_were() {
    let server = Server::new(|_, _, _| error(503, "overloaded"));
    let failure = source(server.model(|_| ()).embed(&["a"], Role::Document).unwrap().failure.unwrap());
    assert!(
        matches!(&failure, HttpError::Busy { status: 503, attempts: 4, message, .. } if message == "overloaded"),
        "{failure:?}"
    );
    assert_eq!(server.requests(), 4);
    let server = Server::new(|_, _, _| error(500, "x"));
    let model = server.model(|o| o.retry.repeats = 0);
    assert!(model.embed(&["a"], Role::Document).unwrap().failure.is_some());
    assert_eq!(server.requests(), 1);
}

#[test]
fn a_key_that_is_not_accepted_and_a_quota_that_is_used_up_are_sent_once() {
    for (status, code) in [(401, ""), (403, ""), (429, "insufficient_quota"), (402, "")] {
        let server = Server::new(move |_, _, _| {
            ResponseTemplate::new(status).set_body_json(json!({"error": {"message": "no", "code": code, "type": code}}))
        });
        let texts = numbered("t", 90);
        let failure =
            source(server.model(|o| o.concurrency = 1).embed(&refs(&texts), Role::Document).unwrap().failure.unwrap());
        assert!(matches!(failure, HttpError::Unauthorized { .. } | HttpError::Quota { .. }), "{failure:?}");
        assert_eq!(server.requests(), 1, "{status} {code}");
    }
}

#[test]
fn it_waits_as_long_as_the_server_asks() {
    let date = || httpdate(SystemTime::now() + Duration::from_secs(3));
    type Value = Box<dyn Fn() -> String + Send + Sync>;
    let cases: [(&str, Value, u128); 3] = [
        ("retry-after", Box::new(|| "1".to_owned()), 1000),
        ("retry-after-ms", Box::new(|| "700".to_owned()), 700),
        // A date has whole seconds, so it may be up to one earlier than was meant.
        ("retry-after", Box::new(date), 1900),
    ];
    for (name, value, least) in cases {
        let server = Server::new(move |n, texts, _| match n {
            0 => error(429, "slow down").insert_header(name, value().as_str()),
            _ => ok(answer(texts)),
        });
        server.model(|_| ()).embed(&["a"], Role::Document).unwrap().whole().unwrap();
        let seen = server.seen();
        let waited = seen[1].at.duration_since(seen[0].at).as_millis();
        assert!(waited >= least, "{name}: {waited} ms");
    }
    // A wait that is longer than allowed is not waited for, and not cut short either.
    let server = Server::new(|_, _, _| error(429, "tomorrow").insert_header("retry-after", "86400"));
    let failure = source(server.model(|_| ()).embed(&["a"], Role::Document).unwrap().failure.unwrap());
    assert!(matches!(failure, HttpError::Wait { wait, .. } if wait.as_secs() == 86400), "{failure:?}");
    assert_eq!(server.requests(), 1);
}

fn httpdate(at: SystemTime) -> String {
    // RFC 9110's form, by the date command that every machine of CI has.
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let mut date = std::process::Command::new("date");
    date.args(["-u", "-d", &format!("@{seconds}"), "+%a, %d %b %Y %H:%M:%S GMT"]).env("LC_ALL", "C");
    let mut output = date.output().unwrap().stdout;
    output.pop();
    String::from_utf8(output).unwrap()
}

/// A server of one's own: what it does with each connection, one after another.
fn raw(behave: impl Fn(usize, TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    thread::spawn(move || listener.incoming().flatten().enumerate().for_each(|(n, stream)| behave(n, stream)));
    url
}

const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 43\r\nconnection: close\r\n\r\n{\"data\":[{\"index\":0,\"embedding\":[0.5,2.0]}]}";

fn read_request(stream: &mut TcpStream) {
    let mut bytes = vec![0; 1 << 16];
    let _ = stream.read(&mut bytes);
    // Head and body may come apart.
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let _ = stream.read(&mut bytes);
}

fn model_at(url: String, change: impl FnOnce(&mut gyeol::embed::RemoteOptions)) -> Remote {
    let retry = Retry { repeats: 2, first_wait: Duration::from_millis(5), ..Retry::default() };
    let mut options = gyeol::embed::RemoteOptions { base_url: Some(url), retry, ..Default::default() };
    change(&mut options);
    Remote::new("openai-compatible::m", options).unwrap()
}

#[test]
fn connections_that_break_are_made_anew() {
    let url = raw(|n, mut stream| match n {
        // Closed at once; closed after the request; closed in the middle of the answer.
        0 => drop(stream),
        1 => {
            read_request(&mut stream);
            let _ = stream.write_all(&WHOLE.as_bytes()[..90]);
        }
        _ => {
            read_request(&mut stream);
            let whole = WHOLE.replace("43", &WHOLE.split("\r\n\r\n").nth(1).unwrap().len().to_string());
            let _ = stream.write_all(whole.as_bytes());
        }
    });
    let got = model_at(url, |_| ()).embed(&["a"], Role::Document).unwrap().whole().unwrap();
    assert_eq!((got.vectors.dim(), got.usage.requests), (2, 3));
    // Where nobody listens.
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let failure =
        source(model_at(format!("http://{unused}"), |_| ()).embed(&["a"], Role::Document).unwrap().failure.unwrap());
    assert!(matches!(failure, HttpError::Connection { attempts: 3, .. }), "{failure:?}");
    assert!(failure.to_string().contains(&unused.to_string()), "{failure}");
}

#[test]
fn a_server_that_says_nothing_is_given_up() {
    let url = raw(|_, stream| {
        thread::spawn(move || {
            thread::sleep(Duration::from_secs(60));
            drop(stream);
        });
    });
    let started = Instant::now();
    let model = model_at(url, |o| (o.timeout, o.retry.repeats) = (Duration::from_millis(150), 1));
    let failure = source(model.embed(&["a"], Role::Document).unwrap().failure.unwrap());
    assert!(matches!(failure, HttpError::Timeout { attempts: 2, .. }), "{failure:?}");
    assert!(started.elapsed() < Duration::from_secs(30));
}

#[test]
fn dropping_the_future_closes_the_connection() {
    let (tell, told) = mpsc::channel();
    let url = raw(move |_, mut stream| {
        read_request(&mut stream);
        tell.send("asked").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // The end of the stream comes when the other side closes it.
        let mut rest = [0; 1];
        tell.send(if matches!(stream.read(&mut rest), Ok(0)) { "closed" } else { "open" }).unwrap();
    });
    let model = model_at(url, |_| ());
    let texts = ["a"];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let call = model.embed_async(&texts, Role::Document).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(400), call).await.is_err(), "it waits for the answer");
    });
    assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok("asked"));
    assert_eq!(told.recv_timeout(Duration::from_secs(5)), Ok("closed"));
}

#[test]
fn futures_run_in_any_executor() {
    let server = Server::good();
    let model = server.model(|_| ());
    let texts = numbered("t", 70);
    let texts = refs(&texts);
    let check = |got: gyeol::embed::Outcome| assert_eq!(got.whole().unwrap().missing(), 0);
    let call = || model.embed_async(&texts, Role::Document).unwrap();
    check(futures_executor(call()).unwrap());
    let other = tokio::runtime::Builder::new_current_thread().build().unwrap();
    check(other.block_on(call()).unwrap());
    // The blocking form within a runtime neither panics nor waits for ever.
    other.block_on(async { check(model.embed(&texts, Role::Document).unwrap()) });
}

/// The smallest executor there can be.
fn futures_executor<F: Future>(future: F) -> F::Output {
    struct Flag(thread::Thread);
    impl std::task::Wake for Flag {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Flag(thread::current())).into();
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            return done;
        }
        thread::park();
    }
}

#[test]
fn redirects_are_not_followed() {
    let server = Server::good();
    let to = format!("{}/v1/embeddings", server.url);
    let moved = Server::new(move |_, _, _| ResponseTemplate::new(307).insert_header("location", to.as_str()));
    let failure = source(moved.model(|_| ()).embed(&["a"], Role::Document).unwrap().failure.unwrap());
    assert!(matches!(failure, HttpError::Refused { status: 307, .. }), "{failure:?}");
    assert_eq!((moved.requests(), server.requests()), (1, 0));
}

#[test]
fn rates_are_kept() {
    let spread = |limit: RateLimit, texts: usize| {
        let server = Server::good();
        let texts = &numbered("t", 100)[10..10 + texts];
        let model = server.model(|o| (o.limits.inputs, o.rate_limit, o.concurrency) = (Some(1), limit, 8));
        model.embed(&refs(texts), Role::Document).unwrap().whole().unwrap();
        let seen = server.seen();
        seen.last().unwrap().at.duration_since(seen[0].at)
    };
    // 300 a minute are five a second.
    let requests = RateLimit { requests_per_minute: Some(300), ..RateLimit::default() };
    let took = spread(requests, 6);
    assert!((900..20_000).contains(&took.as_millis()), "{took:?}");
    // The first minute's share of 60 texts goes at once, and then one a second.
    let each = gyeol::embed::estimated_tokens("t10") as u32;
    let tokens = RateLimit { tokens_per_minute: Some(each * 60), ..RateLimit::default() };
    let took = spread(tokens, 62);
    assert!((900..20_000).contains(&took.as_millis()), "{took:?}");
}
