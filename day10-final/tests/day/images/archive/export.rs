//! `export`: a container's filesystem in an archive.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs;
use std::io::Read;
use std::path::Path;

use insta::assert_snapshot;
use tempfile::TempDir;

use super::{with_input, written};
use crate::images::build::digest;
use crate::images::build::layer::Layer;
use crate::images::keep::{done, refused};
use crate::need_namespaces;
use crate::support::{Detached, Seen, see, shell, skip, state};

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

/// Of everything that a filesystem can have.
const SCRIPT: &str = r#"
    set -e
    mkdir -p /d/empty /d/"$(printf 'n%.0s' $(seq 200))"
    echo text >/d/file
    ln /d/file /d/again
    cd /d/n*; echo long >"$(printf 'm%.0s' $(seq 200))"; ln -s "$(printf 'l%.0s' $(seq 200))" link
    cd /d; printf x >'odd
name'; printf x >"$(printf '\303\251\377')"
    ln -s nowhere/at/all dangling
    touch -d '1965-01-02 03:04:05.25' old; touch -d '2001-02-03 04:05:06.789012345' fraction
    chmod 6711 file; chmod 1777 empty; chmod 0 old
    rm /bin/yes
    mknod fifo p
    printf data >sparse; truncate -s 1m sparse; printf end >>sparse; truncate -s 1g sparse
    perl -e 'socket(S, 1, 1, 0); bind(S, pack("S a108", 1, "socket")) or die'
"#;

#[test]
fn an_exported_filesystem_is_the_same_when_it_is_imported() {
    need_namespaces!();
    let script = match see(&["run", "--net", "isolated", "chown", "1:2", "/tmp"]).code {
        Some(0) => format!("{SCRIPT}\nchown 1:2 old; chown -h 3:4 dangling"),
        _ => SCRIPT.to_owned(),
    };
    done(&[
        "run", "--name", "first", "--net", "isolated", "sh", "-c", &script,
    ]);
    let archive = written(&["export", "first"]);
    let files = listed(&archive);
    for (path, has) in [
        ("./", "Directory 755 0:0"),
        ("d/file", "Regular 6711"),
        ("d/again", r#"{"d/again", "d/file"}"#),
        ("d/empty/", "Directory 1777"),
        ("d/old", "mtime=-157668954.750000000"),
        ("d/fraction", "mtime=981173106.789012345"),
        ("d/fifo", "Fifo 644"),
        ("d/dangling", r#"Some("nowhere/at/all")"#),
        ("d/odd\nname", "Regular 644"),
        ("d/\u{e9}\u{fffd}", "Regular 644"),
        ("proc/", "Directory"),
        ("dev/", "Directory"),
    ] {
        assert!(files[path].contains(has), "{path}: {}", files[path]);
    }
    let long = format!("d/{}", "n".repeat(200));
    assert!(files.contains_key(&format!("{long}/{}", "m".repeat(200))));
    assert!(files[&format!("{long}/link")].contains(&"l".repeat(200)));
    for gone in ["d/socket", "bin/yes", "dev/null", "proc/self"] {
        assert!(!files.contains_key(gone), "{gone}");
    }
    assert_eq!(
        with_input(&["import", "-", "copy:1"], &archive).code,
        Some(0)
    );
    done(&[
        "run", "--name", "second", "--net", "isolated", "copy:1", "true",
    ]);
    let mut again = listed(&written(&["export", "second"]));
    // Each container has its own /, of which it has the time.
    again.insert("./".to_owned(), files["./"].clone());
    assert_eq!(again, files);
}

#[test]
fn extended_attributes_are_exported() {
    need_namespaces!();
    if !has_attributes(&state()) {
        return skip("extended attributes in TMPDIR");
    }
    let layer = Layer::base().pax(&[("SCHILY.xattr.user.key", "a value")]);
    let archive = layer.file("some", "").archive();
    assert_eq!(
        with_input(&["import", "-", "some:1"], &archive).code,
        Some(0)
    );
    done(&[
        "run", "--name", "one", "--net", "isolated", "some:1", "true",
    ]);
    let files = listed(&written(&["export", "one"]));
    assert!(files["some"].contains(r#"{"SCHILY.xattr.user.key=a value"}"#));
}

/// Whether files in `directory` can have them.
fn has_attributes(directory: &Path) -> bool {
    let path = CString::new(directory.to_str().unwrap()).unwrap();
    let (name, value) = (c"user.key", c"value");
    // SAFETY: setxattr(2) reads a path and a name that end with a NUL, and five bytes.
    let set = unsafe { libc::setxattr(path.as_ptr(), name.as_ptr(), value.as_ptr().cast(), 5, 0) };
    set == 0
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
