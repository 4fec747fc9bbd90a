//! What goes into a request, and what happens when it is too much.

use gyeol::embed::{Answer, Limits, Remote, Role};
use gyeol::error::{EmbedError, HttpError};
use serde_json::json;

use crate::server::{Server, answer, error, numbered, ok, refs, unit_of};

#[test]
fn requests_keep_the_limits_of_each_provider() {
    let inputs =
        |name: &str| Remote::providers().iter().find(|p| p.name == name).map(|p| (p.inputs, p.tokens, p.bytes));
    assert_eq!(inputs("openai"), Some((2048, 300_000, 0)));
    assert_eq!(inputs("tei"), Some((32, 0, 2_000_000)));
    assert_eq!(inputs("gemini").unwrap().0, 100);
    assert_eq!(inputs("cohere").unwrap().0, 96);
    assert_eq!(inputs("voyage").unwrap(), (1000, 120_000, 0));
    assert_eq!(inputs("openai-compatible").unwrap().0, 32);
    let texts = numbered("t", 5000);
    for (name, most) in [("openai::x", 2048), ("openai-compatible::x", 32), ("tei::x", 32), ("voyage::x", 1000)] {
        let server = Server::good();
        let model = Remote::new(name, server.options(|_| ())).unwrap();
        let got = model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
        let sizes: Vec<usize> = server.seen().iter().map(|seen| seen.texts.len()).collect();
        assert_eq!(sizes.iter().max(), Some(&most), "{name}");
        assert_eq!(sizes.len(), 5000usize.div_ceil(most), "as few as may be");
        assert_eq!(got.missing(), 0);
    }
}

#[test]
fn tokens_and_bytes_of_a_request_are_bounded() {
    let long = "가나다라마바사아자차".repeat(100);
    let texts: Vec<String> = (0..300).map(|i| format!("{i} {long}")).collect();
    let server = Server::good();
    let model = Remote::new("openai::x", server.options(|_| ())).unwrap();
    model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
    for seen in server.seen() {
        // No tokeniser makes more than three tokens of a syllable.
        assert!(seen.texts.iter().map(|t| 3 * t.chars().count()).sum::<usize>() <= 310_000);
    }
    assert!(server.requests() >= 3);
    let server = Server::good();
    let limits = Limits { bytes: Some(50_000), inputs: Some(0), ..Limits::default() };
    server.model(|o| o.limits = limits).embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
    assert!(server.seen().iter().all(|seen| seen.body.to_string().len() <= 50_000));
}

#[test]
fn blank_texts_are_not_sent_and_keep_their_place() {
    let server = Server::good();
    let got =
        server.model(|_| ()).embed(&["", "a", " \n\t", "b", "\u{3000}"], Role::Document).unwrap().whole().unwrap();
    use Answer::{Blank, Embedded};
    assert_eq!(got.answers, [Blank, Embedded, Blank, Embedded, Blank]);
    assert_eq!(got.get(3).unwrap(), unit_of("b"));
    assert_eq!(server.texts(), ["a", "b"]);
    let got = server.model(|_| ()).embed(&["", " "], Role::Document).unwrap().whole().unwrap();
    assert_eq!((got.missing(), server.requests()), (2, 1), "nothing to send is nothing sent");
    assert_eq!(server.model(|_| ()).embed(&[], Role::Document).unwrap().whole().unwrap().answers, []);
}

#[test]
fn a_text_that_stands_twice_is_sent_once() {
    let server = Server::good();
    let got = server.model(|_| ()).embed(&["a", "b", "a", "a"], Role::Document).unwrap().whole().unwrap();
    assert_eq!(server.texts(), ["a", "b"]);
    assert_eq!(got.get(3).unwrap(), unit_of("a"));
}

#[test]
fn long_texts_are_cut_or_refused_as_chosen() {
    let long = "긴 글 ".repeat(1000);
    let server = Server::good();
    let limits = Limits { text_tokens: Some(300), ..Limits::default() };
    let got = server.model(|o| o.limits = limits).embed(&["a", &long], Role::Document).unwrap().whole().unwrap();
    assert_eq!(got.missing(), 0);
    let sent = &server.texts()[1];
    assert!(long.starts_with(sent.as_str()) && gyeol::embed::estimated_tokens(sent) <= 300 && sent.len() > 250);
    let server = Server::good();
    let model = server.model(|o| (o.limits, o.refuse_long) = (limits, true));
    let got = model.embed(&["a", &long, "b"], Role::Document).unwrap().whole().unwrap();
    assert_eq!(got.answers, [Answer::Embedded, Answer::Refused, Answer::Embedded]);
    assert_eq!(got.refusals[0].index, 1);
    assert_eq!(server.texts(), ["a", "b"]);
}

#[test]
fn what_is_too_large_is_halved_and_the_rest_learns_from_it() {
    for (status, message) in [
        (413, "Payload Too Large"),
        (400, "batch size 64 > maximum allowed batch size 5"),
        (422, "too many inputs: at most 5"),
        (400, "This model's maximum context length is 8192 tokens"),
    ] {
        let server =
            Server::new(move |_, texts, _| if texts.len() > 5 { error(status, message) } else { ok(answer(texts)) });
        let texts = numbered("t", 400);
        let model = server.model(|o| (o.limits.inputs, o.concurrency) = (Some(64), 1));
        let got = model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
        assert_eq!(got.missing(), 0);
        assert_eq!(got.get(399).unwrap(), unit_of("t399"));
        assert!(server.requests() < 400 / 4 + 40, "{} requests", server.requests());
    }
}

#[test]
fn one_bad_text_fails_alone() {
    for (status, message) in [(400, "invalid input"), (422, "cannot be processed"), (413, "too large")] {
        let server = Server::new(move |_, texts, _| {
            if texts.iter().any(|t| t.contains("나쁜")) { error(status, message) } else { ok(answer(texts)) }
        });
        let mut texts = numbered("t", 100);
        texts[77] = "나쁜 글".to_owned();
        let model = server.model(|o| (o.limits.inputs, o.refuse_long) = (Some(50), true));
        let got = model.embed(&refs(&texts), Role::Document).unwrap().whole().unwrap();
        assert_eq!(got.refusals.len(), 1);
        assert_eq!(got.refusals[0].index, 77);
        assert!(got.refusals[0].reason.contains(message), "{:?}", got.refusals);
        assert_eq!(got.missing(), 1);
        assert!((0..100).filter(|i| *i != 77).all(|i| got.get(i).unwrap() == unit_of(&texts[i])));
        assert!(server.requests() < 20, "{} requests", server.requests());
    }
}

#[test]
fn a_text_that_the_server_finds_too_long_is_cut_further() {
    let server = Server::new(|_, texts, _| {
        if texts.iter().any(|t| t.chars().count() > 100) { error(400, "input is too long") } else { ok(answer(texts)) }
    });
    let long = "가나다 ".repeat(100);
    let got = server.model(|_| ()).embed(&["a", &long, "b"], Role::Document).unwrap().whole().unwrap();
    assert_eq!(got.missing(), 0);
    let got =
        server.model(|o| o.refuse_long = true).embed(&["a", &long, "b"], Role::Document).unwrap().whole().unwrap();
    assert_eq!(got.refusals[0].index, 1);
}

#[test]
fn a_request_that_is_wrong_as_such_is_not_sent_in_pieces() {
    for (status, message) in
        [(400, "The model `m` does not exist"), (404, "no such route"), (400, "dimensions are not supported")]
    {
        let server = Server::new(move |_, _, _| error(status, message));
        let texts = numbered("t", 32);
        let failure = server.model(|_| ()).embed(&refs(&texts), Role::Document).unwrap().failure.unwrap();
        assert!(matches!(failure, EmbedError::Request { source: HttpError::Refused { .. }, .. }), "{failure:?}");
        assert_eq!(server.requests(), 1, "{message}");
    }
    // Where nothing says so, three texts tell.
    let server = Server::new(|_, _, _| error(400, "no"));
    let texts = numbered("t", 1024);
    let model = server.model(|o| o.limits.inputs = Some(1024));
    assert!(model.embed(&refs(&texts), Role::Document).unwrap().failure.is_some());
    assert!(server.requests() < 20, "{} requests", server.requests());
}

#[test]
fn finished_requests_are_kept_when_a_later_one_fails() {
    let server = Server::new(|n, texts, _| if n < 3 { ok(answer(texts)) } else { error(401, "key revoked") });
    let texts = numbered("t", 60);
    let model = server.model(|o| (o.limits.inputs, o.concurrency) = (Some(10), 1));
    let outcome = model.embed(&refs(&texts), Role::Document).unwrap();
    let EmbedError::Request { first: 30, last: 39, source: HttpError::Unauthorized { .. }, .. } =
        outcome.failure.unwrap()
    else {
        panic!()
    };
    assert!((0..30).all(|i| outcome.embeddings.get(i).unwrap() == unit_of(&texts[i])));
    assert!((30..60).all(|i| outcome.embeddings.answers[i] == Answer::Unanswered));
    assert_eq!(server.requests(), 4);
}

#[test]
fn no_more_requests_are_under_way_than_allowed() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    for allowed in [1, 3] {
        // A server that counts its open connections by hand.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now2, most2) = (now.clone(), most.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (now, most) = (now2.clone(), most2.clone());
                std::thread::spawn(move || serve_slowly(stream, &now, &most));
            }
        });
        let server = Server::good();
        let options = server.options(|o| {
            o.base_url = Some(format!("http://{address}/v1"));
            (o.limits.inputs, o.concurrency) = (Some(1), allowed);
        });
        let texts = numbered("t", 12);
        Remote::new("openai-compatible::m", options)
            .unwrap()
            .embed(&refs(&texts), Role::Document)
            .unwrap()
            .whole()
            .unwrap();
        assert_eq!(most.load(Ordering::SeqCst), allowed);
    }
}

fn serve_slowly(
    stream: std::net::TcpStream,
    now: &std::sync::atomic::AtomicUsize,
    most: &std::sync::atomic::AtomicUsize,
) {
    use std::io::{BufRead, BufReader, Read, Write};
    use std::sync::atomic::Ordering;
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let (mut line, mut length) = (String::new(), 0);
        loop {
            line.clear();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).unwrap();
        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(std::time::Duration::from_millis(30));
        now.fetch_sub(1, Ordering::SeqCst);
        let answer = json!({"data": [{"index": 0, "embedding": [1, 2]}]}).to_string();
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{answer}", answer.len()).unwrap();
    }
}

#[test]
fn progress_is_told_and_ends_with_all() {
    let server = Server::good();
    let texts = numbered("t", 100);
    let mut told = Vec::new();
    let model = server.model(|o| o.limits.inputs = Some(10));
    model.embed_with(&refs(&texts), Role::Document, &mut |p| told.push(*p)).unwrap();
    assert_eq!((told[0].done, told[0].remaining), (0, None));
    assert!(told.is_sorted_by_key(|p| p.done) && told.iter().all(|p| p.total == 100));
    let last = told.last().unwrap();
    assert_eq!((last.done, last.usage.requests, last.usage.tokens), (100, 10, 100));
    assert_eq!(last.remaining, Some(std::time::Duration::ZERO));
    assert!(told[5].remaining.unwrap() > std::time::Duration::ZERO);
    model.embed(&["x"], Role::Document).unwrap();
    let all = model.usage();
    assert_eq!((all.texts, all.requests, all.tokens), (101, 11, 101));
    assert!(all.seconds > 0.0);
}
