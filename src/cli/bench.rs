//! `gyeol bench`: builds, saves, reopens and measures an index over vectors from files.

use std::path::{Path, PathBuf};
use std::time::Instant;

use gyeol::error::{IndexError, VectorsError};
use gyeol::index::RowSet;
use gyeol::vectors::{fvecs, npy};
use gyeol::{Effort, Hnsw, HnswParams, Index, Metric, Neighbor, Vectors};
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use serde_json::{Value, json};

use super::args::BenchArgs;
use super::failure::{self, Failure};
use super::{Outcome, print, usage};

/// Efforts that are tried when none are named, until the recall is over [`ENOUGH_RECALL`].
const EFFORTS: [usize; 26] = [
    10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 320, 400, 512, 640, 800, 1024,
    2048,
];
const ENOUGH_RECALL: f64 = 0.994;
/// Recalls that are asked for among some rows.
const RECALLS: [f32; 3] = [0.9, 0.95, 0.99];
/// Seconds of searching at each effort, at least.
const SECONDS: f64 = 0.35;
/// Times that each query is asked by itself; the fastest counts.
const PASSES: usize = 3;

/// The shape of the rows, queries, and the true neighbours of each query.
struct Data {
    shape: (usize, usize),
    queries: Vectors,
    truth: Vec<Vec<u32>>,
    /// The rows to search among.
    among: Option<RowSet>,
}

pub fn run(args: &BenchArgs) -> Result<Outcome, Failure> {
    if args.k == 0 || args.threads == 0 {
        return Err(Failure::new(failure::USAGE, "-k and --threads are at least 1"));
    }
    let pool = ThreadPoolBuilder::new().num_threads(args.threads).build();
    let pool = pool.map_err(|e| Failure::new(failure::BUG, format!("cannot start {} threads: {e}", args.threads)))?;
    pool.install(|| measure(args))
}

fn measure(args: &BenchArgs) -> Result<Outcome, Failure> {
    let metric: Metric = args.metric.into();
    let queries = read(&args.queries)?;
    let folder = std::env::temp_dir().join(format!("gyeol-bench-{}", std::process::id()));
    let file = args.index.clone().unwrap_or_else(|| folder.join("segment"));
    // The rows take memory that an index on disk may not leave: they are read when they are needed.
    let mut base = None;
    let build = if file.exists() {
        json!({"seconds": 0.0, "cpu_seconds": 0.0, "save_seconds": 0.0, "threads": 0, "peak_rss_bytes": 0})
    } else {
        std::fs::create_dir_all(file.parent().unwrap_or(Path::new(".")))
            .map_err(|e| Failure::stream(&file.display().to_string(), &e))?;
        build(args, metric, base.insert(read(&args.base)?), &file)?
    };
    let measured = shape(&args.base).map_err(Failure::from).and_then(|shape| {
        let among = args.among.as_deref().map(|file| among(file, shape.0)).transpose()?;
        let truth = truth(args, metric, (base, shape), (&queries, among.as_ref()))?;
        search(args, metric, &Data { shape, queries, truth, among }, &file, build)
    });
    let _ = std::fs::remove_dir_all(&folder);
    report(args, &measured?)
}

fn build(args: &BenchArgs, metric: Metric, base: &Vectors, file: &Path) -> Result<Value, Failure> {
    let params = HnswParams {
        m: args.m,
        ef_construction: args.ef_construction,
        storage: args.storage.into(),
        layout: args.layout.into(),
        ..HnswParams::default()
    };
    let (started, cpu) = (Instant::now(), usage::cpu_seconds());
    let index = Hnsw::build(base, metric, &params)?;
    let (seconds, cpu_seconds) = (started.elapsed().as_secs_f64(), usage::cpu_seconds() - cpu);
    let started = Instant::now();
    index.save(file)?;
    Ok(json!({
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "save_seconds": started.elapsed().as_secs_f64(),
        "threads": args.threads,
        "peak_rss_bytes": usage::peak_rss_bytes(),
    }))
}

fn search(args: &BenchArgs, metric: Metric, data: &Data, file: &Path, mut build: Value) -> Result<Value, Failure> {
    let bytes = std::fs::metadata(file).map_or(0, |m| m.len());
    build["file_bytes"] = json!(bytes);
    let started = Instant::now();
    let mut index = Hnsw::open(file)?;
    let open_seconds = started.elapsed().as_secs_f64();
    if args.no_rescoring {
        index.set_rescoring(false);
    }
    if ((index.len(), index.dim()), index.metric()) != (data.shape, metric) {
        let message = format!(
            "{} is an index of {} x {} rows by {}, not of these; name another file",
            file.display(),
            index.len(),
            index.dim(),
            index.metric()
        );
        return Err(Failure::new(failure::USAGE, message));
    }
    let queries = data.queries.view();
    let first = (!queries.is_empty()).then(|| queries.row(0));
    let started = Instant::now();
    if let Some(query) = first {
        index.search(query, args.k)?;
    }
    let first_query_us = started.elapsed().as_secs_f64() * 1e6;
    let mut curve: Vec<Value> = Vec::new();
    if let Some(rows) = &data.among {
        let among = index.among(rows)?;
        for recall in RECALLS {
            let ask = |query: &[f32]| among.search(query, args.k, Effort::Recall(recall));
            curve.push(point(data, recall, &ask)?);
        }
    }
    let efforts = if args.ef.is_empty() { &EFFORTS[..] } else { &args.ef };
    let wanted = |ef: &&usize| data.among.is_none() && (**ef >= args.k || !args.ef.is_empty());
    for &ef in efforts.iter().filter(wanted) {
        let ask = |query: &[f32]| index.search_with(query, args.k, Effort::Ef(ef));
        let point = point(data, ef, &ask)?;
        let recall = point["recall"].as_f64().unwrap_or(0.0);
        curve.push(point);
        if args.ef.is_empty() && recall >= ENOUGH_RECALL {
            break;
        }
    }
    Ok(json!({
        "schema": 1,
        "n": index.len(),
        "dim": index.dim(),
        "metric": metric.name(),
        "build": build,
        "open_seconds": open_seconds,
        "first_query_us": first_query_us,
        "curve": curve,
    }))
}

/// Searches for one query.
type Ask<'a> = dyn Fn(&[f32]) -> Result<Vec<Neighbor>, IndexError> + Sync + 'a;

/// One point of the curve: in batch with all threads, then one query at a time.
fn point(data: &Data, effort: impl Into<Value>, ask: &Ask<'_>) -> Result<Value, Failure> {
    let queries = data.queries.view();
    let (mut cpu, mut wall) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    let found = loop {
        let (started, cpu_started) = (Instant::now(), usage::cpu_seconds());
        let found: Vec<Vec<Neighbor>> =
            (0..queries.len()).into_par_iter().map(|i| ask(queries.row(i))).collect::<Result<_, _>>()?;
        wall.push(started.elapsed().as_secs_f64());
        cpu.push(usage::cpu_seconds() - cpu_started);
        if begun.elapsed().as_secs_f64() >= SECONDS {
            break found;
        }
    };
    let hits: usize = found
        .iter()
        .zip(&data.truth)
        .map(|(found, truth)| found.iter().filter(|n| truth.contains(&n.id)).count())
        .sum();
    let wanted: usize = data.truth.iter().map(Vec::len).sum();
    let mut alone = vec![f64::MAX; queries.len()];
    for _ in 0..PASSES {
        for (best, query) in alone.iter_mut().zip(queries.rows()) {
            let started = Instant::now();
            ask(query)?;
            *best = best.min(started.elapsed().as_secs_f64() * 1e6);
        }
    }
    alone.sort_by(f64::total_cmp);
    let n = queries.len() as f64;
    Ok(json!({
        "effort": effort.into(),
        "recall": hits as f64 / wanted.max(1) as f64,
        "qps": n / median(&mut cpu),
        "qps_wall": n / median(&mut wall),
        "p50_us": alone.get(alone.len() / 2),
        "p99_us": alone.get(alone.len() * 99 / 100),
    }))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The `k` true neighbours of each query: from a file, or by comparing every row.
fn truth(
    args: &BenchArgs,
    metric: Metric,
    (base, shape): (Option<Vectors>, (usize, usize)),
    (queries, among): (&Vectors, Option<&RowSet>),
) -> Result<Vec<Vec<u32>>, Failure> {
    let Some(file) = &args.neighbors else {
        let base = base.map_or_else(|| read(&args.base), Ok)?;
        let exact = gyeol::Flat::new(&base, metric)?;
        let ids = |found: Vec<Neighbor>| found.iter().map(|n| n.id).collect();
        return match among {
            Some(rows) => queries.rows().map(|query| Ok(ids(exact.search_among(query, args.k, rows)?))).collect(),
            None => Ok(exact.search_many(queries.view(), args.k)?.into_iter().map(ids).collect()),
        };
    };
    let is_npy = file.extension().is_some_and(|e| e == "npy");
    let (ids, columns) = if is_npy { npy::read_ids(file)? } else { fvecs::read_ids(file)? };
    if ids.len() < queries.len() * columns || columns < args.k.min(shape.0) {
        let message = format!(
            "{} has {} neighbours for {} queries; {} each are needed",
            file.display(),
            ids.len(),
            queries.len(),
            args.k
        );
        return Err(Failure::new(failure::USAGE, message));
    }
    let row = |row: &[i64]| row.iter().take(args.k).filter_map(|&id| u32::try_from(id).ok()).collect();
    Ok(ids.chunks_exact(columns.max(1)).take(queries.len()).map(row).collect())
}

/// The rows to search among, of `n`.
fn among(file: &Path, n: usize) -> Result<RowSet, Failure> {
    let (ids, _) = npy::read_ids(file)?;
    match ids.iter().find(|&&id| usize::try_from(id).map_or(true, |id| id >= n)) {
        Some(id) => Err(Failure::new(failure::USAGE, format!("{}: there is no row {id} of {n}", file.display()))),
        None => Ok(RowSet::from_rows(n, ids.into_iter().map(|id| id as u32))),
    }
}

fn read(file: &PathBuf) -> Result<Vectors, VectorsError> {
    if file.extension().is_some_and(|e| e == "npy") { npy::read(file) } else { fvecs::read(file) }
}

fn shape(file: &PathBuf) -> Result<(usize, usize), VectorsError> {
    if file.extension().is_some_and(|e| e == "npy") { npy::shape(file) } else { fvecs::shape(file) }
}

fn report(args: &BenchArgs, measured: &Value) -> Result<Outcome, Failure> {
    if args.json {
        print::json(measured)?;
        return Ok(Outcome::Done);
    }
    let metric: Metric = args.metric.into();
    print::out(|out| {
        let build = &measured["build"];
        let number = |v: &Value| v.as_f64().unwrap_or(0.0);
        writeln!(out, "{} rows x {}, {}", measured["n"], measured["dim"], metric)?;
        if number(&build["seconds"]) > 0.0 {
            writeln!(
                out,
                "build   {:.2} s, {:.2} CPU-seconds, {} threads, peak memory {:.0} MB; saved in {:.2} s",
                number(&build["seconds"]),
                number(&build["cpu_seconds"]),
                build["threads"],
                number(&build["peak_rss_bytes"]) / 1e6,
                number(&build["save_seconds"])
            )?;
        }
        writeln!(out, "file    {:.1} MB", number(&build["file_bytes"]) / 1e6)?;
        writeln!(
            out,
            "open    {:.3} ms, first query {:.0} us\n",
            number(&measured["open_seconds"]) * 1e3,
            number(&measured["first_query_us"])
        )?;
        writeln!(
            out,
            "{:>6} {:>9} {:>12} {:>12} {:>8} {:>8}",
            "effort",
            format!("recall@{}", args.k),
            "queries/CPU-s",
            "queries/s",
            "p50 us",
            "p99 us"
        )?;
        for p in measured["curve"].as_array().into_iter().flatten() {
            writeln!(
                out,
                "{:>6} {:>9.4} {:>12.0} {:>12.0} {:>8.1} {:>8.1}",
                p["effort"],
                number(&p["recall"]),
                number(&p["qps"]),
                number(&p["qps_wall"]),
                number(&p["p50_us"]),
                number(&p["p99_us"])
            )?;
        }
        Ok(())
    })?;
    Ok(Outcome::Done)
}
