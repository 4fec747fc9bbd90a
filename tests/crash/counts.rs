//! How much of each test runs.
//!
//! | | | |
//! |---|---|---|
//! | `GYEOL_CRASH` unset | short | seconds |
//! | `GYEOL_CRASH=1` | what a change must pass | minutes |
//! | `GYEOL_CRASH=long` | before a release, `tests/long-crash-tests` | hours |
//!
//! `GYEOL_CRASH_KILLS=5000` and so on set one number.

/// Which form of the tests was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Short,
    Full,
    Long,
}

pub fn form() -> Form {
    match std::env::var("GYEOL_CRASH").as_deref() {
        Err(_) | Ok("") | Ok("0") => Form::Short,
        Ok("long") => Form::Long,
        Ok(_) => Form::Full,
    }
}

/// The count of this name: for the short, the full and the long form.
fn count(name: &str, counts: [u64; 3]) -> u64 {
    let name = format!("GYEOL_CRASH_{name}");
    match std::env::var(&name) {
        Ok(given) => given.parse().unwrap_or_else(|_| panic!("{name}={given} is not a number")),
        Err(_) => counts[form() as usize],
    }
}

/// Kills at random times.
pub fn kills() -> u64 {
    count("KILLS", [8, 200, 10_000])
}

/// System calls of a commit at which it is killed; as many as there are in the full form.
pub fn killed_calls() -> u64 {
    count("KILLED_CALLS", [8, u64::MAX, u64::MAX])
}

/// System calls of a commit that are let fail, for each kind and each way of failing.
pub fn failed_calls() -> u64 {
    count("FAILED_CALLS", [2, u64::MAX, u64::MAX])
}

/// Disks that become full.
pub fn full_disks() -> u64 {
    count("FULL_DISKS", [0, 100, 1_000])
}

/// Times that a disk is made read-only under a writer.
pub fn read_only_disks() -> u64 {
    count("READ_ONLY_DISKS", [0, 10, 100])
}

/// Power cuts.
pub fn power_cuts() -> u64 {
    count("POWER_CUTS", [0, 50, 1_000])
}

/// Reading processes beside a writer.
pub fn readers() -> u64 {
    count("READERS", [3, 8, 8])
}

/// Commits beside readers.
pub fn read_commits() -> u64 {
    count("READ_COMMITS", [25, 500, 500])
}

/// Seconds for which readers and a writer go on, at least.
pub fn read_seconds() -> u64 {
    count("READ_SECONDS", [0, 0, 3_600])
}

/// Commits after which memory, handles and disk must be as before.
pub fn soak_commits() -> u64 {
    count("SOAK_COMMITS", [0, 1_000, 1_000])
}

/// Seconds for which that goes on, at least.
pub fn soak_seconds() -> u64 {
    count("SOAK_SECONDS", [0, 0, 3_600])
}

/// Seconds after which a slow machine may stop with fewer commits, if they are a third at least.
pub fn soak_most_seconds() -> u64 {
    count("SOAK_MOST_SECONDS", [0, 170, u64::MAX])
}
