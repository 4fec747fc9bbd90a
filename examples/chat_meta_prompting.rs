//! A prompt that a model writes for a task, and mends by what is wrong with it.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_meta_prompting
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;

use gyeol::llm::{Example, Llm, LlmOptions};

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    // Braces in the examples are text, and reach the model as they are.
    let examples = [
        Example::new("배송이 사흘이나 늦었어요", r#"{"kind": "불만"}"#),
        Example::new("Great shop, thank you!", r#"{"kind": "칭찬"}"#),
    ];
    let prompt = llm.generate_prompt("Classify a customer's message as 칭찬, 불만 or 질문, as JSON.", &examples)?;
    println!("-- written\n{prompt}");

    let better = llm.optimize_prompt(&prompt, "It answers with prose around the JSON {\"kind\": ...}.")?;
    println!("-- mended\n{better}");

    // It was told to keep the place of the input; whether it did is to be seen.
    if !better.contains("INPUT") {
        return Err("the mended prompt has no place for an input; run this again, or with another model".into());
    }
    let asked = better.replace("INPUT", "언제 문을 열어요?");
    println!("-- used\n{}", llm.stateless().ask(&asked)?.text);
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
