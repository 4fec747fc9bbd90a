//! `gyeol search`.

mod answer;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use gyeol::collection::search::Cursor;
use gyeol::collection::{Found, Mode, Search, Target};
use gyeol::rerank::Reranker;
use gyeol::{Collection, Effort, Filter, Hit};

pub use self::answer::HitLine;

use self::answer::Answer;
use super::args::SearchArgs;
use super::failure::{Failure, IO, USAGE};
use super::{Outcome, lines, locate, model, print};

/// Characters of a text that are shown of a hit.
const SHOWN: usize = 280;
/// Queries that are answered together.
const BATCH: usize = 256;

pub fn run(args: &SearchArgs) -> Result<Outcome, Failure> {
    // What was typed is looked at before the collection is.
    let filter = args.filter.as_deref().map(parsed::<Filter>).transpose()?;
    let after = args.shape.after.as_deref().map(parsed::<Cursor>).transpose()?;
    let vector = args.vector.as_deref().map(vector).transpose()?;
    let reranker = reranker(args)?;
    let path = locate::collection(args.collection.as_deref())?;
    let collection = Collection::open(&path, model::of_collection(&args.model, &path)?)?;
    let text = args.query.join(" ");
    let asked = Asked { args, filter: filter.as_ref(), after, reranker: reranker.as_deref() };
    let any = match (&args.queries, &args.like, &vector) {
        (Some(queries), _, _) => many(&asked, &collection, queries)?,
        (_, Some(key), _) => one(&asked, None, collection.search_for(Target::Key(key)))?,
        (_, _, Some(vector)) => one(&asked, None, collection.search_for(Target::Vector(vector)))?,
        _ => one(&asked, Some(&text), collection.search(&text))?,
    };
    Ok(if any { Outcome::Done } else { Outcome::NothingFound })
}

fn parsed<T: std::str::FromStr>(text: &str) -> Result<T, Failure>
where
    gyeol::Error: From<T::Err>,
{
    text.parse().map_err(|error| gyeol::Error::from(error).into())
}

/// The first row of a file.
fn vector(path: &Path) -> Result<Vec<f32>, Failure> {
    let rows = gyeol::vectors::npy::read(path)?;
    if rows.is_empty() {
        return Err(Failure::new(USAGE, format!("{}: it has no row", path.display())));
    }
    Ok(rows.row(0).to_vec())
}

#[cfg(feature = "rerank")]
fn reranker(args: &SearchArgs) -> Result<Option<Box<dyn Reranker>>, Failure> {
    use gyeol::rerank::{CrossEncoder, CrossEncoderOptions};
    let Some(folder) = &args.shape.rerank else { return Ok(None) };
    let reranker = CrossEncoder::open(folder, &CrossEncoderOptions::default()).map_err(gyeol::Error::from)?;
    Ok(Some(Box::new(reranker)))
}

#[cfg(not(feature = "rerank"))]
fn reranker(_: &SearchArgs) -> Result<Option<Box<dyn Reranker>>, Failure> {
    Ok(None)
}

/// What was typed beside the query.
struct Asked<'a> {
    args: &'a SearchArgs,
    filter: Option<&'a Filter>,
    after: Option<Cursor>,
    reranker: Option<&'a dyn Reranker>,
}

impl<'a> Asked<'a> {
    /// A search as it was typed.
    fn of(&self, search: Search<'a>) -> Search<'a> {
        let args = self.args;
        let effort = if args.exact { Effort::Exact } else { args.effort.effort() };
        let search = search.mode(args.leg.mode()).fusion(args.leg.fusion()).effort(effort).paranoid(args.paranoid);
        let mut search = args.shape.shape(search, self.after);
        if let Some(filter) = self.filter {
            search = search.filter(filter);
        }
        if let Some(reranker) = self.reranker {
            search = search.rerank(reranker);
        }
        let texts = args.unlike.iter().map(|text| Target::Text(text));
        texts.chain(args.unlike_key.iter().map(|key| Target::Key(key))).fold(search, Search::unlike)
    }
}

/// Runs one search and prints it; whether anything was found.
fn one<'a>(asked: &Asked<'a>, query: Option<&str>, search: Search<'a>) -> Result<bool, Failure> {
    let found = asked.of(search).run()?;
    tell(asked.args, query, &found);
    if asked.args.json {
        print::json(&Answer::new(query, &found, asked.args.explain))?;
    } else {
        print::out(|out| show_all(out, &found, asked.args.full))?;
    }
    if found.hits.is_empty() {
        print::note("nothing found");
    }
    Ok(!found.hits.is_empty())
}

/// Runs a search for each line; whether anything was found for any.
fn many(asked: &Asked<'_>, collection: &Collection, path: &Path) -> Result<bool, Failure> {
    let name = if path == Path::new("-") { "stdin".to_owned() } else { path.display().to_string() };
    let mut input: Box<dyn BufRead> = match path == Path::new("-") {
        true => Box::new(io::stdin().lock()),
        false => Box::new(BufReader::new(File::open(path).map_err(|e| Failure::new(IO, format!("{name}: {e}")))?)),
    };
    let (mut any, mut before) = (false, 0);
    loop {
        let queries = lines::read(&mut input, &name, before, BATCH)?;
        if queries.is_empty() {
            return Ok(any);
        }
        if let Some(blank) = queries.iter().position(|query| query.trim().is_empty()) {
            return Err(Failure::new(USAGE, format!("{name}: line {} is blank", before + blank + 1)));
        }
        before += queries.len();
        let texts: Vec<&str> = queries.iter().map(String::as_str).collect();
        let all = collection.search_many(&texts, |search| asked.of(search))?;
        for (query, found) in texts.iter().zip(&all) {
            any |= !found.hits.is_empty();
            tell(asked.args, Some(query), found);
            if asked.args.json {
                print::json(&Answer::new(Some(query), found, asked.args.explain))?;
            } else {
                let heading = Style::new().bold().underline();
                print::out(|out| {
                    writeln!(out, "{heading}{}{heading:#}\n", print::shown(query))?;
                    show_all(out, found, asked.args.full)?;
                    writeln!(out)
                })?;
            }
        }
    }
}

/// What is to be known beside the hits.
fn tell(args: &SearchArgs, query: Option<&str>, found: &Found) {
    found.warnings.iter().for_each(|warning| print::note(&format!("warning: {}", print::shown(warning))));
    let of = query.filter(|_| args.queries.is_some()).map(|q| format!("{}: ", print::shown(q))).unwrap_or_default();
    if query.is_some() && found.mode == Mode::Lexical && args.leg.mode() != Mode::Lexical {
        print::note(&format!("{of}the model knows no word of the query, so it was searched by words"));
    }
    if args.explain && !args.json {
        explain(found);
    }
    if let Some(next) = found.next.filter(|_| !args.json && args.shape.after.is_some()) {
        print::note(&format!("{of}the next page: --after {next}"));
    }
}

fn explain(found: &Found) {
    print::note(&format!("searched by: {}", found.mode));
    if let Some(matches) = found.matches {
        print::note(&format!("filter: {matches} texts pass"));
    }
    for (i, work) in found.work.iter().enumerate() {
        let ef = if work.ef > 0 { format!(", ef {}", work.ef) } else { String::new() };
        let (among, compared, rescored) = (work.among, work.compared, work.rescored);
        print::note(&format!(
            "vectors {i}: {}{ef} ({}): of {among} rows {compared} compared, {rescored} again in full",
            work.plan, work.why
        ));
    }
    if let Some(next) = found.next {
        print::note(&format!("the next page: --after {next}"));
    }
}

fn show_all(out: &mut dyn Write, found: &Found, full: bool) -> io::Result<()> {
    found.hits.iter().enumerate().try_for_each(|(i, hit)| {
        if i > 0 {
            writeln!(out)?;
        }
        show(out, hit, full)
    })
}

/// One hit: score, place, headings, text.
pub fn show(out: &mut dyn Write, hit: &Hit, full: bool) -> io::Result<()> {
    let strong = Style::new().bold();
    let path = AnsiColor::Cyan.on_default();
    let dim = Style::new().dimmed();
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
