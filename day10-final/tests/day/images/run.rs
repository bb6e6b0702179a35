//! A container of an image.

use nix::unistd::geteuid;
use std::fs;
use std::os::unix::fs::MetadataExt;
use tempfile::TempDir;

use crate::images::build::layer::Layer;
use crate::images::build::{Built, Image};
use crate::images::keep::done;
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{Seen, see, shell, skip, state};

/// Puts `image` into the store, as `name`.
pub fn put(name: &str, image: &Image) -> Built {
    let registry = Registry::start();
    let built = registry.push("x:1", image);
    let there = registry.name("x:1");
    done(&["pull", "-q", &there]);
    done(&["tag", &there, name]);
    done(&["rmi", &there]);
    built
}

/// `run WORDS…`, away from the host's network.
pub fn run(words: &[&str]) -> Seen {
    see(&[&["run", "--rm", "--net", "isolated"], words].concat())
}

/// Runs a container that must succeed, and returns what it prints.
pub fn ran(words: &[&str]) -> String {
    let Seen {
        code,
        stdout,
        stderr,
    } = run(words);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words:?}");
    stdout
}

#[test]
fn its_root_directory_is_the_images() {
    need_namespaces!();
    let root = Layer::new().entry("./", "", |header| {
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o1711);
    });
    put(
        "x",
        &Image::base()
            .layer(&root)
            .layer(&Layer::new().file("file", "")),
    );
    assert_eq!(ran(&["x", "stat", "-c", "%a %u:%g", "/"]), "1711 0:0\n");
}

#[test]
fn where_overlayfs_cannot_be_used_its_layers_are_copied() {
    need_namespaces!();
    let lower = Layer::new()
        .file("etc/a", "lower")
        .file("etc/b", "lower")
        .file("to", "")
        .link("link", "to");
    let upper = Layer::new().file("etc/a", "upper").file("link", "a file");
    put("x", &Image::base().layer(&lower).layer(&upper));
    // A layer above a layer: not on an overlayfs, which the state is on here, as in most containers.
    let script = r#"
        mkdir upper work state
        mount -t overlay overlay -o "lowerdir=$TINY_DOCKER_ROOT,upperdir=upper,workdir=work$XATTR" state || exit 99
        export TINY_DOCKER_ROOT=$PWD/state
        $TD run --net isolated x sh -c 'cat /etc/a /etc/b /link /to; echo mine >/etc/a; cat /etc/a'
        $TD pull -q $NAME"#;
    // There, nobody can create a whiteout.
    let registry = Registry::start();
    let gone = Layer::new().file("etc/.wh.a", "");
    registry.push("y:1", &Image::new().layer(&lower).layer(&gone));
    let directory = TempDir::new().unwrap();
    let (unshare, xattr) = match geteuid().is_root() {
        true => ("unshare --mount", ""),
        false => ("unshare --user --map-root-user --mount", ",userxattr"),
    };
    let seen = shell(&format!(
        "cd {} && NAME={} XATTR={xattr} {unshare} sh -c '{}'",
        directory.path().display(),
        registry.name("y:1"),
        script.replace('\'', r"'\''")
    ));
    if seen.code == Some(99) {
        return skip("overlayfs for this user");
    }
    assert_eq!(seen.stdout, "upperlowera filemine\n", "{}", seen.stderr);
    assert!(
        seen.stderr
            .starts_with("tiny-docker: copying the root filesystem, because overlayfs")
    );
    assert!(
        seen.stderr.ends_with(
            ": cannot unpack etc/.wh.a: the filesystem of the state directory cannot mark a file as removed\n\
             hint: use one that is not overlayfs: tiny-docker --root DIR, or TINY_DOCKER_ROOT\n"
        ),
        "{}",
        seen.stderr
    );
}

#[test]
fn the_image_stays_as_it_is() {
    need_namespaces!();
    put("x", &Image::base());
    let before =
        shell("find $TINY_DOCKER_ROOT/images/layers -printf '%P %m %s %T@\n' | sort").stdout;
    assert_eq!(
        run(&[
            "x",
            "sh",
            "-c",
            "echo y >/etc/passwd; echo z >/new; : >/bin/id"
        ])
        .code,
        Some(0)
    );
    let after =
        shell("find $TINY_DOCKER_ROOT/images/layers -printf '%P %m %s %T@\n' | sort").stdout;
    assert_eq!(before, after);
    let layer = state().join("images/layers");
    assert_eq!(fs::metadata(layer).unwrap().mode() & 0o777, 0o755);
}
