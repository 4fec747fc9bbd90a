//! Clusters of texts, with titles that a model gives them.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_cluster_titles
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;

use gyeol::Collection;
use gyeol::collection::{Count, NewDocument};
use gyeol::embed::builtin;
use gyeol::llm::{Llm, LlmOptions};
use gyeol::rag::titles;

const TEXTS: [&str; 9] = [
    "밀물과 썰물은 달이 바닷물을 끌어당겨 생긴다.",
    "달은 지구를 한 달에 한 번 돈다.",
    "보름달이 뜨면 바닷물의 높이가 크게 바뀐다.",
    "빵 반죽은 이스트가 내는 기체로 부푼다.",
    "국수 반죽에는 소금을 조금 넣는다.",
    "오븐을 미리 데워야 빵이 고르게 구워진다.",
    "Rust checks ownership at compile time.",
    "A compiler turns source code into machine code.",
    "Unit tests run every time the program is built.",
];

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    // A folder that is removed at the end, also when something fails.
    let folder = tempfile::tempdir()?;
    let mut texts = Collection::open_or_create(folder.path(), builtin())?;
    let document =
        |(i, text): (usize, &&str)| NewDocument { key: i.to_string(), text: text.to_string(), ..Default::default() };
    texts.upsert(&TEXTS.iter().enumerate().map(document).collect::<Vec<_>>())?;
    texts.commit()?;

    let clusters = texts.clustering().count(Count::Of(3)).run()?;
    for (topic, title) in clusters.topics.iter().zip(titles(&llm, &clusters, 2)) {
        // A title that cannot be had leaves the cluster its words.
        let title = title.unwrap_or_else(|error| format!("({error})"));
        println!("{} documents: {title} [{}]", topic.size, topic.label());
        let members = clusters.corpus.documents.iter().zip(&clusters.labels).filter(|(_, label)| **label == topic.id);
        members.for_each(|(document, _)| println!("   {}", document.text));
    }
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
