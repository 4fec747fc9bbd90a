//! `gyeol recall`.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

use gyeol::collection::Sample;
use gyeol::index::Recall;
use gyeol::{Collection, Effort};
use serde::Serialize;

use super::args::RecallArgs;
use super::failure::Failure;
use super::{Outcome, lines, locate, model, print};

pub fn run(args: &RecallArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let collection = Collection::open(&path, model::of_collection(&args.model, &path)?)?;
    let status = collection.status()?;
    let vectors = (status.chunks - status.without_vector) as usize;
    let effort = args.effort.effort();
    let texts = args.queries.as_deref().map(queries).transpose()?;
    let texts: Option<Vec<&str>> = texts.as_ref().map(|texts| texts.iter().map(String::as_str).collect());
    let sample = texts.as_ref().map_or(Sample::Rows(args.sample), |texts| Sample::Queries(texts));
    let measured = collection.measure_recall(sample, args.k, effort)?;
    let asked = measured.map_or(0, |m| m.queries);
    if let Some(texts) = texts.as_ref().filter(|texts| measured.is_some() && texts.len() > asked) {
        print::note(&format!(
            "{} of {} queries have no vector and were left out: they are blank, or the model knows none of their tokens",
            texts.len() - asked,
            texts.len()
        ));
    }
    let figures = Figures::new(args.k, vectors, texts.map(|texts| texts.len()), effort, measured.as_ref());
    if args.json {
        print::json(&figures)?;
    }
    let Some(measured) = measured else {
        print::note(&format!("nothing to measure: {}", figures.nothing()));
        return Ok(Outcome::NothingFound);
    };
    if !args.json {
        print::out(|out| {
            let Recall { recall, low, high, k, compared, .. } = measured;
            writeln!(out, "recall@{k} {recall:.3} (95 % interval {low:.3} to {high:.3})")?;
            writeln!(out, "{}", figures.asked())?;
            writeln!(out, "effort: {}; {compared:.0} rows compared a query", figures.effort)
        })?;
    }
    Ok(Outcome::Done)
}

/// The lines of a file, or of stdin.
fn queries(path: &Path) -> Result<Vec<String>, Failure> {
    if path == Path::new("-") {
        return lines::read(&mut io::stdin().lock(), "stdin", 0, usize::MAX);
    }
    let name = path.display().to_string();
    let file = File::open(path).map_err(|e| Failure::stream(&name, &e))?;
    lines::read(&mut BufReader::new(file), &name, 0, usize::MAX)
}

/// The figures as JSON; those of a measurement that could not be made are null.
#[derive(Serialize)]
struct Figures {
    schema: u32,
    k: usize,
    recall: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    /// Queries asked.
    asked: usize,
    /// Vectors of the collection.
    vectors: usize,
    /// Queries given; null where the collection's own vectors were asked.
    queries: Option<usize>,
    effort: String,
    compared: Option<f64>,
}

impl Figures {
    fn new(k: usize, vectors: usize, queries: Option<usize>, effort: Effort, measured: Option<&Recall>) -> Self {
        Figures {
            schema: 1,
            k,
            recall: measured.map(|m| m.recall),
            low: measured.map(|m| m.low),
            high: measured.map(|m| m.high),
            asked: measured.map_or(0, |m| m.queries),
            vectors,
            queries,
            effort: match effort {
                Effort::Recall(recall) => format!("recall {recall}"),
                Effort::Ef(ef) => format!("ef {ef}"),
                Effort::Exact => "exact".to_owned(),
            },
            compared: measured.map(|m| m.compared),
        }
    }

    fn asked(&self) -> String {
        let Figures { asked, vectors, .. } = self;
        match self.queries {
            None => format!("{asked} of {vectors} vectors asked, each for the nearest others"),
            Some(given) => format!("{asked} of {given} queries asked, for the nearest of {vectors} vectors"),
        }
    }

    /// Why there is nothing to measure, and what to do.
    fn nothing(&self) -> String {
        match (self.queries, self.vectors) {
            (_, 0) => "the collection has no vectors; add texts with `gyeol index`".to_owned(),
            (None, _) => {
                "a single vector has no neighbours; add texts with `gyeol index`, or ask with --queries".to_owned()
            }
            (Some(0), _) => "there are no queries; write one a line".to_owned(),
            (Some(_), _) => "no query has a vector: they are blank, or the model knows none of their tokens".to_owned(),
        }
    }
}
