//! `gyeol pca`.

use std::fs::File;
use std::time::Instant;

use gyeol::cluster::{Pca, PcaFitter, PcaParams};
use gyeol::vectors::npy::{self, NpyFile, NpyWriter};
use gyeol::vectors::{RowSource, VectorsView};
use serde_json::json;

use super::args::PcaArgs;
use super::cluster::with_threads;
use super::failure::{Failure, IO};
use super::usage::cpu_seconds;
use super::{Outcome, print};

/// Bytes of rows that are read at a time.
const BLOCK: usize = 8 << 20;

pub fn run(args: &PcaArgs) -> Result<Outcome, Failure> {
    with_threads(args.threads, || reduce(args))
}

fn reduce(args: &PcaArgs) -> Result<Outcome, Failure> {
    let params = PcaParams::new(args.components).solver(args.solver.into()).whiten(args.whiten).seed(args.seed);
    let (n, pca, seconds, cpu) = if args.stream {
        let file = NpyFile::open(&args.vectors)?;
        let (started, before) = (Instant::now(), cpu_seconds());
        let mut fitter = PcaFitter::new(params, file.dim());
        blocks(&file, |rows| fitter.add(rows).map_err(|e| gyeol::Error::from(e).into()))?;
        let pca = fitter.finish().map_err(gyeol::Error::from)?;
        let taken = (started.elapsed().as_secs_f64(), cpu_seconds() - before);
        if let Some(out) = &args.out {
            write_blocks(&file, &pca, out)?;
        }
        (file.len(), pca, taken.0, taken.1)
    } else {
        let rows = npy::read(&args.vectors)?;
        let (started, before) = (Instant::now(), cpu_seconds());
        let pca = params.fit(rows.view()).map_err(gyeol::Error::from)?;
        let taken = (started.elapsed().as_secs_f64(), cpu_seconds() - before);
        if let Some(out) = &args.out {
            npy::write(out, pca.transform(rows.view()).map_err(gyeol::Error::from)?.view())?;
        }
        (rows.len(), pca, taken.0, taken.1)
    };
    let ratio = pca.explained_variance_ratio();
    if args.json {
        print::json(&json!({
            "schema": 1,
            "n": n,
            "dim": pca.mean().len(),
            "components": pca.n_components(),
            "seconds": seconds,
            "cpu_seconds": cpu,
            "explained_variance": pca.explained_variance(),
            "explained_variance_ratio": ratio,
        }))?;
    } else {
        print::out(|out| {
            let all: f64 = ratio.iter().sum();
            writeln!(out, "{n} rows of {} values: {} components explain {:.4}", pca.mean().len(), ratio.len(), all)?;
            writeln!(out, "{seconds:.3} s, {cpu:.3} s of CPU")
        })?;
    }
    Ok(Outcome::Done)
}

fn blocks(file: &NpyFile, mut each: impl FnMut(VectorsView<'_>) -> Result<(), Failure>) -> Result<(), Failure> {
    let block = (BLOCK / (4 * file.dim())).max(1);
    let mut values = Vec::new();
    for first in (0..file.len()).step_by(block) {
        file.read(first, block.min(file.len() - first), &mut values)?;
        each(VectorsView::new(&values, file.dim())?)?;
    }
    Ok(())
}

fn write_blocks(file: &NpyFile, pca: &Pca, out: &std::path::Path) -> Result<(), Failure> {
    let io = |e: std::io::Error| Failure::new(IO, format!("{}: {e}", out.display()));
    let mut writer = NpyWriter::new(File::create(out).map_err(io)?, pca.n_components()).map_err(io)?;
    blocks(file, |rows| {
        let reduced = pca.transform(rows).map_err(gyeol::Error::from)?;
        writer.write_rows(reduced.as_slice()).map_err(io)
    })?;
    writer.finish().map(drop).map_err(io)
}
