//! Questions and streams as futures, many at once, and over several models.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_async
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;

use futures_util::StreamExt;
use gyeol::llm::{Llm, LlmOptions, Pipeline, StreamEvent};

// Any executor will do: gyeol brings what drives its connections.
#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?.stateless();
    let (one, two) = tokio::join!(llm.ask_async("한국의 수도는?"), llm.ask_async("What is the capital of France?"));
    println!("{} / {}", one?.text, two?.text);

    println!("-- many, four at a time, in their order");
    let prompts: Vec<String> = (1..=6).map(|i| format!("{i}의 제곱은?")).collect();
    for (prompt, answer) in prompts.iter().zip(llm.ask_many_async(&prompts, 4).await) {
        // One that fails fails alone.
        match answer {
            Ok(answer) => println!("{prompt} {}", answer.text),
            Err(error) => println!("{prompt} ({error})"),
        }
    }

    println!("-- a stream");
    let mut events = llm.stream_async("결이 무슨 뜻이야?")?;
    while let Some(event) = events.next().await {
        if let StreamEvent::Text(text) = event? {
            print!("{text}");
        }
    }
    println!();

    // Two handles here; two models, or two servers, in earnest.
    println!("-- round two models, then one after the other");
    let models = [llm.with_system("한국어로 답해."), llm.with_system("Answer in English.")];
    let pipeline = Pipeline::new(&models, 2)?;
    for answer in pipeline.process_batch_async(&["사과", "바다", "rust"]).await {
        println!("{}", answer?.text);
    }
    let steps = pipeline.process_chain_async(&["한 줄로: {input}", "Translate: {input}"], "밀물과 썰물").await?;
    println!("{}", steps.last().map(|answer| answer.text.as_str()).unwrap_or_default());
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
