//! Steps one after another, each with what came before.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_chain
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;

use gyeol::llm::{Chain, Llm, LlmOptions};

const TEXT: &str = "밀물과 썰물은 달과 해가 바닷물을 끌어당겨 생긴다. 하루에 두 번씩 되풀이된다. 달과 해가 한 줄로 서면 \
                    차이가 가장 크다. {\"출처\": \"교과서\"}";

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    let chain = Chain::new()
        .step("summary", &llm, "한 문장으로 줄여라:\n{{ input }}")?
        .step("english", &llm, "Translate into English:\n{{ summary }}")?
        .step("title", &llm, "Give a title.\nThe summary: {{ english }}\nThe whole text: {{ initial_input }}")?;

    // What cannot be filled is refused here, and not when the chain runs.
    if let Err(error) = chain.clone().step("last", &llm, "{{ sumary }}") {
        println!("refused: {error}");
    }
    let run = chain.run(TEXT)?;
    for step in &run.steps {
        println!("-- {}\n{}", step.name, step.answer.text);
    }
    println!("-- the end\n{}", run.text);
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
