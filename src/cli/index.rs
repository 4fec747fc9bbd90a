//! `gyeol index`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gyeol::Collection;
use gyeol::collection::{AddOptions, Report};
use gyeol::embed::{ModelIdentity, Prices, Usage};
use gyeol::error::CollectionError;
use gyeol::text::{ChunkSize, Fields};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::args::IndexArgs;
use super::failure::{Failure, IO, USAGE};
use super::model::{self, Model};
use super::stop::Stop;
use super::{Outcome, locate, print};

/// At most this long, and one group of files, is lost when the process is killed.
const COMMIT_EVERY: Duration = Duration::from_secs(60);
/// Skipped files that are listed on a terminal.
const LISTED: usize = 20;

pub fn run(args: &IndexArgs) -> Result<Outcome, Failure> {
    let started = Instant::now();
    let (dir, path) = places(args)?;
    // Looked at first, so that a mistyped name leaves no empty collection behind.
    std::fs::read_dir(&dir).map_err(|e| Failure::new(IO, format!("{}: cannot read the folder: {e}", dir.display())))?;
    if args.dry_run {
        return dry_run(args, &dir, &path);
    }
    let stop = Stop::on_ctrl_c()?;
    let bar = progress_bar(args.quiet);
    let Some((mut collection, model)) = open(args, &path, &stop, &bar)? else {
        bar.finish_and_clear();
        print::note("interrupted: the collection is as it was");
        return Ok(Outcome::Interrupted);
    };
    let options = AddOptions {
        fields: fields(args),
        // Until a collection is made anew as a whole, the old one stands.
        commit_every: (!args.rebuild).then_some(COMMIT_EVERY),
    };
    let added = collection.add_dir_with(&dir, &options, &mut |progress| {
        bar.set_length(progress.total_bytes);
        bar.set_position(progress.bytes);
        bar.set_message(format!("{} chunks", progress.chunks));
        stop.flow()
    });
    bar.set_message("writing");
    let whole = added.as_ref().is_ok_and(|report| !report.cancelled);
    // Also after an error or Ctrl-C: what was finished by then is kept. But no part of a new
    // collection takes the place of a whole old one.
    let committed = if whole || !args.rebuild { collection.commit() } else { Ok(()) };
    bar.finish_and_clear();
    let mut report = added?;
    committed?;
    report.seconds = started.elapsed().as_secs_f64();
    if args.json {
        let mut out = as_json(&report);
        out["usage"] = model.usage().map_or(Value::Null, |usage| usage_json(&usage));
        print::json(&out)?;
    } else if !args.quiet {
        show(&dir, &report, args.rebuild)?;
        if let Some(usage) = model.usage() {
            print::note(&model::took(&usage));
        }
    }
    Ok(if report.cancelled { Outcome::Interrupted } else { Outcome::Done })
}

/// The folder to read and the collection it goes to.
fn places(args: &IndexArgs) -> Result<(PathBuf, PathBuf), Failure> {
    Ok(match (&args.dir, &args.collection) {
        (Some(dir), Some(given)) => (dir.clone(), locate::of(given)),
        (Some(dir), None) => (dir.clone(), locate::of(dir)),
        (None, Some(given)) => {
            let path = std::path::absolute(locate::of(given)).map_err(|e| Failure::new(IO, e.to_string()))?;
            (path.parent().unwrap_or(&path).to_owned(), path)
        }
        (None, None) => match locate::upward()? {
            Some(path) => (path.parent().unwrap_or(&path).to_owned(), path),
            None => (PathBuf::from("."), locate::of(Path::new("."))),
        },
    })
}

fn fields(args: &IndexArgs) -> Option<Fields> {
    let default = Fields::default();
    (args.key_field.is_some() || args.text_field.is_some()).then(|| Fields {
        key: args.key_field.clone().unwrap_or(default.key),
        text: args.text_field.clone().unwrap_or(default.text),
    })
}

/// Tokens in a chunk with models other than the built-in one, which is best with shorter ones.
const CHUNK_TOKENS: usize = 192;

/// How documents are cut that no collection has yet.
fn chunk_of(args: &IndexArgs, model: &str) -> ChunkSize {
    match (args.whole, args.chunk_tokens) {
        (true, _) => ChunkSize::Whole,
        (false, Some(tokens)) => ChunkSize::Tokens(tokens),
        (false, None) if model.starts_with(model::DEFAULT) => ChunkSize::default(),
        (false, None) => ChunkSize::Tokens(CHUNK_TOKENS),
    }
}

/// The collection and its model; `None` when it was interrupted while another model took the place of the old one.
fn open(args: &IndexArgs, path: &Path, stop: &Stop, bar: &ProgressBar) -> Result<Option<(Collection, Model)>, Failure> {
    let stored = if path.is_dir() { stored(args, path)? } else { None };
    let model = match &stored {
        Some(stored) => model::stored_or_named(&args.model, stored)?,
        None => model::open(&args.model, args.model.model.as_deref().unwrap_or(model::DEFAULT))?,
    };
    let embedder = model.embedder.clone();
    let chunk = chunk_of(args, &embedder.identity().name);
    if args.rebuild {
        return Ok(Some((Collection::rebuild(path, embedder, chunk)?, model)));
    }
    let is_said = args.whole || args.chunk_tokens.is_some();
    let is_new = stored.is_none();
    if let Some(stored) = stored.filter(|stored| !stored.is_interchangeable(embedder.identity())) {
        if is_said {
            let reason = "another model keeps the chunks as they are; add --rebuild to cut the files anew";
            return Err(Failure::new(USAGE, reason));
        }
        if !args.quiet {
            print::note(&format!(
                "from {stored} to {}: embedding all texts anew; searches see the old ones meanwhile",
                embedder.identity()
            ));
        }
        let changed = Collection::change_model(path, embedder, &mut |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
            bar.set_message(format!("{} chunks", progress.chunks));
            stop.flow()
        })?;
        let Some(mut collection) = changed else { return Ok(None) };
        collection.commit()?;
        collection.save_clusters(None)?;
        return Ok(Some((collection, model)));
    }
    let collection = match is_new || is_said {
        true => Collection::open_or_create_with(path, embedder, chunk)?,
        false => Collection::open_or_create(path, embedder)?,
    };
    Ok(Some((collection, model)))
}

/// The model that the collection remembers; `None` when there is no collection yet, or a damaged one is made anew.
fn stored(args: &IndexArgs, path: &Path) -> Result<Option<ModelIdentity>, Failure> {
    match Collection::model_of(path) {
        Ok(stored) => Ok(Some(stored)),
        Err(gyeol::Error::Collection(CollectionError::NotFound { .. })) => Ok(None),
        Err(_) if args.rebuild => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Says what it would take.
fn dry_run(args: &IndexArgs, dir: &Path, path: &Path) -> Result<Outcome, Failure> {
    let stored = if path.is_dir() { stored(args, path)? } else { None };
    let known = stored.as_ref().map(|stored| stored.name.as_str());
    let name = args.model.model.as_deref().or(known).unwrap_or(model::DEFAULT);
    let model = if model::is_remote(name) { None } else { Some(model::open(&args.model, name)?) };
    let name = model.as_ref().map_or(name, |model| &model.embedder.identity().name).to_owned();
    let count = |text: &str| match &model {
        Some(model) => model.embedder.count_tokens(text),
        None => gyeol::embed::estimated_tokens(text),
    };
    let prices = Prices::load().map_err(gyeol::Error::from)?;
    let options = AddOptions { fields: fields(args), commit_every: None };
    let of = Collection::estimate(path, dir, &options, chunk_of(args, &name), &name, &count)?;
    let cost = prices.of(&name).map(|price| price * of.tokens as f64 / 1e6);
    if args.json {
        print::json(&json!({
            "schema": 1,
            "model": name,
            "files": of.files,
            "unchanged": of.unchanged,
            "skipped": of.skipped,
            "bytes": of.bytes,
            "chunks": of.chunks,
            "texts": of.texts,
            "tokens": of.tokens,
            "usd": cost,
        }))?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        writeln!(out, "model      {}", print::shown(&name))?;
        writeln!(
            out,
            "files      {} to read ({} bytes), {} unchanged, {} skipped",
            of.files, of.bytes, of.unchanged, of.skipped
        )?;
        writeln!(out, "chunks     {}, of which {} are to be embedded", of.chunks, of.texts)?;
        writeln!(out, "tokens     {}{}", of.tokens, if model.is_none() { " at most, by estimate" } else { "" })?;
        match cost {
            Some(0.0) => writeln!(out, "cost       nothing: the model runs on your own machine"),
            Some(cost) => writeln!(out, "cost       ${cost:.4} at most"),
            None => writeln!(
                out,
                "cost       not known; write its price to {}",
                Prices::file().unwrap_or_default().display()
            ),
        }
    })?;
    Ok(Outcome::Done)
}

/// Drawn on stderr, and only when that is a terminal.
fn progress_bar(quiet: bool) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "{bar:30} {bytes}/{total_bytes} {msg} {elapsed}";
    let bar = bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    if !bar.is_hidden() {
        // Building the graph at the end takes its time too: the clock shows that it goes on.
        bar.enable_steady_tick(Duration::from_millis(250));
    }
    bar
}

fn usage_json(usage: &Usage) -> Value {
    json!({
        "requests": usage.requests,
        "retries": usage.retries,
        "tokens": usage.tokens,
        "estimated_tokens": usage.estimated_tokens,
        "cache_hits": usage.cache_hits,
        "seconds": usage.seconds,
    })
}

fn as_json(report: &Report) -> Value {
    let skipped: Vec<Value> = report.skipped.iter().map(|s| json!({"path": s.path, "reason": s.reason})).collect();
    json!({
        "schema": 1,
        "files": {
            "added": report.added,
            "updated": report.updated,
            "unchanged": report.unchanged,
            "removed": report.removed,
            "skipped": skipped,
        },
        "chunks": {"added": report.chunks_added, "removed": report.chunks_removed, "without_vector": report.without_vector},
        "embedded": report.embedded,
        "seconds": report.seconds,
    })
}

fn show(dir: &Path, report: &Report, rebuild: bool) -> Result<(), Failure> {
    for skipped in report.skipped.iter().take(LISTED) {
        print::note(&format!("skipped {}: {}", print::shown(&skipped.path), print::shown(&skipped.reason)));
    }
    if report.skipped.len() > LISTED {
        print::note(&format!("skipped {} more; --json lists them all", report.skipped.len() - LISTED));
    }
    print::out(|out| {
        writeln!(
            out,
            "{}: {} files added, {} updated, {} unchanged, {} removed, {} skipped",
            print::shown(&dir.display().to_string()),
            report.added,
            report.updated,
            report.unchanged,
            report.removed,
            report.skipped.len()
        )?;
        writeln!(
            out,
            "{} chunks added, {} removed; {} embedded; {:.1} s",
            report.chunks_added, report.chunks_removed, report.embedded, report.seconds
        )?;
        if report.without_vector > 0 {
            let n = report.without_vector;
            writeln!(
                out,
                "{n} chunks have no token that the model knows: they have no vector, and are found by words"
            )?;
        }
        if report.cancelled {
            let kept = if rebuild {
                "the collection is as it was"
            } else {
                "what was finished is kept, and the next run goes on"
            };
            writeln!(out, "interrupted: {kept}")?;
        }
        Ok(())
    })
}
