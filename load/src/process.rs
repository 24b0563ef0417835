//! What the system knows about a process and about this machine, from `/proc`.

use std::time::Duration;

use serde::Serialize;

use crate::failure::{Outcome, said};

/// Memory that a process holds, in KiB.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Now.
    pub now: u64,
    /// The most it ever held.
    pub peak: u64,
}

/// Memory of a process.
pub fn memory(pid: u32) -> Outcome<Memory> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name: &str| -> Outcome<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim_end_matches(" kB").trim().parse().ok())
            .ok_or_else(|| said(format!("/proc has no {name} for the server")))
    };
    Ok(Memory {
        now: kib("VmRSS:")?,
        peak: kib("VmHWM:")?,
    })
}

/// Processor time that a process has used, in user and system together.
pub fn processor(pid: u32) -> Outcome<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let ticks = ticks(&stat).ok_or_else(|| said("/proc has no processor time for the server"))?;
    Ok(Duration::from_secs_f64(
        ticks as f64 / rustix::param::clock_ticks_per_second() as f64,
    ))
}

/// Fields 14 and 15 of `stat`. The name in brackets may hold anything, so counting starts after it.
fn ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    let mut fields = rest.split(' ').skip(11).map(str::parse::<u64>);
    Some(fields.next()?.ok()? + fields.next()?.ok()?)
}

/// The machine on which the figures were taken; they mean little without it.
#[derive(Debug, Serialize)]
pub struct Machine {
    /// How many processors this program may use.
    pub cores: usize,
    /// What they call themselves.
    pub processor: String,
    /// Kernel version.
    pub kernel: String,
    /// Memory in MiB.
    pub memory_mib: u64,
}

impl Machine {
    /// This one.
    pub fn here() -> Machine {
        let read = |path| std::fs::read_to_string(path).unwrap_or_default();
        let after = |text: &str, name| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':'))
                .map(|(_, rest)| rest.trim().to_owned())
        };
        let total = after(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kib: u64 = total.trim_end_matches(" kB").parse().unwrap_or(0);
        Machine {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            processor: after(&read("/proc/cpuinfo"), "model name")
                .unwrap_or_else(|| "unknown".to_owned()),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            memory_mib: kib / 1_024,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read_past_a_name_with_brackets_and_spaces() {
        let stat = "42 (odd) name) S 1 2 3 4 5 6 7 8 9 10 700 55 0 0 20 0 4";
        assert_eq!(ticks(stat), Some(755));
        assert_eq!(ticks("42 (short) S 1"), None);
    }

    #[test]
    fn this_process_has_memory_and_this_machine_a_core() {
        let memory = memory(std::process::id()).unwrap();
        assert!(memory.now > 0 && memory.peak >= memory.now);
        assert!(processor(std::process::id()).is_ok());
        assert!(Machine::here().cores >= 1);
    }
}
