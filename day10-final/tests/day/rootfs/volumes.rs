//! What a container has beside its root filesystem: `-v`, `--tmpfs`, `--read-only`.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::ground::Ground;
use crate::need_namespaces;
use crate::support::{Seen, assert_nothing_is_kept, see, shell, state};

/// `run` away from the host's network, with what comes after.
fn run(arguments: &[&str]) -> Seen {
    see(&[&["run", "--net", "isolated"], arguments].concat())
}

#[test]
fn a_volume_is_the_hosts_directory() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    fs::write(host.path().join("in"), "from the host\n").unwrap();
    let volume = format!("{}:/data/below", host.path().display());
    let script = "cat /data/below/in; echo from inside >/data/below/out";
    let seen = run(&["-v", &volume, "sh", "-c", script]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_eq!(seen.stdout, "from the host\n");
    let out = fs::read_to_string(host.path().join("out")).unwrap();
    assert_eq!(out, "from inside\n");
    // For the next one it is still there.
    let seen = run(&["--volume", &volume, "cat", "/data/below/out"]);
    assert_eq!(seen.stdout, "from inside\n");
}

#[test]
fn a_read_only_volume_can_only_be_read() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    fs::write(host.path().join("file"), "").unwrap();
    let volume = format!("{}:/data:ro", host.path().display());
    let script =
        "cat /data/file && ! echo x >/data/file && ! touch /data/new && ! chmod 600 /data/file";
    let seen = run(&["-v", &volume, "sh", "-c", script]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    assert_eq!(
        seen.stderr.matches("Read-only file system").count(),
        3,
        "{}",
        seen.stderr
    );
}

#[test]
fn what_is_mounted_in_a_read_only_volume_is_read_only_too() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    fs::create_dir(host.path().join("below")).unwrap();
    let seen = shell(&format!(
        "unshare --user --map-root-user --mount sh -c '
            mount -t tmpfs below {0}/below; echo seen >{0}/below/file
            $TD run --net isolated -v {0}:/data:ro sh -c \"cat /data/below/file; touch /data/below/new\"'",
        host.path().display()
    ));
    assert_eq!(seen.stdout, "seen\n", "{}", seen.stderr);
    assert!(
        seen.stderr.contains("Read-only file system"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_volume_may_be_a_file() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    fs::write(host.path().join("conf"), "x = 1\n").unwrap();
    let volume = format!("{}/conf:/etc/app/app.conf:ro", host.path().display());
    let seen = run(&["-v", &volume, "cat", "/etc/app/app.conf"]);
    assert_eq!(seen.stdout, "x = 1\n", "{}", seen.stderr);
}

#[test]
fn a_directory_that_the_host_does_not_have_is_made() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    let volume = format!("{}/a/b:/data", host.path().display());
    assert_eq!(run(&["-v", &volume, "touch", "/data/x"]).code, Some(0));
    assert!(host.path().join("a/b/x").exists());
}

#[test]
fn a_volume_may_be_relative_to_where_the_user_is() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    fs::create_dir(host.path().join("sub")).unwrap();
    fs::write(host.path().join("sub/file"), "sub\n").unwrap();
    let seen = shell(&format!(
        "cd {} && $TD run --net isolated -v ./sub:/a -v .:/b sh -c 'cat /a/file /b/sub/file'",
        host.path().display()
    ));
    assert_eq!(seen.stdout, "sub\nsub\n", "{}", seen.stderr);
}

#[test]
fn what_lies_deeper_is_mounted_later() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    fs::write(host.path().join("outer"), "").unwrap();
    let path = host.path().display();
    let (outer, inner) = (format!("{path}:/a"), format!("{path}/inner:/a/b/c"));
    let seen = run(&[
        "-v", &inner, "--tmpfs", "/a/b", "-v", &outer, "ls", "-R", "/a",
    ]);
    assert_snapshot!(seen.stdout, @"
    /a:
    b
    inner
    outer

    /a/b:
    c

    /a/b/c:

    /a/inner:
    ");
}

#[test]
fn a_link_in_the_way_of_a_volume_does_not_lead_outside() {
    need_namespaces!();
    let place = TempDir::new().unwrap();
    let [rootfs, host, victim] = ["rootfs", "host", "victim"].map(|name| place.path().join(name));
    let copied = shell(&format!(
        "cp -a $TINY_DOCKER_ROOT/rootfs/default {}",
        rootfs.display()
    ));
    assert_eq!(copied.code, Some(0));
    fs::create_dir(&host).unwrap();
    fs::create_dir(&victim).unwrap();
    // Inside, there is such a place, too.
    fs::create_dir_all(rootfs.join(victim.strip_prefix("/").unwrap())).unwrap();
    symlink(&victim, rootfs.join("absolute")).unwrap();
    symlink(
        format!("../../../../../../..{}", victim.display()),
        rootfs.join("relative"),
    )
    .unwrap();
    let volume = |target: &str| format!("{}:/{target}/new", host.display());
    let (one, other) = (volume("absolute"), volume("relative"));
    let rootfs = rootfs.to_str().unwrap();
    let script = format!("touch /absolute/new/x && ls {}/new", victim.display());
    let seen = run(&[
        "--rootfs", rootfs, "-v", &one, "-v", &other, "sh", "-c", &script,
    ]);
    assert_eq!((seen.stdout.as_str(), seen.stderr.as_str()), ("x\n", ""));
    assert_eq!(fs::read_dir(victim).unwrap().count(), 0);
}

#[test]
fn dockers_other_options_for_volumes_ask_for_nothing() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    for (options, may_write) in [
        ("rw", true),
        ("z", true),
        ("Z", true),
        ("rw,z", true),
        ("cached", true),
        ("rprivate", true),
        ("Z,ro", false),
        ("ro,z,delegated", false),
    ] {
        let volume = format!("{}:/data:{options}", host.path().display());
        let seen = run(&["-v", &volume, "touch", "/data/file"]);
        assert_eq!(
            seen.code == Some(0),
            may_write,
            "{options}: {}",
            seen.stderr
        );
    }
}

#[test]
fn a_bad_volume_is_a_usage_error() {
    let errors = [
        "/a",
        "/a:/b:rx",
        "/a:/b:ro:x",
        "/a:/b:ro,rw",
        "/a:/b:z,",
        "/a:/b:rshared",
        "/a:b",
        "name:/b",
        "/a:/",
        "/a:/proc/1",
        "/a:/sys",
        "/a:/b/../..",
        ":/b",
    ];
    let error = |volume| {
        let seen = run(&["-v", volume, "true"]);
        assert_eq!(seen.code, Some(125), "{volume}");
        seen.stderr.lines().next().unwrap().to_owned() + "\n"
    };
    assert_snapshot!(errors.map(error).concat(), @"
    error: invalid value '/a' for '--volume <HOST:CONTAINER[:ro]>': anonymous volumes are not supported; use HOST:CONTAINER, or --tmpfs PATH
    error: invalid value '/a:/b:rx' for '--volume <HOST:CONTAINER[:ro]>': expected HOST:CONTAINER or HOST:CONTAINER:ro
    error: invalid value '/a:/b:ro:x' for '--volume <HOST:CONTAINER[:ro]>': expected HOST:CONTAINER or HOST:CONTAINER:ro
    error: invalid value '/a:/b:ro,rw' for '--volume <HOST:CONTAINER[:ro]>': expected HOST:CONTAINER or HOST:CONTAINER:ro
    error: invalid value '/a:/b:z,' for '--volume <HOST:CONTAINER[:ro]>': expected HOST:CONTAINER or HOST:CONTAINER:ro
    error: invalid value '/a:/b:rshared' for '--volume <HOST:CONTAINER[:ro]>': mounts in a volume are not propagated
    error: invalid value '/a:b' for '--volume <HOST:CONTAINER[:ro]>': the path in the container must be absolute, and not /
    error: invalid value 'name:/b' for '--volume <HOST:CONTAINER[:ro]>': named volumes are not supported; for a directory, use ./name
    error: invalid value '/a:/' for '--volume <HOST:CONTAINER[:ro]>': the path in the container must be absolute, and not /
    error: invalid value '/a:/proc/1' for '--volume <HOST:CONTAINER[:ro]>': /proc belongs to the container itself
    error: invalid value '/a:/sys' for '--volume <HOST:CONTAINER[:ro]>': /sys belongs to the container itself
    error: invalid value '/a:/b/../..' for '--volume <HOST:CONTAINER[:ro]>': the path in the container must be absolute, and not /
    error: invalid value ':/b' for '--volume <HOST:CONTAINER[:ro]>': named volumes are not supported; for a directory, use ./
    ");
    assert!(!state().join("containers").exists());
}

#[test]
fn a_tmpfs_is_empty_and_forgotten() {
    need_namespaces!();
    let script = "ls -A /usr; touch /usr/x /cache/x && grep -E ' /(usr|cache) ' /proc/mounts; stat -c %a /cache";
    for _ in 0..2 {
        let seen = run(&["--tmpfs", "/usr", "--tmpfs", "/cache", "sh", "-c", script]);
        let lines: Vec<_> = seen.stdout.lines().collect();
        assert_eq!(lines.len(), 3, "{} {}", seen.stdout, seen.stderr);
        assert!(
            lines[0].starts_with("tmpfs /usr tmpfs rw,nosuid,nodev,noexec"),
            "{}",
            lines[0]
        );
        assert_eq!(lines[2], "1777");
    }
}

#[test]
fn a_tmpfs_has_the_options_that_it_is_given() {
    need_namespaces!();
    let script = |path: &str| {
        format!(
            "cd {path}; stat -c %a .; df --output=size . | tail -n 1 | tr -d ' '; cp /bin/true . && ./true && echo executed"
        )
    };
    let look = |tmpfs: &str| {
        let seen = run(&[
            "--tmpfs",
            tmpfs,
            "sh",
            "-c",
            &script(tmpfs.split(':').next().unwrap()),
        ]);
        seen.stdout + &seen.stderr
    };
    assert_snapshot!(look("/run:rw,size=128k,mode=755"), @"
    755
    128
    sh: 1: ./true: Permission denied
    ");
    assert_snapshot!(look("/a/b:size=1m,exec,mode=0700,uid=0,nr_inodes=10"), @"
    700
    1024
    executed
    ");
    assert_snapshot!(look("/run:size=64k,ro"), @"
    1777
    64
    cp: cannot create regular file './true': Read-only file system
    ");
    let flags = |tmpfs| {
        let seen = run(&["--tmpfs", tmpfs, "grep", " /run ", "/proc/mounts"]);
        seen.stdout.split_whitespace().nth(3).unwrap().to_owned()
    };
    assert!(flags("/run").starts_with("rw,nosuid,nodev,noexec"));
    assert!(flags("/run:").starts_with("rw,nosuid,nodev,noexec"));
    assert!(flags("/run:exec,suid").starts_with("rw,nodev"));
    assert!(flags("/run:exec,ro,noexec").starts_with("ro,nosuid,nodev,noexec"));
}

#[test]
fn a_tmpfs_with_a_bad_option_is_a_usage_error() {
    let error = |options| {
        let seen = run(&["--tmpfs", options, "true"]);
        assert_eq!(seen.code, Some(125), "{options}");
        seen.stderr.lines().next().unwrap().to_owned() + "\n"
    };
    let errors = [
        "run",
        "/proc/x:rw",
        "/run:fast",
        "/run:dev",
        "/run:size",
        "/run:rw=1",
        "/run:mode=888",
        "/run:size=1x,rw",
        "/run:uid=root",
        "/run:ro:rw",
    ];
    assert_snapshot!(errors.map(error).concat(), @r#"
    error: invalid value 'run' for '--tmpfs <PATH[:OPTIONS]>': the path in the container must be absolute, and not /
    error: invalid value '/proc/x:rw' for '--tmpfs <PATH[:OPTIONS]>': /proc belongs to the container itself
    error: invalid value '/run:fast' for '--tmpfs <PATH[:OPTIONS]>': unknown option "fast"
    error: invalid value '/run:dev' for '--tmpfs <PATH[:OPTIONS]>': devices cannot be used in a tmpfs
    error: invalid value '/run:size' for '--tmpfs <PATH[:OPTIONS]>': "size" is not valid
    error: invalid value '/run:rw=1' for '--tmpfs <PATH[:OPTIONS]>': "rw=1" is not valid
    error: invalid value '/run:mode=888' for '--tmpfs <PATH[:OPTIONS]>': "mode=888" is not valid
    error: invalid value '/run:size=1x,rw' for '--tmpfs <PATH[:OPTIONS]>': "size=1x" is not valid
    error: invalid value '/run:uid=root' for '--tmpfs <PATH[:OPTIONS]>': "uid=root" is not valid
    error: invalid value '/run:ro:rw' for '--tmpfs <PATH[:OPTIONS]>': unknown option "ro:rw"
    "#);
    assert!(!state().join("containers").exists());
}

#[test]
fn the_hosts_root_can_be_a_volume() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    fs::write(host.path().join("file"), "the host's\n").unwrap();
    let path = host.path().display();
    for (volume, written) in [("/:/host", "written\n"), ("/:/host:ro", "")] {
        let script = format!(
            "cat /host{path}/file; touch /host{path}/new && echo written
            grep ' /host' /proc/self/mountinfo | cut -d ' ' -f 6 | grep -v nodev
            ls /host{}/containers/*/layer",
            state().display()
        );
        let seen = run(&["--rm", "-v", volume, "sh", "-c", &script]);
        // Not its own root directory once more.
        let all = format!("the host's\n{written}upper\nwork\n");
        assert_eq!(seen.stdout, all, "{volume}: {}", seen.stderr);
        assert_eq!(
            seen.stderr.is_empty(),
            volume == "/:/host",
            "{}",
            seen.stderr
        );
    }
}

#[test]
fn two_volumes_for_one_place_are_an_error() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    let [one, two] = ["one", "two"].map(|name| format!("{}/{name}", host.path().display()));
    for (options, place) in [
        (
            ["-v", &format!("{one}:/data"), "-v", &format!("{two}:/data")],
            "/data",
        ),
        (
            [
                "-v",
                &format!("{one}:/a/b"),
                "-v",
                &format!("{one}:/a/./b/:ro"),
            ],
            "/a/b",
        ),
        (["--tmpfs", "/data", "-v", &format!("{two}:/data")], "/data"),
        (["--tmpfs", "/data/", "--tmpfs", "/data:size=1m"], "/data/"),
    ] {
        let seen = run(&[&options[..], &["true"]].concat());
        let reason = format!("tiny-docker: cannot mount {place}: two volumes have the same path\n");
        assert_eq!((seen.code, seen.stderr), (Some(125), reason));
    }
    assert_eq!(fs::read_dir(host.path()).unwrap().count(), 0);
    assert_nothing_is_kept();
}

/// What comes from the image is followed at most as often as by the kernel.
#[test]
fn links_that_go_round_in_circles_are_one_clear_line() {
    need_namespaces!();
    let ground = Ground::new();
    ground.link("round", "/and/../round");
    fs::create_dir(ground.rootfs().join("and")).unwrap();
    let rootfs = format!("--rootfs={}", ground.rootfs().display());
    let seen = run(&[&rootfs, "--tmpfs", "/round", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot mount /round: ELOOP: Too many symbolic links encountered");
}

#[test]
fn a_read_only_container_writes_nowhere_else() {
    need_namespaces!();
    let host = TempDir::new().unwrap();
    let volume = format!("{}:/data", host.path().display());
    let script = "touch /x || touch /etc/x || touch /root/x ||
        echo x >>/etc/hosts || echo x >/etc/hostname || echo x >>/etc/resolv.conf || chmod 600 /etc/hosts || touch /proc/sys/kernel/hostname/x ||
        touch /sys/x || mkdir /data2 || echo nowhere
        touch /data/x /run/x /dev/shm/x && echo x >/dev/null && echo but here";
    let seen = run(&[
        "--read-only",
        "--tmpfs",
        "/run",
        "-v",
        &volume,
        "sh",
        "-c",
        script,
    ]);
    assert_eq!(seen.stdout, "nowhere\nbut here\n", "{}", seen.stderr);
}

#[test]
fn a_volume_that_the_user_may_not_make_is_one_clear_line() {
    need_namespaces!();
    if nix::unistd::geteuid().is_root() {
        return crate::support::leave_to("an ordinary user, who may not write to /");
    }
    let seen = run(&["-v", "/no-such-place/x:/data", "true"]);
    assert_eq!(seen.code, Some(125));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot create /no-such-place/x: Permission denied (os error 13)");
}
