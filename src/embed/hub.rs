//! Models of the Hugging Face hub, fetched once and kept where its own tools keep them.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError};
use hf_hub::{Cache, CacheRepo};

use crate::error::EmbedError;

/// Files without which there is no model.
const NEEDED: [&str; 3] = ["config.json", "tokenizer.json", "model.safetensors"];
/// Files that say more of it, where they exist.
const MORE: [&str; 4] =
    ["modules.json", "1_Pooling/config.json", "sentence_bert_config.json", "config_sentence_transformers.json"];
/// Names another server than huggingface.co.
const ENDPOINT: &str = "HF_ENDPOINT";
/// Says that nothing is to be fetched.
const OFFLINE: &str = "HF_HUB_OFFLINE";

/// Told of a file's bytes as they come: its name, how many came, and how many it has.
pub type OnDownload = Arc<dyn Fn(&str, u64, u64) + Send + Sync>;

/// How models of the hub are fetched. They are kept in `$HF_HOME`, as its own tools do. `HF_TOKEN` and the token that
/// those tools keep open repositories that are not public; `HF_ENDPOINT` names a mirror.
#[derive(Clone, Default)]
pub struct HubOptions {
    /// Whether only what was fetched before is used, as with `HF_HUB_OFFLINE=1`.
    pub offline: bool,
    /// Told of downloads.
    pub on_download: Option<OnDownload>,
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions").field("offline", &self.offline).finish_non_exhaustive()
    }
}

/// The folder of a repository's files, fetched where they are not there.
pub(super) fn fetch(repository: &str, options: &HubOptions) -> Result<PathBuf, EmbedError> {
    let failed = |reason: String| EmbedError::Download { model: format!("hf::{repository}"), reason };
    let is_name = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !part.starts_with('.')
    };
    if !repository.split('/').all(is_name) || repository.split('/').count() != 2 {
        return Err(failed("a repository is named OWNER/NAME".to_owned()));
    }
    let cache = Cache::from_env();
    let kept = cache.model(repository.to_owned());
    if let Some(folder) = whole(&kept) {
        return Ok(folder);
    }
    let variable = std::env::var(OFFLINE).is_ok_and(|value| !matches!(value.as_str(), "" | "0" | "false"));
    if options.offline || variable {
        return Err(failed(format!(
            "it was not fetched before, and nothing may be fetched now (--offline, {OFFLINE}, or only a collection names it); \
             run once with --model hf::{repository} and the network"
        )));
    }
    // The client trusts what it talks to: an answer without a header that it wants stops it.
    let fetched = catch_unwind(AssertUnwindSafe(|| fetch_files(repository, options, &kept)));
    fetched.unwrap_or_else(|_| Err(failed("the server's answers are not those of a hub".to_owned())))?;
    whole(&kept).ok_or_else(|| failed("the files were fetched and are not there; look at $HF_HOME".to_owned()))
}

/// Fetches the files that are not there.
fn fetch_files(repository: &str, options: &HubOptions, kept: &CacheRepo) -> Result<(), EmbedError> {
    let failed = |reason: String| EmbedError::Download { model: format!("hf::{repository}"), reason };
    let endpoint = std::env::var(ENDPOINT).unwrap_or_default();
    let builder = ApiBuilder::from_env().with_progress(false);
    let api = builder.build().map_err(|e| failed(e.to_string()))?.model(repository.to_owned());
    let get = |name: &str| -> Result<PathBuf, ApiError> {
        match (kept.get(name), &options.on_download) {
            (Some(path), _) => Ok(path),
            (None, Some(tell)) => api.download_with_progress(name, Told::new(tell.clone())),
            (None, None) => api.download(name),
        }
    };
    for name in MORE {
        // Most models have only some of them.
        match get(name) {
            Ok(_) => {}
            Err(e) if is_absent(&e) => {}
            Err(e) => return Err(failed(advice(&e, &endpoint))),
        }
    }
    for name in NEEDED {
        get(name).map_err(|e| match is_absent(&e) {
            true => {
                failed(format!("the repository, or its file {name}, is not there; models need {}", NEEDED.join(", ")))
            }
            false => failed(advice(&e, &endpoint)),
        })?;
    }
    Ok(())
}

/// The folder, when all needed files are in it.
fn whole(kept: &CacheRepo) -> Option<PathBuf> {
    let paths = NEEDED.map(|name| kept.get(name));
    paths.iter().all(Option::is_some).then(|| paths[0].as_ref()?.parent().map(PathBuf::from)).flatten()
}

fn is_absent(error: &ApiError) -> bool {
    let ApiError::RequestError(error) = error else { return false };
    error.to_string().contains("404")
}

fn advice(error: &ApiError, endpoint: &str) -> String {
    let from = if endpoint.is_empty() { "huggingface.co" } else { endpoint };
    format!(
        "{from}: {error}; look at the network, take a folder on this machine (local::FOLDER), or name a mirror in {ENDPOINT}"
    )
}

/// Hands the hub's progress on.
struct Told {
    tell: OnDownload,
    name: String,
    done: u64,
    total: u64,
}

impl Told {
    fn new(tell: OnDownload) -> Told {
        Told { tell, name: String::new(), done: 0, total: 0 }
    }
}

impl Progress for Told {
    fn init(&mut self, size: usize, filename: &str) {
        (self.name, self.done, self.total) = (filename.to_owned(), 0, size as u64);
        (self.tell)(&self.name, 0, self.total);
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        (self.tell)(&self.name, self.done, self.total);
    }

    fn finish(&mut self) {
        (self.tell)(&self.name, self.total, self.total);
    }
}
