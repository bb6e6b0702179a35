//! What a layer must not do.

use std::fs;
use std::path::Path;

use tar::EntryType;
use tempfile::TempDir;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::layers::{refused, seen_in, unpacked};
use crate::need_namespaces;
use crate::support::state;

#[test]
fn no_name_and_no_link_leads_out_of_the_image() {
    need_namespaces!();
    // One of the host's directories, with a file that each of these layers would like to change.
    let host = TempDir::new_in(state()).unwrap();
    let canary = host.path().join("canary");
    fs::write(&canary, "untouched").unwrap();
    let [file, directory] = [&*canary, host.path()].map(|path| path.to_str().unwrap().to_owned());
    let up = "../".repeat(9);

    for name in [
        format!("{up}{file}"),
        "a/../../b".to_owned(),
        "../".to_owned(),
    ] {
        let said = refused(&[Layer::new().pax(&[("path", &name)]).file("x", "")]);
        assert!(said.ends_with("it leads out of the image"), "{said}");
    }
    let link = |target: &str| Layer::new().pax(&[("linkpath", target)]).link("l", "");
    let into = format!("l/{}", &file[1..]);
    let inside = |layers: &[Layer], path: &str| {
        let top = unpacked(&layers.iter().fold(Image::new(), Image::layer));
        assert_eq!(fs::read_to_string(top.join(path)).unwrap(), "inside");
    };
    let write = |layer: Layer, name: &str| layer.pax(&[("path", name)]).file("x", "inside");
    inside(&[write(link("/"), &into)], &file[1..]);
    inside(&[write(link(&up), &into)], &file[1..]);
    inside(&[write(link(&directory), "l/canary")], &file[1..]);
    // A file in place of a link, and a directory.
    inside(&[write(link(&file), "l")], "l");
    inside(
        &[write(link(&directory).directory("l/"), "l/canary")],
        "l/canary",
    );
    // A second name of the link is no second name of what it names.
    inside(&[write(link(&file).hard_link("h", "l"), "h")], "h");
    assert_eq!(fs::read_to_string(&canary).unwrap(), "untouched");
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 1);
}

#[test]
fn a_link_of_one_layer_does_not_lead_another_out_of_the_image() {
    need_namespaces!();
    let host = TempDir::new_in(state()).unwrap();
    let canary = host.path().join("canary");
    fs::write(&canary, "untouched").unwrap();
    let directory = host.path().to_str().unwrap();
    let link = Layer::new().pax(&[("linkpath", directory)]).link("l", "");
    let upper = Layer::new().hard_link("stolen", "l/canary");
    let said = refused(&[link.clone(), upper]);
    assert!(
        said.ends_with("cannot link it to l/canary: ENOENT: No such file or directory"),
        "{said}"
    );
    let upper = Layer::new()
        .file("l/.wh.canary", "")
        .file("l/.wh..wh..opq", "")
        .file("l/canary", "inside");
    let seen = seen_in(&[link, upper], &format!("cat /l/canary {directory}/canary"));
    assert_eq!(seen, "insideinside");
    assert_eq!(fs::read_to_string(&canary).unwrap(), "untouched");
}

#[test]
fn what_belongs_to_overlayfs_is_refused() {
    need_namespaces!();
    for (record, name) in [
        (
            "SCHILY.xattr.trusted.overlay.redirect",
            "trusted.overlay.redirect",
        ),
        ("SCHILY.xattr.user.overlay.opaque", "user.overlay.opaque"),
        (
            "SCHILY.xattr.trusted.overlay.metacopy",
            "trusted.overlay.metacopy",
        ),
    ] {
        let said = refused(&[Layer::new().pax(&[(record, "/etc")]).directory("evil/")]);
        let reason = format!("cannot unpack evil/: its attribute {name} belongs to overlayfs");
        assert!(said.ends_with(&reason), "{said}");
    }
    let device = |major: &[u8], minor: &[u8]| {
        refused(&[Layer::new().entry("etc", "", |header| {
            header.set_entry_type(EntryType::Char);
            let pad = &mut header.as_old_mut().pad;
            pad[72..72 + major.len()].copy_from_slice(major);
            pad[80..80 + minor.len()].copy_from_slice(minor);
        })])
    };
    let said = device(b"0000000\0", b"0000000\0");
    assert!(
        said.ends_with("cannot unpack etc: a device 0:0 would hide a file"),
        "{said}"
    );
    // The kernel would take these for 0:0.
    let said = device(b"0010000\0", b"0000000\0");
    assert!(
        said.ends_with("cannot unpack etc: there is no device 4096:0"),
        "{said}"
    );
    let said = device(b"0000000\0", b"4000000\0");
    assert!(
        said.ends_with("cannot unpack etc: there is no device 0:1048576"),
        "{said}"
    );
}

#[test]
fn an_archive_that_makes_no_sense_is_refused_by_name() {
    need_namespaces!();
    let typed = |name: &str, kind: u8| {
        Layer::new().entry(name, "", |header| {
            header.set_entry_type(EntryType::new(kind))
        })
    };
    let sized = |size: &[u8]| {
        Layer::new().entry("sized", "", |header| {
            header.as_old_mut().size[..size.len()].copy_from_slice(size);
        })
    };
    let long = "n".repeat(256);
    let path = "d/".repeat(2048);
    let named = |name: &str| Layer::new().pax(&[("path", name)]).file("x", "");
    let owner = |key, id| Layer::new().pax(&[(key, id)]).file("x", "");
    let endless = Layer::new().entry("long", "", |header| {
        header.set_entry_type(EntryType::XHeader);
        header.set_size(2 << 20);
    });
    let nothing = "it does not exist";
    for (layer, reason) in [
        (
            typed("odd", b'Z'),
            "cannot unpack odd: its type is unknown: Z",
        ),
        (
            sized(&[0xff; 12]),
            "cannot unpack sized: its size is negative",
        ),
        (
            sized(b"77777777777"),
            "cannot unpack sized: the archive ends too early",
        ),
        (
            named("nul\0"),
            "cannot unpack nul\\0: there is a zero in its name",
        ),
        (named(&long), ": its name is too long"),
        (named(&path), ": its name is too long"),
        (typed("", b'0'), "cannot unpack '': it has no name"),
        (typed("/", b'0'), "cannot unpack /: / is a directory"),
        (
            owner("uid", "4294967295"),
            "cannot unpack x: there is no user or group 4294967295",
        ),
        (
            owner("gid", "-1"),
            "cannot unpack x: there is no user or group -1",
        ),
        (owner("size", "x"), "a number in its pax header is wrong"),
        (
            Layer::new().raw(&[1; 512]),
            "this is not a tar archive, or it is damaged",
        ),
        (endless, "an extended header is too large"),
        (
            Layer::new().file("a", "").file("a/b", ""),
            "cannot unpack a/b: cannot open a: ENOTDIR: Not a directory",
        ),
        (
            Layer::new().link("a", "b").link("b", "a").file("a/x", ""),
            "cannot unpack a/x: ELOOP: Too many symbolic links encountered",
        ),
        (Layer::new().hard_link("a", "b"), nothing),
        (Layer::new().hard_link("a", "a"), nothing),
        (
            Layer::new().directory("d/").hard_link("a", "d"),
            "cannot unpack a: cannot link it to d: it is a directory",
        ),
        (
            Layer::new().hard_link("a", "../b"),
            "cannot unpack a: it is a link to something else: it leads out of the image",
        ),
        (
            Layer::new().file("a/.wh...", ""),
            "cannot unpack a/.wh...: it hides nothing that has a name",
        ),
    ] {
        let said = refused(&[layer]);
        assert!(said.ends_with(reason), "{said}");
    }
    let [v, gone] = ["v", ".wh.v"].map(|name| Layer::new().file(name, ""));
    let other = Layer::new().hard_link("h", "v");
    let at_once = gone.clone().hard_link("h", "v");
    for layers in [vec![v.clone(), gone, other], vec![v, at_once]] {
        let said = refused(&layers);
        let reason = "cannot unpack h: cannot link it to v: it does not exist";
        assert!(said.ends_with(reason), "{said}");
    }
}

#[test]
fn a_size_in_a_pax_header_counts_more_than_the_other() {
    need_namespaces!();
    // Otherwise, what one program takes for a file's content would be entries for another.
    let hidden = Layer::new().file("smuggled", "x").bytes().to_vec();
    let size = hidden.len().to_string();
    let layer = Layer::new()
        .pax(&[("size", &size)])
        .file("carrier", "")
        .raw(&hidden)
        .file("after", "");
    let top = unpacked(&Image::new().layer(&layer));
    assert_eq!(fs::read(top.join("carrier")).unwrap(), hidden);
    assert!(top.join("after").exists());
    assert!(!Path::new(&top.join("smuggled")).exists());
}
