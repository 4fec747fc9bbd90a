//! What a model's own files say of it, beside its sizes.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::ModelError;

/// Files of settings are some KiB long.
const LONGEST: u64 = 1 << 20;
/// Files that a hash of the model covers; those that are absent are left out.
const HASHED: [&str; 4] = ["config.json", "tokenizer.json", "1_Pooling/config.json", "model.safetensors"];

/// The kinds of model.
pub(super) enum Kind {
    /// A table of rows, one a token.
    Static,
    /// A transformer.
    Sentence { pooling: Pooling, max_tokens: Option<usize> },
}

/// What a text's vector is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    /// The mean of its tokens.
    Mean,
    /// Its first token.
    Cls,
}

/// What the files say.
pub(super) struct Layout {
    pub kind: Kind,
    pub query_prefix: String,
    pub document_prefix: String,
}

#[derive(Deserialize)]
struct Config {
    model_type: Option<String>,
    #[serde(default)]
    architectures: Vec<String>,
}

#[derive(Deserialize)]
struct Module {
    #[serde(rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
struct PoolingConfig {
    pooling_mode: Option<String>,
    #[serde(default)]
    pooling_mode_cls_token: bool,
    #[serde(default)]
    pooling_mode_mean_tokens: bool,
    #[serde(default = "yes")]
    include_prompt: bool,
    #[serde(flatten)]
    others: BTreeMap<String, serde_json::Value>,
}

fn yes() -> bool {
    true
}

#[derive(Deserialize)]
struct Bert {
    max_seq_length: Option<usize>,
}

#[derive(Default, Deserialize)]
struct Prompts {
    #[serde(default)]
    prompts: BTreeMap<String, Option<String>>,
    default_prompt_name: Option<String>,
}

impl Layout {
    /// Reads the files of settings in a folder.
    pub fn read(folder: &Path) -> Result<Layout, ModelError> {
        let config_path = folder.join("config.json");
        let config: Config = read(&config_path)?
            .ok_or_else(|| ModelError::Io { path: config_path, source: io::Error::from(io::ErrorKind::NotFound) })?;
        let is_static = config.model_type.as_deref() == Some("model2vec")
            || config.architectures.first().is_some_and(|name| name == "StaticModel");
        let kind = if is_static { Kind::Static } else { sentence(folder)? };
        let prompts: Prompts = read(&folder.join("config_sentence_transformers.json"))?.unwrap_or_default();
        let default = prompts.default_prompt_name.clone();
        let prompt = |names: &[&str]| {
            let named = names.iter().find_map(|name| prompts.prompts.get(*name)?.clone());
            named.or_else(|| prompts.prompts.get(default.as_deref()?)?.clone()).unwrap_or_default()
        };
        let (query_prefix, document_prefix) = (prompt(&["query"]), prompt(&["document", "passage", "corpus"]));
        Ok(Layout { kind, query_prefix, document_prefix })
    }

    /// BLAKE3 of the files that make vectors what they are, in hexadecimal.
    pub fn hash(&self, folder: &Path) -> Result<String, ModelError> {
        let mut hasher = blake3::Hasher::new();
        for name in HASHED {
            let path = folder.join(name);
            let mut file = match File::open(&path) {
                Ok(file) => file,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(source) => return Err(ModelError::Io { path, source }),
            };
            hasher.update(name.as_bytes());
            hasher.update_reader(&mut file).map_err(|source| ModelError::Io { path, source })?;
        }
        Ok(hasher.finalize().to_hex().to_string())
    }
}

fn sentence(folder: &Path) -> Result<Kind, ModelError> {
    let modules_path = folder.join("modules.json");
    let modules: Vec<Module> = read(&modules_path)?.unwrap_or_default();
    for module in &modules {
        let kind = module.kind.rsplit('.').next().unwrap_or_default();
        if !matches!(kind, "Transformer" | "Pooling" | "Normalize") {
            let reason = format!("a module of type {kind}; supported are Transformer, Pooling and Normalize");
            return Err(ModelError::file(modules_path, reason));
        }
    }
    let pooling_path = folder.join("1_Pooling/config.json");
    let pooling = match read::<PoolingConfig>(&pooling_path)? {
        None => Pooling::Mean,
        Some(config) => pooling(&config).map_err(|reason| ModelError::file(pooling_path, reason))?,
    };
    let bert: Option<Bert> = read(&folder.join("sentence_bert_config.json"))?;
    Ok(Kind::Sentence { pooling, max_tokens: bert.and_then(|b| b.max_seq_length) })
}

fn pooling(config: &PoolingConfig) -> Result<Pooling, String> {
    let supported = "supported are pooling by the mean of all tokens and by the first one (CLS)";
    if !config.include_prompt {
        return Err(format!("include_prompt is false; {supported}, with the prompt"));
    }
    let others = config
        .others
        .iter()
        .filter(|(name, value)| name.starts_with("pooling_mode_") && value.as_bool().unwrap_or(true));
    let mut names: Vec<&str> = others.map(|(name, _)| name.trim_start_matches("pooling_mode_")).collect();
    names.extend(config.pooling_mode_cls_token.then_some("cls"));
    names.extend(config.pooling_mode_mean_tokens.then_some("mean"));
    names.extend(config.pooling_mode.as_deref());
    match names[..] {
        [] | ["mean"] => Ok(Pooling::Mean),
        ["cls"] => Ok(Pooling::Cls),
        _ => Err(format!("pooling by {}; {supported}", names.join(" and "))),
    }
}

/// A file of settings; `None` when there is none.
fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, ModelError> {
    let io = |source| ModelError::Io { path: path.into(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(io(e)),
    };
    let mut json = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut json).map_err(io)?;
    if json.len() as u64 > LONGEST {
        return Err(ModelError::file(path, format!("longer than {LONGEST} bytes; no file of settings is")));
    }
    serde_json::from_slice(&json).map(Some).map_err(|e| ModelError::file(path, format!("not a model's settings: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pooled(json: &str) -> Result<Pooling, String> {
        pooling(&serde_json::from_str(json).unwrap())
    }

    #[test]
    fn pooling_is_what_the_file_says() {
        assert_eq!(pooled(r#"{"pooling_mode_cls_token":true,"pooling_mode_max_tokens":false}"#), Ok(Pooling::Cls));
        assert_eq!(pooled(r#"{"word_embedding_dimension":384,"pooling_mode_mean_tokens":true}"#), Ok(Pooling::Mean));
        assert_eq!(pooled(r#"{"pooling_mode":"cls"}"#), Ok(Pooling::Cls));
        assert!(pooled(r#"{"pooling_mode_lasttoken":true}"#).unwrap_err().contains("lasttoken"));
        assert!(pooled(r#"{"pooling_mode_mean_tokens":true,"pooling_mode_max_tokens":true}"#).is_err());
        assert!(pooled(r#"{"pooling_mode_mean_tokens":true,"include_prompt":false}"#).is_err());
    }

    #[test]
    fn prompts_are_found_by_role() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.json"), r#"{"model_type":"bert","architectures":["BertModel"]}"#)
            .unwrap();
        let of = |json: &str| {
            std::fs::write(dir.path().join("config_sentence_transformers.json"), json).unwrap();
            let layout = Layout::read(dir.path()).unwrap();
            (layout.query_prefix, layout.document_prefix)
        };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(of(r#"{"prompts":{"query":"query: ","passage":"passage: "}}"#), pair("query: ", "passage: "));
        assert_eq!(of(r#"{"prompts":{"query":"Q: ","document":""},"default_prompt_name":null}"#), pair("Q: ", ""));
        assert_eq!(of(r#"{"prompts":{"any":"x: "},"default_prompt_name":"any"}"#), pair("x: ", "x: "));
        assert_eq!(of(r#"{"__version__":{"pytorch":"2"}}"#), pair("", ""));
    }
}
