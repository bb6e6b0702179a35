//! `export`: a container's filesystem in an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::written;
use crate::images::build::digest;
use crate::images::keep::{done, refused};
use crate::need_namespaces;
use crate::support::{Detached, Seen, shell};

/// A line for each file of an archive: everything that an archive says about it, except in which order.
fn listed(archive: &[u8]) -> BTreeMap<String, String> {
    let mut archive = tar::Archive::new(archive);
    let (mut lines, mut groups) = (BTreeMap::new(), BTreeMap::<String, BTreeSet<String>>::new());
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let link = entry.link_name_bytes();
        let link = link.map(|link| String::from_utf8_lossy(&link).into_owned());
        if entry.header().entry_type().is_hard_link() {
            groups.entry(link.unwrap()).or_default().insert(path);
            continue;
        }
        let records = entry.pax_extensions().unwrap().into_iter().flatten();
        let records = records.map(|record| {
            let record = record.unwrap();
            let value = String::from_utf8_lossy(record.value_bytes()).into_owned();
            format!("{}={value}", record.key().unwrap())
        });
        let records: BTreeSet<_> = records.collect();
        let mut contents = Vec::new();
        entry.read_to_end(&mut contents).unwrap();
        let header = entry.header();
        let line = format!(
            "{:?} {:o} {}:{} {} {:?}:{:?} {link:?} {records:?} {} {}",
            header.entry_type(),
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.mtime().unwrap(),
            header.device_major().ok(),
            header.device_minor().ok(),
            contents.len(),
            digest(&contents),
        );
        lines.insert(path, line);
    }
    // Which of a file's names comes first depends on the order.
    for (first, mut names) in groups {
        let line = lines[&first].clone();
        names.insert(first);
        for name in &names {
            lines.insert(name.clone(), format!("{line} {names:?}"));
        }
    }
    lines
}

#[test]
fn a_running_container_is_exported_without_its_volumes() {
    need_namespaces!();
    let volume = TempDir::new().unwrap();
    fs::write(volume.path().join("hosts"), "").unwrap();
    let volume = format!("{}:/volume", volume.path().display());
    // What it changes meanwhile does not damage the archive.
    let script = "while :; do
        truncate -s 30m /size
        mkdir /t; echo x >/t/a; ln -s / /t/b; rm -r /t; ln -s / /t; rm /t
        truncate -s 0 /size
    done";
    let container = Detached::start(&["--net", "isolated", "-v", &volume, "sh", "-c", script]);
    for _ in 0..5 {
        let files = listed(&written(&["export", &container.id]));
        assert!(files.contains_key("volume/") && files.contains_key("bin/sh"));
        let odd = files.keys().filter(|path| {
            path.starts_with("volume/h") || path.starts_with("proc/") && path.len() > 5
        });
        assert_eq!(odd.collect::<Vec<_>>(), Vec::<&String>::new());
    }
}

#[test]
fn what_cannot_be_exported_is_refused_with_the_reason() {
    need_namespaces!();
    assert_snapshot!(refused(&["export", "nope"]), @"
    tiny-docker: cannot export nope: no such container
    hint: tiny-docker ps -a lists all containers
    ");
    done(&["run", "--name", "some", "--net", "isolated", "true"]);
    assert_snapshot!(refused(&["export", "-o", "/usr", "some"]), @"tiny-docker: cannot export some: cannot write /usr: Is a directory (os error 21)");
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("some.tar");
    fs::write(&path, "before").unwrap();
    assert_eq!(done(&["export", "-o", path.to_str().unwrap(), "some"]), "");
    assert_eq!(fs::read(&path).unwrap(), written(&["export", "some"]));
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    let Seen { code, stderr, .. } = shell("$TD export some >/dev/full");
    let end = "cannot write it: No space left on device (os error 28)\n";
    assert!(code == Some(1) && stderr.ends_with(end), "{stderr}");
    let seen = shell("script -qec '$TD export some' /dev/null");
    assert!(
        seen.stdout
            .contains("cannot write an archive to a terminal"),
        "{}",
        seen.stdout
    );
}
