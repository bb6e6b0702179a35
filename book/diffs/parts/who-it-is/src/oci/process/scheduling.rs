//! When the command gets the processor, the disk and memory: sched_setattr(2), ioprio_set(2), personality(2), prlimit(2).

use std::fs;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::unistd::{Gid, Pid, Uid, getresgid, getresuid, setresgid, setresuid};
use oci_spec::runtime::{PosixRlimitType, Process};

// ANCHOR: limit
/// On the host: sets the limits of `process` for the container's `pid`.
pub fn limit(pid: Pid, process: &Process) -> Result<()> {
    for limit in process.rlimits().iter().flatten() {
        let name = limit.typ();
        let values = libc::rlimit {
            rlim_cur: limit.soft(),
            rlim_max: limit.hard(),
        };
        let set = || {
            let (pid, which) = (pid.as_raw(), resource(name));
            // SAFETY: prlimit(2) reads one struct, and writes none.
            Errno::result(unsafe { libc::prlimit(pid, which, &values, std::ptr::null_mut()) })
        };
        let done = match set() {
            // We lack CAP_SYS_RESOURCE. To lower a limit of another user takes none, but the same ids.
            Err(Errno::EPERM) => as_user_of(pid, set),
            done => done,
        };
        done.with_context(|| format!("process.rlimits: cannot set {name}"))?;
    }
    Ok(())
}

/// Does it with the ids of `pid` as our real ones, which are what prlimit(2) compares.
fn as_user_of<T>(pid: Pid, act: impl Fn() -> nix::Result<T>) -> nix::Result<T> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let real = |name: &str| {
        let ids = status.lines().find_map(|line| line.strip_prefix(name))?;
        ids.split_whitespace().next()?.parse().ok()
    };
    let (Some(uid), Some(gid)) = (real("Uid:"), real("Gid:")) else {
        return Err(Errno::EPERM);
    };
    let (user, group) = (getresuid()?, getresgid()?);
    setresgid(Gid::from_raw(gid), group.effective, group.saved)?;
    let done = setresuid(Uid::from_raw(uid), user.effective, user.saved).and_then(|()| act());
    setresuid(user.real, user.effective, user.saved)?;
    setresgid(group.real, group.effective, group.saved)?;
    done
}
// ANCHOR_END: limit

fn resource(name: PosixRlimitType) -> libc::__rlimit_resource_t {
    use PosixRlimitType::*;
    match name {
        RlimitCpu => libc::RLIMIT_CPU,
        RlimitFsize => libc::RLIMIT_FSIZE,
        RlimitData => libc::RLIMIT_DATA,
        RlimitStack => libc::RLIMIT_STACK,
        RlimitCore => libc::RLIMIT_CORE,
        RlimitRss => libc::RLIMIT_RSS,
        RlimitNproc => libc::RLIMIT_NPROC,
        RlimitNofile => libc::RLIMIT_NOFILE,
        RlimitMemlock => libc::RLIMIT_MEMLOCK,
        RlimitAs => libc::RLIMIT_AS,
        RlimitLocks => libc::RLIMIT_LOCKS,
        RlimitSigpending => libc::RLIMIT_SIGPENDING,
        RlimitMsgqueue => libc::RLIMIT_MSGQUEUE,
        RlimitNice => libc::RLIMIT_NICE,
        RlimitRtprio => libc::RLIMIT_RTPRIO,
        RlimitRttime => libc::RLIMIT_RTTIME,
    }
}
