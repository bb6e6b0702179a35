//! Attacks by an image, and by what runs in a container.

use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::namespaces::own_binary::{LIBRARY, SCRIPT};
use crate::oci::container::{Container, need_root};
use crate::support::{Seen, TINY_DOCKER, copy_program, skip, wait_until};

/// A link in an image leads to a place in that image, even where a mount goes.
#[test]
fn the_place_of_a_mount_is_in_the_container() {
    need_root!();
    let mut container = Container::new();
    let host = container.ground.host();
    for (n, target) in [host.join("new"), Path::new("../../../../../..").join(&host)]
        .into_iter()
        .enumerate()
    {
        let name = format!("link{n}");
        container.ground.link(&name, target);
        container.add_mount(json!({
            "destination": format!("/{name}/there"), "type": "tmpfs", "source": "tmpfs",
        }));
    }
    let inside = format!("cd {} && ls -d there new/there", host.display());
    let seen = container.run(&inside);
    assert_eq!(seen.stdout, "new/there\nthere\n", "{}", seen.stderr);
    let names = fs::read_dir(host).unwrap().flatten();
    let names: Vec<_> = names.map(|entry| entry.file_name()).collect();
    assert_eq!(names, ["secret"]);
}

/// CVE-2019-5736: the command is the runtime itself, with libraries of the image, which keep its file open.
#[test]
fn the_program_cannot_be_overwritten_from_inside() {
    need_root!();
    let mut container = Container::new();
    let (source, library) = (
        container.ground.place("attack.c"),
        container.ground.rootfs().join("attack.so"),
    );
    fs::write(&source, LIBRARY).unwrap();
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-o"]).arg(library).arg(source);
    if !cc.status().is_ok_and(|status| status.success()) {
        return skip("cc: sudo apt install gcc libc6-dev");
    }
    let etc = container.ground.rootfs().join("etc");
    fs::write(etc.join("ld.so.preload"), "/attack.so\n").unwrap();
    fs::write(container.ground.rootfs().join("attack"), SCRIPT).unwrap();
    container.spec["process"]["args"] = json!(["/proc/self/exe"]);

    // To lose.
    let copy = container.ground.place("tiny-runc");
    copy_program(Path::new(TINY_DOCKER), &copy);
    let run = container.command("run", &["--detach"]);
    let log = File::create(container.log()).unwrap();
    let mut again = Command::new(&copy);
    again.args(run.get_args()).stdin(Stdio::null());
    again.stdout(log.try_clone().unwrap()).stderr(log);
    assert!(again.status().unwrap().success(), "{}", container.said());
    wait_until("the attack's end", || container.said().ends_with('\n'));
    let said = container.said();
    assert!(said.ends_with("Read-only file system\n"), "{said}");
    assert!(fs::read(TINY_DOCKER).unwrap() == fs::read(copy).unwrap());
}

/// CVE-2024-21626: a link to whatever the runtime has open of the host.
#[test]
fn no_working_directory_leads_out() {
    need_root!();
    let mut container = Container::new();
    for fd in 3..12 {
        container.spec["process"]["cwd"] = format!("/proc/self/fd/{fd}").into();
        let seen = container.run("cat ../../../../../etc/hostname");
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""), "{fd}");
        assert!(seen.stderr.contains("working directory"), "{}", seen.stderr);
    }
    container.spec["process"]["cwd"] = "/".into();
    container.start("ln -s /proc/self/fd /fds");
    for fd in 3..12 {
        let seen = container.exec(&["--cwd", &format!("/fds/{fd}")], &["pwd"]);
        assert_ne!(seen.code, Some(0), "{fd}");
        assert!(seen.stderr.contains("working directory"), "{}", seen.stderr);
    }
}

/// CVE-2025-31133: a mask is a mount of /dev/null. It has to be the host's, whatever the image has there.
#[test]
fn a_mask_is_not_what_the_image_calls_null() {
    need_root!();
    let mut container = Container::new();
    container.without_mount("/dev");
    container.ground.link("dev/null", "/bin/sh");
    fs::write(container.ground.rootfs().join("secret"), "secret\n").unwrap();
    container.ground.link("link", "/secret");
    container.ground.link("loop", "/loop");
    container.spec["linux"]["maskedPaths"] = json!(["/link", "/none", "/secret/none"]);
    let seen = container.run("cat /secret; test -c /secret && echo masked");
    // An error would do as well.
    let expected = ["masked\n", ""].contains(&seen.stdout.as_str());
    assert!(expected, "{} {}", seen.stdout, seen.stderr);

    // What cannot be masked must not stay.
    let mut container = Container::new();
    container.ground.link("loop", "/loop");
    for field in ["maskedPaths", "readonlyPaths"] {
        let before = container.spec["linux"][field].take();
        container.spec["linux"][field] = json!(["/loop"]);
        let seen = container.run("true");
        assert_eq!(seen.code, Some(1));
        let named = seen.stderr.contains(&format!("linux.{field}"));
        assert!(named, "{}", seen.stderr);
        container.spec["linux"][field] = before;
    }
}

/// CVE-2025-52881: what is meant for the kernel goes to a file of the image, or of the container.
#[test]
fn a_proc_that_is_not_the_kernels_gets_nothing() {
    need_root!();
    let mut container = Container::new();
    container.without_mount("/proc");
    container.spec["linux"]["maskedPaths"] = json!([]);
    container.spec["linux"]["readonlyPaths"] = json!([]);
    let setting = container
        .ground
        .rootfs()
        .join("proc/sys/net/ipv4/ip_forward");
    fs::create_dir_all(setting.parent().unwrap()).unwrap();
    fs::write(&setting, "the image's\n").unwrap();
    container.spec["linux"]["sysctl"] = json!({"net.ipv4.ip_forward": "1"});
    let seen = container.run("true");
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("linux.sysctl"), "{}", seen.stderr);
    assert_eq!(fs::read_to_string(setting).unwrap(), "the image's\n");

    let mut container = Container::new();
    container.grant("CAP_SYS_ADMIN");
    container.start(
        "echo precious >/precious; mount -t tmpfs none /proc; \
         mkdir -p /proc/thread-self/attr/apparmor; \
         ln -s /precious /proc/thread-self/attr/exec; \
         ln -s /precious /proc/thread-self/attr/apparmor/exec",
    );
    for (option, field) in [
        ("--apparmor", "process.apparmorProfile"),
        ("--process-label", "process.selinuxLabel"),
    ] {
        let seen = container.exec(&[option, "some"], &["true"]);
        assert_ne!(seen.code, Some(0));
        assert!(seen.stderr.contains(field), "{}", seen.stderr);
    }
    let precious = container.ground.rootfs().join("precious");
    assert_eq!(fs::read_to_string(precious).unwrap(), "precious\n");
}

/// A stdin that is /dev/null becomes the container's. By then, that may be a link.
#[test]
fn exec_does_not_follow_a_link_at_null() {
    need_root!();
    let mut container = Container::new();
    container.start("echo secret >/secret; rm /dev/null; ln -s /secret /dev/null");
    let seen = container.exec(&[], &["cat"]);
    assert_eq!(seen.stdout, "", "{}", seen.stderr);
    assert!(seen.stderr.contains("/dev/null"), "{}", seen.stderr);
}

/// The flags come with the mount: a moment later, its path may lead to another one.
#[test]
fn a_filesystem_of_the_host_has_its_flags_at_once() {
    need_root!();
    let mut container = Container::new();
    let ground = &container.ground;
    let directories = ["lower", "upper", "work"].map(|name| ground.place(name));
    for directory in &directories {
        fs::create_dir(directory).unwrap();
    }
    let [lower, upper, work] = directories.map(|path| path.display().to_string());
    container.add_mount(json!({
        "destination": "/overlay", "type": "overlay", "source": "overlay",
        "options": [
            "nosuid", "nodev", "noexec", "rnosymfollow", "noatime",
            format!("lowerdir={lower}"), format!("upperdir={upper}"), format!("workdir={work}"),
        ],
    }));
    let seen = container.run("grep /overlay /proc/mounts");
    let flags = "overlay rw,nosuid,nodev,noexec,noatime,nosymfollow,";
    assert!(
        seen.stdout.contains(flags),
        "{}{}",
        seen.stdout,
        seen.stderr
    );
}

/// CVE-2025-52565: the terminal is mounted at /dev/console before there are masks. That must not be a place in /proc.
#[test]
fn a_console_in_proc_is_refused() {
    need_root!();
    let mut container = Container::new();
    let mounts = container.spec["mounts"].as_array_mut().unwrap();
    mounts.retain(|mount| mount["destination"] != "/dev");
    container
        .ground
        .link("dev/console", "/proc/sys/kernel/domainname");
    container.spec["process"]["terminal"] = true.into();
    let socket = container.ground.place("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let options = ["--console-socket", socket.to_str().unwrap()];
    let seen: Seen = container
        .command("create", &options)
        .output()
        .unwrap()
        .into();
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("/dev/console"), "{}", seen.stderr);
}
