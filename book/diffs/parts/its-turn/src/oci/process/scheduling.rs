//! When the command gets the processor, the disk and memory: sched_setattr(2), ioprio_set(2), personality(2), prlimit(2).

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use nix::errno::Errno;
use nix::unistd::{Gid, Pid, Uid, getresgid, getresuid, setresgid, setresuid};
use oci_spec::runtime::{
    IOPriorityClass, LinuxPersonalityDomain, LinuxSchedulerFlag, LinuxSchedulerPolicy,
    PosixRlimitType, Process, Scheduler, Spec,
};

// ANCHOR: check
/// What the kernel would refuse without saying why: sched(7).
pub fn check(process: &Process) -> Result<()> {
    let Some(scheduler) = process.scheduler() else {
        return Ok(());
    };
    let field = "process.scheduler";
    let nice = scheduler.nice().unwrap_or(0);
    ensure!(
        (-20..20).contains(&nice),
        "{field}.nice: {nice} is not -20 to 19"
    );
    let priority = scheduler.priority().unwrap_or(0);
    ensure!(priority >= 0, "{field}.priority: {priority} is negative");
    if *scheduler.policy() != LinuxSchedulerPolicy::SchedDeadline {
        return Ok(());
    }
    let [runtime, deadline] = [scheduler.runtime(), scheduler.deadline()].map(|n| n.unwrap_or(0));
    // Without one, a period is as long as its deadline.
    let period = scheduler.period().filter(|period| *period > 0);
    let period = period.unwrap_or(deadline);
    let (least, most) = (1024, i64::MAX as u64);
    ensure!(
        (least..=most).contains(&runtime),
        "{field}.runtime: SCHED_DEADLINE needs {least} to {most} ns"
    );
    ensure!(
        (runtime..=most).contains(&deadline),
        "{field}.deadline: SCHED_DEADLINE needs at least the runtime, {runtime} ns"
    );
    ensure!(
        (deadline..=most).contains(&period),
        "{field}.period: SCHED_DEADLINE needs at least the deadline, {deadline} ns"
    );
    Ok(())
}
// ANCHOR_END: check

pub fn apply(process: &Process, spec: &Spec) -> Result<()> {
    if let Some(scheduler) = process.scheduler() {
        schedule(scheduler).context("process.scheduler")?;
    }
    if let Some(priority) = process.io_priority() {
        let class = match priority.class() {
            IOPriorityClass::IoprioClassRt => 1,
            IOPriorityClass::IoprioClassBe => 2,
            IOPriorityClass::IoprioClassIdle => 3,
        };
        let level = priority.priority();
        ensure!(
            (0..8).contains(&level),
            "process.ioPriority.priority: {level} is not 0 to 7"
        );
        // linux/ioprio.h: the class is in the upper bits; 1 means a process, and 0 this one.
        let value = class << 13 | level;
        // SAFETY: ioprio_set(2) takes three numbers.
        let set = unsafe { libc::syscall(libc::SYS_ioprio_set, 1, 0, value) };
        Errno::result(set).context("process.ioPriority")?;
    }
    let personality = spec
        .linux()
        .as_ref()
        .and_then(|linux| linux.personality().as_ref());
    if let Some(personality) = personality {
        let flags = personality.flags().as_ref();
        ensure!(
            flags.is_none_or(|flags| flags.is_empty()),
            "linux.personality.flags is not supported"
        );
        // linux/personality.h: PER_LINUX and PER_LINUX32.
        let domain: libc::c_ulong = match personality.domain() {
            LinuxPersonalityDomain::PerLinux => 0,
            LinuxPersonalityDomain::PerLinux32 => 0x0008,
        };
        // SAFETY: personality(2) takes a number.
        let set = unsafe { libc::personality(domain) };
        Errno::result(set).context("linux.personality")?;
    }
    Ok(())
}

// ANCHOR: schedule
/// linux/sched/types.h.
#[repr(C)]
struct SchedAttr {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

fn schedule(scheduler: &Scheduler) -> Result<()> {
    use LinuxSchedulerFlag as Flag;
    use LinuxSchedulerPolicy as Policy;
    let policy = match scheduler.policy() {
        Policy::SchedOther => libc::SCHED_OTHER,
        Policy::SchedFifo => libc::SCHED_FIFO,
        Policy::SchedRr => libc::SCHED_RR,
        Policy::SchedBatch => libc::SCHED_BATCH,
        Policy::SchedIso => 4,
        Policy::SchedIdle => libc::SCHED_IDLE,
        Policy::SchedDeadline => libc::SCHED_DEADLINE,
    };
    let bit = |flag: &Flag| match flag {
        Flag::SchedResetOnFork => 0x01,
        Flag::SchedFlagReclaim => 0x02,
        Flag::SchedFlagDLOverrun => 0x04,
        Flag::SchedFlagKeepPolicy => 0x08,
        Flag::SchedFlagKeepParams => 0x10,
        Flag::SchedFlagUtilClampMin => 0x20,
        Flag::SchedFlagUtilClampMax => 0x40,
    };
    let attributes = SchedAttr {
        size: size_of::<SchedAttr>() as u32,
        policy: policy as u32,
        flags: scheduler.flags().iter().flatten().map(bit).sum(),
        nice: scheduler.nice().unwrap_or(0),
        priority: scheduler.priority().unwrap_or(0) as u32,
        runtime: scheduler.runtime().unwrap_or(0),
        deadline: scheduler.deadline().unwrap_or(0),
        period: scheduler.period().unwrap_or(0),
    };
    // SAFETY: sched_setattr(2) reads a struct of the size that it names.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &attributes, 0) };
    match Errno::result(set) {
        Err(errno @ Errno::EPERM) if policy == libc::SCHED_DEADLINE => {
            bail!("process scheduler can't be used together with AllowedCPUs: {errno}")
        }
        set => set.context("sched_setattr")?,
    };
    Ok(())
}
// ANCHOR_END: schedule

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
