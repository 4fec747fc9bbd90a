//! `gyeol duplicates`.

use std::io::{self, Write};

use gyeol::collection::Duplicates;
use gyeol::{Collection, Effort};
use serde::Serialize;

use super::args::DuplicatesArgs;
use super::failure::Failure;
use super::search::{HitLine, show};
use super::{Outcome, locate, model, print};

/// The groups as JSON.
#[derive(Serialize)]
struct Groups<'a> {
    schema: u32,
    threshold: f32,
    groups: Vec<Vec<HitLine<'a>>>,
}

pub fn run(args: &DuplicatesArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let collection = Collection::open(&path, model::of_collection(&args.model, &path)?)?;
    let effort = if args.exact { Effort::Exact } else { args.effort.effort() };
    let groups = collection.duplicates(args.threshold, effort)?;
    if args.json {
        let lines = groups.iter().map(|group| group.hits.iter().map(HitLine::new).collect()).collect();
        print::json(&Groups { schema: 1, threshold: args.threshold, groups: lines })?;
    } else {
        print::out(|out| groups.iter().enumerate().try_for_each(|(i, group)| show_group(out, i, group, args.full)))?;
    }
    if groups.is_empty() {
        print::note("nothing found");
        return Ok(Outcome::NothingFound);
    }
    Ok(Outcome::Done)
}

fn show_group(out: &mut dyn Write, place: usize, group: &Duplicates, full: bool) -> io::Result<()> {
    let line = if place > 0 { "\n" } else { "" };
    writeln!(out, "{line}{} texts", group.hits.len())?;
    group.hits.iter().try_for_each(|hit| show(out, hit, full))
}
