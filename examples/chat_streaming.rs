//! An answer piece by piece, sentence by sentence, and up to a keyword.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_streaming
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;
use std::io::Write;

use gyeol::llm::{Llm, LlmOptions, StreamEvent, StreamOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    println!("-- as it comes");
    for event in llm.stream("밀물과 썰물은 왜 생겨? 세 문장으로.")? {
        match event? {
            StreamEvent::Text(text) => {
                print!("{text}");
                std::io::stdout().flush()?;
            }
            // Not every provider tells.
            StreamEvent::End(answer) => match answer.usage.total_tokens {
                Some(tokens) => println!("\n({tokens} tokens)"),
                None => println!(),
            },
            _ => {}
        }
    }

    // Each sentence as soon as it is finished, to be spoken, say, while the rest is still being written.
    println!("-- sentence by sentence");
    for (i, sentence) in llm.stream("And what is a spring tide?")?.sentences().enumerate() {
        println!("{}: {}", i + 1, sentence?);
    }

    // The connection is closed at the keyword, so that the server can stop there, too.
    println!("-- up to END");
    let until = StreamOptions { until: vec!["END".to_owned()] };
    let answer = llm.stateless().stream_with("Write one line on tides, then END, then a poem.", &until)?.whole()?;
    println!("{} ({:?})", answer.text.trim(), answer.finish);
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
