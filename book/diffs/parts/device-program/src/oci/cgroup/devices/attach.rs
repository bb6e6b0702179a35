//! Hands a program to the kernel, and ties it to a cgroup of version 2: bpf(2), and linux/bpf.h.

use std::fs::File;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::oci::cgroup::devices::instruction::Instruction;

// enum bpf_cmd
const PROG_LOAD: i32 = 5;
const PROG_ATTACH: i32 = 8;
const PROG_DETACH: i32 = 9;
const PROG_GET_FD_BY_ID: i32 = 13;
const PROG_QUERY: i32 = 16;

/// BPF_PROG_TYPE_CGROUP_DEVICE
const PROGRAM_TYPE: u32 = 15;
/// BPF_CGROUP_DEVICE
const ATTACH_TYPE: u32 = 6;
/// BPF_F_ALLOW_MULTI: cgroups below may have programs of their own. All of them have to agree.
const ALLOW_MULTI: u32 = 2;
/// BPF_F_REPLACE, from Linux 5.6.
const REPLACE: u32 = 4;

/// The kernel's limit for one cgroup.
const MOST_PROGRAMS: usize = 64;

/// What bpf(2) reads for PROG_LOAD.
#[repr(C)]
struct Load {
    program_type: u32,
    count: u32,
    instructions: u64,
    license: u64,
    log: [u64; 2],
    kernel_version: u32,
    flags: u32,
}

/// For PROG_ATTACH and PROG_DETACH.
#[repr(C)]
struct Attach {
    target: i32,
    program: i32,
    attach_type: u32,
    flags: u32,
    replaced: i32,
}

/// For PROG_QUERY.
#[repr(C)]
struct Query {
    target: i32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    ids: u64,
    count: u32,
    /// Named, so that the kernel sees a zero here.
    padding: u32,
}

// ANCHOR: attach
/// From now on, `program` decides about the devices of `group`, instead of those that did so before.
///
/// At no time is there none. Needs CAP_BPF (or CAP_SYS_ADMIN) and CAP_NET_ADMIN on the host.
pub fn attach(group: &Path, program: &[Instruction]) -> Result<()> {
    let cannot = || format!("cannot open {}", group.display());
    let group = File::open(group).with_context(cannot)?;
    let former = attached(&group).context("cannot list the cgroup's device programs")?;
    let program = load(program).context("cannot load the device program")?;
    let (target, new) = (group.as_raw_fd(), program.as_raw_fd());
    let mut attach = Attach {
        target,
        program: new,
        attach_type: ATTACH_TYPE,
        flags: ALLOW_MULTI | REPLACE,
        replaced: 0,
    };
    if let [one] = &former[..] {
        attach.replaced = one.as_raw_fd();
        if bpf(PROG_ATTACH, &mut attach).is_ok() {
            return Ok(());
        }
    }
    // An older kernel, or several programs. For a moment, all of them decide.
    (attach.flags, attach.replaced) = (ALLOW_MULTI, 0);
    bpf(PROG_ATTACH, &mut attach).context("cannot attach the device program to the cgroup")?;
    for one in &former {
        (attach.program, attach.flags) = (one.as_raw_fd(), 0);
        bpf(PROG_DETACH, &mut attach).context("cannot detach the former device program")?;
    }
    Ok(())
}
// ANCHOR_END: attach

/// The programs that are tied to `group` itself.
fn attached(group: &File) -> nix::Result<Vec<OwnedFd>> {
    let mut ids = [0u32; MOST_PROGRAMS];
    let mut query = Query {
        target: group.as_raw_fd(),
        attach_type: ATTACH_TYPE,
        query_flags: 0,
        attach_flags: 0,
        ids: ids.as_mut_ptr() as u64,
        count: MOST_PROGRAMS as u32,
        padding: 0,
    };
    bpf(PROG_QUERY, &mut query)?;
    let mut programs = Vec::new();
    for id in ids.iter().take(query.count as usize) {
        // The id, and two words that we do not use.
        match bpf(PROG_GET_FD_BY_ID, &mut [*id, 0, 0]) {
            // SAFETY: the kernel has just returned it, and nobody else has it.
            Ok(fd) => programs.push(unsafe { OwnedFd::from_raw_fd(fd) }),
            // It has gone; or a security module keeps it from us. It can only refuse more than ours does.
            Err(Errno::ENOENT | Errno::EPERM | Errno::EACCES) => (),
            Err(errno) => return Err(errno),
        }
    }
    Ok(programs)
}

// ANCHOR: load
fn load(program: &[Instruction]) -> nix::Result<OwnedFd> {
    let mut load = Load {
        program_type: PROGRAM_TYPE,
        count: program.len() as u32,
        instructions: program.as_ptr() as u64,
        license: c"MIT".as_ptr() as u64,
        log: [0; 2],
        kernel_version: 0,
        flags: 0,
    };
    // Before Linux 5.11, a program counts as locked memory, of which a process may have little. The limit is put back,
    // because the container would inherit it.
    let unlimited = libc::rlimit {
        rlim_cur: libc::RLIM_INFINITY,
        rlim_max: libc::RLIM_INFINITY,
    };
    let former = limit_locked_memory(unlimited);
    let loaded = bpf(PROG_LOAD, &mut load);
    if let Ok(former) = former {
        let _ = limit_locked_memory(former);
    }
    // SAFETY: the kernel has just returned it, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(loaded?) })
}
// ANCHOR_END: load

/// Sets RLIMIT_MEMLOCK of this process, and returns what it was: prlimit(2).
fn limit_locked_memory(limit: libc::rlimit) -> nix::Result<libc::rlimit> {
    let mut former = limit;
    // SAFETY: prlimit(2) reads one struct and writes the other.
    let set = unsafe { libc::prlimit(0, libc::RLIMIT_MEMLOCK, &limit, &mut former) };
    Errno::result(set).map(|_| former)
}

// ANCHOR: bpf
/// bpf(2). `attributes` is the struct that belongs to `command`.
fn bpf<T>(command: i32, attributes: &mut T) -> nix::Result<i32> {
    let attributes = std::ptr::from_mut(attributes);
    // SAFETY: the kernel reads and writes no more of the struct than its size, and the addresses in it are those of
    // slices, with their lengths, that live until it returns.
    let done = unsafe { libc::syscall(libc::SYS_bpf, command, attributes, size_of::<T>()) };
    Errno::result(done).map(|returned| returned as i32)
}
// ANCHOR_END: bpf
