//! What was found, as JSON.

use gyeol::Hit;
use gyeol::collection::Found;
use serde::Serialize;
use serde_json::{Map, Value};

/// The answer to one query.
#[derive(Serialize)]
pub struct Answer<'a> {
    schema: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<&'a str>,
    mode: String,
    hits: Vec<HitLine<'a>>,
    /// For --after.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
    /// Texts that the filter selects.
    #[serde(skip_serializing_if = "Option::is_none")]
    matches: Option<u64>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Vec<Explained>>,
}

/// How one segment of vectors was searched.
#[derive(Serialize)]
struct Explained {
    plan: String,
    why: String,
    among: usize,
    ef: usize,
    compared: usize,
    rescored: usize,
}

/// One text found.
#[derive(Serialize)]
pub struct HitLine<'a> {
    key: &'a str,
    score: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    dense: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lexical: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rerank: Option<f32>,
    path: Option<&'a str>,
    lines: (u64, u64),
    bytes: (u64, u64),
    text: &'a str,
    payload: &'a Map<String, Value>,
}

impl<'a> HitLine<'a> {
    pub fn new(hit: &'a Hit) -> Self {
        HitLine {
            key: &hit.key,
            score: hit.score,
            dense: hit.scores.dense,
            lexical: hit.scores.lexical,
            rerank: hit.scores.rerank,
            path: hit.source.path.as_deref(),
            lines: hit.source.lines,
            bytes: hit.source.bytes,
            text: &hit.text,
            payload: &hit.payload,
        }
    }
}

impl<'a> Answer<'a> {
    pub fn new(query: Option<&'a str>, found: &'a Found, explain: bool) -> Self {
        let explained = |work: &gyeol::index::Work| Explained {
            plan: work.plan.to_string(),
            why: work.why.to_string(),
            among: work.among,
            ef: work.ef,
            compared: work.compared,
            rescored: work.rescored,
        };
        Answer {
            schema: 1,
            query,
            mode: found.mode.to_string(),
            hits: found.hits.iter().map(HitLine::new).collect(),
            next: found.next.map(|cursor| cursor.to_string()),
            matches: found.matches,
            warnings: &found.warnings,
            explain: explain.then(|| found.work.iter().map(explained).collect()),
        }
    }
}
