//! What is counted of each model.

use std::time::Duration;

use gyeol::llm::{ChatPrice, ChatPrices, Monitor};
use serde_json::Value;

use crate::server::{Piece, Reply, Server, ending, event};

#[test]
fn requests_errors_times_tokens_hits_and_money_are_counted() {
    let server = Server::new(|number, seen| match number {
        3 => Reply::error(400, "no"),
        4 => Reply::error(503, "busy"),
        _ if seen.is_stream() => Reply::pieces(
            "text/event-stream",
            vec![
                Piece::Bytes(event("a").into_bytes()),
                Piece::Wait(Duration::from_millis(800)),
                Piece::Bytes(ending().into_bytes()),
            ],
        ),
        _ => {
            let mut reply = Reply::text("x");
            reply.pieces.insert(0, Piece::Wait(Duration::from_millis(30)));
            reply
        }
    });
    let mut prices = ChatPrices::default();
    prices.set("openai-compatible::m", ChatPrice { prompt: 100.0, completion: 1000.0 });
    let monitor = Monitor::with_prices(prices);
    let cache = gyeol::cache::CacheConfig::InMemory { max_size: 10, ttl: 0 }.open().unwrap();
    let (plain, other) = (server.llm(), server.named("openai-compatible::n", "/v1", |_| {}));
    let llm = monitor.watch(&plain).stateless().cached(cache);
    llm.ask("one").unwrap();
    llm.ask("one").unwrap();
    llm.ask("two").unwrap();
    llm.stream("three").unwrap().whole().unwrap();
    llm.ask("bad").unwrap_err();
    llm.ask("four").unwrap();
    let mut dropped = llm.stream("five").unwrap();
    dropped.next().unwrap().unwrap();
    drop(dropped);
    monitor.watch(&other).ask("x").unwrap();
    plain.ask("not watched").unwrap();

    let report = monitor.report();
    assert_eq!(
        report.models.iter().map(|m| m.model.as_str()).collect::<Vec<_>>(),
        ["openai-compatible::m", "openai-compatible::n"]
    );
    let m = report.model("openai-compatible::m").unwrap();
    assert_eq!((m.requests, m.errors, m.cache_hits, m.abandoned, m.retries), (7, 1, 1, 1, 1));
    assert!((m.error_rate - 1.0 / 7.0).abs() < 1e-9 && (m.cache_hit_rate - 1.0 / 7.0).abs() < 1e-9);
    assert_eq!((m.prompt_tokens, m.completion_tokens, m.total_tokens, m.uncounted), (28, 12, 40, 0));
    assert!((m.cost.unwrap() - (28.0 * 100.0 + 12.0 * 1000.0) / 1e6).abs() < 1e-12);
    let (p50, p95, first) = (m.p50_seconds.unwrap(), m.p95_seconds.unwrap(), m.first_token_seconds.unwrap());
    assert!(p50 >= 0.03 && p95 >= 0.8 && p50 <= p95 && first < 0.7, "{p50} {p95} {first}");
    assert!((0.03..=p95).contains(&m.mean_seconds.unwrap()));
    assert_eq!(report.model("openai-compatible::n").unwrap().cost, None);

    let json: Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!((&json["schema"], &json["models"][0]["requests"]), (&1.into(), &7.into()));
    monitor.reset();
    assert!(monitor.report().models.is_empty());
}

#[test]
fn a_watched_handle_is_used_as_the_other() {
    let server = Server::new(|number, _| Reply::text(&number.to_string()));
    let llm = server.llm();
    let watched = Monitor::new().watch(&llm);
    watched.ask("one").unwrap();
    assert_eq!(llm.history().len(), 2);
    assert_eq!(watched.ask("two").unwrap().text, "1");
    assert_eq!(server.seen()[1].roles().len(), 3);
}

#[test]
fn a_span_tells_of_each_question() {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::format::FmtSpan;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);
    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let server = Server::new(
        |number, seen| if number == 2 { Reply::error(400, "no") } else { Reply::fitting(seen, "secret answer") },
    );
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, || {
        let llm = server.llm();
        llm.ask("private question").unwrap();
        llm.stream("another").unwrap().whole().unwrap();
        llm.ask("bad").unwrap_err();
    });
    let told = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let closed: Vec<&str> = told.lines().filter(|line| line.contains("close")).collect();
    assert_eq!(closed.len(), 3, "{told}");
    assert!(closed.iter().all(|line| line.contains("chat{model=\"openai-compatible::m\"")), "{told}");
    assert!(closed[0].contains("stream=false") && closed[0].contains("prompt_tokens=7"), "{told}");
    assert!(closed[1].contains("stream=true") && closed[1].contains("cache_hit=false"), "{told}");
    assert!(closed[2].contains("error=") && closed[2].contains("HTTP 400"), "{told}");
    assert!(!told.contains("private question") && !told.contains("secret answer"));
}
