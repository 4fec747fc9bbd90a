//! Answers that are kept: in memory, in files, and by the kind of question.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_caching
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;

use gyeol::cache::CacheConfig;
use gyeol::llm::{CacheKind, CacheKinds, Llm, LlmOptions};

fn main() -> Result<(), Box<dyn Error>> {
    // Without a conversation the same question is the same question each time.
    let llm = model()?.stateless();

    println!("-- in memory");
    let remembering = llm.cached(CacheConfig::InMemory { max_size: 1000, ttl: 3600 }.open()?);
    for _ in 0..2 {
        let answer = remembering.ask("밀물은 하루에 몇 번 와?")?;
        println!("{} (from the cache: {}, requests: {})", answer.text, answer.cache_hit, answer.requests);
    }

    println!("-- in files, which the next run finds again");
    let folder = tempfile::tempdir()?;
    for _ in 0..2 {
        // Opened anew, as another process would.
        let cache = CacheConfig::File { dir: folder.path().to_owned(), ttl: 0 }.open()?;
        println!("from the cache: {}", llm.cached(cache).ask("What is a tide?")?.cache_hit);
    }

    println!("-- by kind: a minute, an hour, a day");
    let kinds = CacheKinds::in_memory(1000)?;
    let (news, facts) = (kinds.on(&llm, CacheKind::Short), kinds.on(&llm, CacheKind::Long));
    let question = "물은 몇 도에서 끓어?";
    println!("news from the cache: {}", news.ask(question)?.cache_hit);
    // The kinds share nothing.
    println!("facts from the cache: {}", facts.ask(question)?.cache_hit);
    println!("facts again: {}", facts.ask(question)?.cache_hit);
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
