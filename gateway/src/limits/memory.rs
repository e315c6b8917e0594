//! How much memory the process uses, and how much there is. Linux says both in files.

use std::fs::read_to_string;

/// Bytes that the process has in memory; 0 where the system does not tell.
pub(super) fn used() -> u64 {
    read_to_string("/proc/self/status").ok().and_then(|text| kibibytes(&text, "VmRSS:")).unwrap_or(0)
}

/// The most that it can have: the bound of its control group, or the memory of the machine.
pub(super) fn limit() -> u64 {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| kibibytes(&text, "MemTotal:"));
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_groups = bound_files(&groups).into_iter().filter_map(|file| read_to_string(file).ok()?.trim().parse().ok());
    // Without any of them there is nothing to be a part of.
    of_groups.chain(machine).min().unwrap_or(u64::MAX)
}

/// A line like `VmRSS:     1234 kB`.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// Where the bounds of the control groups are, in both versions: those of the process and of all above it.
fn bound_files(groups: &str) -> Vec<String> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(number), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (root, file) = match controllers {
            "" if number == "0" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        let mut path = path.trim_end_matches('/');
        loop {
            files.push(format!("{root}{path}/{file}"));
            match path.rfind('/') {
                Some(end) => path = &path[..end],
                None => break,
            }
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_linux_says_is_understood() {
        assert_eq!(kibibytes("Name:\tx\nVmRSS:\t    1234 kB\n", "VmRSS:"), Some(1234 << 10));
        assert_eq!(kibibytes("VmRSS: many", "VmRSS:"), None);
        assert_eq!(
            bound_files("0::/system.slice/gateway.service\n"),
            [
                "/sys/fs/cgroup/system.slice/gateway.service/memory.max",
                "/sys/fs/cgroup/system.slice/memory.max",
                "/sys/fs/cgroup/memory.max",
            ]
        );
        let first = "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n";
        assert_eq!(bound_files(first)[0], "/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes");
        assert!(used() > 1 << 20 && limit() > used());
    }
}
