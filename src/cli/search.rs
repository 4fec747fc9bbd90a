//! `gyeol search`.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use gyeol::collection::{Found, Mode};
use gyeol::{Collection, Effort, Hit};
use serde::Serialize;
use serde_json::{Map, Value};

use super::args::SearchArgs;
use super::failure::Failure;
use super::{Outcome, locate, print};

/// Characters of a text that are shown of a hit.
const SHOWN: usize = 280;

pub fn run(args: &SearchArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let collection = Collection::open(path, gyeol::embed::builtin())?;
    let query = args.query.join(" ");
    let mode = if args.lexical { Mode::Lexical } else { Mode::Dense };
    let effort = if args.exact { Effort::Exact } else { args.effort.effort() };
    let found = collection.search(&query).k(args.k).mode(mode).effort(effort).paranoid(args.paranoid).run()?;
    found.warnings.iter().for_each(|warning| print::note(&format!("warning: {}", print::shown(warning))));
    if found.mode != mode {
        print::note("the model knows no word of the query, so it was searched by words");
    }
    if args.explain && !args.json {
        explain(&found);
    }
    if args.json {
        print::json(&Answer::new(&query, &found, args.explain))?;
    } else {
        print::out(|out| found.hits.iter().enumerate().try_for_each(|(i, hit)| show(out, i, hit, args.full)))?;
    }
    if found.hits.is_empty() {
        print::note("nothing found");
        return Ok(Outcome::NothingFound);
    }
    Ok(Outcome::Done)
}

/// The answer as JSON.
#[derive(Serialize)]
struct Answer<'a> {
    schema: u32,
    query: &'a str,
    mode: String,
    hits: Vec<HitLine<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Vec<Explained>>,
}

/// How one segment of vectors was searched.
#[derive(Serialize)]
struct Explained {
    plan: String,
    ef: usize,
    compared: usize,
    rescored: usize,
}

fn explain(found: &Found) {
    if found.work.is_empty() {
        print::note(&format!("searched by: {}; no vectors compared", found.mode));
    }
    for (i, work) in found.work.iter().enumerate() {
        let ef = if work.ef > 0 { format!(", ef {}", work.ef) } else { String::new() };
        let (compared, rescored) = (work.compared, work.rescored);
        print::note(&format!("segment {i}: {}{ef}, {compared} rows compared, {rescored} again in full", work.plan));
    }
}

#[derive(Serialize)]
struct HitLine<'a> {
    key: &'a str,
    score: f32,
    path: Option<&'a str>,
    lines: (u64, u64),
    bytes: (u64, u64),
    text: &'a str,
    payload: &'a Map<String, Value>,
}

impl<'a> Answer<'a> {
    fn new(query: &'a str, found: &'a Found, explain: bool) -> Self {
        let line = |hit: &'a Hit| HitLine {
            key: &hit.key,
            score: hit.score,
            path: hit.source.path.as_deref(),
            lines: hit.source.lines,
            bytes: hit.source.bytes,
            text: &hit.text,
            payload: &hit.payload,
        };
        let explained = |work: &gyeol::index::Work| Explained {
            plan: work.plan.to_string(),
            ef: work.ef,
            compared: work.compared,
            rescored: work.rescored,
        };
        Answer {
            schema: 1,
            query,
            mode: found.mode.to_string(),
            hits: found.hits.iter().map(line).collect(),
            warnings: &found.warnings,
            explain: explain.then(|| found.work.iter().map(explained).collect()),
        }
    }
}

fn show(out: &mut dyn Write, place: usize, hit: &Hit, full: bool) -> io::Result<()> {
    let strong = Style::new().bold();
    let path = AnsiColor::Cyan.on_default();
    let dim = Style::new().dimmed();
    if place > 0 {
        writeln!(out)?;
    }
    let source = match hit.source.path {
        Some(_) => hit.source.to_string(),
        None => hit.key.clone(),
    };
    write!(out, "{strong}{:.3}{strong:#}  {path}{}{path:#}", hit.score, print::shown(&source))?;
    let by_row = hit.source.path.as_deref().is_some_and(|path| !hit.key.starts_with(path));
    if by_row {
        write!(out, "  {dim}{}{dim:#}", print::shown(&hit.key))?;
    }
    writeln!(out)?;
    if !hit.headings.is_empty() {
        writeln!(out, "  {dim}{}{dim:#}", print::shown(&hit.headings.join(" › ")))?;
    }
    if !full {
        return writeln!(out, "  {}", print::shown(&print::beginning(&hit.text, SHOWN)));
    }
    hit.text.lines().try_for_each(|line| writeln!(out, "  {}", print::shown(line)))
}
