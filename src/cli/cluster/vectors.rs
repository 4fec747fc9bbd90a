//! `gyeol cluster --vectors`.

use std::io::{self, Write};
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

/// What was found, and what it took.
struct Done {
    labels: Vec<i32>,
    sizes: Vec<u64>,
    /// Of k-means only.
    fit: Option<KMeansFit>,
    chosen: Option<ChosenK>,
    seconds: f64,
    cpu_seconds: f64,
}

/// When something began.
struct Clock(Instant, f64);

impl Clock {
    fn start() -> Self {
        Clock(Instant::now(), cpu_seconds())
    }

    fn done(&self, mut fit: Option<KMeansFit>, labels: Vec<i32>, chosen: Option<ChosenK>) -> Done {
        let labels = fit.as_mut().map_or(labels, |fit| std::mem::take(&mut fit.labels));
        let count = labels.iter().map(|&label| label + 1).max().unwrap_or(0).max(0) as usize;
        let mut sizes = vec![0; fit.as_ref().map_or(count, |fit| fit.model.n_clusters())];
        labels.iter().filter(|&&label| label >= 0).for_each(|&label| sizes[label as usize] += 1);
        Done {
            labels,
            sizes,
            fit,
            chosen,
            seconds: self.0.elapsed().as_secs_f64(),
            cpu_seconds: cpu_seconds() - self.1,
        }
    }
}

pub fn run(args: &ClusterArgs) -> Result<Outcome, Failure> {
    let Some(path) = &args.vectors else { return Err(Failure::new(USAGE, "name the rows with --vectors")) };
    let init = args.rows.init.as_deref().map(read).transpose()?;
    let stop = Stop::on_ctrl_c()?;
    let done = match args.algorithm {
        AlgorithmArg::Minibatch => of_file(args, &NpyFile::open(path)?, init, &stop)?,
        _ => of_memory(args, &read(path)?, init, &stop)?,
    };
    if let Some(path) = &args.labels {
        npy::write_labels(path, &done.labels)?;
    }
    if let Some(path) = &args.rows.centroids {
        let Some(fit) = &done.fit else {
            return Err(Failure::new(USAGE, format!("{} has no centroids to write", args.algorithm.name())));
        };
        npy::write(path, fit.model.centroids())?;
    }
    if args.json {
        print::json(&as_json(&done))?;
    } else {
        print::out(|out| show(out, &done))?;
    }
    Ok(Outcome::Done)
}

fn show(out: &mut dyn Write, done: &Done) -> io::Result<()> {
    if let Some(chosen) = &done.chosen {
        super::show_choice(out, chosen)?;
    }
    write!(out, "{} clusters of {} rows", done.sizes.len(), done.labels.len())?;
    if let Some(fit) = &done.fit {
        let rest = if fit.converged { "at rest" } else { "not at rest" };
        write!(out, ", inertia {:.6e}, {} rounds ({rest})", fit.inertia, fit.iterations)?;
    }
    let noise = done.labels.iter().filter(|&&label| label < 0).count();
    writeln!(
        out,
        "\n{:.3} s, {:.3} s of CPU; {noise} rows of noise; sizes {:?}",
        done.seconds, done.cpu_seconds, done.sizes
    )
}

fn read(path: &Path) -> Result<Vectors, Failure> {
    Ok(npy::read(path)?)
}

fn of_memory(args: &ClusterArgs, rows: &Vectors, init: Option<Vectors>, stop: &Stop) -> Result<Done, Failure> {
    let clock = Clock::start();
    let (k, chosen) = count(args, rows, stop)?;
    if let Some(labels) = args.algorithm().labels(rows.view(), k, args.seed) {
        return Ok(clock.done(None, labels.map_err(gyeol::Error::from)?, chosen));
    }
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
    Ok(clock.done(Some(fit), Vec::new(), chosen))
}

fn of_file(args: &ClusterArgs, rows: &NpyFile, init: Option<Vectors>, stop: &Stop) -> Result<Done, Failure> {
    let clock = Clock::start();
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
    Ok(clock.done(Some(fit), Vec::new(), None))
}

/// How many clusters, and what spoke for it.
fn count(args: &ClusterArgs, rows: &Vectors, stop: &Stop) -> Result<(usize, Option<ChosenK>), Failure> {
    match args.k.0 {
        Count::Of(k) => Ok((k, None)),
        Count::Auto if !args.algorithm().takes_count() => Ok((1, None)),
        Count::Auto => {
            let choose = ChooseK::new().seed(args.seed).spherical(args.rows.spherical);
            let chosen = choose.choose_with(rows.view(), |_| stop.flow()).map_err(gyeol::Error::from)?;
            Ok((chosen.k, Some(chosen)))
        }
    }
}

fn as_json(done: &Done) -> Value {
    let fit = done.fit.as_ref();
    let mut out = json!({
        "schema": 1,
        "k": done.sizes.len(),
        "iterations": fit.map(|fit| fit.iterations),
        "inertia": fit.map(|fit| fit.inertia),
        "converged": fit.map(|fit| fit.converged),
        "noise": done.labels.iter().filter(|&&label| label < 0).count(),
        "seconds": done.seconds,
        "cpu_seconds": done.cpu_seconds,
        "sizes": done.sizes,
    });
    if let Some(chosen) = &done.chosen {
        out["choice"] = super::choice(chosen);
    }
    out
}
