//! What comes in is classified, and goes to what was made for its kind.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_router
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;

use gyeol::llm::{Chain, Llm, LlmOptions, Router};

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    let apology = Chain::new().step("reason", &llm, "무엇이 불만인지 한 줄로: {{ input }}")?.step(
        "letter",
        &llm,
        "이 일에 대한 짧은 사과문을 써라: {{ reason }}",
    )?;
    let router = Router::new(&llm)
        .route("praise", "is content, or says thanks", |input: &str| Ok(format!("고맙습니다! ({input})")))?
        .route("complaint", "is not content with something", apology)?
        .route("question", "wants to know something", llm.with_system("Answer in one sentence.").stateless())?
        .otherwise(|input: &str| Ok(format!("사람에게 넘깁니다: {input}")));

    for input in ["배송이 사흘이나 늦었어요.", "몇 시에 문을 열어요?", "정말 마음에 들어요!", "음..."]
    {
        let routed = router.run(input)?;
        println!("{} -> {}: {}", input, routed.route.as_deref().unwrap_or("(none)"), routed.text);
    }

    // One of the choices, or an error: never something else.
    let choice = llm.choose("Which of these is a fruit?", &["사과", "의자", "바다"])?;
    println!("chosen: {} ({})", choice.text, choice.index);
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
