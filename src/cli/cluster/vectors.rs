//! `gyeol cluster --vectors`.

use std::path::Path;
use std::time::Instant;

use gyeol::Vectors;
use gyeol::cluster::{ChooseK, ChosenK, KMeans, KMeansFit, MiniBatchKMeans};
use gyeol::collection::Count;
use gyeol::vectors::npy::{self, NpyFile};
use serde_json::{Value, json};

use crate::cli::args::{AlgorithmArg, ClusterArgs};
use crate::cli::failure::{Failure, USAGE};
use crate::cli::stop::Stop;
use crate::cli::usage::cpu_seconds;
use crate::cli::{Outcome, print};

/// What a fit took and gave.
struct Done {
    fit: KMeansFit,
    chosen: Option<ChosenK>,
    seconds: f64,
    cpu_seconds: f64,
}

pub fn run(args: &ClusterArgs) -> Result<Outcome, Failure> {
    let Some(path) = &args.vectors else { return Err(Failure::new(USAGE, "name the rows with --vectors")) };
    let init = args.rows.init.as_deref().map(read).transpose()?;
    let stop = Stop::on_ctrl_c()?;
    let done = match args.algorithm {
        AlgorithmArg::Kmeans => of_memory(args, &read(path)?, init, &stop)?,
        AlgorithmArg::Minibatch => of_file(args, &NpyFile::open(path)?, init, &stop)?,
    };
    if let Some(path) = &args.labels {
        npy::write_labels(path, &done.fit.labels)?;
    }
    if let Some(path) = &args.rows.centroids {
        npy::write(path, done.fit.model.centroids())?;
    }
    if args.json {
        print::json(&as_json(&done))?;
    } else {
        print::out(|out| {
            if let Some(chosen) = &done.chosen {
                super::show_choice(out, chosen)?;
            }
            let rest = if done.fit.converged { "at rest" } else { "not at rest" };
            let (k, n, rounds) = (done.fit.model.n_clusters(), done.fit.labels.len(), done.fit.iterations);
            writeln!(out, "{k} clusters of {n} rows, inertia {:.6e}, {rounds} rounds ({rest})", done.fit.inertia)?;
            writeln!(out, "{:.3} s, {:.3} s of CPU; sizes {:?}", done.seconds, done.cpu_seconds, done.fit.model.sizes())
        })?;
    }
    Ok(Outcome::Done)
}

fn read(path: &Path) -> Result<Vectors, Failure> {
    Ok(npy::read(path)?)
}

fn of_memory(args: &ClusterArgs, rows: &Vectors, init: Option<Vectors>, stop: &Stop) -> Result<Done, Failure> {
    let (started, before) = (Instant::now(), cpu_seconds());
    let (k, chosen) = count(args, rows, stop)?;
    let mut kmeans = KMeans::new(k).seed(args.seed).tolerance(args.rows.tolerance).spherical(args.rows.spherical);
    if let Some(starts) = args.rows.n_init {
        kmeans = kmeans.n_init(starts);
    }
    if let Some(rounds) = args.rows.max_iters {
        kmeans = kmeans.max_iters(rounds);
    }
    if let Some(init) = init {
        kmeans = kmeans.init(init);
    }
    let fit = kmeans.fit_with(rows.view(), |_| stop.flow()).map_err(gyeol::Error::from)?;
    Ok(Done { fit, chosen, seconds: started.elapsed().as_secs_f64(), cpu_seconds: cpu_seconds() - before })
}

fn of_file(args: &ClusterArgs, rows: &NpyFile, init: Option<Vectors>, stop: &Stop) -> Result<Done, Failure> {
    let (started, before) = (Instant::now(), cpu_seconds());
    let Count::Of(k) = args.k.0 else {
        return Err(Failure::new(USAGE, "minibatch reads rows block by block and cannot choose; give --k N"));
    };
    let mut kmeans = MiniBatchKMeans::new(k).seed(args.seed).tolerance(args.rows.tolerance);
    kmeans = kmeans.spherical(args.rows.spherical).n_init(args.rows.n_init.unwrap_or(3));
    if let Some(passes) = args.rows.max_iters {
        kmeans = kmeans.max_passes(passes);
    }
    if let Some(init) = init {
        kmeans = kmeans.init(init);
    }
    let fit = kmeans.fit_with(rows, |_| stop.flow()).map_err(gyeol::Error::from)?;
    Ok(Done { fit, chosen: None, seconds: started.elapsed().as_secs_f64(), cpu_seconds: cpu_seconds() - before })
}

/// How many clusters, and what spoke for it.
fn count(args: &ClusterArgs, rows: &Vectors, stop: &Stop) -> Result<(usize, Option<ChosenK>), Failure> {
    match args.k.0 {
        Count::Of(k) => Ok((k, None)),
        Count::Auto => {
            let choose = ChooseK::new().seed(args.seed).spherical(args.rows.spherical);
            let chosen = choose.choose_with(rows.view(), |_| stop.flow()).map_err(gyeol::Error::from)?;
            Ok((chosen.k, Some(chosen)))
        }
    }
}

fn as_json(done: &Done) -> Value {
    let mut out = json!({
        "schema": 1,
        "k": done.fit.model.n_clusters(),
        "iterations": done.fit.iterations,
        "inertia": done.fit.inertia,
        "converged": done.fit.converged,
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "sizes": done.fit.model.sizes(),
    });
    if let Some(chosen) = &done.chosen {
        out["choice"] = super::choice(chosen);
    }
    out
}
