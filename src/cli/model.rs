//! The model that a command means.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use etcetera::BaseStrategy;
use gyeol::cache::CacheConfig;
use gyeol::embed::{
    Embedder, HubOptions, Limits, ModelIdentity, ModelOptions, OnDownload, Remote, RemoteEmbedder, RemoteOptions, Usage,
};
use gyeol::http::{RateLimit, Retry};
use gyeol::{Collection, Error};
use indicatif::{ProgressBar, ProgressStyle};

use super::args::ModelArgs;
use super::failure::{Failure, USAGE};
use super::print;

/// The model when none is named.
pub const DEFAULT: &str = "builtin";
/// Where vectors are kept, in the user's folder of caches.
const CACHE: &str = "gyeol/embeddings";

/// An opened model.
#[derive(Clone)]
pub struct Model {
    pub embedder: Arc<dyn Embedder>,
    remote: Option<Arc<RemoteEmbedder>>,
}

impl Model {
    /// What a provider's model took up to now.
    pub fn usage(&self) -> Option<Usage> {
        Some(self.remote.as_ref()?.remote().usage())
    }
}

/// The model that the collection at `path` was made with, as the command line wants it asked.
pub fn of_collection(args: &ModelArgs, path: &Path) -> Result<Arc<dyn Embedder>, Failure> {
    let stored = Collection::model_of(path)?;
    Ok(stored_or_named(args, &stored)?.embedder)
}

/// The model that is named, or the stored one. A name that is the stored one's means the model as it was asked then.
pub fn stored_or_named(args: &ModelArgs, stored: &ModelIdentity) -> Result<Model, Failure> {
    let name = args.model.as_deref().unwrap_or(&stored.name);
    if !is_same(name, &stored.name) {
        return open(args, name);
    }
    // What is not said again is as it was.
    let again = |given: &Option<String>, was: &str| Some(given.clone().unwrap_or_else(|| was.to_owned()));
    let mut args = args.clone();
    // A collection may come from anywhere: what it names is downloaded only for who names it too.
    args.offline |= args.model.is_none();
    if !is_remote(name) {
        args.dimensions = args.dimensions.or(Some(stored.dim));
        if !name.starts_with("builtin") {
            args.query_prefix = again(&args.query_prefix, &stored.query_prefix);
            args.document_prefix = again(&args.document_prefix, &stored.document_prefix);
        }
        return open(&args, name);
    }
    if args.dimensions.is_some() || args.truncate.is_some() {
        return open(&args, name);
    }
    let options = remote_options(&args)?.like(stored);
    let query_prefix = args.query_prefix.clone().unwrap_or(options.query_prefix.clone());
    let document_prefix = args.document_prefix.clone().unwrap_or(options.document_prefix.clone());
    connect(name, RemoteOptions { query_prefix, document_prefix, refuse_long: args.refuse_long, ..options })
}

/// Whether two names are those of one model.
fn is_same(name: &str, stored: &str) -> bool {
    name == stored || (name == DEFAULT && stored.starts_with("builtin::"))
}

/// Whether a model is asked over HTTP.
pub fn is_remote(name: &str) -> bool {
    !["builtin", "local", "hf"].contains(&name.split("::").next().unwrap_or_default())
}

/// A model by its name.
pub fn open(args: &ModelArgs, name: &str) -> Result<Model, Failure> {
    let options = ModelOptions {
        dimensions: args.dimensions,
        query_prefix: args.query_prefix.clone(),
        document_prefix: args.document_prefix.clone(),
        refuse_long: args.refuse_long,
        full_precision: args.full_precision,
        hub: HubOptions { offline: args.offline, on_download: Some(on_download()) },
        ..ModelOptions::default()
    };
    if is_remote(name) {
        let options = ModelOptions { remote: remote_options(args)?, ..options };
        return connect(name, options.for_remote());
    }
    if args.base_url.is_some() || args.truncate.is_some() {
        let reason =
            "--base-url and --truncate are for providers; this model runs here (--dimensions keeps the first values)";
        return Err(Failure::new(USAGE, format!("{name}: {reason}")));
    }
    let embedder = gyeol::embed::open(name, &options).map_err(Error::from)?;
    Ok(Model { embedder: embedder.into(), remote: None })
}

fn connect(name: &str, options: RemoteOptions) -> Result<Model, Failure> {
    let remote = Remote::new(name, options).and_then(Remote::connect).map_err(Error::from)?;
    let remote = Arc::new(remote);
    Ok(Model { embedder: remote.clone(), remote: Some(remote) })
}

/// How providers are asked, as it was typed.
pub fn remote_options(args: &ModelArgs) -> Result<RemoteOptions, Failure> {
    let cache = match cache(args) {
        None => None,
        Some((config, is_named)) => match config.open() {
            Ok(cache) => Some(cache),
            Err(error) if is_named => return Err(Error::from(error).into()),
            Err(error) => {
                print::note(&format!("vectors are not kept: {error}"));
                None
            }
        },
    };
    let (tokens, bytes) = (args.batch_tokens, args.batch_bytes);
    Ok(RemoteOptions {
        base_url: args.base_url.clone(),
        truncate: args.truncate,
        limits: Limits { inputs: args.batch_texts, tokens, bytes, text_tokens: args.text_tokens },
        concurrency: args.concurrency,
        timeout: Duration::from_secs(args.timeout),
        retry: Retry { repeats: args.retries, ..Retry::default() },
        rate_limit: RateLimit {
            requests_per_minute: args.requests_per_minute,
            tokens_per_minute: args.tokens_per_minute,
        },
        cache,
        ..RemoteOptions::default()
    })
}

/// The cache, and whether it was named.
fn cache(args: &ModelArgs) -> Option<(CacheConfig, bool)> {
    let ttl = args.cache_ttl;
    let named = args.cache.is_some() || ttl != 0;
    match &args.cache {
        _ if args.no_cache => None,
        Some(place) => Some((cache_at(place, ttl), named)),
        None => default_cache().map(|dir| (CacheConfig::File { dir, ttl }, named)),
    }
}

/// The cache at a place that was typed: a server's URL, or a folder.
pub fn cache_at(place: &Path, ttl: i64) -> CacheConfig {
    let text = place.to_string_lossy();
    let schemes = ["redis://", "rediss://", "redis+unix://", "unix://"];
    if schemes.iter().any(|scheme| text.starts_with(scheme)) {
        CacheConfig::Redis { url: text.into_owned(), ttl }
    } else {
        CacheConfig::File { dir: place.to_owned(), ttl }
    }
}

/// Where vectors are kept when nothing else is said.
pub fn default_cache() -> Option<PathBuf> {
    etcetera::choose_base_strategy().ok().map(|base| base.cache_dir().join(CACHE))
}

/// Shows downloads on a terminal.
fn on_download() -> OnDownload {
    let bar: Mutex<Option<ProgressBar>> = Mutex::new(None);
    Arc::new(move |name, done, total| {
        let Ok(mut bar) = bar.lock() else { return };
        if done == 0 {
            let new = ProgressBar::new(total);
            let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg} {eta}");
            new.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            new.set_message(print::shown(name).into_owned());
            *bar = Some(new);
        }
        if let Some(bar) = bar.as_ref() {
            bar.set_position(done);
            if done == total {
                bar.finish_and_clear();
            }
        }
    })
}

/// What a provider's model took, in words.
pub fn took(usage: &Usage) -> String {
    let estimated = if usage.estimated_tokens > 0 {
        format!(" (and up to {} more)", usage.estimated_tokens)
    } else {
        String::new()
    };
    format!(
        "{} requests ({} repeated), {} tokens{estimated}, {} texts from the cache",
        usage.requests, usage.retries, usage.tokens, usage.cache_hits
    )
}
