//! How much memory there is to hold mapped files.

use std::path::Path;
use std::sync::OnceLock;

/// Bytes of memory that this process can fill before pages are taken from it: the machine's, or the
/// least limit of its control groups (cgroup versions 1 and 2) if that is less. Read once; without
/// bound where it is not known.
pub(crate) fn limit() -> u64 {
    static LIMIT: OnceLock<u64> = OnceLock::new();
    *LIMIT.get_or_init(|| {
        let groups = read("/proc/self/cgroup").unwrap_or_default();
        let limits = group_files(&groups).into_iter().filter_map(|file| read(&file)?.trim().parse().ok());
        limits.chain(machine(&read("/proc/meminfo").unwrap_or_default())).min().unwrap_or(u64::MAX)
    })
}

fn read(file: &str) -> Option<String> {
    std::fs::read_to_string(file).ok()
}

/// The files that may state a limit: of the process's groups and of all groups around them. A
/// container sees its own group at the root, whatever name the group has outside.
fn group_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (root, name) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|c| c == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        let around = Path::new(group).ancestors();
        files.extend(around.map(|group| format!("{root}{}/{name}", group.display().to_string().trim_end_matches('/'))));
    }
    files
}

/// The machine's memory, as `/proc/meminfo` has it.
fn machine(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_looked_for_in_both_versions_of_groups() {
        let groups = "9:name=systemd:/\n4:cpu,memory:/a/b\n3:cpuset:/x\n0::/c\n";
        let want = [
            "/sys/fs/cgroup/memory/a/b/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
            "/sys/fs/cgroup/memory/memory.limit_in_bytes",
            "/sys/fs/cgroup/c/memory.max",
            "/sys/fs/cgroup/memory.max",
        ];
        assert_eq!(group_files(groups), want);
        assert_eq!(machine("MemFree: 1 kB\nMemTotal:       24000 kB\n"), Some(24_576_000));
        assert_eq!((machine(""), machine("MemTotal: much")), (None, None));
        assert!(limit() > 1 << 20);
    }
}
