//! Driver processes, from the outside.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::driver;
use super::plan::Plan;

/// No step of a test takes this long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How a driver is to be started.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    pub mode: &'a str,
    pub collection: &'a Path,
    pub plan: Plan,
    pub until: u64,
    /// Until a line comes on its standard input it does nothing.
    pub waits: bool,
    pub writer: Option<&'a Path>,
    /// More environment variables.
    pub environment: &'a [(&'a str, &'a str)],
}

impl<'a> Start<'a> {
    pub fn new(mode: &'a str, collection: &'a Path, plan: Plan) -> Self {
        Start { mode, collection, plan, until: u64::MAX, waits: false, writer: None, environment: &[] }
    }

    /// Starts it; `folder` is for what it reports, and outside the collection.
    pub fn run(&self, folder: &Path) -> Driver {
        let number = fs::read_dir(folder).unwrap().count();
        let lines = folder.join(format!("lines-{number}"));
        let errors = folder.join(format!("stderr-{number}"));
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["commits_without_an_accident", "--exact", "--nocapture", "--test-threads=1"]);
        command.env(driver::MODE, self.mode).env(driver::COLLECTION, self.collection);
        command.env(driver::LINES, &lines).env(driver::PLAN, self.plan.to_string());
        command.env(driver::UNTIL, self.until.to_string()).envs(self.environment.iter().copied());
        if self.waits {
            command.env(driver::WAITS, "1");
        }
        if let Some(writer) = self.writer {
            command.env(driver::WRITER, writer);
        }
        fs::write(&lines, "").unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(fs::File::create(&errors).unwrap());
        let mut child = command.spawn().unwrap();
        let input = child.stdin.take().unwrap();
        Driver { child, input, lines, errors, is_waited_for: false }
    }
}

/// A running driver, and then what is left of it.
pub struct Driver {
    pub child: Child,
    input: ChildStdin,
    lines: PathBuf,
    errors: PathBuf,
    /// Someone else took its exit status, and its process id may be another's by now.
    pub is_waited_for: bool,
}

impl Driver {
    /// The file of its lines.
    pub fn path(&self) -> &Path {
        &self.lines
    }

    /// The whole lines that it has written.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.lines).unwrap();
        let end = text.rfind('\n').map_or(0, |at| at + 1);
        text[..end].lines().map(str::to_owned).collect()
    }

    /// What it wrote to its standard error.
    pub fn errors(&self) -> String {
        fs::read_to_string(&self.errors).unwrap_or_default()
    }

    /// The last commit that it acknowledged or found.
    pub fn acknowledged(&self) -> Option<u64> {
        let lines = self.lines();
        let number = |line: &String| line.strip_prefix("committed ").or(line.strip_prefix("ready "))?.parse().ok();
        lines.iter().rev().find_map(number)
    }

    /// The rest of the last line that begins so.
    pub fn last(&self, start: &str) -> Option<String> {
        self.lines().iter().rev().find_map(|line| Some(line.strip_prefix(start)?.to_owned()))
    }

    /// Lets a waiting driver go on.
    pub fn send(&mut self, line: &str) {
        let _ = writeln!(self.input, "{line}");
    }

    /// Waits until there are lines that `wanted` is content with.
    ///
    /// # Errors
    /// What the driver reported, when it has ended before.
    pub fn wait_for(&mut self, wanted: impl Fn(&[String]) -> bool) -> Result<(), String> {
        let started = Instant::now();
        loop {
            let ended = self.child.try_wait().unwrap();
            if wanted(&self.lines()) {
                return Ok(());
            }
            if ended.is_some() || started.elapsed() > PATIENCE {
                return Err(format!("{ended:?}: {:?} {}", self.lines().last(), self.errors()));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until it has written a line that begins so.
    ///
    /// # Errors
    /// As [`Driver::wait_for`].
    pub fn wait_for_line(&mut self, start: &str) -> Result<(), String> {
        self.wait_for(|lines| lines.iter().any(|line| line.starts_with(start)))
    }

    /// Kills it, as a power cut would.
    pub fn kill(&mut self) -> ExitStatus {
        let _ = self.child.kill();
        self.child.wait().unwrap()
    }

    /// Waits for its end.
    pub fn end(&mut self) -> ExitStatus {
        let started = Instant::now();
        loop {
            match self.child.try_wait().unwrap() {
                Some(status) => return status,
                None if started.elapsed() > PATIENCE => {
                    self.kill();
                    panic!("the driver does not end: {:?} {}", self.lines().last(), self.errors());
                }
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.is_waited_for {
            self.kill();
        }
    }
}

/// Copies a folder of files and folders.
pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// Runs the `gyeol` binary, or another program of the system.
pub fn program(name: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(name).args(args).output().map_err(|e| format!("{name}: {e}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(format!("{name} {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr).trim())),
    }
}
