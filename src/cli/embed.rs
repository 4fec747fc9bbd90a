//! `gyeol embed`.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use gyeol::embed::{Embedder, Embeddings, Role, builtin, embed_many};
use gyeol::vectors::npy::NpyWriter;
use serde::Serialize;

use super::args::EmbedArgs;
use super::failure::{Failure, IO};
use super::{Outcome, lines, print};

/// Lines embedded at once.
const BATCH: usize = 8192;

/// A line of the answer.
#[derive(Serialize)]
struct Line<'a> {
    index: usize,
    vector: Option<&'a [f32]>,
}

/// Where vectors go.
enum Out<'a> {
    Lines(Box<dyn Write>),
    Npy(Box<NpyWriter<File>>, &'a Path),
}

pub fn run(args: &EmbedArgs) -> Result<Outcome, Failure> {
    let embedder = builtin();
    let role = if args.query { Role::Query } else { Role::Document };
    let mut out = match &args.out {
        None => Out::Lines(Box::new(print::stdout())),
        Some(path) => {
            let writer = File::create(path).and_then(|file| NpyWriter::new(file, embedder.identity().dim));
            Out::Npy(Box::new(writer.map_err(|e| file_failure(path, &e))?), path)
        }
    };
    let mut input = io::stdin().lock();
    let (mut index, mut missing) = (0, 0);
    loop {
        let lines = lines::read(&mut input, "stdin", index, BATCH)?;
        if lines.is_empty() {
            break;
        }
        let answer = embed_many(&embedder, &lines, role).map_err(gyeol::Error::from)?;
        missing += answer.missing();
        out.write(index, &answer)?;
        index += lines.len();
    }
    out.finish()?;
    if missing > 0 {
        print::note(&format!(
            "{missing} of {index} lines have no vector: they are blank, or the model knows none of their tokens"
        ));
    }
    Ok(Outcome::Done)
}

impl Out<'_> {
    fn write(&mut self, first: usize, answer: &Embeddings) -> Result<(), Failure> {
        match self {
            Out::Lines(out) => {
                let mut lines = (0..answer.answers.len()).map(|i| {
                    serde_json::to_writer(&mut *out, &Line { index: first + i, vector: answer.get(i) })?;
                    writeln!(out)
                });
                lines.try_for_each(|line| line).map_err(|e| Failure::stream("stdout", &e))
            }
            Out::Npy(npy, path) => npy.write_rows(answer.vectors.as_slice()).map_err(|e| file_failure(path, &e)),
        }
    }

    fn finish(self) -> Result<(), Failure> {
        match self {
            Out::Lines(mut out) => out.flush().map_err(|e| Failure::stream("stdout", &e)),
            Out::Npy(npy, path) => npy.finish().map(drop).map_err(|e| file_failure(path, &e)),
        }
    }
}

fn file_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::new(IO, format!("{}: {error}", path.display()))
}
