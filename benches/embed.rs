//! The built-in embedder beside Python's model2vec, on the same sentences with the same model, one
//! thread each.
//!
//!     pip install model2vec && cargo bench --bench embed      (PYTHON names the interpreter)

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Instant;

use gyeol::embed::{Role, builtin, embed_many};

/// Of which the median is told.
const ROUNDS: usize = 5;
const PEER: &str = r"
import sys, time
from model2vec import StaticModel
texts = sys.stdin.read().split('\n')
model = StaticModel.from_pretrained('data/model')
model.encode(texts[:1000])
times = []
for _ in range(3):
    start = time.perf_counter()
    model.encode(texts, use_multiprocessing=False)
    times.append(time.perf_counter() - start)
print(len(texts) / sorted(times)[1])
";

/// Sentences of the articles in `data/library`, over and over with a number each, so that no two are
/// the same, and none is that of another round.
fn sentences(round: usize, n: usize) -> Vec<String> {
    let walk = gyeol::text::walk(std::path::Path::new("data/library"), None).expect("the library");
    let texts: Vec<String> = walk.entries.iter().filter_map(|e| std::fs::read_to_string(&e.path).ok()).collect();
    let sentences: Vec<&str> =
        texts.iter().flat_map(|t| t.split(['\n', '.'])).map(str::trim).filter(|s| s.len() > 20).collect();
    (0..n).map(|i| format!("{} {}", sentences[i % sentences.len()], round * n + i)).collect()
}

fn ours(rounds: &[Vec<String>], threads: usize) -> f64 {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    let model = builtin();
    let run = |texts: &Vec<String>| {
        let started = Instant::now();
        let answer = pool.install(|| embed_many(&model, texts, Role::Document)).expect("vectors");
        assert_eq!(answer.missing(), 0);
        texts.len() as f64 / started.elapsed().as_secs_f64()
    };
    let mut rates: Vec<f64> = rounds.iter().map(run).collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn peer(texts: &[String]) -> Option<f64> {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command.args(["-c", PEER]).env("OMP_NUM_THREADS", "1").env("TOKENIZERS_PARALLELISM", "false");
    command.env("RAYON_NUM_THREADS", "1").env("OPENBLAS_NUM_THREADS", "1");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    child.stdin.take()?.write_all(texts.join("\n").as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

fn main() {
    let rounds: Vec<Vec<String>> = (0..2 * ROUNDS).map(|round| sentences(round, 50_000)).collect();
    let texts = &rounds[0];
    let bytes: usize = texts.iter().map(String::len).sum();
    println!("{} sentences, {:.0} bytes each\n", texts.len(), bytes as f64 / texts.len() as f64);
    println!("| embedder | threads | sentences/s | MB/s | times model2vec |\n|---|---|---|---|---|");
    let megabytes = |rate: f64| rate * bytes as f64 / texts.len() as f64 / 1e6;
    let peer = peer(texts);
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    for (threads, rounds) in [1, all].into_iter().zip(rounds.chunks(ROUNDS)) {
        let rate = ours(rounds, threads);
        let ratio = peer.map_or("-".to_owned(), |p| format!("{:.1}", rate / p));
        println!("| gyeol builtin | {threads} | {rate:.0} | {:.1} | {ratio} |", megabytes(rate));
    }
    match peer {
        Some(rate) => println!("| Python model2vec | 1 | {rate:.0} | {:.1} | 1.0 |", megabytes(rate)),
        None => eprintln!("SKIPPED: Python's model2vec is not installed (PYTHON names the interpreter)"),
    }
}
