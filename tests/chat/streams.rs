//! Streams: pieces, ends, cuts, keywords, sentences.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use gyeol::error::{HttpError, LlmError};
use gyeol::llm::{Answer, AnswerStream, Finish, Llm, StreamEvent, StreamOptions};

use crate::asking::futures_of;
use crate::server::{Piece, Reply, Server, ending, event, events};

fn read(stream: AnswerStream) -> (Vec<String>, Result<Answer, LlmError>) {
    let mut texts = Vec::new();
    for event in stream {
        match event {
            Ok(StreamEvent::Text(text)) => texts.push(text),
            Ok(StreamEvent::End(answer)) => return (texts, Ok(*answer)),
            Ok(_) => {}
            Err(error) => return (texts, Err(error)),
        }
    }
    panic!("neither end nor error");
}

/// A server whose streams are these pieces.
fn pieces(of: impl Fn() -> Vec<Piece> + Send + Sync + 'static) -> Server {
    Server::new(move |_, _| Reply::pieces("text/event-stream", of()))
}

#[test]
fn pieces_come_as_they_are_sent_and_then_the_end() {
    let server = pieces(|| {
        vec![
            Piece::Bytes(event("하나 ").into_bytes()),
            Piece::Wait(Duration::from_millis(800)),
            Piece::Bytes(event("둘").into_bytes()),
            Piece::Bytes(ending().into_bytes()),
        ]
    });
    let llm = server.llm();
    let mut stream = llm.stream("세어 봐").unwrap();
    assert_eq!(server.requests(), 0, "nothing is sent before the first piece is taken");
    let started = Instant::now();
    assert_eq!(stream.next().unwrap().unwrap(), StreamEvent::Text("하나 ".to_owned()));
    let first = started.elapsed();
    assert!(llm.history().is_empty());
    assert_eq!(stream.next().unwrap().unwrap(), StreamEvent::Text("둘".to_owned()));
    assert!(started.elapsed() - first >= Duration::from_millis(200), "the first piece did not wait for the second");
    let StreamEvent::End(answer) = stream.next().unwrap().unwrap() else { panic!("no end") };
    assert_eq!((answer.text.as_str(), answer.usage.total_tokens, answer.requests), ("하나 둘", Some(10), 1));
    assert!(stream.next().is_none() && stream.next().is_none());
    assert_eq!(llm.history().len(), 2);
    let seen = &server.seen()[0];
    assert_eq!((seen.is_stream(), &seen.body["stream_options"]["include_usage"]), (true, &serde_json::json!(true)));
}

#[test]
fn hangul_that_is_split_between_reads_is_whole() {
    // Every byte is a read of its own.
    let bytes: Vec<u8> = events(&["결은 ", "나뭇결의 결이다. 🌊"]).into_bytes();
    let server = pieces(move || {
        bytes.iter().flat_map(|b| [Piece::Bytes(vec![*b]), Piece::Wait(Duration::from_micros(50))]).collect()
    });
    let (texts, answer) = read(server.llm().stream("?").unwrap());
    assert_eq!(texts, ["결은 ", "나뭇결의 결이다. 🌊"]);
    assert_eq!(answer.unwrap().text, "결은 나뭇결의 결이다. 🌊");
}

#[test]
fn two_streams_at_once_keep_their_own_order() {
    let server = Server::new(|_, seen| {
        let name = seen.prompt().to_owned();
        let words = (0..20).map(|i| event(&format!("{name}{i} ")));
        let mut pieces: Vec<Piece> =
            words.flat_map(|w| [Piece::Bytes(w.into_bytes()), Piece::Wait(Duration::from_millis(2))]).collect();
        pieces.push(Piece::Bytes(ending().into_bytes()));
        Reply::pieces("text/event-stream", pieces)
    });
    let llm = server.llm().stateless();
    let (mut a, mut b) = (llm.stream("a").unwrap(), llm.stream("b").unwrap());
    let mut both = [String::new(), String::new()];
    for _ in 0..20 {
        for (stream, text) in [&mut a, &mut b].into_iter().zip(&mut both) {
            let Some(Ok(StreamEvent::Text(more))) = stream.next() else { panic!("a piece") };
            text.push_str(&more);
        }
    }
    for (text, name) in both.iter().zip(["a", "b"]) {
        assert_eq!(*text, (0..20).map(|i| format!("{name}{i} ")).collect::<String>());
    }
    // And as futures, together.
    let (a, b) = futures_of(async {
        let of = |prompt| llm.stream_async(prompt).unwrap().collect::<Vec<_>>();
        futures_util::future::join(of("c"), of("d")).await
    });
    for (events, name) in [(a, "c0 "), (b, "d0 ")] {
        assert_eq!((events.len(), events[0].as_ref().unwrap()), (21, &StreamEvent::Text(name.to_owned())));
        assert!(matches!(events[20], Ok(StreamEvent::End(_))));
    }
}

#[test]
fn a_stream_without_its_end_is_truncated() {
    let cuts: [fn() -> Vec<Piece>; 5] = [
        // Ends well as HTTP, and without [DONE].
        || vec![Piece::Bytes(event("half").into_bytes())],
        // Breaks.
        || vec![Piece::Bytes(event("half").into_bytes()), Piece::Cut],
        // In the middle of an event.
        || vec![Piece::Bytes(format!("{}data: {{\"choi", event("half")).into_bytes())],
        || vec![Piece::Bytes(format!("{}data: {{\"choi", event("half")).into_bytes()), Piece::Cut],
        // Says nothing more.
        || vec![Piece::Bytes(event("half").into_bytes()), Piece::Wait(Duration::from_secs(20))],
    ];
    for cut in cuts {
        let server = pieces(cut);
        let llm = server.named("openai-compatible::m", "/v1", |o| o.timeout = Duration::from_secs(2));
        let (texts, end) = read(llm.stream("?").unwrap());
        assert_eq!(texts, ["half"]);
        let error = end.unwrap_err();
        assert!(matches!(&error, LlmError::Truncated { text, .. } if text == "half"), "{error}");
        assert!(llm.history().is_empty());
        assert_eq!(server.requests(), 1, "what has begun is not asked again");
    }
}

#[test]
fn ends_that_are_told_otherwise_are_ends() {
    let finish = r#"{"choices": [{"delta": {}, "finish_reason": "length"}]}"#;
    let endings = [
        // As some providers have it: no mark after the last piece.
        format!("data: {finish}\n\n"),
        format!("data: {finish}"),
        "data: [DONE]".to_owned(),
        // What only keeps the connection open.
        format!("data:\n\n: hello\n\ndata: {finish}\n\ndata: [DONE]\n\n"),
    ];
    for ending in endings {
        let whole = event("one") + &ending;
        let server = pieces(move || vec![Piece::Bytes(whole.clone().into_bytes())]);
        let answer = server.llm().stream("?").unwrap().whole().unwrap();
        assert_eq!(answer.text, "one", "{ending}");
        assert_eq!(answer.finish == Finish::Length, ending.contains("length"));
    }
}

#[test]
fn a_server_that_refuses_to_count_is_asked_without() {
    let server = Server::new(|_, seen| match seen.body.get("stream_options") {
        Some(_) => Reply::error(422, "stream_options: extra fields not permitted"),
        None => Reply::stream(&["x"]),
    });
    let llm = server.llm();
    for _ in 0..2 {
        assert_eq!(llm.stream("?").unwrap().whole().unwrap().text, "x");
    }
    assert_eq!(server.requests(), 3, "the refusal is remembered");
    let mistral = Server::saying("x");
    mistral.named("mistral::m", "/v1", |_| {}).stream("?").unwrap().whole().unwrap();
    assert!(mistral.seen()[0].body.get("stream_options").is_none());
}

#[test]
fn only_the_end_is_written_into_the_conversation() {
    let server = Server::saying("one two");
    let cache = gyeol::cache::CacheConfig::InMemory { max_size: 10, ttl: 0 }.open().unwrap();
    let monitor = gyeol::llm::Monitor::new();
    let llm = monitor.watch(&server.llm()).cached(cache);
    let plain = llm.conversation();
    plain.ask("q").unwrap();
    // All of it is there at once, and still it is not read to its end.
    let mut stream = llm.stream("q").unwrap();
    stream.next().unwrap().unwrap();
    drop(stream);
    assert!(llm.history().is_empty());
    let report = monitor.report();
    assert_eq!((report.models[0].requests, report.models[0].abandoned), (2, 1));
    // Stopped after the end was read: it was read.
    let mut stream = llm.stream("q").unwrap();
    let stop = stream.stop_handle();
    assert_eq!(stream.by_ref().filter(|event| matches!(event, Ok(StreamEvent::End(_)))).count(), 1);
    stop.stop();
    assert_eq!((stream.next().is_none(), llm.history().len()), (true, 2));
}

#[test]
fn errors_before_and_within_a_stream_are_told() {
    let server = Server::new(|number, _| match number {
        0 => Reply::error(503, "starting"),
        1 => Reply::stream(&["there"]),
        2 => Reply::error(401, "no"),
        3 => Reply::pieces(
            "text/event-stream",
            vec![Piece::Bytes(b"data: {\"error\": {\"message\": \"overloaded\"}}\n\n".to_vec())],
        ),
        _ => Reply::pieces("text/event-stream", vec![Piece::Bytes(b"data: <html>\n\n".to_vec())]),
    });
    let llm = server.llm();
    let answer = llm.stream("x").unwrap().whole().unwrap();
    assert_eq!((answer.text.as_str(), answer.requests, answer.retries), ("there", 2, 1));
    let error = |llm: &Llm| llm.stream("x").unwrap().whole().unwrap_err();
    assert!(matches!(error(&llm), LlmError::Http { source: HttpError::Unauthorized { .. }, .. }));
    assert!(error(&llm).to_string().contains("overloaded"));
    assert!(matches!(error(&llm), LlmError::Http { source: HttpError::Body { .. }, .. }));
    assert_eq!(llm.history().len(), 2);
    assert!(llm.stream(" ").is_err());
}

#[test]
fn dropping_a_stream_closes_the_connection_and_writes_no_history() {
    let server = pieces(|| {
        let mut all = vec![Piece::Bytes(event("one").into_bytes())];
        all.extend((0..100).map(|_| Piece::Wait(Duration::from_millis(200))));
        all
    });
    let llm = server.llm();
    let mut stream = llm.stream("?").unwrap();
    assert_eq!(stream.next().unwrap().unwrap(), StreamEvent::Text("one".to_owned()));
    drop(stream);
    assert!(server.wait_for_hang_ups(1), "the connection was closed");
    futures_of(async {
        let mut stream = llm.stream_async("?").unwrap();
        assert!(stream.next().await.unwrap().is_ok());
    });
    assert!(server.wait_for_hang_ups(2), "the connection was closed");
    assert!(llm.history().is_empty());
}

#[test]
fn a_keyword_that_is_cut_in_two_ends_the_stream_early() {
    let server = pieces(|| {
        let mut all: Vec<Piece> = ["생각 중. 최종", " 답: 42 E", "ND 이 뒤는 ", "안 온다"]
            .iter()
            .map(|t| Piece::Bytes(event(t).into_bytes()))
            .collect();
        all.extend((0..100).map(|_| Piece::Wait(Duration::from_millis(200))));
        all
    });
    let llm = server.llm();
    let options = StreamOptions { until: vec!["END".to_owned(), "nothing".to_owned()] };
    let (texts, answer) = read(llm.stream_with("?", &options).unwrap());
    let answer = answer.unwrap();
    assert_eq!((texts.concat().as_str(), answer.text.as_str()), ("생각 중. 최종 답: 42 ", "생각 중. 최종 답: 42 "));
    assert_eq!(answer.finish, Finish::Keyword);
    assert!(server.wait_for_hang_ups(1), "the connection was closed");
    assert_eq!(llm.history()[1].text(), "생각 중. 최종 답: 42 ");
    // A beginning of a keyword that comes to nothing is not lost.
    let server = pieces(|| vec![Piece::Bytes(events(&["a E", "N"]).into_bytes())]);
    let (texts, answer) = read(server.llm().stream_with("?", &options).unwrap());
    assert_eq!((texts.concat().as_str(), answer.unwrap().finish), ("a EN", Finish::Stop));
}

#[test]
fn sentences_come_as_soon_as_they_are_finished() {
    let server = Server::new(|_, _| {
        Reply::stream(&["원주율은 3.", "14이다. 그", "리고 e.g. 이런 것도 있", "다. Is it 3.12? Yes", "。끝"])
    });
    let mut sentences = server.llm().stream("?").unwrap().sentences();
    let all: Vec<String> = sentences.by_ref().map(Result::unwrap).collect();
    assert_eq!(all, ["원주율은 3.14이다.", "그리고 e.g. 이런 것도 있다.", "Is it 3.12?", "Yes。", "끝"]);
    assert_eq!(sentences.answer().unwrap().usage.total_tokens, Some(10));
}

#[test]
fn a_server_that_does_not_stream_is_read_all_the_same() {
    let plain = Server::new(|_, _| Reply::text("in one piece"));
    let (texts, answer) = read(plain.llm().stream("?").unwrap());
    let answer = answer.unwrap();
    assert_eq!((texts.concat().as_str(), answer.usage.total_tokens), ("in one piece", Some(10)));
}
