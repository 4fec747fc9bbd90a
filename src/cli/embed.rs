//! `gyeol embed`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use gyeol::embed::{EmbedProgress, Embedder, Embeddings, Outcome as Embedded, Remote, Role, embed_many};
use gyeol::error::EmbedError;
use gyeol::vectors::npy::NpyWriter;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use super::args::EmbedArgs;
use super::failure::{Failure, IO, PROVIDER};
use super::{Outcome, lines, model, print};

/// Refused lines that are told one by one.
const TOLD: usize = 10;

/// A line of the answer.
#[derive(Serialize)]
struct Line<'a> {
    index: usize,
    vector: Option<&'a [f32]>,
    /// Whether the vector was kept from an earlier call, and cost nothing.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    cache_hit: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// What embeds: a model behind HTTP tells more of a call than others do.
enum Source {
    Remote(Box<Remote>),
    Other(Box<dyn Embedder>),
}

/// Where vectors go.
enum Out<'a> {
    Lines(Box<dyn Write>),
    /// The file is begun when the dimension is known; rows without a vector may come before that.
    Npy {
        path: &'a Path,
        file: Option<File>,
        writer: Option<Box<NpyWriter<File>>>,
        waiting: usize,
    },
}

pub fn run(args: &EmbedArgs) -> Result<Outcome, Failure> {
    let source = open(args)?;
    let role = if args.query { Role::Query } else { Role::Document };
    let mut out = match &args.out {
        None => Out::Lines(Box::new(print::stdout())),
        Some(path) => {
            let file = File::create(path).map_err(|e| file_failure(path, &e))?;
            Out::Npy { path, file: Some(file), writer: None, waiting: 0 }
        }
    };
    let bar = progress_bar();
    let mut input = io::stdin().lock();
    let (mut index, mut missing, mut refused) = (0, 0, 0);
    let mut failure = None;
    while failure.is_none() {
        let lines = lines::read(&mut input, "stdin", index, source.at_once())?;
        if lines.is_empty() {
            break;
        }
        let Embedded { mut embeddings, failure: ended, .. } = source.embed(&lines, role, &bar)?;
        // What follows the first text without an answer would be out of place in a stream.
        let answered = embeddings.answers.iter().position(|a| *a == gyeol::embed::Answer::Unanswered);
        let answered = answered.unwrap_or(lines.len());
        embeddings.refusals.retain(|refusal| refusal.index < answered);
        for refusal in embeddings.refusals.iter().take(TOLD.saturating_sub(refused)) {
            print::note(&format!("line {}: {}", index + refusal.index + 1, print::shown(&refusal.reason)));
        }
        refused += embeddings.refusals.len();
        missing += (0..answered).filter(|&i| embeddings.get(i).is_none()).count();
        out.write(index, answered, &embeddings)?;
        failure = ended.map(|error| error.offset(index));
        index += lines.len();
    }
    bar.finish_and_clear();
    out.finish(source.dim())?;
    tell(&source, index, missing, refused);
    if let Some(error) = failure {
        return Err(gyeol::Error::from(error).into());
    }
    match refused {
        0 => Ok(Outcome::Done),
        n => Err(Failure::new(PROVIDER, format!("{n} of {index} lines were refused; the others have their vectors"))),
    }
}

fn open(args: &EmbedArgs) -> Result<Source, Failure> {
    let name = args.model.model.as_deref().unwrap_or(model::DEFAULT);
    if !model::is_remote(name) {
        return Ok(Source::Other(Box::new(model::open(&args.model, name)?.embedder)));
    }
    let options = gyeol::embed::RemoteOptions {
        dimensions: args.model.dimensions,
        query_prefix: args.model.query_prefix.clone().unwrap_or_default(),
        document_prefix: args.model.document_prefix.clone().unwrap_or_default(),
        refuse_long: args.model.refuse_long,
        ..model::remote_options(&args.model)?
    };
    Ok(Source::Remote(Box::new(Remote::new(name, options).map_err(gyeol::Error::from)?)))
}

impl Source {
    /// Lines that are read together.
    fn at_once(&self) -> usize {
        match self {
            Source::Remote(remote) => remote.texts_at_once(),
            Source::Other(model) => 2 * model.texts_at_once(),
        }
    }

    fn dim(&self) -> Option<usize> {
        match self {
            Source::Remote(remote) => remote.dim(),
            Source::Other(model) => Some(model.identity().dim),
        }
    }

    fn embed(&self, lines: &[String], role: Role, bar: &ProgressBar) -> Result<Embedded, Failure> {
        let done = match self {
            Source::Other(model) => embed_many(model, lines, role).map(Embedded::from),
            Source::Remote(remote) => {
                let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
                let before = bar.position();
                remote.embed_with(&lines, role, &mut |progress: &EmbedProgress| {
                    bar.set_position(before + progress.done as u64);
                    bar.set_message(format!("{} tokens", progress.usage.tokens + progress.usage.estimated_tokens));
                })
            }
        };
        done.map_err(|error: EmbedError| gyeol::Error::from(error).into())
    }
}

fn tell(source: &Source, lines: usize, missing: usize, refused: usize) {
    if missing > refused {
        let n = missing - refused;
        print::note(&format!(
            "{n} of {lines} lines have no vector: they are blank, or the model knows none of their tokens"
        ));
    }
    if let Source::Remote(remote) = source {
        let usage = remote.usage();
        print::note(&model::took(&usage));
        if usage.cache_failures > 0 {
            print::note(&format!(
                "the cache failed {} times; its texts were embedded all the same",
                usage.cache_failures
            ));
        }
    }
}

/// Drawn on stderr, and only when that is a terminal.
fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{pos} lines {per_sec} {msg} {elapsed}");
    ProgressBar::new_spinner().with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

impl Out<'_> {
    fn write(&mut self, first: usize, count: usize, answer: &Embeddings) -> Result<(), Failure> {
        match self {
            Out::Lines(out) => {
                let mut lines = (0..count).map(|i| {
                    let refusal = answer.refusals.iter().find(|refusal| refusal.index == i);
                    let cache_hit = answer.from_cache.binary_search(&i).is_ok();
                    let error = refusal.map(|refusal| refusal.reason.as_str());
                    serde_json::to_writer(
                        &mut *out,
                        &Line { index: first + i, vector: answer.get(i), cache_hit, error },
                    )?;
                    writeln!(out)
                });
                lines.try_for_each(|line| line).map_err(|e| Failure::stream("stdout", &e))
            }
            Out::Npy { path, file, writer, waiting } => {
                let (dim, any) = (answer.vectors.dim(), (0..count).any(|i| answer.get(i).is_some()));
                if writer.is_none() && !any {
                    *waiting += count;
                    return Ok(());
                }
                let mut write = || {
                    if let Some(file) = file.take() {
                        let mut new = NpyWriter::new(file, dim)?;
                        new.write_rows(&vec![0.0; *waiting * dim])?;
                        *writer = Some(Box::new(new));
                    }
                    match writer {
                        // Rows of nothing but blanks do not know the dimension of the others.
                        Some(writer) if !any => {
                            (0..count).try_for_each(|_| writer.write_rows(&vec![0.0; writer.dim()]))
                        }
                        Some(writer) => writer.write_rows(&answer.vectors.as_slice()[..count * dim]),
                        None => Ok(()),
                    }
                };
                write().map_err(|e| file_failure(path, &e))
            }
        }
    }

    fn finish(self, dim: Option<usize>) -> Result<(), Failure> {
        match self {
            Out::Lines(mut out) => out.flush().map_err(|e| Failure::stream("stdout", &e)),
            Out::Npy { path, file, writer, waiting } => {
                let done = || match (writer, file) {
                    (Some(writer), _) => writer.finish().map(drop),
                    (None, Some(file)) => {
                        let dim = dim.unwrap_or(1);
                        let mut writer = NpyWriter::new(file, dim)?;
                        writer.write_rows(&vec![0.0; waiting * dim])?;
                        writer.finish().map(drop)
                    }
                    (None, None) => Ok(()),
                };
                done().map_err(|e| file_failure(path, &e))
            }
        }
    }
}

fn file_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::new(IO, format!("{}: {error}", path.display()))
}
