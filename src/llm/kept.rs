//! Answers in a cache: what they are known by, and how they are written.
//!
//! An entry is JSON of the answer's text, tokens, finish and calls, with the version of that form before it.

use serde::{Deserialize, Serialize};

use super::Core;
use super::answer::Said;
use super::wire::Asked;
use super::{Finish, Message, ToolSpec};
use crate::cache::CacheKey;
use crate::llm::message::Shape;

const VERSION: u32 = 1;

/// All that an answer depends on.
#[derive(Serialize)]
struct Identity<'a> {
    provider: &'a str,
    url: &'a str,
    model: &'a str,
    system: Option<&'a str>,
    messages: &'a [Message],
    temperature: Option<f64>,
    max_tokens: Option<u32>,
    tools: &'a [ToolSpec],
    shape: Option<&'a Shape>,
}

/// The key of an answer; `None` when it cannot be told, which is as good as no cache.
pub(super) fn key(core: &Core, asked: &Asked<'_>) -> Option<CacheKey> {
    let identity = Identity {
        provider: core.provider.name,
        url: core.base_url.as_str(),
        model: asked.model,
        system: asked.system,
        messages: asked.messages,
        temperature: asked.temperature,
        max_tokens: asked.max_tokens,
        tools: asked.tools,
        shape: asked.shape,
    };
    // JSON of a structure: no two are written alike.
    let bytes = serde_json::to_vec(&identity).ok()?;
    let mut hasher = blake3::Hasher::new_derive_key("gyeol 2026 reply cache");
    hasher.update(&bytes);
    Some(*hasher.finalize().as_bytes())
}

#[derive(Serialize, Deserialize)]
struct Entry {
    version: u32,
    said: Said,
}

/// An answer as it is kept; `None` for one that is better asked for again.
pub(super) fn write(said: &Said) -> Option<Vec<u8>> {
    let says_something = !said.text.trim().is_empty() || !said.calls.is_empty();
    let is_whole = says_something && matches!(said.finish, Finish::Stop | Finish::Length | Finish::ToolCalls);
    let entry = Entry { version: VERSION, said: said.clone() };
    is_whole.then(|| serde_json::to_vec(&entry).ok())?
}

/// The answer of an entry; `None` when it is damaged.
pub(super) fn read(bytes: &[u8]) -> Option<Said> {
    let entry: Entry = serde_json::from_slice(bytes).ok()?;
    (entry.version == VERSION).then_some(entry.said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::llm::TokenUsage;

    #[test]
    fn what_is_written_is_read_and_damage_is_none() {
        let usage = TokenUsage { prompt_tokens: Some(3), ..TokenUsage::default() };
        let said = Said { text: "결 \"1\"".to_owned(), usage, ..Said::default() };
        let bytes = write(&said).unwrap();
        assert_eq!(read(&bytes).unwrap(), said);
        assert!(read(&bytes[..bytes.len() - 1]).is_none() && read(b"").is_none() && read(b"{}").is_none());
        assert!(write(&Said { text: " ".to_owned(), ..said.clone() }).is_none());
        assert!(write(&Said { finish: Finish::Filter, ..said }).is_none());
    }
}
