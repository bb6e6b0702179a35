//! System calls that an agent outside the container decides.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixListener;
use std::thread;

use nix::errno::Errno;
use nix::libc::{self, seccomp_notif, seccomp_notif_resp};
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use serde_json::{Value, json};

use crate::oci::container::{Container, need_root};

/// A container that asks about mkdir, and the socket at which its agent is expected.
fn asking() -> (Container, UnixListener) {
    let mut container = Container::new();
    let path = container.ground.place("agent");
    let names = json!(["mkdir", "mkdirat"]);
    container.spec["linux"]["seccomp"] = json!({
        "defaultAction": "SCMP_ACT_ALLOW", "listenerPath": path, "listenerMetadata": "for you",
        "syscalls": [{"names": names, "action": "SCMP_ACT_NOTIFY"}],
    });
    (container, UnixListener::bind(&path).unwrap())
}

/// The message and the listener that the runtime sends.
fn receive(agent: &UnixListener) -> (Value, OwnedFd) {
    let socket = agent.accept().unwrap().0;
    let (mut message, mut space) = (vec![0; 1 << 16], nix::cmsg_space!(RawFd));
    let mut parts = [IoSliceMut::new(&mut message)];
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::MSG_CMSG_CLOEXEC);
    let received = recvmsg::<()>(fd, &mut parts, Some(&mut space), flags).unwrap();
    let (length, rights) = (received.bytes, received.cmsgs().unwrap().next());
    let Some(ControlMessageOwned::ScmRights(descriptors)) = rights else {
        panic!("no descriptor");
    };
    // SAFETY: it has arrived, and is nobody else's.
    let listener = unsafe { OwnedFd::from_raw_fd(descriptors[0]) };
    (
        serde_json::from_slice(&message[..length]).unwrap(),
        listener,
    )
}

/// Answers every call with this error, until there is nobody left to ask. Returns how many there were.
fn answer(listener: &OwnedFd, error: i32) -> usize {
    let control = |request, data: *mut libc::c_void| {
        // SAFETY: `data` is the struct that the request is about.
        let answer = unsafe { libc::ioctl(listener.as_raw_fd(), request, data) };
        Errno::result(answer).unwrap();
    };
    for count in 0.. {
        let mut polled = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
        poll(&mut polled, 5000_u16).unwrap();
        if polled[0].revents() != Some(PollFlags::POLLIN) {
            return count;
        }
        // SAFETY: it consists of numbers.
        let mut call: seccomp_notif = unsafe { std::mem::zeroed() };
        control(libc::SECCOMP_IOCTL_NOTIF_RECV, (&raw mut call).cast());
        let (id, val, flags) = (call.id, 0, 0);
        let error = -error;
        let mut response = seccomp_notif_resp {
            id,
            val,
            error,
            flags,
        };
        control(libc::SECCOMP_IOCTL_NOTIF_SEND, (&raw mut response).cast());
    }
    unreachable!()
}

#[test]
fn the_agent_answers_in_place_of_the_kernel() {
    need_root!();
    let (mut container, agent) = asking();
    let id = container.id.clone();
    let agent = thread::spawn(move || {
        let (message, listener) = receive(&agent);
        (message, answer(&listener, libc::ENOSPC))
    });
    let seen = container.run("mkdir /one; mkdir /two; ls -d /one /two 2>/dev/null");
    let (message, calls) = agent.join().unwrap();
    assert_eq!(calls, 2, "{}", seen.stderr);
    assert_eq!(seen.stdout, "");
    assert_eq!(seen.stderr.matches("No space left on device").count(), 2);
    assert_eq!(message["fds"], json!(["seccompFd"]));
    assert_eq!(message["metadata"], "for you");
    assert_eq!(message["state"]["id"], id);
    assert_eq!(message["state"]["pid"], message["pid"]);
}

#[test]
fn the_answer_may_be_that_it_is_done() {
    need_root!();
    let (mut container, agent) = asking();
    let agent = thread::spawn(move || answer(&receive(&agent).1, 0));
    let seen = container.run("mkdir /one && echo done; ls -d /one 2>/dev/null");
    assert_eq!(seen.stdout, "done\n", "{}", seen.stderr);
    assert_eq!(agent.join().unwrap(), 1);
}

#[test]
fn without_an_agent_there_is_no_container() {
    need_root!();
    let (mut container, agent) = asking();
    drop(agent);
    let seen = container.run("echo here");
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    let expected = "linux.seccomp.listenerPath: failed to connect with seccomp agent";
    assert!(seen.stderr.contains(expected), "{}", seen.stderr);
    assert_eq!(container.runc.see(&["list", "--quiet"]).stdout, "");
}

/// Nobody has the listener any more: no call waits for ever.
#[test]
fn when_the_agent_is_gone_its_calls_do_not_exist() {
    need_root!();
    let (mut container, agent) = asking();
    let agent = thread::spawn(move || drop(receive(&agent)));
    let seen = container.run("mkdir /one");
    agent.join().unwrap();
    assert!(
        seen.stderr.contains("Function not implemented"),
        "{}",
        seen.stderr
    );
}

#[test]
fn a_further_command_has_a_listener_of_its_own() {
    need_root!();
    let (mut container, agent) = asking();
    let agent = thread::spawn(move || [receive(&agent).0, receive(&agent).0]);
    container.start("true");
    let seen = container.exec(&[], &["true"]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let [first, second] = agent.join().unwrap();
    assert_eq!(first["pid"], first["state"]["pid"]);
    assert_eq!(second["state"]["pid"], first["pid"]);
    assert_ne!(second["pid"], first["pid"]);
}

#[test]
fn what_cannot_be_asked_is_refused() {
    need_root!();
    let (mut container, _agent) = asking();
    let profile = container.spec["linux"]["seccomp"].take();
    let cases = [
        (
            "/syscalls/0/names/0",
            json!("write"),
            "syscalls[0].action: ",
        ),
        (
            "/defaultAction",
            json!("SCMP_ACT_NOTIFY"),
            "defaultAction: ",
        ),
        (
            "/defaultAction",
            json!("SCMP_ACT_NOPE"),
            "defaultAction: unknown word",
        ),
        ("/listenerPath", json!(""), "listenerPath: "),
    ];
    for (field, value, expected) in cases {
        let mut profile = profile.clone();
        *profile.pointer_mut(field).unwrap() = value;
        container.spec["linux"]["seccomp"] = profile;
        let seen = container.run("echo here");
        assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
        let expected = format!("linux.seccomp.{expected}");
        assert!(seen.stderr.contains(&expected), "{}", seen.stderr);
    }
}

#[test]
fn debug_tells_the_steps_and_the_flags_of_the_filter() {
    need_root!();
    let mut container = Container::new();
    container.spec["linux"]["seccomp"] = json!({"defaultAction": "SCMP_ACT_ALLOW"});
    for (flags, expected) in [
        (json!(null), "seccomp filter flags: 4"),
        (
            json!(["SECCOMP_FILTER_FLAG_LOG"]),
            "seccomp filter flags: 2",
        ),
    ] {
        container.spec["linux"]["seccomp"]["flags"] = flags;
        container.runs("true");
        let mut run = container.command("run", &[]);
        let log = container.ground.place("debug");
        let seen = crate::support::Seen::from(run.output().unwrap());
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        let words: Vec<_> = run.get_args().map(|word| word.to_owned()).collect();
        let mut debug = std::process::Command::new(run.get_program());
        debug.args(["--debug", "--log"]).arg(&log).args(words);
        assert!(debug.status().unwrap().success());
        let said = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(log).unwrap();
        let steps = [
            "nsexec container setup",
            "child process in init()",
            expected,
            "init: closing the pipe",
        ];
        assert_eq!(said.lines().count(), steps.len(), "{said}");
        for (line, step) in said.lines().zip(steps) {
            assert!(line.contains(" level=debug msg="), "{said}");
            assert!(line.contains(step), "{said}");
        }
    }
}

#[test]
fn debug_tells_the_steps_of_exec() {
    need_root!();
    let mut container = Container::new();
    container.start("true");
    let seen = container
        .runc
        .see(&["--debug", "exec", &container.id, "true"]);
    assert_eq!(seen.code, Some(0), "{}", seen.stderr);
    let steps = [
        "nsexec container setup",
        "child process in init()",
        "setns_init: about to exec",
    ];
    assert_eq!(seen.stderr.lines().count(), steps.len(), "{}", seen.stderr);
    for (line, step) in seen.stderr.lines().zip(steps) {
        assert!(line.contains(step), "{}", seen.stderr);
    }
}
