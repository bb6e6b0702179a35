//! The host's side of a container: `create`, and the first half of `run`.

pub mod guard;
pub mod ids;
pub mod options;

use std::io::{IsTerminal, stdout};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixStream;
use std::sync::LazyLock;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{Pid, geteuid, getuid};
use oci_spec::runtime::{Hooks, LinuxNamespaceType as Kind, LinuxResources, Spec};

use crate::oci::bundle::Bundle;
use crate::oci::cgroup::Groups;
use crate::oci::cgroup::plan::plan;
use crate::oci::cgroup::update::{apart, ignored};
use crate::oci::channel::{Channel, News, Orders};
use crate::oci::container::{Container, Status};
use crate::oci::create::guard::Guard;
use crate::oci::create::options::Options;
use crate::oci::follow::{first_process, until_ready};
use crate::oci::namespaces::{new_network, wanted};
use crate::oci::process::affinity;
use crate::oci::spawn::{self, Descriptors, inherited};
use crate::oci::store::{Entry, Store};
use crate::oci::{console, hooks, log, pid, rootless};
use crate::state::process::Process;

/// A container that is ready to start.
pub struct Created {
    pub entry: Entry,
    pub container: Container,
    /// For `run` in the foreground: our side of its terminal.
    pub terminal: Option<UnixStream>,
}

// ANCHOR: create
/// Creates the container up to the moment before its command. `detached` means that nobody waits for it here.
pub fn create(options: &Options, store: &Store, detached: bool) -> Result<Created> {
    let bundle = Bundle::open(&options.bundle)?;
    let spec = &bundle.spec;
    let process = spec.process().as_ref().context("process is missing")?;
    let wants_terminal = process.terminal() == Some(true);
    let (console, terminal) =
        console::ends(options.console_socket.as_deref(), wants_terminal, detached)?;
    let entry = store.create(&options.id)?;
    let mut guard = Guard {
        entry: Some(entry),
        groups: None,
        child: None,
        container: None,
        channel: None,
    };
    if let Err(error) = begin(options, bundle, console, detached, &mut guard) {
        guard.undo();
        return Err(error);
    }
    Ok(Created {
        entry: guard.entry.context("there is no entry")?,
        container: guard.container.context("there is no container")?,
        terminal,
    })
}

fn begin(
    options: &Options,
    bundle: Bundle,
    console: Option<UnixStream>,
    detached: bool,
    guard: &mut Guard,
) -> Result<()> {
    let Bundle {
        directory,
        rootfs,
        spec,
    } = bundle;
    let linux = spec.linux().as_ref();
    let path = linux.and_then(|linux| linux.cgroups_path().as_deref());
    let mut groups = plan(path, &options.id, rootless::get())?;
    let mut top = groups.split_top();
    top.create(resources(&spec))?;
    guard.groups = Some(top.clone());
    if wanted(&spec, Kind::Mount).is_none() && spec.mounts().iter().flatten().next().is_some() {
        log::warn("mounts has no effect without a mount namespace: they would be the host's");
    }
    for field in ignored(resources(&spec)) {
        log::warn(&format!("{field} has no effect any more"));
    }
    let entry = guard.entry.as_ref().context("there is no entry")?;
    let gate = entry.make_gate()?;
    let (ours, theirs) = UnixStream::pair().context("cannot create a socket pair")?;
    let descriptors = Descriptors {
        socket: theirs.as_fd(),
        console: console.as_ref().map(|console| console.as_fd()),
        gate: Some(gate.as_fd()),
    };
    let inherited = inherited::count(options.preserve_fds)?;
    let directory_of_top = top.top()?;
    let directory_of_top = directory_of_top.as_ref().map(|top| top.as_fd());
    let program = spawn::protected()?;
    let (stage, in_top) = spawn::init(&program, &descriptors, inherited.number, directory_of_top)?;
    guard.child = Some(stage);
    drop((theirs, console, gate));
    // Meanwhile, it starts.
    groups.create(resources(&spec))?;
    groups.paths.append(&mut top.paths);
    guard.groups = Some(groups.clone());
    let (limits, limit_of_processes) = apart(resources(&spec));
    groups.set(&limits)?;
    let channel = guard.channel.insert(Channel::new(ours));
    let orders = Orders {
        id: options.id.clone(),
        bundle: directory,
        rootfs,
        spec,
        join: None,
        groups: groups.clone(),
        to_enter: groups.to_enter(in_top),
        to_file: !detached && !stdout().is_terminal(),
        preserve_fds: inherited.number,
        by_root: geteuid().is_root(),
        listen_fds: inherited.listen_fds,
        no_pivot: options.no_pivot,
        new_keyring: !options.no_new_keyring,
    };
    channel.order(&orders)?;
    // And meanwhile, it opens what comes from the host.
    let network = new_network(&orders.spec)?;
    let Orders {
        id,
        bundle,
        rootfs,
        spec,
        ..
    } = orders;
    let first = first_process(channel, stage, |news| match news {
        News::GroupGone => groups.restore(&limits).map(|()| None),
        News::NetworkWanted => Ok(network.as_ref().map(|network| network.as_raw_fd())),
        _ => ids::map(stage, &spec).map(|()| None),
    })?;
    // Only now: to close the view of our program is to unmount it, and that waits until no CPU uses it any more.
    drop((program, network));
    let Some(first) = first else {
        return Err(how_it_ended(stage, &groups));
    };
    guard.child = Some(first);
    groups.update(&limit_of_processes)?;
    let container = guard.container.insert(Container {
        id,
        bundle,
        rootfs,
        created: humantime::format_rfc3339_nanos(SystemTime::now()).to_string(),
        owner: getuid().as_raw(),
        process: Process::of(first)?,
        groups,
        new_keyring: !options.no_new_keyring,
        spec,
    });
    affinity::reset(first)?;
    channel.go_on()?;
    entry.save(container)?;
    let container = &*container;
    let is_ready = until_ready(channel, first, container, &container.spec, || {
        run_hooks(container)
    })?;
    waitpid(stage, None).context("cannot wait for init")?;
    if !is_ready {
        return Err(how_it_ended(first, &container.groups));
    }
    match &options.pid_file {
        Some(file) => pid::write(first, file),
        None => Ok(()),
    }
}
// ANCHOR_END: create

/// The limits in the configuration.
fn resources(spec: &Spec) -> &LinuxResources {
    static NONE: LazyLock<LinuxResources> = LazyLock::new(LinuxResources::default);
    let linux = spec.linux().as_ref();
    linux
        .and_then(|linux| linux.resources().as_ref())
        .unwrap_or(&NONE)
}

// ANCHOR: run_hooks
/// The mounts are complete, and the root is still the host's.
fn run_hooks(container: &Container) -> Result<()> {
    let hooks = container.spec.hooks().as_ref();
    let state = container.state(Status::Creating);
    #[allow(deprecated)] // by the specification, but older versions of Docker use it
    hooks::run(hooks, Hooks::prestart, "prestart", &state)?;
    hooks::run(hooks, Hooks::create_runtime, "createRuntime", &state)
}
// ANCHOR_END: run_hooks

// ANCHOR: how_it_ended
/// Of a process that has closed its socket without a word. It stays for whoever reaps it.
pub fn how_it_ended(process: Pid, groups: &Groups) -> anyhow::Error {
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
    let ended = waitid(Id::Pid(process), look);
    let was_killed = matches!(ended, Ok(WaitStatus::Signaled(_, Signal::SIGKILL, _)));
    match was_killed && groups.oom_kills() > 0 {
        true => {
            anyhow!(
                "the container has run out of memory: linux.resources.memory.limit is too low, \
                 or memory.max of a cgroup above"
            )
        }
        false => anyhow!(
            "the container's process has ended without a word: {}",
            how(&ended)
        ),
    }
}

/// The same in words.
fn how(ended: &nix::Result<WaitStatus>) -> String {
    match ended {
        Ok(WaitStatus::Exited(_, code)) => format!("exit code {code}"),
        Ok(WaitStatus::Signaled(_, signal, _)) => signal.to_string(),
        Ok(_) => "nobody knows how".to_owned(),
        Err(errno) => errno.to_string(),
    }
}
// ANCHOR_END: how_it_ended
