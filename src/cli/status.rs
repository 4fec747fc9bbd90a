//! `gyeol status`.

use gyeol::Collection;
use gyeol::collection::Status;
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
            "document_bytes": status.document_bytes,
            "vector_bytes": status.vector_bytes,
            "document_segments": status.document_segments,
            "deleted_documents": status.deleted_documents,
            "segments": status.segments,
            "deleted_vectors": status.deleted_vectors,
            "commit": status.commit,
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
        let Status { document_segments, deleted_documents, document_bytes, vector_bytes, .. } = status;
        writeln!(
            out,
            "vector files    {} ({} deleted), {vector_bytes} bytes",
            status.segments, status.deleted_vectors
        )?;
        writeln!(out, "document files  {document_segments} ({deleted_documents} deleted), {document_bytes} bytes")?;
        writeln!(out, "bytes           {}", status.bytes)?;
        writeln!(out, "commit          {}", status.commit)?;
        writeln!(out, "format          {}", status.format)
    })?;
    Ok(Outcome::Done)
}
