//! Terminals that go to somebody else, and descriptors that come from there.

use std::fs::File;
use std::io::{IoSliceMut, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::thread;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::json;

use crate::oci::container::{Container, need_root};
use crate::support::{Seen, wait_until};

/// The descriptor that comes through a socket. It may come late, so this waits in a thread.
fn receive(listener: UnixListener) -> thread::JoinHandle<OwnedFd> {
    thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        let (mut byte, mut space) = ([0], cmsg_space!([i32; 1]));
        let mut to = [IoSliceMut::new(&mut byte)];
        let fd = socket.as_raw_fd();
        let flags = MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(fd, &mut to, Some(&mut space), flags).unwrap();
        let control = message.cmsgs().unwrap().next();
        let Some(ControlMessageOwned::ScmRights(fds)) = control else {
            panic!("no descriptor came");
        };
        // SAFETY: it is new, and nobody else's.
        unsafe { OwnedFd::from_raw_fd(fds[0]) }
    })
}

/// What is printed on a terminal until nobody has its other side open.
fn read(terminal: &mut File) -> String {
    let (mut text, mut part) = (Vec::new(), [0; 1024]);
    while let Ok(length @ 1..) = terminal.read(&mut part) {
        text.extend(&part[..length]);
    }
    String::from_utf8(text).unwrap()
}

const LOOK: &str =
    "tty; stty size; stat -c %u /dev/pts/0; test -c /dev/console && echo hi >/dev/tty";

#[test]
fn a_terminal_goes_to_the_console_socket() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["terminal"] = true.into();
    container.spec["process"]["consoleSize"] = json!({"height": 33, "width": 77});
    container.spec["process"]["user"] = json!({"uid": 1000, "gid": 1000});
    container.runs(&format!("{LOOK}; read line; echo it said $line"));
    let path = container.ground.place("socket");
    let received = receive(UnixListener::bind(&path).unwrap());
    let run = ["--detach", "--console-socket", path.to_str().unwrap()];
    let mut run = container.command("run", &run);
    assert!(run.stdout(Stdio::null()).status().unwrap().success());
    let mut terminal = File::from(received.join().unwrap());
    terminal.write_all(b"hello\n").unwrap();
    let seen = read(&mut terminal);
    // What is typed is echoed, somewhere in between.
    let seen = seen.replacen("hello\r\n", "", 1);
    let expected = "/dev/pts/0\r\n33 77\r\n1000\r\nhi\r\nit said hello\r\n";
    assert_eq!(seen, expected);
}

#[test]
fn run_carries_what_a_terminal_prints() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["terminal"] = true.into();
    let seen = container.run(&format!("{LOOK}; exit 7"));
    let expected = "/dev/pts/0\n0 0\n0\nhi\n";
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(7), expected));
}

#[test]
fn a_terminal_that_nobody_would_use_is_an_error() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["terminal"] = true.into();
    let see = |container: &Container, options: &[&str]| -> Seen {
        let mut command = container.command("run", options);
        command.output().unwrap().into()
    };
    let seen = see(&container, &["--detach"]);
    let expected =
        "tiny-runc: process.terminal: there is nobody to use it\nhint: use --console-socket\n";
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(1), expected));
    container.spec["process"]["terminal"] = false.into();
    let seen = see(&container, &["--detach", "--console-socket", "/none"]);
    let expected = "tiny-runc: --console-socket is for a detached process with a terminal\n";
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(1), expected));
}

/// Runs it from a shell, which opens files for it first.
fn from_shell(container: &Container, line: &str, options: &[&str]) -> Seen {
    let run = container.command("run", options);
    let mut sh = Command::new("sh");
    let secret = container.ground.host().join("secret");
    sh.env("SECRET", secret).args(["-c", line, "sh"]);
    sh.arg(run.get_program()).args(run.get_args());
    sh.stdin(Stdio::null()).output().unwrap().into()
}

#[test]
fn as_many_descriptors_as_are_asked_for_are_passed_on() {
    need_root!();
    let mut container = Container::new();
    container.runs("cat <&3; test -e /proc/self/fd/4 || echo no fourth");
    let line = r#"exec "$@" 3<"$SECRET" 4<"$SECRET""#;
    let seen = from_shell(&container, line, &["--preserve-fds", "1"]);
    assert_eq!(seen.stdout, "the host's\nno fourth\n", "{}", seen.stderr);
    container.runs("test -e /proc/self/fd/3 || echo no third");
    let seen = from_shell(&container, line, &[]);
    assert_eq!(seen.stdout, "no third\n", "{}", seen.stderr);
}

/// sd_listen_fds(3): in the container, its first process is whom they are for.
#[test]
fn systemds_sockets_are_passed_on() {
    need_root!();
    let mut container = Container::new();
    container.runs("echo $LISTEN_FDS for $LISTEN_PID; cat <&3");
    let line = r#"exec env LISTEN_FDS=1 LISTEN_PID=$$ "$@" 3<"$SECRET""#;
    let seen = from_shell(&container, line, &[]);
    assert_eq!(seen.stdout, "1 for 1\nthe host's\n", "{}", seen.stderr);
}

#[test]
fn a_pidfd_of_the_first_process_can_be_had() {
    need_root!();
    let mut container = Container::new();
    container.spec["process"]["args"] = json!(["sleep", "1000"]);
    let path = container.ground.place("socket");
    let received = receive(UnixListener::bind(&path).unwrap());
    let run = ["--pidfd-socket", path.to_str().unwrap()];
    let mut run = container.command("run", &run).spawn().unwrap();
    let pidfd = received.join().unwrap();
    let nothing = std::ptr::null::<libc::siginfo_t>();
    let (fd, signal) = (pidfd.as_raw_fd(), libc::SIGKILL);
    // SAFETY: pidfd_send_signal(2) reads no siginfo_t that is not there.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, nothing, 0) };
    assert_eq!(sent, 0);
    wait_until("its end", || run.try_wait().unwrap().is_some());
    assert_eq!(run.wait().unwrap().code(), Some(137));
}
