//! What models take: requests, errors, times, tokens, cache hits, money.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_monitor
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;

use gyeol::cache::CacheConfig;
use gyeol::llm::{ChatPrice, ChatPrices, Llm, LlmOptions, Monitor};

fn main() -> Result<(), Box<dyn Error>> {
    let plain = model()?;
    // Compiled in, and in a file of yours in the folder of settings; or set here.
    let mut prices = ChatPrices::load()?;
    if prices.of(plain.name()).is_none() {
        println!("no price of {} is known; this takes 0.15 and 0.60 US$ for a million tokens", plain.name());
        prices.set(plain.name(), ChatPrice { prompt: 0.15, completion: 0.60 });
    }
    let monitor = Monitor::with_prices(prices);
    let cache = CacheConfig::InMemory { max_size: 100, ttl: 0 }.open()?;
    let llm = monitor.watch(&plain).stateless().cached(cache);

    for question in ["밀물은 왜 생겨?", "What is a tide?", "밀물은 왜 생겨?"] {
        llm.ask(question)?;
    }
    llm.stream("한 문장으로 달을 설명해 줘")?.whole()?;
    // Blank prompts are refused before they are sent, and count for nothing.
    assert!(llm.ask(" ").is_err());

    let report = monitor.report();
    println!(
        "{:<32} {:>8} {:>6} {:>5} {:>8} {:>8} {:>8} {:>10}",
        "model", "requests", "errors", "hits", "p50 s", "p95 s", "tokens", "US$"
    );
    for model in &report.models {
        println!(
            "{:<32} {:>8} {:>6} {:>5} {:>8.3} {:>8.3} {:>8} {:>10.6}",
            model.model,
            model.requests,
            model.errors,
            model.cache_hits,
            model.p50_seconds.unwrap_or_default(),
            model.p95_seconds.unwrap_or_default(),
            model.total_tokens,
            model.cost.unwrap_or_default()
        );
    }
    println!("{}", report.to_json());
    Ok(())
}

/// The model that the environment names.
fn model() -> Result<Llm, Box<dyn Error>> {
    let Ok(name) = std::env::var("GYEOL_CHAT_MODEL") else {
        eprintln!("set GYEOL_CHAT_MODEL to a chat model: ollama::qwen3, openai::gpt-4o-mini, ...");
        std::process::exit(2);
    };
    let base_url = std::env::var("GYEOL_CHAT_BASE_URL").ok();
    Ok(Llm::with(&name, LlmOptions { base_url, ..LlmOptions::default() })?)
}
