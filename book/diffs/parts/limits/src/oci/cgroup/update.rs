//! New limits for a running container: `update`.

use oci_spec::runtime::LinuxResources;

/// Fields that are obsolete: the kernel does not have them any more, and the specification advises against them. They
/// deserve a warning, but are no error, because engines still write them.
pub fn ignored(resources: &LinuxResources) -> Vec<&'static str> {
    let Some(memory) = resources.memory() else {
        return Vec::new();
    };
    let fields = [
        ("linux.resources.memory.kernel", memory.kernel().is_some()),
        (
            "linux.resources.memory.kernelTCP",
            memory.kernel_tcp().is_some(),
        ),
        (
            "linux.resources.memory.useHierarchy",
            memory.use_hierarchy() == Some(false),
        ),
    ];
    fields
        .into_iter()
        .filter(|(_, is_there)| *is_there)
        .map(|(field, _)| field)
        .collect()
}

// ANCHOR: apart
/// The limits to be written before the first process enters, and the one for the number of processes. While a container
/// is created, it has one process more than later, and the limit may be 1.
pub fn apart(resources: &LinuxResources) -> (LinuxResources, LinuxResources) {
    let (mut first, mut last) = (resources.clone(), LinuxResources::default());
    last.set_pids(*resources.pids());
    first.set_pids(None);
    if let Some(unified) = first.unified_mut()
        && let Some(limit) = unified.remove("pids.max")
    {
        last.set_unified(Some([("pids.max".to_owned(), limit)].into()));
    }
    (first, last)
}
// ANCHOR_END: apart
