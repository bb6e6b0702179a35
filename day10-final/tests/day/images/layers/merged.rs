//! Layers on top of each other: what a container sees is what one archive after another would leave.

use tar::EntryType;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::layers::seen_in;
use crate::images::run::{put, ran};
use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::skip;

/// What a container with these layers lists in /w, whether or not it is there.
fn listed(layers: &[Layer]) -> String {
    let each = "for name in * */* */*/*; do case $name in *'*'*);; *) echo $name;; esac; done";
    seen_in(layers, &format!("cd /w; {each}"))
}

fn files(names: &[&str]) -> Layer {
    let layer = Layer::new();
    names
        .iter()
        .fold(layer, |layer, name| layer.file(name, *name))
}

#[test]
fn whiteouts_hide_what_is_below_wherever_they_stand() {
    need_namespaces!();
    let lower = files(&[
        "w/file",
        "w/dir/a",
        "w/again/old",
        "w/first/old",
        "w/last/old",
        "w/only/old",
    ]);
    let lower = lower
        .file("w/only/deeper/x", "")
        .file("w/kept/kept", "")
        .file("w/kept/gone", "");
    let upper = Layer::new()
        .file("w/.wh.file", "")
        .file("w/.wh.dir", "")
        // Gone, and made again.
        .file("w/.wh.again", "")
        .file("w/again/new", "")
        // Opaque directories: the whiteout first, last, and alone.
        .file("w/first/.wh..wh..opq", "")
        .file("w/first/new", "")
        .file("w/last/new", "")
        .file("w/last/.wh..wh..opq", "")
        .file("w/only/.wh..wh..opq", "")
        // What the layer itself has stays, even if the whiteout follows.
        .file("w/kept/new", "")
        .file("w/kept/.wh.new", "")
        .file("w/kept/.wh.gone", "")
        .file("w/.wh.kept", "")
        .file("w/.wh.never", "")
        .file("w/nowhere/.wh.never", "");
    let expected = "again\nfirst\nkept\nlast\nonly\nagain/new\nfirst/new\nkept/new\nlast/new\n";
    assert_eq!(listed(&[lower, upper]), expected);
}

#[test]
fn a_whiteout_of_one_layer_is_no_file_of_the_next() {
    need_namespaces!();
    // In a directory with nothing below it, overlayfs would list a whiteout as a file.
    let lower = files(&["w/gone/x", "w/dir/x", "w/dir/sub/x"]);
    let middle = Layer::new()
        .file("w/dir/.wh.x", "")
        .file("w/dir/sub/.wh.x", "")
        .file("w/dir/sub/own", "")
        .file("w/dir/.wh..wh..opq", "")
        .file("w/.wh.gone", "");
    let upper = files(&["w/gone/new"]);
    assert_eq!(
        listed(&[lower, middle, upper]),
        "dir\ngone\ndir/sub\ngone/new\ndir/sub/own\n"
    );
    let upper = Layer::new()
        .file("w/new/own", "")
        .file("w/new/.wh.never", "");
    assert_eq!(listed(&[files(&["w/old"]), upper]), "new\nold\nnew/own\n");
    // What came up only because of a whiteout in it goes with a whiteout of it.
    let lower = files(&["w/dir/a", "w/dir/b"]);
    let upper = Layer::new().file("w/dir/.wh.a", "").file("w/.wh.dir", "");
    assert_eq!(listed(&[lower, upper]), "");
}

#[test]
fn notes_of_an_older_overlay_are_left_out() {
    need_namespaces!();
    let layer = files(&[".wh..wh.aufs", ".wh..wh.plnk/8.9", "w/.wh..wh.x", "w/file"]);
    let seen = seen_in(&[layer], "ls -A / /w");
    assert!(
        seen.ends_with("\n/w:\nfile\n") && !seen.contains("wh"),
        "{seen}"
    );
}

#[test]
fn an_opaque_root_hides_everything() {
    need_namespaces!();
    put("below", &Image::new().layer(&files(&["a", "b/c", "d/e"])));
    let upper = Layer::new().file("d/own", "").file(".wh..wh..opq", "");
    let image = Image::new()
        .layer(&files(&["a", "b/c", "d/e"]))
        .layer(&upper);
    put("root", &image.layer(&Layer::base()));
    assert_eq!(
        ran(&["root", "sh", "-c", "ls -d /a /b 2>/dev/null; echo /d/*"]),
        "/d/own\n"
    );
}

#[test]
fn files_links_and_directories_replace_each_other() {
    need_namespaces!();
    let lower = Layer::new()
        .file("w/to-file/x", "")
        .file("w/to-dir", "")
        .file("w/target/t", "")
        .link("w/link", "target")
        .file("w/both/x", "");
    let upper = Layer::new()
        .file("w/to-file", "")
        .file("w/to-dir/in", "")
        .file("w/to-dir/in", "")
        .directory("w/link/")
        .file("w/link/only", "")
        // A file in between has hidden the directory below.
        .file("w/both", "")
        .directory("w/both/")
        .file("w/both/new", "");
    let upper = Layer::new().file("w/.wh.to-dir", "").raw(upper.bytes());
    let expected =
        "both\nlink\ntarget\nto-dir\nto-file\nboth/new\nlink/only\ntarget/t\nto-dir/in\n";
    assert_eq!(listed(&[lower, upper]), expected);
}

#[test]
fn links_on_the_way_lead_to_places_in_the_image() {
    need_namespaces!();
    let lower = Layer::new()
        .directory("w/usr/lib/")
        .link("w/lib", "usr/lib")
        .link("w/absolute", "/w/usr/lib")
        .link("w/up", "../../../../w/usr")
        .file("w/lib/one", "1");
    let middle = Layer::new()
        .file("w/absolute/two", "2")
        .file("w/up/lib/three", "3");
    let upper = Layer::new()
        .file("w/lib/.wh.one", "")
        .hard_link("w/lib/hard", "w/absolute/two");
    let seen = listed(&[lower, middle, upper]);
    let expected = "absolute\nlib\nup\nusr\n\
        absolute/hard\nabsolute/three\nabsolute/two\nlib/hard\nlib/three\nlib/two\nup/lib\nusr/lib\n\
        up/lib/hard\nup/lib/three\nup/lib/two\nusr/lib/hard\nusr/lib/three\nusr/lib/two\n";
    assert_eq!(seen, expected);
}

#[test]
fn a_hard_link_into_a_layer_below_is_the_same_file() {
    need_namespaces!();
    let lower = Layer::new().pax(&[("mtime", "5.25")]);
    let lower = lower.entry("w/low", "content", |header| header.set_mode(0o4750));
    let lower = lower.link("w/link", "nowhere");
    let upper = Layer::new()
        .hard_link("w/other", "w/low")
        .hard_link("w/link2", "w/link");
    let script =
        "cd /w; stat -c '%n %a %h %.2Y %s' low other; stat -c '%n %F %h' link link2; cat other";
    assert_eq!(
        seen_in(&[lower, upper], script),
        "low 4750 2 5.25 7\nother 4750 2 5.25 7\nlink symbolic link 2\nlink2 symbolic link 2\ncontent"
    );
}

#[test]
fn directories_that_only_a_layer_below_describes_keep_what_it_says() {
    need_namespaces!();
    let describe = |layer: Layer, name, mode, time| {
        layer.entry(name, "", |header| {
            header.set_entry_type(EntryType::Directory);
            header.set_mode(mode);
            header.set_mtime(time);
        })
    };
    let mut lower = describe(Layer::new(), "w/", 0o711, 11);
    lower = describe(lower, "w/a/", 0o1777, 12);
    lower = describe(lower, "./", 0o751, 13);
    // Whatever is put into them, and although one of them comes with nothing but a whiteout.
    lower = lower.file("w/b/gone", "").file("w/a/x", "");
    lower = describe(lower, "w/b/", 0o700, 14);
    let upper = Layer::new()
        .file("w/a/new/file", "")
        .file("w/b/.wh.gone", "");
    let seen = seen_in(
        &[lower, upper],
        "cd /; stat -c '%n %a %Y' w w/a w/b; stat -c '%n %a' . w/a/new",
    );
    assert_eq!(
        seen,
        "w 711 11\nw/a 1777 12\nw/b 700 14\n. 751\nw/a/new 755\n"
    );
}

#[test]
fn what_a_directory_becomes_does_not_change_the_files_that_follow() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip("newuidmap, and a range of ids for this user in /etc/subuid");
    }
    let mut layer = Layer::new().directory("w/").file("w/before", "");
    // From here on, a new file in it belongs to its group at first.
    layer = layer.entry("w/", "", |header| {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0o2755);
        header.set_gid(7);
    });
    layer = layer.file("w/after", "").file("w/last", "");
    let seen = seen_in(&[layer], "stat -c '%n %a %g' /w /w/*");
    let files = ["after", "before", "last"].map(|name| format!("/w/{name} 644 0\n"));
    assert_eq!(seen, format!("/w 2755 7\n{}", files.concat()));
}
