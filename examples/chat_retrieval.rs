//! Answers from notes of your own: sources first, then text that cites them, and a follow-up.
//!
//!     GYEOL_CHAT_MODEL=ollama::qwen3 cargo run --release --example chat_retrieval
//!
//! Any model will do: `openai::gpt-4o-mini` with its key in `OPENAI_API_KEY`, or `openai-compatible::NAME` with the server
//! in `GYEOL_CHAT_BASE_URL`.

use std::error::Error;
use std::io::Write;

use gyeol::Collection;
use gyeol::collection::NewDocument;
use gyeol::embed::builtin;
use gyeol::llm::{Llm, LlmOptions};
use gyeol::rag::ChatEvent;

const NOTES: [(&str, &str); 5] = [
    ("tides", "밀물과 썰물은 달과 해가 바닷물을 끌어당겨 생긴다. 하루에 두 번씩 되풀이된다."),
    ("bread", "빵 반죽은 이스트가 내는 기체로 부푼다. 따뜻한 곳에서 한 시간쯤 둔다."),
    ("rust", "Rust checks ownership and borrowing at compile time, so that data races are errors."),
    ("football", "A football match has two halves of 45 minutes each, and a break between them."),
    ("tea", "녹차는 70도에서 80도쯤 되는 물에 2분 우린다. 더 뜨거우면 쓴맛이 난다."),
];

fn main() -> Result<(), Box<dyn Error>> {
    let llm = model()?;
    // A folder that is removed at the end, also when something fails.
    let folder = tempfile::tempdir()?;
    let mut notes = Collection::open_or_create(folder.path(), builtin())?;
    let document = |(key, text): (&str, &str)| NewDocument { key: key.into(), text: text.into(), ..Default::default() };
    notes.upsert(&NOTES.map(document))?;
    notes.commit()?;

    let chat = notes.chat(&llm).k(3);
    // The second is understood by the first.
    for question in ["빵 반죽은 왜 부풀어?", "그럼 얼마나 둬?"] {
        println!("» {question}");
        for event in chat.stream(question)? {
            match event? {
                ChatEvent::Sources { rewritten, sources } => {
                    if let Some(rewritten) = rewritten {
                        println!("({rewritten})");
                    }
                    sources.iter().for_each(|source| println!("[{}] {} {:.3}", source.n, source.place(), source.score));
                }
                ChatEvent::Text(text) => {
                    print!("{text}");
                    std::io::stdout().flush()?;
                }
                ChatEvent::End(answer) => println!("\ncites {:?}\n", answer.cited),
                _ => {}
            }
        }
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
