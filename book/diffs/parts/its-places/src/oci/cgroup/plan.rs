//! Where a container's cgroups are: `linux.cgroupsPath`.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::oci::cgroup::Groups;
use crate::oci::cgroup::hierarchy::{Hierarchy, inside, mounted};

// ANCHOR: plan
/// Works out the cgroups of the container `id`, and creates nothing yet.
///
/// `cgroups_path` is `linux.cgroupsPath`. An absolute path starts at the mount of each hierarchy, a relative one at our
/// own cgroup. (In version 2, at the cgroup above ours: a cgroup with processes cannot have limits below it.) Without a
/// path, it is `id`. Fails if the path is one for systemd.
pub fn plan(cgroups_path: Option<&Path>, id: &str) -> Result<Groups> {
    plan_in(&mounted()?, cgroups_path, id)
}

fn plan_in(hierarchies: &[Hierarchy], cgroups_path: Option<&Path>, id: &str) -> Result<Groups> {
    let asked = cgroups_path.filter(|path| !path.as_os_str().is_empty());
    let path = asked.unwrap_or(Path::new(id));
    ensure!(
        !is_for_systemd(path),
        "linux.cgroupsPath {path:?} is one for systemd (slice:prefix:name): not supported\n\
         hint: set the engine's cgroup driver to cgroupfs"
    );
    ensure!(
        !path.as_os_str().as_encoded_bytes().contains(&0),
        "linux.cgroupsPath must not contain a NUL"
    );
    let is_unified = hierarchies
        .iter()
        .all(|hierarchy| hierarchy.name.is_empty());
    let group = |hierarchy: &Hierarchy| {
        let from = match (path.is_absolute(), is_unified) {
            (true, _) => &hierarchy.mount,
            (false, true) if hierarchy.own.starts_with(&hierarchy.mount) => above(hierarchy),
            (false, _) => &hierarchy.own,
        };
        (hierarchy.name.clone(), from.join(inside(path)))
    };
    let paths = hierarchies.iter().map(group).collect();
    Ok(Groups { paths, is_unified })
}
// ANCHOR_END: plan

// ANCHOR: above
/// The cgroup above our own one, unless that is the top already.
fn above(hierarchy: &Hierarchy) -> &Path {
    let parent = hierarchy.own.parent().unwrap_or(&hierarchy.own);
    if parent.starts_with(&hierarchy.mount) {
        parent
    } else {
        &hierarchy.mount
    }
}
// ANCHOR_END: above

/// As "system.slice:docker:1234", or ":docker:1234".
fn is_for_systemd(path: &Path) -> bool {
    let parts: Vec<_> = path.to_str().unwrap_or_default().split(':').collect();
    matches!(parts[..], [slice, _, _] if slice.is_empty() || slice.ends_with(".slice"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    fn hierarchy(name: &str, mount: &str, own: &str) -> Hierarchy {
        let (name, mount, own) = (name.to_owned(), mount.into(), own.into());
        Hierarchy { name, mount, own }
    }

    fn planned(host: &[Hierarchy], path: &str) -> Vec<PathBuf> {
        let groups = plan_in(host, Some(Path::new(path)), "box").unwrap();
        groups.paths.into_values().collect()
    }

    #[test]
    fn a_path_is_absolute_or_below_our_own_cgroup() {
        let host = [
            hierarchy("pids", "/c/pids", "/c/pids/me"),
            hierarchy("", "/c/2", "/c/2/me"),
        ];
        let at = |paths: [&str; 2]| paths.map(PathBuf::from).to_vec();
        assert_eq!(planned(&host, "/a/../../b"), at(["/c/2/b", "/c/pids/b"]));
        assert_eq!(planned(&host, "../a"), at(["/c/2/me/a", "/c/pids/me/a"]));
        assert_eq!(planned(&host, ""), at(["/c/2/me/box", "/c/pids/me/box"]));
    }

    #[test]
    fn in_version_2_a_container_is_beside_us() {
        let host = [hierarchy("", "/c", "/c/user/me")];
        assert_eq!(planned(&host, "a"), [PathBuf::from("/c/user/a")]);
        let host = [hierarchy("", "/c", "/c/")];
        assert_eq!(planned(&host, "a"), [PathBuf::from("/c/a")]);
    }

    #[test]
    fn a_path_for_systemd_is_refused() {
        for path in ["system.slice:runc:box", ":runc:box"] {
            assert!(
                plan_in(&[], Some(Path::new(path)), "box").is_err(),
                "{path}"
            );
        }
        assert!(plan_in(&[], Some(Path::new("/a:b:c")), "box").is_ok());
    }
}
