//! `gyeol status`.

use gyeol::Collection;
use serde_json::json;

use super::args::StatusArgs;
use super::failure::Failure;
use super::{Outcome, locate, print};

pub fn run(args: &StatusArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let status = Collection::status_of(&path)?;
    if args.json {
        print::json(&json!({
            "schema": 1,
            "documents": status.documents,
            "chunks": status.chunks,
            "without_vector": status.without_vector,
            "dim": status.model.dim,
            "model": status.model.name,
            "metric": status.metric.name(),
            "bytes": status.bytes,
            "segments": status.segments,
            "format": status.format,
        }))?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        writeln!(out, "collection      {}", print::shown(&path.display().to_string()))?;
        writeln!(out, "documents       {}", status.documents)?;
        writeln!(out, "chunks          {} ({})", status.chunks, status.chunk)?;
        writeln!(out, "without vector  {}", status.without_vector)?;
        writeln!(out, "model           {}", status.model)?;
        writeln!(out, "metric          {}", status.metric.name())?;
        writeln!(out, "segments        {} ({} deleted vectors)", status.segments, status.deleted_vectors)?;
        writeln!(out, "bytes           {}", status.bytes)?;
        writeln!(out, "format          {}", status.format)
    })?;
    Ok(Outcome::Done)
}
