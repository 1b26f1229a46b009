//! Confinement: what the kernel withholds from the worker, whatever the interpreter lets through.

use crate::limits::Limits;
use crate::protocol::MemoryGuard;
use std::io;
use std::time::Duration;

/// CPU time that a run may use beyond its limit of time, so that the interpreter's own check comes first.
#[cfg(unix)]
const CPU_GRACE: Duration = Duration::from_secs(3);

/// The kernel's limits, set.
pub(super) struct Confinement {
    #[cfg_attr(not(unix), allow(dead_code, reason = "only the kernel of a Unix counts CPU time"))]
    time: Duration,
}

/// Gives up files, processes and memory beyond the limits. Elsewhere than on a Unix, the interpreter and the host's
/// clock are the limits.
pub(super) fn enter(limits: &Limits, memory: MemoryGuard) -> io::Result<Confinement> {
    #[cfg(unix)]
    unix::enter(limits, memory)?;
    #[cfg(not(unix))]
    let _ = memory;
    Ok(Confinement { time: limits.time })
}

impl Confinement {
    /// Lets one more run use its time of the processor. The kernel's limit is for a worker that nobody watches any more.
    pub(super) fn allow_run(&self) {
        #[cfg(unix)]
        unix::allow_cpu(self.time + CPU_GRACE);
    }
}

#[cfg(unix)]
mod unix {
    use super::{Duration, Limits, MemoryGuard, io};
    use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};

    pub(super) fn enter(limits: &Limits, memory: MemoryGuard) -> io::Result<()> {
        // Read while files can be opened.
        let address_space = address_space();
        close_inherited();
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        setrlimit(Resource::RLIMIT_FSIZE, 0, 0)?;
        // Descriptors 0 to 2 are open and stay so.
        setrlimit(Resource::RLIMIT_NOFILE, 3, 3)?;
        #[cfg(any(target_os = "linux", target_os = "macos"))]
        setrlimit(Resource::RLIMIT_NPROC, 0, 0)?;
        if let Some(used) = address_space {
            let allowed = used.saturating_add(allowance(limits.memory as u64, memory));
            setrlimit(Resource::RLIMIT_AS, allowed, allowed)?;
        }
        Ok(())
    }

    /// Returns how much address space the memory may take: an allocator fragments, and a large block that grows is in
    /// two places while it is copied. Where nothing else counts, less of that is forgiven.
    fn allowance(memory: u64, guard: MemoryGuard) -> u64 {
        const MIB: u64 = 1 << 20;
        match guard {
            MemoryGuard::Allocator => memory.saturating_mul(2).saturating_add(64 * MIB),
            MemoryGuard::AddressSpace => memory.saturating_add(8 * MIB),
        }
    }

    /// Returns the bytes of address space in use, where the kernel tells.
    fn address_space() -> Option<u64> {
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmSize:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
    }

    /// Closes what the host left open for its children, where the kernel lists it.
    fn close_inherited() {
        let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
        let names = open.flatten().map(|entry| entry.file_name());
        let inherited: Vec<i32> = names
            .filter_map(|name| name.to_str()?.parse().ok())
            .filter(|descriptor| *descriptor > 2)
            .collect();
        for descriptor in inherited {
            // The listing's own descriptor is among them and closed already.
            let _ = nix::unistd::close(descriptor);
        }
    }

    pub(super) fn allow_cpu(more: Duration) {
        let Ok(used) = getrusage(UsageWho::RUSAGE_SELF) else { return };
        let used = used.user_time().tv_sec() + used.system_time().tv_sec();
        let allowed = u64::try_from(used).unwrap_or(0) + more.as_secs() + 1;
        if let Ok((_, most)) = getrlimit(Resource::RLIMIT_CPU) {
            // Failing leaves the limit of an earlier run: the worker dies early, and the host starts another.
            let _ = setrlimit(Resource::RLIMIT_CPU, allowed.min(most), most);
        }
    }
}
