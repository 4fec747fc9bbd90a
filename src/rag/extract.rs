//! Answers without a chat model: the passages that fit best, quoted and cited.

use super::CitedSource;
use super::source::merged;
use crate::collection::{Collection, Search};
use crate::embed::Role;
use crate::error::Result;
use crate::llm::Sentences;

/// Characters of a quotation, about: whole sentences are taken.
const QUOTED: usize = 280;
/// Hits that are looked at for each passage: some are merged.
const HITS: usize = 2;

/// Passages that answer a question, as far as the collection does.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Extract {
    /// The passages, best first.
    pub sources: Vec<CitedSource>,
    /// The best sentences of each, quoted, with its number: a line each.
    pub text: String,
}

/// The best passages for a question, `k` at most, as a search finds them: no chat model is asked. Of each, the
/// sentences around the one that is nearest to the question by meaning are quoted.
///
/// ```no_run
/// # fn look(notes: &gyeol::Collection) -> gyeol::Result<()> {
/// let found = gyeol::rag::extract(notes, "밀물은 왜 생겨?", notes.search("밀물은 왜 생겨?"), 3)?;
/// println!("{}", found.text);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Those of the search and of the embedder.
pub fn extract(collection: &Collection, question: &str, search: Search<'_>, k: usize) -> Result<Extract> {
    let sources = merged(search.k(k.saturating_mul(HITS).max(1)).run()?.hits, k);
    let mut lines = Vec::with_capacity(sources.len());
    for source in &sources {
        lines.push(format!("“{}” [{}]", quotation(collection, question, &source.text)?, source.n));
    }
    Ok(Extract { sources, text: lines.join("\n") })
}

/// The sentence that is nearest to the question, and those around it while they fit.
fn quotation(collection: &Collection, question: &str, text: &str) -> Result<String> {
    let mut splitter = Sentences::new();
    let mut sentences = splitter.push(text);
    sentences.extend(splitter.finish());
    // Headings of Markdown say what follows is about, and nothing themselves.
    if sentences.iter().any(|sentence| !sentence.starts_with('#')) {
        sentences.retain(|sentence| !sentence.starts_with('#'));
    }
    let best = nearest(collection, question, &sentences)?;
    let (mut first, mut last) = (best, best);
    let length = |sentences: &[String]| sentences.iter().map(|s| s.chars().count() + 1).sum::<usize>();
    loop {
        let (before, after) = (first.checked_sub(1), Some(last + 1).filter(|next| *next < sentences.len()));
        // What follows first, since an answer is more often explained than introduced.
        match (after, before) {
            (Some(next), _) if length(&sentences[first..=next]) <= QUOTED => last = next,
            (_, Some(next)) if length(&sentences[next..=last]) <= QUOTED => first = next,
            _ => break,
        }
    }
    Ok(sentences.get(first..=last).map(|kept| kept.join(" ")).unwrap_or_else(|| text.trim().to_owned()))
}

fn nearest(collection: &Collection, question: &str, sentences: &[String]) -> Result<usize> {
    if sentences.len() < 2 {
        return Ok(0);
    }
    let embedder = collection.embedder();
    let asked = embedder.embed_many(&[question], Role::Query)?;
    let texts: Vec<&str> = sentences.iter().map(String::as_str).collect();
    let told = embedder.embed_many(&texts, Role::Document)?;
    let Some(query) = asked.get(0) else { return Ok(0) };
    // Embedders give vectors of length 1.
    let dot = |row: &[f32]| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
    let score = |i: &usize| told.get(*i).map_or(f32::NEG_INFINITY, dot);
    Ok((0..sentences.len()).rev().max_by(|a, b| score(a).total_cmp(&score(b))).unwrap_or(0))
}
