//! The namespaces that a configuration asks for: new ones, and the host's where it names none. namespaces(7).

use std::path::Path;

use nix::sched::CloneFlags;
use oci_spec::runtime::{LinuxNamespaceType as Kind, Spec};

/// What the configuration says of a namespace: None (the host's), Some(None) (a new one) or Some(Some(its path)).
pub fn wanted(spec: &Spec, kind: Kind) -> Option<Option<&Path>> {
    let all = spec.linux().as_ref()?.namespaces().as_ref()?;
    let namespace = all.iter().find(|namespace| namespace.typ() == kind)?;
    let path = namespace.path().as_deref();
    Some(path.filter(|path| !path.as_os_str().is_empty()))
}

/// Whether the configuration asks for a new one.
pub fn is_new(spec: &Spec, kind: Kind) -> bool {
    wanted(spec, kind) == Some(None)
}

/// The new namespaces for clone(2).
pub fn new(spec: &Spec) -> CloneFlags {
    let kinds = [
        (Kind::Ipc, CloneFlags::CLONE_NEWIPC),
        (Kind::Network, CloneFlags::CLONE_NEWNET),
        (Kind::Pid, CloneFlags::CLONE_NEWPID),
        (Kind::Uts, CloneFlags::CLONE_NEWUTS),
        (Kind::Mount, CloneFlags::CLONE_NEWNS),
    ];
    let new = kinds.iter().filter(|(kind, _)| is_new(spec, *kind));
    new.map(|(_, flag)| *flag).collect()
}
