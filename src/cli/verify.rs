//! `gyeol verify`.

use gyeol::Collection;
use gyeol::collection::{Effect, Problem, Remedy, Thoroughness, Verification};
use serde_json::{Value, json};

use super::args::VerifyArgs;
use super::failure::{DAMAGED, Failure};
use super::{Outcome, locate, print};

pub fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let thoroughness = if args.full { Thoroughness::Full } else { Thoroughness::Checksums };
    let found = Collection::verify(&path, thoroughness)?;
    if args.json {
        print::json(&as_json(&found))?;
    } else {
        print::out(|out| {
            for problem in &found.problems {
                let line = format!("{}: {}", problem.path.display(), problem.what);
                writeln!(out, "{} ({}; {})", print::shown(&line), effect(problem), remedy(problem))?;
            }
            writeln!(out, "commit {}: {} files, {} bytes read", found.commit, found.files, found.bytes)
        })?;
    }
    match found.problems.len() {
        0 => Ok(Outcome::Done),
        1 => Err(Failure::new(DAMAGED, "1 problem")),
        n => Err(Failure::new(DAMAGED, format!("{n} problems"))),
    }
}

fn as_json(found: &Verification) -> Value {
    let problem = |p: &Problem| {
        json!({
            "path": p.path.display().to_string(),
            "what": p.what,
            "effect": effect(p),
            "remedy": remedy(p),
        })
    };
    json!({
        "schema": 1,
        "commit": found.commit,
        "files": found.files,
        "bytes": found.bytes,
        "problems": found.problems.iter().map(problem).collect::<Vec<_>>(),
    })
}

fn effect(problem: &Problem) -> &'static str {
    match problem.effect {
        Effect::Slower => "searches are exact and slower",
        Effect::Closed => "the collection cannot be opened",
        _ => "searches that meet it fail",
    }
}

fn remedy(problem: &Problem) -> &'static str {
    match problem.remedy {
        Remedy::Repair => "run gyeol repair",
        _ => "restore a copy, or run gyeol index --rebuild",
    }
}
