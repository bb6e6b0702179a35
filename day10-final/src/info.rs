//! `info`: which features this host supports, day by day. It tries each of them in a process that ends right after.
//! So it uses nearly all rooms. Only `main` uses it.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{self, exit};

use anyhow::{Context, Result, anyhow, ensure};
use caps::CapsHashSet;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::inotify::{InitFlags, Inotify};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::utsname::uname;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getegid, geteuid};

use crate::cgroup::hierarchy::{Version, delegated_group};
use crate::container::Status;
use crate::failure::{escaped, sudo_run};
use crate::host::has;
use crate::image::keep;
use crate::namespaces::{idmap, refused};
use crate::network::firewall;
use crate::privileges::{NO_USERS, seccomp};
use crate::rootfs::{self, layer};
use crate::state::pidfd::PidFd;
use crate::state::process::Process;
use crate::state::store;

/// The day that needs a feature, its name, and how far this host supports it, or why it does not.
type Row = (&'static str, &'static str, Result<String>);

// ANCHOR: print
/// Prints what this host supports and, where something is missing, a hint if there is a way out.
pub fn print(state: &Path) -> Result<u8> {
    let mut text = about(state)?;
    // The state directory is created with the first container, and not by looking.
    let here = state.ancestors().find(|directory| directory.exists());
    for (day, what, outcome) in rows(here.unwrap_or(state)) {
        let _ = match outcome {
            Ok(how_much) => writeln!(text, "{day:8}{what:28}{how_much}"),
            Err(reason) => {
                let reason = format!("{reason:#}").replace('\n', "\n        ");
                writeln!(text, "{day:8}{what:28}no: {reason}")
            }
        };
    }
    io::stdout()
        .write_all(escaped(&text).as_bytes())
        .context("cannot print")?;
    Ok(0)
}
// ANCHOR_END: print

fn about(state: &Path) -> Result<String> {
    let kernel = uname().context("cannot read the kernel version")?;
    let all: Vec<_> = store::all(state)?.into_iter().flatten().collect();
    let running = all
        .iter()
        .filter(|container| container.status == Status::Running);
    Ok(format!(
        "tiny-docker {} on {} {} as {}\ncontainers: {} ({} running), images: {}, in {}\n\n",
        env!("CARGO_PKG_VERSION"),
        kernel.sysname().display(),
        kernel.release().display(),
        match geteuid() {
            user if user.is_root() => "root".to_owned(),
            user => format!("user {user}"),
        },
        all.len(),
        running.count(),
        keep::count(state)?,
        state.display(),
    ))
}

// ANCHOR: rows
fn rows(state: &Path) -> Vec<Row> {
    let yes = |tried: Result<()>| tried.map(|()| "yes".to_owned());
    let namespaces = attempt(|| enter_namespaces(CloneFlags::empty()));
    let has_namespaces = namespaces.is_ok();
    let mut rows = vec![
        ("day 1", "processes", yes(attempt(|| Ok(())))),
        ("day 2", "namespaces", yes(namespaces)),
    ];
    // Without them, most of what follows cannot be tried.
    if has_namespaces {
        rows.push(("day 3", "a private /proc", yes(attempt(mount_proc))));
    }
    rows.push(("day 4", "container records", yes(writable(state))));
    rows.push(("day 5", "log following", yes(watch())));
    rows.push(("day 6", "race-free signals", yes(pidfd())));
    rows.extend(limits());
    let network = || enter_namespaces(CloneFlags::CLONE_NEWNET);
    if has_namespaces {
        rows.push(("day 8", "network namespaces", yes(attempt(network))));
    }
    let bridge = bridge();
    let has_bridge = bridge.is_ok();
    rows.push(("day 9", "bridge network", bridge));
    if has_bridge {
        rows.push(("day 9", "NAT and published ports", nat()));
    }
    if has_namespaces {
        rows.push(("day 10", "writable layers", yes(mount_layer(state))));
        rows.push(("day 10", "system call filter", yes(attempt(load_filter))));
    }
    rows.push(("day 10", "users besides root", users()));
    rows
}
// ANCHOR_END: rows

/// A row for each limit that a cgroup can have.
fn limits() -> [Row; 3] {
    let limit = |controller| {
        let (version, _) = delegated_group(controller)?;
        Ok(match version {
            Version::V1 => "yes (cgroup v1)".to_owned(),
            Version::V2 => "yes (cgroup v2)".to_owned(),
        })
    };
    [
        ("day 7", "memory limits", limit("memory")),
        ("day 7", "CPU limits", limit("cpu")),
        ("day 7", "process limits", limit("pids")),
    ]
}

// ANCHOR: attempt
/// Whether `deed` is possible here, or why it is not. Another process does it, and ends right after.
fn attempt(deed: impl FnOnce() -> Result<()>) -> Result<()> {
    let (mut hear, mut say) = io::pipe().context("cannot create a pipe")?;
    // SAFETY: this process has one thread.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            if let Err(reason) = deed() {
                let _ = write!(say, "{reason:#}");
            }
            exit(0)
        }
        ForkResult::Parent { child } => {
            drop(say);
            let mut reason = String::new();
            let heard = hear.read_to_string(&mut reason);
            waitpid(child, None).context("cannot wait for the check")?;
            heard.context("cannot read the result of the check")?;
            ensure!(reason.is_empty(), "{reason}");
            Ok(())
        }
    }
}
// ANCHOR_END: attempt

/// Enters namespaces as [`crate::namespaces`] creates them for a container, and `more`.
fn enter_namespaces(more: CloneFlags) -> Result<()> {
    let mut flags = CloneFlags::CLONE_NEWUTS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWNS;
    flags |= more;
    let (user, group) = (geteuid(), getegid());
    if !user.is_root() {
        flags |= CloneFlags::CLONE_NEWUSER;
    }
    unshare(flags).map_err(refused)?;
    if !user.is_root() {
        fs::write("/proc/self/setgroups", "deny")?;
        fs::write("/proc/self/uid_map", format!("0 {user} 1")).context("cannot map ids")?;
        fs::write("/proc/self/gid_map", format!("0 {group} 1")).context("cannot map ids")?;
    }
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, flags, None::<&str>).map_err(refused)
}

/// Mounts /proc for a new PID namespace. Only a child is in that namespace.
fn mount_proc() -> Result<()> {
    enter_namespaces(CloneFlags::empty())?;
    attempt(|| rootfs::new_proc().map(drop))
}

fn mount_layer(state: &Path) -> Result<()> {
    let here = scratch(state);
    fs::create_dir(&here).with_context(|| format!("cannot create {}", here.display()))?;
    let tried = layer::create(&here.join("layer")).and_then(|()| {
        attempt(|| {
            enter_namespaces(CloneFlags::empty())?;
            layer::overlay(&["/usr".into()], &here.join("layer"), !geteuid().is_root())
        })
    });
    idmap::remove(&here)?;
    tried.context("containers copy their root filesystem instead")
}

fn load_filter() -> Result<()> {
    set_no_new_privs().context("cannot set no_new_privs")?;
    seccomp::load(&CapsHashSet::new())
}

fn writable(state: &Path) -> Result<()> {
    let here = scratch(state);
    let tried = fs::create_dir(&here).and_then(|()| fs::remove_dir(&here));
    tried.map_err(|error| {
        let place = state.display();
        anyhow!("cannot write to {place}: {error}\nhint: choose another directory: --root DIR")
    })
}

/// A directory for an attempt, which removes it afterwards.
fn scratch(state: &Path) -> PathBuf {
    state.join(format!(".info-{}", process::id()))
}

fn watch() -> Result<()> {
    Inotify::init(InitFlags::IN_CLOEXEC).context("inotify_init1")?;
    Ok(())
}

fn pidfd() -> Result<()> {
    PidFd::of(&Process::of(Pid::this())?).map(drop)
}

fn bridge() -> Result<String> {
    ensure!(
        geteuid().is_root(),
        "only root may change the host's network\nhint: {}",
        sudo_run()
    );
    for program in ["ip", "nsenter"] {
        ensure!(
            has(program),
            "{program} is not in PATH\nhint: install iproute2 and util-linux"
        );
    }
    Ok("yes".to_owned())
}

fn nat() -> Result<String> {
    let tool = firewall::tool()?;
    Ok(format!("yes ({tool})"))
}

fn users() -> Result<String> {
    if geteuid().is_root() {
        return Ok("yes".to_owned());
    }
    let [uids, _] = idmap::set_aside().context(NO_USERS)?;
    let number = uids.split(' ').nth(1).unwrap_or_default();
    Ok(format!("yes ({number})"))
}
