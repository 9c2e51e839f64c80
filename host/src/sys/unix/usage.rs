//! What the machine and its processes have used, as `/proc` says it.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};
use serde::Serialize;

/// Processor time of a server (s).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Cpu {
    /// Of the processes that are there, in their own code.
    pub user: f64,
    /// The same, in the kernel.
    pub system: f64,
    /// Of children that have left, in their own code.
    pub children_user: f64,
    /// The same, in the kernel.
    pub children_system: f64,
}

/// Load averages over 1, 5 and 15 minutes; zero where they cannot be had.
pub fn load() -> [f64; 3] {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let mut words = text.split_whitespace().map(|word| word.parse().unwrap_or(0.0));
    std::array::from_fn(|_| words.next().unwrap_or(0.0))
}

/// Processor time of a parent and its children. Other processes' are as good as zero: what is no
/// child of the parent does not count.
pub fn cpu(parent: i32, children: impl Iterator<Item = u32>) -> Cpu {
    let ticks = sysconf(SysconfVar::CLK_TCK).ok().flatten().filter(|n| *n > 0).unwrap_or(100);
    let seconds = |n: u64| n as f64 / ticks as f64;
    let mut sum = Cpu::default();
    if let Some(stat) = stat(parent) {
        (sum.user, sum.system) = (seconds(stat.user), seconds(stat.system));
        sum.children_user = seconds(stat.children_user);
        sum.children_system = seconds(stat.children_system);
    }
    let pids = children.filter_map(|pid| i32::try_from(pid).ok());
    for stat in pids.filter_map(stat).filter(|stat| stat.parent == parent) {
        sum.user += seconds(stat.user);
        sum.system += seconds(stat.system);
    }
    sum
}

struct Stat {
    parent: i32,
    user: u64,
    system: u64,
    children_user: u64,
    children_system: u64,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in parentheses, may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    let mut words = rest.split_whitespace().skip(1);
    let parent = words.next()?.parse().ok()?;
    let mut times = words.skip(9).map_while(|word| word.parse().ok());
    let mut next = || times.next();
    Some(Stat {
        parent,
        user: next()?,
        system: next()?,
        children_user: next()?,
        children_system: next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_this_process() {
        let ours = stat(nix::unistd::getpid().as_raw()).unwrap();
        assert_eq!(ours.parent, nix::unistd::getppid().as_raw());
        assert!(stat(0).is_none());
    }

    #[test]
    fn loads() {
        assert!(load().iter().all(|load| *load >= 0.0));
    }
}
