//! Attacks from within a container on whoever executes a command in it. CVE-2016-9962, CVE-2019-5736, CVE-2024-21626.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use crate::exec::{exec, idle};
use crate::ground::Ground;
use crate::need_namespaces;
use crate::pair::earlier;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{
    Detached, Running, Seen, TINY_DOCKER, as_ordinary_user, host, leave_to, see, shell, skip,
    state, tiny_docker, wait_until, write_program,
};

/// Prints what it can get from each new process, while that may still be the runtime's.
const TRACER: &str = r#"$| = 1; print qq(ready\n); my $next = 2; my ($mask) = capabilities(1); my %said;
    sub capabilities { open(S, "<", "/proc/$_[0]/status") or return; map { /^CapPrm:\s*(\w+)/ ? $1 : () } <S> }
    for (my $turn = 0; ; $turn++) {
        if (sysopen(M, "/proc/$next/mem", 2)) {
            my ($has) = capabilities($next);
            my $more = defined $has && (hex($has) & ~hex($mask)) ? "caught $has\n" : "fair\n";
            print $more if !$said{$more}++;
            for my $name ("root", "cwd") {
                print "host by $name\n" if -e "/proc/$next/${name}SECRET" && !$said{$name}++;
            }
            for my $fd (3 .. 9) {
                my $to = readlink("/proc/$next/fd/$fd") // "";
                print "open $to\n" if $to =~ m{^/(?!proc|dev|usr|lib|bin|etc)} && !$said{$to}++;
            }
            $next++;
        } elsif ($turn % 500 == 0) { $next = newest() + 1 if newest() >= $next }
    }
    sub newest { open(L, "<", "/proc/loadavg"); (split " ", <L>)[4] }"#;

/// It is root with CAP_SYS_PTRACE, so it may trace anybody. But nobody has more than it has.
#[test]
fn a_tracer_gains_nothing_that_it_did_not_have() {
    need_namespaces!();
    let ground = Ground::new();
    let secret = ground.host().join("secret");
    let attack = TRACER.replace("SECRET", secret.to_str().unwrap());
    let rootfs = ground.rootfs();
    let rootfs = rootfs.to_str().unwrap();
    let options = [
        "--net",
        "isolated",
        "--cap-add",
        "SYS_PTRACE",
        "--rootfs",
        rootfs,
    ];
    let container = Detached::start(&[&options[..], &["perl", "-e", &attack]].concat());
    let said = || fs::read_to_string(container.log()).unwrap();
    wait_until("the attack", || said().contains("ready"));
    for _ in 0..60 {
        assert_eq!(exec(&container, &["ID", "true"]).code, Some(0));
    }
    // It has caught some, and gained nothing.
    let said = said().replace("fair\n", "");
    assert_eq!(said, "ready\n");
}

/// Takes the runtime's socket from each new process, and sends -1 as its pid: that means all processes on the host.
const SPEAKER: &str = r#"$| = 1; print qq(ready\n); my ($next, $turn) = (2, 0);
    for (;;) {
        my $process = syscall(PIDFD_OPEN, $next, 0);
        if ($process < 0) {
            if ($turn++ % 500 == 0) { $next = newest() + 1 if newest() >= $next }
            next;
        }
        my $socket = syscall(PIDFD_GETFD, $process, 3, 0);
        if ($socket >= 0 && open(S, ">&=", $socket)) { syswrite(S, pack("l", -1)); close(S) }
        syscall(CLOSE, $process); $next++;
    }
    sub newest { open(L, "<", "/proc/loadavg"); (split " ", <L>)[4] }"#;

#[test]
fn a_tracer_cannot_pose_as_the_command() {
    need_namespaces!();
    let attack = SPEAKER
        .replace("PIDFD_OPEN", &libc::SYS_pidfd_open.to_string())
        .replace("PIDFD_GETFD", &libc::SYS_pidfd_getfd.to_string())
        .replace("CLOSE", &libc::SYS_close.to_string());
    let options = ["--net", "isolated", "--cap-add", "SYS_PTRACE"];
    let container = Detached::start(&[&options[..], &["perl", "-e", &attack]].concat());
    let said = || fs::read_to_string(container.log()).unwrap();
    wait_until("the attack", || said().contains("ready"));
    // Now and then, it is faster than the runtime.
    let noticed = |_| {
        exec(&container, &["ID", "true"])
            .stderr
            .contains("in the container answered")
    };
    assert!((0..500).any(noticed));
}

/// Writes to the socket without end.
#[test]
fn a_tracer_cannot_keep_the_runtime_listening() {
    need_namespaces!();
    let attack = SPEAKER
        .replace("PIDFD_OPEN", &libc::SYS_pidfd_open.to_string())
        .replace("PIDFD_GETFD", &libc::SYS_pidfd_getfd.to_string())
        .replace("CLOSE", &libc::SYS_close.to_string())
        .replace(
            "syswrite(S, pack(\"l\", -1))",
            "1 while syswrite(S, \"so \" x 9999)",
        );
    let options = ["--net", "isolated", "--cap-add", "SYS_PTRACE"];
    let container = Detached::start(&[&options[..], &["perl", "-e", &attack]].concat());
    let said = || fs::read_to_string(container.log()).unwrap();
    wait_until("the attack", || said().contains("ready"));
    let line = format!("timeout -s KILL 30 $TD exec {} true", container.id);
    let noticed = |_| {
        let seen = shell(&line);
        assert_ne!(seen.code, Some(137), "it has listened for ever");
        assert!(seen.stderr.len() < 20_000);
        seen.stderr.contains("so so")
    };
    assert!((0..500).any(noticed));
}

/// Writes nothing to the socket, and does not close it.
#[test]
fn a_signal_ends_a_runtime_that_a_tracer_keeps_waiting() {
    need_namespaces!();
    let attack = SPEAKER
        .replace("PIDFD_OPEN", &libc::SYS_pidfd_open.to_string())
        .replace("PIDFD_GETFD", &libc::SYS_pidfd_getfd.to_string())
        .replace("syscall(CLOSE, $process)", "1")
        .replace(
            "syswrite(S, pack(\"l\", -1)); close(S)",
            "print qq(held\\n) if $socket > 3",
        );
    let options = ["--net", "isolated", "--cap-add", "SYS_PTRACE"];
    let container = Detached::start(&[&options[..], &["perl", "-e", &attack]].concat());
    let said = || fs::read_to_string(container.log()).unwrap();
    wait_until("the attack", || said().contains("ready"));
    let waits = |_| {
        let mut exec = Running::start(&mut tiny_docker(&["exec", &container.id, "true"]));
        let before = said();
        let mut ended = None;
        wait_until("it over", || {
            ended = exec.0.try_wait().unwrap();
            ended.is_some() || said() != before
        });
        if ended.is_none() {
            kill(Pid::from_raw(exec.pid()), Signal::SIGTERM).unwrap();
        }
        exec.0.wait().unwrap().code() == Some(143)
    };
    assert!((0..500).any(waits));
}

/// Without the capability, it does not even get these.
#[test]
fn nobody_sees_it_before_it_is_the_command() {
    need_namespaces!();
    let attack = r#"$| = 1; print qq(ready\n); for (;;) { for (2 .. 200) {
        my $exe = readlink("/proc/$_/exe") // next; print "$exe\n" if $exe !~ m{^(/usr)?/bin/(true|perl)}; } }"#;
    let container = Detached::start(&["--net", "isolated", "perl", "-e", attack]);
    let said = || fs::read_to_string(container.log()).unwrap();
    wait_until("the attack", || said().contains("ready"));
    for _ in 0..60 {
        exec(&container, &["ID", "true"]);
    }
    assert_eq!(said(), "ready\n");
}

/// Runs `exec` with a copy of the program, which it may lose.
fn of_a_copy(ground: &Ground, id: &str, command: &[&str]) -> (Seen, u32, bool) {
    let copy = ground.place("tiny-docker");
    let mut cp = Command::new("cp");
    assert!(cp.arg(TINY_DOCKER).arg(&copy).status().unwrap().success());
    let mut exec = Command::new(&copy);
    exec.args(["exec", id]).args(command).stdin(Stdio::null());
    let seen = exec
        .env("TINY_DOCKER_ROOT", state())
        .output()
        .unwrap()
        .into();
    let mode = fs::metadata(&copy).unwrap().permissions().mode() & 0o7777;
    let same = fs::read(&copy).unwrap() == fs::read(TINY_DOCKER).unwrap();
    (seen, mode, same)
}

#[test]
fn the_runtimes_own_file_cannot_be_written() {
    need_namespaces!();
    let ground = Ground::new();
    let script = ground.rootfs().join("script");
    write_program(&script, "#!/proc/self/exe\n");
    // A process that runs the runtime's program is made to attack its own file.
    let attack = r#"$| = 1; print qq(ready\n); for (;;) { for (2 .. 300) { my $exe = "/proc/$_/exe";
        next if (readlink($exe) // "") =~ m{^(/usr)?/bin/perl}; chmod(04755, $exe) and print "changed\n";
        open(F, "+<", $exe) and -s F and print "opened $exe\n"; } }"#;
    let rootfs = ground.rootfs();
    let rootfs = rootfs.to_str().unwrap();
    let options = [
        "--net",
        "isolated",
        "--cap-add",
        "SYS_PTRACE",
        "--rootfs",
        rootfs,
    ];
    let container = Detached::start(&[&options[..], &["perl", "-e", attack]].concat());
    let said = || fs::read_to_string(container.log()).unwrap();
    wait_until("the attack", || said().contains("ready"));
    for command in [
        &["/proc/self/exe", "--version"][..],
        &["/script"],
        &["/proc/self/exe", "run", "true"],
    ] {
        for _ in 0..5 {
            let (_, mode, same) = of_a_copy(&ground, &container.id, command);
            assert_eq!((mode, same), (0o755, true), "{command:?}");
        }
    }
}

#[test]
fn the_callers_open_files_are_no_way_out() {
    need_namespaces!();
    let ground = Ground::new();
    ground.link("way", "/proc/self/fd/9");
    ground.link("thread", "/proc/thread-self/fd/9");
    let rootfs = ground.rootfs();
    let container = idle(&["--rootfs", rootfs.to_str().unwrap()]);
    let exec = |redirect: &str, arguments: &str| {
        let host = ground.host();
        let redirect = redirect.replace("HOST", host.to_str().unwrap());
        let arguments = arguments.replace("ID", &container.id);
        shell(&format!("$TD exec {arguments} {redirect}"))
    };
    for directory in [
        "/way",
        "/thread",
        "/proc/self/fd/9",
        "/proc/1/cwd/way",
        "/proc/self/fd/3",
    ] {
        for option in ["", "-t", "-d", "-i"] {
            let seen = exec("9<HOST", &format!("{option} -w {directory} ID cat secret"));
            assert_ne!(seen.code, Some(0), "{option} {directory}");
            assert!(
                !seen.stdout.contains("the host's"),
                "{directory}: {}",
                seen.stdout
            );
        }
    }
    let seen = exec(
        "9<HOST",
        "ID sh -c 'cat /proc/self/fd/9/secret; for f in /proc/self/fd/*; do echo ${f##*/}; done'",
    );
    assert_eq!(seen.stdout.trim(), "0\n1\n2\n3", "{}", seen.stderr);
    let seen = exec("<HOST", "-i ID cat /proc/self/fd/0/secret");
    assert!(
        seen.stderr.contains("is a directory on the host"),
        "{}",
        seen.stderr
    );
    assert_eq!((seen.stdout.as_str(), seen.code), ("", Some(125)));
}

#[test]
fn files_that_nobody_writes_to_are_not_waited_for() {
    need_namespaces!();
    let ground = Ground::new();
    for name in ["etc/passwd", "etc/group"] {
        host(&format!("mkfifo {}", ground.remove(name).display()));
    }
    let rootfs = ground.rootfs();
    let container = idle(&["--rootfs", rootfs.to_str().unwrap()]);
    let seen = shell(&format!("timeout 20 $TD exec -u web {} true", container.id));
    assert_eq!(seen.code, Some(125), "{}", seen.stderr);
    assert!(seen.stderr.contains("no user web in"), "{}", seen.stderr);
}

/// /dev is in memory, and the container's root may do anything there.
#[test]
fn another_ptmx_is_no_terminal() {
    need_namespaces!();
    let container = idle(&[]);
    for replace in [
        "mkfifo /dev/ptmx",
        "echo >/dev/ptmx",
        "ln -s /dev/tty /dev/ptmx",
        "ln -s /dev/zero /dev/ptmx",
        "ln -s ptmx /dev/ptmx",
        ":",
    ] {
        exec(
            &container,
            &["ID", "sh", "-c", &format!("rm -f /dev/ptmx; {replace}")],
        );
        let seen = shell(&format!("timeout 20 $TD exec -t {} true", container.id));
        assert_eq!(seen.code, Some(125), "{replace}: {}", seen.stderr);
        assert!(
            seen.stderr.contains("terminal"),
            "{replace}: {}",
            seen.stderr
        );
    }
    assert_eq!(exec(&container, &["ID", "true"]).code, Some(0));
}

#[test]
fn nothing_is_opened_with_the_runtimes_privileges() {
    need_namespaces!();
    if !can_be_somebody_else() {
        return skip("newuidmap, and a range of ids for this user in /etc/subuid");
    }
    let container = idle(&["--cap-add", "SYS_ADMIN"]);
    let prepare = "umount -l /dev/null; echo secret >/only-roots; chmod 600 /only-roots";
    assert_eq!(exec(&container, &["ID", "sh", "-c", prepare]).code, Some(0));
    for replace in ["ln -s /only-roots", "mkdir", ": there is no"] {
        let replace = format!("rm -rf /dev/null; {replace} /dev/null");
        assert_eq!(
            exec(&container, &["ID", "sh", "-c", &replace]).code,
            Some(0)
        );
        // Without -i, stdin is /dev/null, which is device 1:3 on Linux.
        let script = "cat; stat -L -c %t:%T /proc/self/fd/0";
        let line = format!(
            "timeout 20 $TD exec -u nobody {} sh -c '{script}'",
            container.id
        );
        let seen = shell(&line);
        assert_eq!(
            (seen.stdout.as_str(), seen.code),
            ("1:3\n", Some(0)),
            "{replace}: {}",
            seen.stderr
        );
    }
}

/// On earlier days, only a chroot confines the container. Whoever joins its mounts would be at the host's root.
#[test]
fn in_a_container_of_an_earlier_day_it_would_be_on_the_host() {
    need_namespaces!();
    for day in ["day04-metadata", "day09-bridge"] {
        let Some(program) = earlier(day) else { return };
        let net = if day < "day08" {
            &[][..]
        } else {
            &["--net", "isolated"]
        };
        let mut run = Command::new(&program);
        run.arg("run").args(net);
        run.args(["sh", "-c", "echo ready; exec sleep 1000"]);
        let mut run = Running::start(run.env("TINY_DOCKER_ROOT", state()));
        // Without ps, which takes an unfinished record of an earlier day for one that a killed run has left, and removes it.
        let mut output = BufReader::new(run.0.stdout.take().unwrap());
        output.read_line(&mut String::new()).unwrap();
        let table = see(&["ps"]).stdout;
        let id = table.lines().find(|line| line.contains("ready")).unwrap();
        let id = id.split_whitespace().next().unwrap();
        let seen = see(&["exec", id, "ls", "/"]);
        assert_eq!((seen.stdout.as_str(), seen.code), ("", Some(125)), "{day}");
        assert!(seen.stderr.contains("host's"), "{}", seen.stderr);
        see(&["rm", "-f", id]);
        run.0.wait().unwrap();
    }
}

/// Its root is the user, and no more than that: its programs are the user's.
#[test]
fn in_a_users_container_root_is_no_more_than_the_user() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let home = TempDir::new().unwrap();
    let arguments = ["--root", "state", "run", "-d", "sleep", "1000"];
    let mut run = as_ordinary_user(home.path(), &arguments);
    let seen: Seen = run.current_dir(home.path()).output().unwrap().into();
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let root = home.path().join("state");
    let id = seen.stdout.trim();
    // Root does not use another user's state directory, nor one that another user could exchange.
    host(&format!("chown -R 0 {}", home.path().display()));
    let root = ["--root", root.to_str().unwrap()];
    let script = "cat /proc/self/uid_map; test /proc/self/ns/user -ef /proc/1/ns/user && echo same";
    let seen = see(&[&root[..], &["exec", id, "sh", "-c", script]].concat());
    let words: Vec<_> = seen.stdout.split_whitespace().collect();
    assert_eq!(words, ["0", "65534", "1", "same"], "{}", seen.stderr);
    assert_eq!(see(&[&root[..], &["rm", "-f", id]].concat()).code, Some(0));
}
