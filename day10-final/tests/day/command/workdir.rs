//! `run -w`: where a command begins.

use std::fs;

use insta::assert_snapshot;

use crate::ground::{Ground, listing};
use crate::need_namespaces;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{Seen, assert_nothing_is_kept, leave_to, only_record, see, shell, state};

/// `tiny-docker run --net isolated ARGUMENTS…`
fn run(arguments: &[&str]) -> Seen {
    see(&[&["run", "--net", "isolated"], arguments].concat())
}

#[test]
fn a_command_begins_where_it_is_told_to() {
    need_namespaces!();
    assert_eq!(run(&["pwd"]).stdout, "/\n");
    assert_eq!(run(&["-w", "/tmp", "pwd"]).stdout, "/tmp\n");
    assert_eq!(
        run(&["--workdir=/usr/./bin/..", "sh", "-c", "pwd -P"]).stdout,
        "/\n"
    );
    assert_eq!(run(&["-w", "/sbin", "sh", "-c", "pwd -P"]).stdout, "/bin\n");
    // A command with a slash in it is one in there.
    assert_eq!(run(&["-w", "/bin", "./echo", "found"]).stdout, "found\n");
}

#[test]
fn what_is_missing_is_made_and_only_in_the_containers_layer() {
    need_namespaces!();
    let seen = run(&["-w", "/srv/app", "sh", "-c", "pwd; stat -c '%A %u' ."]);
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("/srv/app\ndrwxr-xr-x 0\n", "")
    );
    assert!(!state().join("rootfs/default/srv").exists());
    let layer = only_record().join("layer/upper/srv/app");
    assert!(layer.is_dir());
}

#[test]
fn a_read_only_container_has_it_too() {
    need_namespaces!();
    let line = "pwd; touch file || touch /srv/file";
    for options in [&["--read-only"][..], &["--read-only", "-t"]] {
        let seen = run(&[options, &["-w", "/srv/app", "sh", "-c", line]].concat());
        let said = (seen.stdout + &seen.stderr).replace('\r', "");
        let refused = |path| format!("touch: cannot touch '{path}': Read-only file system\n");
        let all = [
            "/srv/app\n".to_owned(),
            refused("file"),
            refused("/srv/file"),
        ]
        .concat();
        assert_eq!(said, all);
    }
}

#[test]
fn a_volume_can_be_the_place() {
    need_namespaces!();
    let data = state().join("data");
    fs::create_dir(&data).unwrap();
    let volume = format!("{}:/data", data.display());
    let seen = run(&[
        "-v",
        &volume,
        "-w",
        "/data/deep",
        "sh",
        "-c",
        "pwd; echo here >file",
    ]);
    assert_eq!(
        (seen.stdout.as_str(), seen.stderr.as_str()),
        ("/data/deep\n", "")
    );
    assert_eq!(
        fs::read_to_string(data.join("deep/file")).unwrap(),
        "here\n"
    );
}

#[test]
fn what_is_no_directory_is_refused() {
    need_namespaces!();
    let mut said = String::new();
    for directory in ["/etc/passwd", "/etc/passwd/x", "/proc/no-such"] {
        let seen = run(&["-w", directory, "echo", "started"]);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "{directory}"
        );
        said += &seen.stderr;
    }
    assert_snapshot!(said, @"
    tiny-docker: cannot create the working directory /etc/passwd: ENOTDIR: Not a directory
    tiny-docker: cannot create the working directory /etc/passwd/x: ENOTDIR: Not a directory
    tiny-docker: cannot create the working directory /proc/no-such: ENOENT: No such file or directory
    ");
    for directory in ["relative", "./x", "../x"] {
        let seen = run(&["-w", directory, "echo", "started"]);
        assert_eq!(seen.code, Some(125), "{directory}");
        assert_eq!(seen.stdout, "", "{directory}");
        assert!(
            seen.stderr.contains("expected an absolute path"),
            "{}",
            seen.stderr
        );
    }
    assert_nothing_is_kept();
}

#[test]
fn root_makes_it_and_the_user_begins_there() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return leave_to("an ordinary user with a range in /etc/subuid, or root");
    }
    let line = "pwd; stat -c %u .; touch file || echo cannot write";
    let seen = run(&["-u", "1234", "-w", "/srv/app", "sh", "-c", line]);
    assert_eq!(seen.stdout, "/srv/app\n0\ncannot write\n");
}

/// CVE-2024-21626: whoever starts in a directory on the host has the host.
#[test]
fn no_descriptor_of_the_callers_leads_to_the_host() {
    need_namespaces!();
    let ground = Ground::new();
    for n in 0..16 {
        ground.link(&format!("way-{n}"), format!("/proc/self/fd/{n}"));
    }
    let before = listing(&ground.host());
    let (rootfs, host) = (ground.rootfs(), ground.host());
    let attack = "for up in . .. ../.. ../../..; do cat $up/secret $up/host/secret; done 2>/dev/null; pwd; ls";
    for way in [
        "/proc/self/fd/",
        "/proc/1/fd/",
        "/way-",
        "/proc/self/cwd/../../proc/self/fd/",
    ] {
        for below in ["", "/", "/.", "/made"] {
            let line = format!(
                "for n in 0 3 4 5 6 7 8 9 10 11; do $TD run --net isolated --rootfs {0} -w {way}$n{below} sh -c '{attack}' 9<{1}; done",
                rootfs.display(),
                host.display()
            );
            let seen = shell(&line);
            assert!(
                !seen.stdout.contains("the host's"),
                "{way} {below}: {}",
                seen.stdout
            );
            assert!(
                !seen.stdout.contains("secret"),
                "{way} {below}: {}",
                seen.stdout
            );
        }
    }
    assert_eq!(listing(&ground.host()), before);
}

#[test]
fn a_directory_that_is_stdin_leads_nowhere_either() {
    need_namespaces!();
    let ground = Ground::new();
    let before = listing(&ground.host());
    for below in ["", "/made"] {
        let seen = shell(&format!(
            "$TD run --net isolated -w /proc/self/fd/0{below} sh -c 'cat secret; ls' <{}",
            ground.host().display()
        ));
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "{}",
            seen.stderr
        );
    }
    assert_eq!(listing(&ground.host()), before);
}

#[test]
fn a_link_in_the_rootfs_leads_to_a_place_in_it() {
    need_namespaces!();
    let ground = Ground::new();
    ground.link("up", "../../../../../..");
    ground.link("host", ground.host());
    let rootfs = format!("--rootfs={}", ground.rootfs().display());
    let seen = run(&[&rootfs, "-w", "/up", "sh", "-c", "pwd -P; ls -d bin"]);
    assert_eq!(seen.stdout, "/\nbin\n", "{}", seen.stderr);
    let before = listing(&ground.host());
    // Inside, nothing is where the link leads. It is made in there.
    let line = "pwd; cat ../secret";
    let seen = run(&[&rootfs, "-w", "/host/made", "sh", "-c", line]);
    assert_eq!(seen.stdout, format!("{}/made\n", ground.host().display()));
    assert!(seen.stderr.contains("No such file"), "{}", seen.stderr);
    assert_eq!(listing(&ground.host()), before);
}
