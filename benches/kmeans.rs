//! k-means on vectors of a file, beside nothing: what one run takes, and what its inertia is.
//!
//!     cargo bench --bench kmeans -- X.npy K [INIT.npy] [THREADS]

use std::time::Instant;

use gyeol::cluster::KMeans;
use gyeol::vectors::npy;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let [rows, k, rest @ ..] = &args[..] else {
        println!("kmeans: X.npy K [INIT.npy] [THREADS]");
        return;
    };
    let rows = npy::read(rows).unwrap();
    let mut kmeans = KMeans::new(k.parse().unwrap()).max_iters(25).tolerance(0.0).seed(7);
    if let Some(init) = rest.first().filter(|path| path.ends_with(".npy")) {
        kmeans = kmeans.init(npy::read(init).unwrap());
    }
    let threads = rest.last().and_then(|t| t.parse().ok()).unwrap_or(1);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    let started = Instant::now();
    let fit = pool.install(|| {
        kmeans.fit_with(rows.view(), |round| {
            eprintln!(
                "{:3} {:7} moved, shift {:.3e}, {:.3} s",
                round.iteration,
                round.moved,
                round.shift,
                started.elapsed().as_secs_f64()
            );
            std::ops::ControlFlow::Continue(())
        })
    });
    let fit = fit.unwrap();
    println!("{:.3} s, inertia {:.6e}, {} rounds", started.elapsed().as_secs_f64(), fit.inertia, fit.iterations);
}
