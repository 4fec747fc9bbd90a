//! Requests as the providers want them, and their answers.

use serde::Deserialize;
use serde_json::json;

use super::provider::Wire;
use super::values::Values;
use crate::embed::Role;

/// What a request asks for.
pub(super) struct Ask<'a> {
    pub wire: Wire,
    pub model: &'a str,
    pub dimensions: Option<usize>,
    pub role: Role,
    /// Whether base64 may be asked for, which takes a third of the room.
    pub base64: bool,
}

/// An answer in the order of the texts.
#[derive(Debug)]
pub(super) struct Reply {
    pub rows: Vec<Vec<f32>>,
    /// Tokens that the provider says it used.
    pub tokens: Option<u64>,
}

/// What is wrong with an answer; positions are those of the request's texts.
#[derive(Debug, PartialEq)]
pub(super) enum Lie {
    Unreadable(String),
    Count(usize),
    Duplicate(usize),
    Missing(usize, String),
}

impl Ask<'_> {
    /// The path below the base URL.
    pub fn path(&self) -> String {
        match self.wire {
            Wire::OpenAi | Wire::Voyage => "embeddings".to_owned(),
            Wire::Gemini => format!("{}:batchEmbedContents", gemini_name(self.model)),
            Wire::Cohere => "v2/embed".to_owned(),
            Wire::Ollama => "api/embed".to_owned(),
        }
    }

    /// The body: texts only, never tokens.
    pub fn body(&self, texts: &[&str]) -> Vec<u8> {
        let (model, dimensions) = (self.model, self.dimensions);
        let query = self.role == Role::Query;
        let mut body = match self.wire {
            Wire::OpenAi => json!({"model": model, "input": texts}),
            Wire::Voyage => {
                json!({"model": model, "input": texts, "input_type": if query { "query" } else { "document" }, "truncation": false})
            }
            Wire::Gemini => {
                let name = gemini_name(model);
                let task = if query { "RETRIEVAL_QUERY" } else { "RETRIEVAL_DOCUMENT" };
                let one = |text: &&str| {
                    let mut one = json!({"model": name, "content": {"parts": [{"text": text}]}, "taskType": task});
                    if let Some(dimensions) = dimensions {
                        one["outputDimensionality"] = json!(dimensions);
                    }
                    one
                };
                json!({"requests": texts.iter().map(one).collect::<Vec<_>>()})
            }
            Wire::Cohere => {
                let kind = if query { "search_query" } else { "search_document" };
                json!({"model": model, "texts": texts, "input_type": kind, "embedding_types": ["float"], "truncate": "NONE"})
            }
            Wire::Ollama => json!({"model": model, "input": texts, "truncate": false}),
        };
        let name = match self.wire {
            Wire::OpenAi | Wire::Ollama => "dimensions",
            Wire::Voyage | Wire::Cohere => "output_dimension",
            Wire::Gemini => "",
        };
        if let Some(dimensions) = dimensions.filter(|_| !name.is_empty()) {
            body[name] = json!(dimensions);
        }
        if self.base64 {
            body["encoding_format"] = json!("base64");
        }
        body.to_string().into_bytes()
    }

    /// Reads the answer to so many texts.
    pub fn read(&self, answer: &[u8], texts: usize) -> Result<Reply, Lie> {
        let (rows, tokens) = match self.wire {
            Wire::OpenAi | Wire::Voyage => {
                let answer: OpenAi = parsed(answer)?;
                let tokens = answer.usage.and_then(|usage| usage.total_tokens.or(usage.prompt_tokens));
                return Ok(Reply { rows: by_index(answer.data, texts)?, tokens });
            }
            Wire::Gemini => {
                let answer: Gemini = parsed(answer)?;
                (answer.embeddings.into_iter().map(|row| row.values).collect(), None)
            }
            Wire::Cohere => {
                let answer: Cohere = parsed(answer)?;
                let tokens = answer.meta.and_then(|meta| meta.billed_units).and_then(|billed| billed.input_tokens);
                let rows = match answer.embeddings {
                    CohereRows::ByType { float } => float,
                    CohereRows::Plain(rows) => rows,
                };
                (rows, tokens.map(|tokens| tokens as u64))
            }
            Wire::Ollama => {
                let answer: Ollama = parsed(answer)?;
                (answer.embeddings, answer.prompt_eval_count)
            }
        };
        match rows.len() == texts {
            true => Ok(Reply { rows: rows.into_iter().map(|Values(row)| row).collect(), tokens }),
            false => Err(Lie::Count(rows.len())),
        }
    }
}

fn gemini_name(model: &str) -> String {
    format!("models/{}", model.strip_prefix("models/").unwrap_or(model))
}

fn parsed<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Lie> {
    serde_json::from_slice(answer).map_err(|e| Lie::Unreadable(e.to_string()))
}

/// Vectors in the order of their indexes.
fn by_index(data: Vec<OpenAiRow>, texts: usize) -> Result<Vec<Vec<f32>>, Lie> {
    let found = data.len();
    let mut rows: Vec<Option<Vec<f32>>> = vec![None; texts];
    for (at, row) in data.into_iter().enumerate() {
        let Some(index) = row.index else {
            return Err(Lie::Missing(at.min(texts - 1), " (an answer without an index)".to_owned()));
        };
        let place = usize::try_from(index).ok().and_then(|index| rows.get_mut(index));
        match place {
            Some(place @ None) => *place = Some(row.embedding.0),
            Some(Some(_)) => return Err(Lie::Duplicate(index as usize)),
            None if found == texts => {
                let missing = rows.iter().position(Option::is_none).unwrap_or(0);
                return Err(Lie::Missing(missing, format!(" (an answer has the index {index})")));
            }
            None => return Err(Lie::Count(found)),
        }
    }
    if found != texts {
        return Err(Lie::Count(found));
    }
    Ok(rows.into_iter().flatten().collect())
}

#[derive(Deserialize)]
struct OpenAi {
    data: Vec<OpenAiRow>,
    usage: Option<OpenAiUsage>,
}

#[derive(Deserialize)]
struct OpenAiRow {
    index: Option<i64>,
    embedding: Values,
}

#[derive(Deserialize)]
struct OpenAiUsage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Gemini {
    embeddings: Vec<GeminiRow>,
}

#[derive(Deserialize)]
struct GeminiRow {
    values: Values,
}

#[derive(Deserialize)]
struct Cohere {
    embeddings: CohereRows,
    meta: Option<CohereMeta>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum CohereRows {
    ByType { float: Vec<Values> },
    Plain(Vec<Values>),
}

#[derive(Deserialize)]
struct CohereMeta {
    billed_units: Option<CohereUnits>,
}

#[derive(Deserialize)]
struct CohereUnits {
    input_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct Ollama {
    embeddings: Vec<Values>,
    prompt_eval_count: Option<u64>,
}
