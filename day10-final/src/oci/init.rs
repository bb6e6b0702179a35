//! The container's side: `tiny-runc init`.
//!
//! Two processes take part. The first one, on the host, joins the namespaces that exist, and opens everything that comes
//! from the host. The second one, its copy in the new namespaces, turns itself into the container, waits for `start`,
//! and becomes the command.

mod host;

use std::convert::Infallible;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{ExitCode, exit};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, sethostname, setsid};
use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};

use crate::failure::escaped;
use crate::oci::channel::{Channel, News, Orders};
use crate::oci::init::host::{Host, join};
use crate::oci::namespaces::{self, bring_up_loopback, is_new, wanted};
use crate::oci::process::{self, capabilities, command::Command};
use crate::oci::rootfs::{self, finish};
use crate::oci::{console, hooks, log, spawn};

/// Returns only if something has failed: the runtime reads the reason from the socket, and tells the user. Once it has
/// left, the container's stderr gets it.
pub fn main() -> ExitCode {
    let begin = || {
        let [socket, gate, console] = spawn::given()?;
        let channel = Channel::new(spawn::socket(socket)?);
        anyhow::Ok((channel, console, gate))
    };
    match begin() {
        Ok((channel, console, gate)) => prepare(channel, console, gate),
        Err(error) => {
            log::error(&error);
            ExitCode::FAILURE
        }
    }
}

fn prepare(mut channel: Channel, console: Option<OwnedFd>, gate: Option<OwnedFd>) -> ExitCode {
    let prepared = join(&mut channel).and_then(|(orders, mut host)| {
        (host.console, host.gate) = (console, gate);
        let first = start(&mut channel, &orders, host)?;
        // It has the socket, too. Unless it fails, it speaks only after this message has been answered.
        channel.send(&News::Started(first.as_raw()))
    });
    match prepared {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => tell(&channel, &error),
    }
}

/// Once the runtime has left, whoever reads the container's stderr should know.
fn tell(channel: &Channel, error: &anyhow::Error) -> ExitCode {
    if channel.send(&News::Failed(format!("{error:#}"))).is_err() {
        log::say(&escaped(&format!("{error:#}")));
    }
    ExitCode::FAILURE
}

// ANCHOR: start
/// Starts the second process, as a child of the runtime, which has to wait for it.
fn start(channel: &mut Channel, orders: &Orders, host: Host) -> Result<Pid> {
    let flags = match orders.join {
        Some(_) => CloneFlags::empty(),
        None => namespaces::new(&orders.spec),
    };
    if let Some(process) = orders
        .spec
        .process()
        .as_ref()
        .filter(|_| orders.join.is_some())
    {
        capabilities::reduce(process, &orders.spec)?;
        // Nor is what this program has in memory the container's business: CVE-2016-9962.
        set_dumpable(false).context("cannot disable tracing by the container")?;
    }
    let started = spawn::fork(flags | CloneFlags::CLONE_PARENT, None);
    match started {
        Ok(Some(first)) => Ok(first),
        Ok(None) => {
            let Err(error) = become_container(channel, orders, host);
            tell(channel, &error);
            exit(1)
        }
        Err(Errno::ENOMEM) if orders.join.is_some() => bail!("its first process has ended"),
        Err(Errno::EAGAIN) => bail!(
            "cannot start another process: EAGAIN\n\
             hint: see linux.resources.pids.limit, pids.max of the cgroups above, and ulimit -u"
        ),
        Err(errno) => Err(crate::namespaces::refused(errno)).context("cannot create namespaces"),
    }
}
// ANCHOR_END: start

// ANCHOR: become_container
fn become_container(channel: &mut Channel, orders: &Orders, host: Host) -> Result<Infallible> {
    if orders.join.is_some() {
        wait_for_runtime(channel)?;
    }
    set_pdeathsig(Signal::SIGKILL).context("cannot set the parent-death signal")?;
    // What is in this program's memory is nobody else's business until exec replaces it.
    set_dumpable(false).context("cannot disable tracing by the container")?;
    // Without a terminal of its own, it may have its caller's as stdin, but not control it. (With CAP_SYS_ADMIN, it can still
    // type there: ioctl_tty(2). Who grants that, and runs it in the foreground, should ask for a terminal.)
    setsid().context("cannot create a session")?;
    let spec = &orders.spec;
    let process = spec.process().as_ref().context("process is missing")?;
    let mut entered = None;
    if orders.join.is_none() {
        if is_new(spec, Kind::Cgroup) {
            unshare(CloneFlags::CLONE_NEWCGROUP).context("cannot create a cgroup namespace")?;
        }
        name_it(spec)?;
        entered = Some(rootfs::enter(orders, host.sources, || {
            wait_for_runtime(channel)?;
            match hooks::are_on_host(spec) {
                true => channel.tell(News::Mounted),
                false => Ok(()),
            }
        })?);
    }
    if orders.join.is_some() && wanted(spec, Kind::Mount).is_none() {
        rootfs::change_directory(&orders.rootfs)?;
    }
    let terminal = process.terminal() == Some(true);
    if terminal {
        let socket = host
            .console
            .map(UnixStream::from)
            .context("there is no console socket")?;
        console::open(&socket, process, entered.is_some(), orders.to_file)?;
    }
    if let Some(entered) = entered {
        finish::finish(spec, entered)?;
    }
    let command = Command::new(process, orders)?;
    // A filter may not know close_range(2), which is younger than many profiles.
    spawn::close_from(orders.preserve_fds.saturating_add(3))?;
    process::limit(process, spec, |news| match news {
        News::Warned(_) | News::Noted(_) => channel.send(&news),
        news => channel.tell(news),
    })?;
    let program = command.find()?;
    // From here on, a strict filter may allow nothing but exec.
    command.prepare()?;
    set_pdeathsig(None).context("cannot clear the parent-death signal")?;
    process::filter(process, spec, |news| match news {
        News::Warned(_) | News::Noted(_) => channel.send(&news),
        news => channel.tell(news),
    })?;
    channel.tell(News::Ready)?;
    // It stays open until exec closes it: that is how `start` knows.
    let gate = host.gate.map(File::from);
    if let Some(gate) = &gate {
        // An ordinary user's `exec` needs our namespaces. What could be read by now is the container's own.
        set_dumpable(!orders.by_root).context("cannot allow tracing")?;
        wait_at(gate)?;
        hooks::start_container(orders, command.environment())?;
    }
    command.exec(&program)
}
// ANCHOR_END: become_container

/// Until it knows our pid, and has done what it has to do for that.
fn wait_for_runtime(channel: &mut Channel) -> Result<()> {
    channel.receive::<()>()?.context("the runtime has ended")
}

// ANCHOR: wait_at
/// Until somebody calls `start`.
fn wait_at(mut gate: &File) -> Result<()> {
    gate.read_exact(&mut [0]).context("cannot wait for start")
}
// ANCHOR_END: wait_at

/// setdomainname(2).
fn set_domain_name(name: &str) -> nix::Result<()> {
    // SAFETY: setdomainname(2) reads as many bytes as it is told.
    Errno::result(unsafe { libc::setdomainname(name.as_ptr().cast(), name.len()) }).map(drop)
}

/// What the container calls itself; and its loopback device, unless the runtime has seen to that.
fn name_it(spec: &Spec) -> Result<()> {
    if let Some(name) = spec.hostname().as_deref().filter(|name| !name.is_empty()) {
        sethostname(name).with_context(|| format!("hostname: cannot set {name:?}"))?;
    }
    if let Some(name) = spec.domainname().as_deref().filter(|name| !name.is_empty()) {
        set_domain_name(name).with_context(|| format!("domainname: cannot set {name:?}"))?;
    }
    match namespaces::new(spec).contains(CloneFlags::CLONE_NEWNET) {
        true => bring_up_loopback(),
        false => Ok(()),
    }
}
