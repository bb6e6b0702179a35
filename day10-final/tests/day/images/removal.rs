//! Removing images, and what is left of them.

use std::fs;
use std::thread;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use tar::{EntryType, Header};

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::keep::{Shelf, done, refused};
use crate::images::pull::{assert_complete, assert_pulled, offered};
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{Detached, host, leave_to, records, see, shell, state};

/// The names in a directory of the store.
fn stored(directory: &str) -> Vec<String> {
    let entries = fs::read_dir(state().join("images").join(directory));
    let entries = entries.into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    names.collect()
}

/// An image that can run is in the store as `base`.
fn base() -> String {
    let registry = Registry::start();
    let built = registry.push("x/base:1", &Image::base());
    let name = registry.name("x/base:1");
    done(&["pull", "-q", &name]);
    done(&["tag", &name, "base"]);
    done(&["rmi", &name]);
    built.id()
}

#[test]
fn with_its_last_name_an_image_goes_and_shared_layers_stay() {
    need_namespaces!();
    let shelf = Shelf::new();
    done(&["tag", "large:1", "large:2"]);
    done(&["images"]);
    assert_snapshot!(shelf.plain(&done(&["rmi", "large:1"])), @"Untagged: large:1");
    assert_snapshot!(shelf.plain(&done(&["image", "rm", "large:2"])), @"
    Untagged: large:2
    Deleted: LARGE
    Deleted: LAYER
    ");
    assert_eq!((stored("layers").len(), stored("sizes").len()), (1, 1));
    assert_snapshot!(shelf.plain(&done(&["images"])), @"
    REPOSITORY | TAG | IMAGE ID | CREATED | SIZE
    small | 1 | SMALL | AGE ago | 1kB
    ");
    assert_snapshot!(shelf.plain(&done(&["rmi", &shelf.small.id()])), @"
    Untagged: small:1
    Deleted: SMALL
    Deleted: LAYER
    ");
    assert!(!state().join("images").exists());
}

#[test]
fn an_id_with_several_names_is_removed_by_force() {
    need_namespaces!();
    let shelf = Shelf::new();
    for name in ["small:2", "other:1", "other:2"] {
        done(&["tag", "small:1", name]);
    }
    let id = &shelf.small.id()[7..19];
    assert_snapshot!(shelf.plain(&refused(&["rmi", id])), @"
    tiny-docker: cannot remove SMALL: conflict: it has 4 names: small:1, small:2, other:1, …
    hint: tiny-docker rmi -f SMALL
    ");
    // Each of several arguments counts.
    let seen = see(&["rmi", "other:2", "nope", "large:1"]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(shelf.plain(&(seen.stdout + &seen.stderr)), @"
    Untagged: other:2
    Untagged: large:1
    Deleted: LARGE
    Deleted: LAYER
    tiny-docker: cannot remove nope: no such image
    hint: tiny-docker images lists all images
    ");
    assert_snapshot!(shelf.plain(&done(&["rmi", "-f", id])), @"
    Untagged: small:1
    Untagged: small:2
    Untagged: other:1
    Deleted: SMALL
    Deleted: LAYER
    ");
    let seen = see(&["rmi", "-f", id, "nope"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), ""));
}

#[test]
fn an_image_without_a_name_is_removed_by_its_id() {
    need_namespaces!();
    let shelf = Shelf::new();
    done(&["tag", "large:1", "small:1"]);
    assert_snapshot!(shelf.plain(&done(&["rmi", &shelf.small.id()[7..12]])), @"Deleted: SMALL");
    // Its only layer is the other's first.
    assert_eq!(stored("layers").len(), 2);
}

#[test]
fn an_image_that_closes_its_root_even_to_its_owner_is_removed_like_any_other() {
    need_namespaces!();
    let root = |header: &mut Header| {
        header.set_entry_type(EntryType::Directory);
        header.set_mode(0);
    };
    let closed = Image::new().layer(&Layer::new().entry("./", "", root).file("a", "b"));
    let (_registry, name, built) = offered(&closed);
    assert_pulled(&see(&["pull", &name]));
    let layers = state().join("images/layers");
    let layer = stored("layers").swap_remove(0);
    // As a pull leaves it that is killed at the very end.
    fs::rename(layers.join(&layer), layers.join(format!(".{layer}"))).unwrap();
    // Or at the very beginning.
    fs::write(layers.join(format!(".{}.lock", "0".repeat(64))), "").unwrap();
    assert_pulled(&see(&["pull", &name]));
    assert_complete(&built);
    done(&["rmi", &name]);
    assert!(!state().join("images").exists());
}

#[test]
fn a_container_keeps_its_image() {
    need_namespaces!();
    let id = base();
    let short = &id[7..19];
    let ended = |name: &str| done(&["run", "--net", "isolated", "--name", name, "base", "true"]);
    ended("first");
    let conflict = refused(&["rmi", "base"]);
    assert!(
        conflict.contains(&format!("is using its referenced image {short}\n")),
        "{conflict}"
    );
    assert!(refused(&["rmi", short]).contains(": conflict: stopped container "));
    assert_eq!(
        done(&["image", "prune", "-af"]),
        "Total reclaimed space: 0B\n"
    );
    // By force, the image goes, and its layers stay with the container.
    assert_eq!(
        done(&["rmi", "-f", "base"]),
        format!("Untagged: base:latest\nDeleted: {id}\n")
    );
    assert_eq!(
        (stored("layers").len(), stored("blobs/sha256").len()),
        (1, 0)
    );
    let files = "$TD export first | tar -t | grep -c .";
    assert_ne!(shell(files).stdout, "0\n");
    done(&["rm", "first"]);
    let pruned = done(&["image", "prune", "-f"]);
    assert!(
        pruned.starts_with("Deleted Images:\ndeleted: sha256:"),
        "{pruned}"
    );
    assert!(!state().join("images").exists());
}

#[test]
fn a_running_container_keeps_its_image_even_by_force() {
    need_namespaces!();
    let id = base();
    let short = &id[7..19];
    let running = Detached::start(&["--net", "isolated", "base", "sleep", "1000"]);
    for words in [&["rmi", short][..], &["rmi", "-f", short]] {
        let conflict = refused(words);
        assert!(
            conflict.contains(": conflict: running container "),
            "{conflict}"
        );
        assert!(conflict.ends_with(&format!("\nhint: tiny-docker rm -f {}\n", running.id)));
    }
    assert_eq!(done(&["rmi", "-f", "base"]), "Untagged: base:latest\n");
    assert!(done(&["images"]).contains("\n<none> "));
    assert_eq!(
        done(&["image", "prune", "-f"]),
        "Total reclaimed space: 0B\n"
    );
    assert_eq!(done(&["exec", &running.id, "pwd"]), "/\n");
    done(&["rm", "-f", &running.id]);
    let pruned = done(&["image", "prune", "-f"]);
    assert!(pruned.contains(&format!("deleted: {id}\n")), "{pruned}");
}

#[test]
fn image_prune_removes_images_without_a_name_or_without_a_container() {
    need_namespaces!();
    let shelf = Shelf::new();
    done(&["tag", "large:1", "small:1"]);
    assert_snapshot!(shelf.plain(&done(&["image", "prune", "-f"])), @"
    Deleted Images:
    deleted: SMALL

    Total reclaimed space: 633B
    ");
    assert_eq!(
        done(&["image", "prune", "-f"]),
        "Total reclaimed space: 0B\n"
    );
    // It asks, and nobody answers.
    let asked = done(&["image", "prune"]) + "\n" + &done(&["image", "prune", "-a"]);
    assert_snapshot!(asked.replace("[y/N] ", "[y/N]"), @"
    WARNING! This will remove all dangling images.
    Are you sure you want to continue? [y/N]
    WARNING! This will remove all images without at least one container associated to them.
    Are you sure you want to continue? [y/N]
    ");
    let pruned = shelf.plain(&done(&["image", "prune", "-a", "-f"]));
    assert_snapshot!(pruned, @"
    Deleted Images:
    untagged: large:1
    untagged: small:1
    deleted: LARGE
    deleted: LAYER
    deleted: LAYER

    Total reclaimed space: 127kB
    ");
    assert!(!state().join("images").exists());
}

#[test]
fn prune_leaves_images_with_a_name_unless_it_is_told_to() {
    need_namespaces!();
    let shelf = Shelf::new();
    done(&["tag", "large:1", "small:1"]);
    let pruned = shelf.plain(&done(&["prune", "-f"]));
    assert!(
        pruned.starts_with("Deleted Images:\ndeleted: SMALL\n"),
        "{pruned}"
    );
    assert_eq!(shelf.plain(&done(&["images", "-q"])), "LARGE\nLARGE\n");
    let state = state();
    done(&["system", "prune", "--all", "--force"]);
    assert!(!state.exists());
}

#[test]
fn a_damaged_index_keeps_only_images_from_being_pruned() {
    need_namespaces!();
    let _shelf = Shelf::new();
    done(&["run", "--net", "isolated", "--name", "old", "true"]);
    let index = state().join("images/index.json");
    let good = fs::read(&index).unwrap();
    fs::write(&index, &good[..good.len() / 2]).unwrap();
    let seen = see(&["prune", "-a", "-f"]);
    assert_eq!(seen.code, Some(1));
    assert!(
        seen.stdout.starts_with("Deleted Containers:\n"),
        "{}",
        seen.stdout
    );
    assert!(seen.stderr.contains("/index.json: "), "{}", seen.stderr);
    assert!(refused(&["images"]).starts_with("tiny-docker: cannot list images: cannot read "));
    fs::write(&index, &good).unwrap();
    assert_eq!(done(&["images", "-q"]).lines().count(), 2);
    assert_eq!((stored("layers").len(), records().len()), (2, 0));
}

#[test]
fn what_a_killed_pull_has_left_is_counted_and_removed() {
    need_namespaces!();
    let shelf = Shelf::new();
    let images = state().join("images");
    let hex = "0".repeat(64);
    fs::write(images.join("partial").join(&hex), vec![0; 1_500_000]).unwrap();
    let half = images.join("layers").join(format!(".{hex}"));
    fs::create_dir_all(half.join("deep")).unwrap();
    fs::write(half.join("deep/file"), vec![0; 2_500_000]).unwrap();
    let df = shelf.plain(&done(&["system", "df"]));
    // How large the host's programs are is the host's business.
    let (df, _) = df.split_once("Root filesystem | 1 | 0 | ").unwrap();
    assert_snapshot!(df, @"
    TYPE | TOTAL | ACTIVE | SIZE | RECLAIMABLE
    Images | 2 | 0 | 2.62MB | 2.62MB (100%)
    Image blobs | 7 | 0 | 1.5MB | 1.5MB (100%)
    Containers | 0 | 0 | 0B | 0B
    ");
    let pruned = done(&["image", "prune", "-f"]);
    assert!(pruned.ends_with("Total reclaimed space: 4MB\n"), "{pruned}");
    assert!(stored("partial").is_empty() && !half.exists());
    assert_eq!(done(&["images", "-q"]).lines().count(), 2);
}

#[test]
fn what_is_shared_is_counted_once() {
    need_namespaces!();
    let shelf = Shelf::new();
    base();
    let isolated = ["run", "--net", "isolated", "--name", "web", "base"];
    done(&[&isolated[..], &["sh", "-c", "echo 12345 >/file"]].concat());
    let df = done(&["system", "df"]);
    let row = |what: &str| {
        let row = df.lines().find(|line| line.starts_with(what)).unwrap();
        row[what.len()..]
            .split_whitespace()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let du = |directory: &str| -> f64 {
        let find = format!(
            "find {} -type f -links 1 -printf '%s\\n'",
            state().join(directory).display()
        );
        let sum = host(&(find + " | awk '{ all += $1 } END { print all + 0 }'"));
        sum.trim().parse().unwrap()
    };
    for (what, numbers, directory) in [
        ("Images ", ["3", "1"], "images/layers"),
        ("Image blobs ", ["9", "3"], "images/blobs"),
        ("Containers ", ["1", "0"], "containers"),
    ] {
        let row = row(what);
        assert_eq!(row[..2], numbers, "{df}");
        let (number, unit) = row[2].split_at(row[2].find(char::is_alphabetic).unwrap());
        let times = match unit {
            "MB" => 1e6,
            "kB" => 1e3,
            _ => 1.0,
        };
        let printed = number.parse::<f64>().unwrap() * times;
        assert!(
            (printed / du(directory) - 1.0).abs() < 0.01,
            "{df}: {}",
            du(directory)
        );
    }
    let verbose = shelf.plain(&done(&["system", "df", "-v"]));
    let small = "small | 1 | SMALL | AGE ago | 1kB | 1kB | 0B | 0\n";
    let large = "large | 1 | LARGE | AGE ago | 124kB | 1kB | 123kB | 0\n";
    assert!(
        verbose.contains(small) && verbose.contains(large),
        "{verbose}"
    );
    let container = verbose.lines().last().unwrap();
    assert!(
        container.contains(" | base | ") && container.ends_with(" | exited | web"),
        "{verbose}"
    );
}

#[test]
fn several_who_tag_list_and_remove_do_not_see_each_others_halves() {
    need_namespaces!();
    let shelf = Shelf::new();
    let state = state();
    let one = |n: usize| {
        let line = format!(
            "for i in 1 2 3 4; do $TD tag small:1 own{n}:$i && $TD images -q own{n}:$i | grep -q . && $TD images >/dev/null \
            && $TD rmi own{n}:$i >/dev/null && $TD image prune -f >/dev/null || exit 1; done"
        );
        let mut sh = std::process::Command::new("sh");
        sh.args(["-c", &line])
            .env("TD", crate::support::TINY_DOCKER);
        sh.env("TINY_DOCKER_ROOT", &state);
        let seen: crate::support::Seen = sh.output().unwrap().into();
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    };
    thread::scope(|scope| {
        for n in 0..4 {
            scope.spawn(move || one(n));
        }
    });
    assert_eq!(shelf.plain(&done(&["images", "-q"])), "LARGE\nSMALL\n");
    assert_eq!(stored("layers").len(), 2);
    // Of two who remove the same image, one is late.
    done(&["tag", "small:1", "once"]);
    let removed = shell("($TD rmi once & $TD rmi once & wait) 2>&1").stdout;
    assert_eq!(
        removed.matches("Untagged: once:latest").count(),
        1,
        "{removed}"
    );
}

#[test]
fn a_layer_may_have_files_that_only_its_users_see() {
    need_namespaces!();
    let registry = Registry::start();
    let closed = Layer::new()
        .entry("closed/", "", |header| {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(0);
        })
        .file("closed/file", [5; 54_321]);
    registry.push("x/closed:1", &Image::new().layer(&closed));
    let name = registry.name("x/closed:1");
    done(&["pull", "-q", &name]);
    assert!(done(&["images"]).ends_with("54.3kB\n"));
    assert!(done(&["system", "df"]).contains("54.3kB"));
    done(&["rmi", &name]);
    assert!(!state().join("images").exists());
}

#[test]
fn an_image_can_be_removed_from_a_full_disk() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let shelf = Shelf::new();
    done(&["images"]);
    // The test has its own mounts.
    let images = state().join("images");
    let full = state().join("full");
    fs::create_dir(&full).unwrap();
    let images = images.display();
    let full = full.display();
    host(&format!(
        "mount -t tmpfs -o size=1m,mode=700 tmpfs {full} && cp -a {images}/. {full} && mount --move {full} {images}"
    ));
    let fill = format!("cat /dev/zero >{images}/fill; cat /dev/zero >>{images}/fill");
    assert!(shell(&fill).stderr.contains("No space left"));
    let tag = refused(&["tag", "large:1", "other"]);
    assert!(tag.contains("No space left on device"), "{tag}");
    assert_snapshot!(shelf.plain(&done(&["rmi", "large:1"])), @"
    Untagged: large:1
    Deleted: LARGE
    Deleted: LAYER
    ");
    assert_eq!(shelf.plain(&done(&["images", "-q"])), "SMALL\n");
    host(&format!("umount {images}"));
}
