//! The command line: what was typed, one file a command, and how a run ends.
//!
//! stdout is data, stderr is everything else. A broken pipe (`| head -1`) ends the run quietly.

mod args;
mod ask;
mod bench;
mod chat;
mod cluster;
mod duplicates;
mod embed;
mod failure;
mod index;
mod lines;
mod locate;
mod maintain;
mod map;
mod model;
mod models;
mod pca;
mod print;
mod recall;
mod search;
mod status;
mod stop;
mod usage;
mod verify;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Cli, Command};
use self::failure::Failure;

/// How a run ends when nothing failed.
enum Outcome {
    Done,
    NothingFound,
    Interrupted,
}

/// Runs the command line and tells how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to stdout; what cannot be printed there is lost.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { failure::USAGE } else { 0 });
        }
    };
    log_to_stderr();
    // The library turns panics of damaged files into errors; what else panics is told once, below.
    std::panic::set_hook(Box::new(|_| {}));
    let outcome = std::panic::catch_unwind(|| run(&cli.command)).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(Failure::new(failure::BUG, format!("a bug, please report it: {}", message.unwrap_or("a panic"))))
    });
    match outcome {
        Ok(Outcome::Done) | Err(Failure::BrokenPipe) => ExitCode::SUCCESS,
        Ok(Outcome::NothingFound) => ExitCode::from(failure::NOTHING_FOUND),
        Ok(Outcome::Interrupted) => ExitCode::from(failure::INTERRUPTED),
        Err(Failure::Error { code, message }) => {
            print::note(&format!("gyeol: {message}"));
            ExitCode::from(code)
        }
    }
}

/// With `GYEOL_LOG` (`debug`, or `gyeol=trace`, ...) what happens is told on stderr.
fn log_to_stderr() {
    let Ok(filter) = std::env::var("GYEOL_LOG") else { return };
    let filter = tracing_subscriber::EnvFilter::builder().parse_lossy(filter);
    // Only the first one counts, and there is no other.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
}

fn run(command: &Command) -> Result<Outcome, Failure> {
    match command {
        Command::Index(args) => index::run(args),
        Command::Search(args) => search::run(args),
        Command::Ask(args) => ask::run(args),
        Command::Chat(args) => chat::run(args),
        Command::Duplicates(args) => duplicates::run(args),
        Command::Cluster(args) => cluster::run(args),
        Command::Map(args) => map::run(args),
        Command::Pca(args) => pca::run(args),
        Command::Status(args) => status::run(args),
        Command::Verify(args) => verify::run(args),
        Command::Repair(args) => maintain::repair(args),
        Command::Compact(args) => maintain::compact(args),
        Command::Purge(args) => maintain::purge(args),
        Command::Snapshot(args) => maintain::snapshot(args),
        Command::Recall(args) => recall::run(args),
        Command::Embed(args) => embed::run(args),
        Command::Models(args) => models::models_run(args),
        Command::Doctor(args) => models::doctor(args),
        Command::Key(args) => models::key(args),
        Command::Bench(args) => bench::run(args),
    }
}
