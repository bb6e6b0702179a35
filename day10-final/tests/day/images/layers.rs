//! Layers, as archives have them and as containers see them.

mod compressed;
mod hostile;
mod merged;
mod sparse;

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;

use nix::unistd::geteuid;
use tar::EntryType;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::pull::listed;
use crate::images::registry::Registry;
use crate::images::run::{put, ran};
use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{Seen, see, skip, state};

/// What `script` prints in a container of an image that has these `layers` above a shell.
fn seen_in(layers: &[Layer], script: &str) -> String {
    let image = layers.iter().fold(Image::base(), Image::layer);
    put("layers", &image);
    ran(&["layers", "sh", "-c", script])
}

/// What is said about an image that has these `layers`, and cannot be. Nothing of it stays.
fn refused(layers: &[Layer]) -> String {
    refused_image(&layers.iter().fold(Image::new(), Image::layer))
}

fn refused_image(image: &Image) -> String {
    let registry = Registry::start();
    registry.push("x:1", image);
    let name = registry.name("x:1");
    let Seen { code, stderr, .. } = see(&["pull", "-q", &name]);
    assert_eq!(code, Some(1), "{stderr}");
    assert!(!state().join("images").exists(), "{stderr}");
    let reason = stderr.strip_prefix(&format!("tiny-docker: cannot pull {name}: "));
    reason.expect(&stderr).trim_end().to_owned()
}

/// What is said about `image`, which must be good, and the directory of its only layer.
fn pulled(image: &Image) -> (String, PathBuf) {
    // What is left of another one.
    let _ = fs::remove_dir_all(state().join("images"));
    let registry = Registry::start();
    registry.push("x:1", image);
    let Seen { code, stderr, .. } = see(&["pull", "-q", &registry.name("x:1")]);
    assert_eq!(code, Some(0), "{stderr}");
    let [layer] = &listed("layers")[..] else {
        panic!("there is more than one layer");
    };
    (stderr, state().join("images/layers").join(layer))
}

/// The directory of the only layer of `image`.
fn unpacked(image: &Image) -> PathBuf {
    let (said, directory) = pulled(image);
    assert_eq!(said, "");
    directory
}

fn unpacked_layer(layer: &Layer) -> PathBuf {
    unpacked(&Image::new().layer(layer))
}

#[test]
fn everybody_may_enter_the_root_directory_if_no_layer_says_otherwise() {
    need_namespaces!();
    let root = unpacked_layer(&Layer::new().file("f", ""));
    assert_eq!(fs::metadata(root).unwrap().mode() & 0o7777, 0o755);
}

#[test]
fn files_have_their_owners_modes_and_times() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip("newuidmap, and a range of ids for this user in /etc/subuid");
    }
    let owned = |layer: Layer, name, mode, id| {
        layer.entry(name, "x", |header| {
            header.set_mode(mode);
            header.set_uid(id);
            header.set_gid(id);
        })
    };
    let mut layer = Layer::new();
    // A new owner takes setuid away, so the mode has to come later.
    layer = owned(layer, "setuid", 0o6755, 1000);
    layer = owned(layer, "closed", 0o0, 7);
    layer = layer.entry("sticky/", "", |header| {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o1777);
        header.set_mtime(5);
    });
    layer = owned(layer, "sticky/inside", 0o640, 0);
    layer = layer.pax(&[("mtime", "1234567890.987654321")]);
    layer = layer.file("fraction", "");
    layer = layer.pax(&[("mtime", "-1.5"), ("uid", "33"), ("gid", "44")]);
    layer = layer.link("link", "nowhere");
    let seen = seen_in(
        &[layer],
        "cd /; stat -c '%n %a %u:%g %.9Y' setuid closed sticky sticky/inside fraction link",
    );
    assert_eq!(
        seen,
        "setuid 6755 1000:1000 1700000000.000000000\n\
        closed 0 7:7 1700000000.000000000\n\
        sticky 1777 0:0 5.000000000\n\
        sticky/inside 640 0:0 1700000000.000000000\n\
        fraction 644 0:0 1234567890.987654321\n\
        link 777 33:44 -1.500000000\n"
    );
}

#[test]
fn names_are_as_long_and_as_strange_as_they_are() {
    need_namespaces!();
    let [long, longer] = [200, 255].map(|length| "n".repeat(length));
    let gnu = |layer: Layer, kind: u8, name: &str| {
        layer.entry("././@LongLink", format!("{name}\0"), |header| {
            header.set_entry_type(EntryType::new(kind));
        })
    };
    let mut layer = gnu(Layer::new(), b'L', &long).file("cut off", "GNU");
    layer = gnu(layer, b'K', &long).link("to", "cut off");
    layer = layer.pax(&[("path", &longer), ("comment", "not\nour\nbusiness")]);
    layer = layer.file("cut off", "pax");
    layer = layer
        .pax(&[("linkpath", &longer)])
        .hard_link("other", "cut off");
    // ustar's own way, in two parts.
    layer = layer.entry("name", "ustar", |header| {
        header.as_old_mut().pad[88..88 + 6].copy_from_slice(b"prefix");
    });
    layer = layer.file("new\nline", "").file("-", "").file("ż😀", "");
    // In the oldest archives, a slash makes a directory.
    layer = layer.entry("old/", "", |header| header.as_old_mut().linkflag = [0]);
    let directory = unpacked_layer(&layer);
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(read(&long), "GNU");
    assert_eq!(read("to"), "GNU");
    assert_eq!(read(&longer), "pax");
    assert_eq!(read("prefix/name"), "ustar");
    let inode = |name: &str| fs::metadata(directory.join(name)).unwrap().ino();
    assert_eq!(inode("other"), inode(&longer));
    let mut names = [
        &long,
        &longer,
        "to",
        "other",
        "prefix",
        "new\nline",
        "-",
        "ż😀",
        "old",
    ];
    names.sort();
    let listed: Vec<_> = sorted(&directory);
    assert_eq!(listed, names);
    assert!(directory.join("old").is_dir());
}

fn sorted(directory: &PathBuf) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap().flatten();
    let mut names: Vec<_> = entries
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn global_headers_hold_until_another_says_otherwise() {
    need_namespaces!();
    let global = |layer: Layer, record: &str| {
        layer.entry("global", record, |header| {
            header.set_entry_type(EntryType::XGlobalHeader);
        })
    };
    let mut layer = global(Layer::new(), "11 mtime=9\n").file("a", "");
    layer = layer.pax(&[("mtime", "8")]).file("b", "").file("c", "");
    layer = global(layer, "10 mtime=\n").file("d", "");
    let directory = unpacked_layer(&layer);
    let times =
        ["a", "b", "c", "d"].map(|name| fs::metadata(directory.join(name)).unwrap().mtime());
    assert_eq!(times, [9, 8, 9, 1_700_000_000]);
}

#[test]
fn what_comes_twice_is_there_as_it_comes_last() {
    need_namespaces!();
    let layer = Layer::new()
        .file("file", "first, and longer")
        .file("file", "second")
        .directory("directory-file/sub/")
        .file("directory-file/sub/x", "")
        .file("directory-file", "now a file")
        .file("file-directory", "")
        .directory("file-directory/")
        .file("file-directory/x", "in it")
        .link("link-file", "file")
        .file("link-file", "a file of its own")
        .hard_link("hard", "file")
        .file("hard", "not the other one's content")
        .directory("kept/")
        .file("kept/x", "stays")
        .directory("kept/");
    let directory = unpacked_layer(&layer);
    let read = |name: &str| fs::read_to_string(directory.join(name)).unwrap();
    assert_eq!(read("file"), "second");
    assert_eq!(read("directory-file"), "now a file");
    assert_eq!(read("file-directory/x"), "in it");
    assert_eq!(read("link-file"), "a file of its own");
    assert_eq!(read("kept/x"), "stays");
}

#[test]
fn only_root_gets_devices() {
    need_namespaces!();
    let node = |layer: Layer, name, kind, [major, minor]: [u32; 2]| {
        layer.entry(name, "", |header| {
            header.set_entry_type(kind);
            header.set_device_major(major).unwrap();
            header.set_device_minor(minor).unwrap();
        })
    };
    let mut layer = node(Layer::new(), "null", EntryType::Char, [1, 3]);
    layer = node(layer, "disk", EntryType::Block, [7, 0]);
    layer = node(layer, "fifo", EntryType::Fifo, [0, 0]);
    let (said, directory) = pulled(&Image::new().layer(&layer));
    let left_out =
        "tiny-docker: the image contains devices, which only root can create: they are left out\n";
    let expected = match geteuid().is_root() {
        true => "",
        false => left_out,
    };
    assert_eq!(said, expected);
    let kind = |name| fs::metadata(directory.join(name)).map(|is| is.file_type());
    assert!(kind("fifo").unwrap().is_fifo());
    assert_eq!(
        kind("null").is_ok_and(|kind| kind.is_char_device()),
        geteuid().is_root()
    );
    assert_eq!(
        kind("disk").is_ok_and(|kind| kind.is_block_device()),
        geteuid().is_root()
    );
    // They are there, but nobody may use them in a container.
    if geteuid().is_root() {
        put("devices", &Image::base().layer(&layer));
        let seen = ran(&["devices", "sh", "-c", "cat /null 2>&1 || echo no"]);
        assert_eq!(seen, "cat: /null: Permission denied\nno\n");
    }
}

#[test]
fn an_owner_who_is_not_among_the_users_ids_is_explained() {
    need_namespaces!();
    if geteuid().is_root() {
        return skip("an ordinary user");
    }
    let layer = Layer::new().entry("far", "x", |header| header.set_uid(2_000_000));
    let reason = refused(&[layer]);
    let expected = "cannot unpack far: it belongs to user 2000000 and group 0, who is not among your users and groups\nhint: ";
    assert!(reason.contains(expected), "{reason}");
}
