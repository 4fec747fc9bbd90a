//! Lets something happen at the n-th call by which a process changes a folder.
//!
//! It sees the system calls of all threads in the order in which they are made. strace can inject
//! faults as well, but counts the calls of each thread apart: of threads that each rename a file, the
//! first one only would ever be struck.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, channel};

use nix::errno::Errno;
use nix::libc::{self, user_regs_struct};
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::process::{Driver, PATIENCE};

/// What a call does to a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Create,
    Write,
    Truncate,
    Sync,
    Rename,
    Unlink,
    MakeFolder,
    Link,
}

/// What happens at a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The process is killed before it.
    Kill,
    /// It fails, and is not done.
    Error(Errno),
    /// It fails, and so do all that follow.
    ErrorsFrom(Errno),
}

/// Where a fault strikes.
pub struct Strike<'a> {
    /// Changes of this folder count, and no others.
    pub folder: &'a Path,
    /// Only these.
    pub of: &'a [Change],
    /// From 1.
    pub nth: u64,
    pub fault: Fault,
}

/// What came of it.
#[derive(Debug)]
pub struct Traced {
    /// The calls that counted, by the end of the process.
    pub calls: Vec<Change>,
    /// Whether the fault struck.
    pub struck: bool,
    pub end: End,
}

/// How the process ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Exited(i32),
    Killed(Signal),
    TookTooLong,
}

/// Traces a driver that waits for its input from there to its end.
///
/// # Errors
/// When this process may not trace others, or loses track.
pub fn run(driver: &mut Driver, strike: &Strike<'_>) -> Result<Traced, String> {
    driver.wait_for_line("started")?;
    let leader = Pid::from_raw(driver.child.id() as i32);
    seize(leader).map_err(|e| format!("no process may be traced here: {e}"))?;
    driver.send("go");
    // From here its exit status comes to the trace.
    driver.is_waited_for = true;
    let (done, guard) = channel::<()>();
    let guard = std::thread::spawn(move || match guard.recv_timeout(PATIENCE) {
        Err(RecvTimeoutError::Timeout) => kill(leader, Signal::SIGKILL).is_ok(),
        _ => false,
    });
    let mut trace = Trace { strike, leader, calls: Vec::new(), struck: false, failing: HashMap::new() };
    let end = trace.follow();
    drop(done);
    let end = if guard.join().unwrap_or(false) { End::TookTooLong } else { end? };
    Ok(Traced { calls: trace.calls, struck: trace.struck, end })
}

/// Attaches to each thread there is, and to those to come.
fn seize(leader: Pid) -> nix::Result<()> {
    let options = Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL;
    let mut seized = HashSet::new();
    loop {
        let threads = fs::read_dir(format!("/proc/{leader}/task")).map_err(|_| Errno::ESRCH)?;
        let ids = threads.filter_map(|t| t.ok()?.file_name().to_str()?.parse().ok());
        let new: Vec<i32> = ids.filter(|id| !seized.contains(id)).collect();
        if new.is_empty() {
            return Ok(());
        }
        for id in new {
            ptrace::seize(Pid::from_raw(id), options)?;
            // From its next stop on it stops at every system call.
            ptrace::interrupt(Pid::from_raw(id))?;
            seized.insert(id);
        }
    }
}

struct Trace<'a> {
    strike: &'a Strike<'a>,
    leader: Pid,
    calls: Vec<Change>,
    struck: bool,
    /// Threads in a call that is to fail.
    failing: HashMap<Pid, Errno>,
}

impl Trace<'_> {
    fn follow(&mut self) -> Result<End, String> {
        loop {
            // Other tests' processes are none of this thread's business.
            let status = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD));
            let goes_on = match status.map_err(|e| format!("the trace is lost: {e}"))? {
                WaitStatus::Exited(pid, code) if pid == self.leader => return Ok(End::Exited(code)),
                WaitStatus::Signaled(pid, signal, _) if pid == self.leader => return Ok(End::Killed(signal)),
                WaitStatus::PtraceSyscall(pid) => self.at_call(pid).and_then(|()| ptrace::syscall(pid, None)),
                WaitStatus::Stopped(pid, signal) => ptrace::syscall(pid, signal),
                WaitStatus::PtraceEvent(pid, ..) => ptrace::syscall(pid, None),
                _ => Ok(()),
            };
            match goes_on {
                // A thread that was killed meanwhile.
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(e) => return Err(format!("a thread does not go on: {e}")),
            }
        }
    }

    fn at_call(&mut self, pid: Pid) -> nix::Result<()> {
        if ptrace::syscall_info(pid)?.op == libc::PTRACE_SYSCALL_INFO_ENTRY {
            return self.before_call(pid);
        }
        match self.failing.remove(&pid) {
            Some(error) => {
                let mut registers = ptrace::getregs(pid)?;
                registers.rax = -i64::from(error as i32) as u64;
                ptrace::setregs(pid, registers)
            }
            None => Ok(()),
        }
    }

    fn before_call(&mut self, pid: Pid) -> nix::Result<()> {
        let mut registers = ptrace::getregs(pid)?;
        let Some(change) = change(pid, &registers, self.strike.folder) else { return Ok(()) };
        if !self.strike.of.contains(&change) {
            return Ok(());
        }
        self.calls.push(change);
        let nth = self.calls.len() as u64;
        let is_here = nth == self.strike.nth;
        self.struck |= is_here;
        let error = match self.strike.fault {
            Fault::Kill if is_here => return kill(self.leader, Signal::SIGKILL),
            Fault::Error(error) if is_here => error,
            Fault::ErrorsFrom(error) if nth >= self.strike.nth => error,
            _ => return Ok(()),
        };
        // There is no such call, so nothing is done; what it answered is replaced after.
        registers.orig_rax = u64::MAX;
        self.failing.insert(pid, error);
        ptrace::setregs(pid, registers)
    }
}

/// What the call that a thread is about to make changes in the folder.
fn change(pid: Pid, registers: &user_regs_struct, folder: &Path) -> Option<Change> {
    let (first, second, third) = (registers.rdi, registers.rsi, registers.rdx);
    let cwd = libc::AT_FDCWD as u64;
    let creates = |flags: u64| flags & (libc::O_CREAT | libc::O_TRUNC) as u64 != 0;
    let by_name = |change, at, name| is_within(path_at(pid, at, name), folder).then_some(change);
    let by_handle = |change, handle| {
        is_within(fs::read_link(format!("/proc/{pid}/fd/{}", handle as i32)).ok(), folder).then_some(change)
    };
    match registers.orig_rax as i64 {
        libc::SYS_openat if creates(third) => by_name(Change::Create, first, second),
        libc::SYS_open if creates(second) => by_name(Change::Create, cwd, first),
        libc::SYS_creat => by_name(Change::Create, cwd, first),
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 => {
            by_handle(Change::Write, first)
        }
        libc::SYS_sendfile => by_handle(Change::Write, first),
        libc::SYS_copy_file_range => by_handle(Change::Write, third),
        libc::SYS_ftruncate | libc::SYS_fallocate => by_handle(Change::Truncate, first),
        libc::SYS_truncate => by_name(Change::Truncate, cwd, first),
        libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_sync_file_range | libc::SYS_syncfs => {
            by_handle(Change::Sync, first)
        }
        libc::SYS_rename => by_name(Change::Rename, cwd, second),
        libc::SYS_renameat | libc::SYS_renameat2 => by_name(Change::Rename, third, registers.r10),
        libc::SYS_unlink | libc::SYS_rmdir => by_name(Change::Unlink, cwd, first),
        libc::SYS_unlinkat => by_name(Change::Unlink, first, second),
        libc::SYS_mkdir => by_name(Change::MakeFolder, cwd, first),
        libc::SYS_mkdirat => by_name(Change::MakeFolder, first, second),
        libc::SYS_link | libc::SYS_symlink => by_name(Change::Link, cwd, second),
        libc::SYS_linkat => by_name(Change::Link, third, registers.r10),
        libc::SYS_symlinkat => by_name(Change::Link, second, third),
        _ => None,
    }
}

fn is_within(path: Option<PathBuf>, folder: &Path) -> bool {
    path.is_some_and(|path| path.starts_with(folder))
}

/// The path that a name in the memory of a process means.
fn path_at(pid: Pid, folder: u64, name: u64) -> Option<PathBuf> {
    let memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    // A read that would reach beyond what is mapped is a short one.
    let mut bytes = [0; libc::PATH_MAX as usize];
    let read = memory.read_at(&mut bytes, name).ok()?;
    let end = bytes[..read].iter().position(|&byte| byte == 0)?;
    let name = Path::new(std::str::from_utf8(&bytes[..end]).ok()?);
    let base = match folder as i32 {
        libc::AT_FDCWD => format!("/proc/{pid}/cwd"),
        handle => format!("/proc/{pid}/fd/{handle}"),
    };
    // Joined to an absolute name, the base does not matter.
    Some(if name.is_absolute() { name.to_owned() } else { fs::read_link(base).ok()?.join(name) })
}
