//! `gyeol repair`, `compact`, `purge` and `snapshot`.

use std::path::Path;

use gyeol::Collection;
use gyeol::collection::{Copying, Status};
use serde_json::json;

use super::args::{CompactArgs, PurgeArgs, RepairArgs, SnapshotArgs};
use super::failure::Failure;
use super::{Outcome, locate, model, print};

pub fn repair(args: &RepairArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let done = Collection::repair(&path, model::of_collection(&args.model, &path)?)?;
    if args.json {
        let (segments, embedded, lists) = (done.segments, done.embedded, done.lists);
        print::json(&json!({ "schema": 1, "segments": segments, "embedded": embedded, "lists": lists }))?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        if done.is_nothing() {
            return writeln!(out, "nothing to repair");
        }
        writeln!(out, "damaged vector files         {}", done.segments)?;
        writeln!(out, "vectors embedded again       {}", done.embedded)?;
        writeln!(out, "lists of deleted rows again  {}", done.lists)
    })?;
    Ok(Outcome::Done)
}

pub fn compact(args: &CompactArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let mut collection = Collection::open(&path, model::of_collection(&args.model, &path)?)?;
    let before = collection.status()?;
    collection.compact()?;
    show_sizes(&path, &before, &collection.status()?, None, args.json)
}

pub fn purge(args: &PurgeArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let mut collection = Collection::open(&path, model::of_collection(&args.model, &path)?)?;
    let before = collection.status()?;
    let chunks = collection.purge(&args.keys)?;
    let after = collection.status()?;
    show_sizes(&path, &before, &after, Some(chunks), args.json)?;
    Ok(if chunks == 0 && !args.keys.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn show_sizes(
    path: &Path,
    before: &Status,
    after: &Status,
    purged: Option<u64>,
    as_json: bool,
) -> Result<Outcome, Failure> {
    if as_json {
        let size = |s: &Status| {
            json!({
                "bytes": s.bytes,
                "segments": s.segments,
                "deleted_vectors": s.deleted_vectors,
                "document_segments": s.document_segments,
                "deleted_documents": s.deleted_documents,
            })
        };
        let mut out = json!({ "schema": 1, "before": size(before), "after": size(after) });
        if let Some(chunks) = purged {
            out["chunks_deleted"] = json!(chunks);
        }
        print::json(&out)?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        if let Some(chunks) = purged {
            writeln!(out, "chunks deleted  {chunks}")?;
        }
        writeln!(out, "collection      {}", print::shown(&path.display().to_string()))?;
        writeln!(out, "bytes           {} -> {}", before.bytes, after.bytes)?;
        writeln!(out, "vector files    {} -> {}", before.segments, after.segments)?;
        writeln!(out, "document files  {} -> {}", before.document_segments, after.document_segments)
    })?;
    Ok(Outcome::Done)
}

pub fn snapshot(args: &SnapshotArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let done = Collection::snapshot_to(&path, &args.dir, if args.copy { Copying::Bytes } else { Copying::Links })?;
    if args.json {
        let (commit, files, bytes, linked) = (done.commit, done.files, done.bytes, done.linked);
        print::json(&json!({ "schema": 1, "commit": commit, "files": files, "bytes": bytes, "linked": linked }))?;
        return Ok(Outcome::Done);
    }
    print::out(|out| {
        let dir = print::shown(&args.dir.display().to_string()).into_owned();
        writeln!(
            out,
            "{dir}: commit {}, {} files ({} linked), {} bytes",
            done.commit, done.files, done.linked, done.bytes
        )
    })?;
    Ok(Outcome::Done)
}
