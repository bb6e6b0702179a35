//! Connections that break off, blobs that are not what they should be, a pull that is killed, a disk that is full.

use std::fs;
use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount, umount};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};

use crate::images::build::layer::Layer;
use crate::images::build::{Built, digest};
use crate::images::pull::{assert_complete, assert_pulled, image, listed, offered, ranges};
use crate::images::registry::{Fault, Registry};
use crate::need_namespaces;
use crate::support::{Running, leave_to, see, state, tiny_docker, wait_until};

/// The path of the image's only layer.
fn layer(built: &Built) -> String {
    format!("/blobs/{}", digest(&built.layers[0]))
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    registry.fault(&layer(&built), 3, Fault::Cut);
    assert_pulled(&see(&["pull", &name]));
    let size = built.layers[0].len();
    let [half, quarter] = [2, 4].map(|part| size - size / part);
    let eighth = quarter + (size - quarter) / 2;
    assert_eq!(
        ranges(&registry, &built),
        [
            "".to_owned(),
            format!("bytes={half}-"),
            format!("bytes={quarter}-"),
            format!("bytes={eighth}-")
        ]
    );
    assert_complete(&built);
}

#[test]
fn a_registry_that_does_not_know_ranges_starts_over() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    registry.fault(&layer(&built), 1, Fault::Cut);
    registry.fault(&layer(&built), 1, Fault::NoRange);
    assert_pulled(&see(&["pull", &name]));
    assert_eq!(ranges(&registry, &built).len(), 2);
    assert_complete(&built);
}

#[test]
fn a_blob_that_is_damaged_on_its_way_is_refused() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    registry.fault(&layer(&built), 9, Fault::Flip);
    let seen = see(&["pull", &name]);
    assert_eq!(seen.code, Some(1));
    let short = &digest(&built.layers[0])[7..19];
    let reason =
        format!("tiny-docker: cannot pull {name}: {short} is damaged: what the registry sends is ");
    assert!(seen.stderr.starts_with(&reason), "{}", seen.stderr);
    // Nothing of it stays.
    assert!(!state().join("images").exists());
}

/// Starts a pull whose layer arrives slowly, and waits until some of it is there. `end` should end it.
fn interrupted(
    registry: &Registry,
    name: &str,
    built: &Built,
    end: impl FnOnce(&Running),
) -> Running {
    registry.fault(&layer(built), 1, Fault::Slow(20));
    let blob = state().join("images/partial").join(&layer(built)[14..]);
    let there = || fs::metadata(&blob).map_or(0, |blob| blob.len());
    let before = there();
    let mut pull = tiny_docker(&["pull", name]);
    let mut pull = Running::start(pull.process_group(0));
    wait_until("some of the layer", || there() > before + 50_000);
    end(&pull);
    let since = Instant::now();
    let _ = pull.0.wait();
    assert!(since.elapsed() < Duration::from_secs(5));
    pull
}

#[test]
fn a_pull_that_was_killed_is_continued_by_the_next() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    let pull = interrupted(&registry, &name, &built, |pull| pull.signal(libc::SIGKILL));
    // The process that does the work has died with it.
    let work = format!("/proc/{}", pull.pid());
    wait_until("all of it end", || {
        !fs::exists(&work).unwrap() && listed("partial").len() == 1
    });
    assert_eq!(see(&["images", "-q"]).stdout, "");
    registry.log();
    assert_pulled(&see(&["pull", &name]));
    let ranges = ranges(&registry, &built);
    assert!(
        ranges.len() == 1 && ranges[0].len() > "bytes=0-".len(),
        "{ranges:?}"
    );
    assert_complete(&built);
}

#[test]
fn what_a_power_failure_has_left_of_a_blob_is_not_trusted() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    interrupted(&registry, &name, &built, |pull| pull.signal(libc::SIGKILL));
    let partial = state().join("images/partial").join(&layer(&built)[14..]);
    for damaged in [vec![0; 60_000], vec![0; 400_000], built.layers[0].clone()] {
        fs::write(&partial, damaged).unwrap();
        let _ = fs::remove_dir_all(state().join("images/layers"));
        let _ = fs::remove_file(state().join("images/index.json"));
        let _ = fs::remove_dir_all(state().join("images/blobs"));
        assert_pulled(&see(&["pull", &name]));
        assert_complete(&built);
    }
}

#[test]
fn ctrl_c_ends_a_pull_and_the_next_one_needs_only_the_rest() {
    need_namespaces!();
    // The lower layer is the slow one.
    let image = image().layer(&Layer::new().file("a", "b"));
    let (registry, name, built) = offered(&image);
    let small = digest(&built.layers[1]);
    let end = |pull: &Running| {
        let blobs = || listed("blobs/sha256");
        wait_until("the other layer", || {
            blobs().contains(&small[7..].to_owned())
        });
        killpg(Pid::from_raw(pull.pid()), Signal::SIGINT).unwrap();
    };
    let mut pull = interrupted(&registry, &name, &built, end);
    assert_eq!(pull.0.wait().unwrap().code(), Some(130));
    assert_eq!(listed("layers"), [""; 0]);
    // A signal to the command alone ends its work, too.
    let end = |pull: &Running| pull.signal(libc::SIGTERM);
    let mut pull = interrupted(&registry, &name, &built, end);
    assert_eq!(pull.0.wait().unwrap().code(), Some(143));
    registry.log();
    assert_pulled(&see(&["pull", &name]));
    let ranges = ranges(&registry, &built);
    assert!(
        ranges.len() == 1 && ranges[0].len() > "bytes=0-".len(),
        "{ranges:?}"
    );
    assert_complete(&built);
}

#[test]
fn nothing_stays_of_an_image_that_is_not_what_it_says() {
    need_namespaces!();
    let layer = Layer::new().file("a", "b");
    let image = image().layer(&layer);
    let registry = Registry::start();
    let mut built = image.build();
    // The upper layer is not what the configuration says.
    let text = String::from_utf8(built.config).unwrap();
    let wrong = text.replace(&digest(&layer.archive()), &digest(b"x"));
    built.config = wrong.into_bytes();
    let old = digest(text.as_bytes());
    let manifest = String::from_utf8(built.manifest).unwrap();
    built.manifest = manifest.replace(&old, &digest(&built.config)).into_bytes();
    built
        .layers
        .iter()
        .chain([&built.config])
        .for_each(|blob| drop(registry.put_blob(blob)));
    registry.put_manifest("x/y:1", &built.media_type, &built.manifest);
    // By then, the lower layer has its name.
    registry.fault(&digest(&built.layers[1]), 1, Fault::Slow(1000));
    let seen = see(&["pull", &registry.name("x/y:1")]);
    assert_eq!(seen.code, Some(1));
    let reason = format!(", and the image says {}\n", digest(b"x"));
    assert!(seen.stderr.ends_with(&reason), "{}", seen.stderr);
    assert!(!state().join("images").exists());
}

#[test]
fn a_full_disk_leaves_nothing() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let (_registry, name, _) = offered(&image());
    let disk = state().join("disk");
    fs::create_dir(&disk).unwrap();
    let pull = || see(&["--root", disk.to_str().unwrap(), "pull", &name]);
    for size in [8, 40, 200, 330, 400, 600] {
        // In this test's mount namespace.
        let (nothing, options) = (None::<&str>, format!("size={size}k,mode=700"));
        mount(
            Some("x"),
            &disk,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(&*options),
        )
        .unwrap();
        let seen = pull();
        let left = disk.join("images").exists();
        mount(
            nothing,
            &disk,
            nothing,
            MsFlags::MS_REMOUNT,
            Some("size=8m,mode=700"),
        )
        .unwrap();
        let again = pull();
        umount(&disk).unwrap();
        assert!(
            seen.stderr.contains("No space left on device"),
            "{size} {}",
            seen.stderr
        );
        assert_eq!((seen.code, left), (Some(1), false), "{size}");
        assert_pulled(&again);
    }
}
