//! `gyeol index`.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use gyeol::Collection;
use gyeol::collection::{AddOptions, Report};
use gyeol::text::{ChunkSize, Fields};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};

use super::args::IndexArgs;
use super::failure::{Failure, IO};
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
    let mut collection = open(args, &path)?;
    let stop = Stop::on_ctrl_c()?;
    let bar = progress_bar(args.quiet);
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
        print::json(&as_json(&report))?;
    } else if !args.quiet {
        show(&dir, &report, args.rebuild)?;
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

fn open(args: &IndexArgs, path: &Path) -> Result<Collection, Failure> {
    let embedder = gyeol::embed::builtin();
    let chunk = match (args.whole, args.chunk_tokens) {
        (true, _) => Some(ChunkSize::Whole),
        (false, tokens) => tokens.map(ChunkSize::Tokens),
    };
    Ok(match chunk {
        _ if args.rebuild => Collection::rebuild(path, embedder, chunk.unwrap_or_default())?,
        Some(chunk) => Collection::open_or_create_with(path, embedder, chunk)?,
        None => Collection::open_or_create(path, embedder)?,
    })
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
