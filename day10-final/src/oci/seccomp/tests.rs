//! Tests that need the kernel, and those of the error messages.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::net::UnixListener;
use std::thread;

use nix::errno::Errno;
use nix::sys::prctl::set_no_new_privs;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};
use nix::unistd::{Pid, getpgid};
use oci_spec::runtime::State;
use serde_json::{Value, json};

use super::*;

fn profile(json: Value) -> LinuxSeccomp {
    serde_json::from_value(json).unwrap()
}

/// A filter is for one thread, and its children. When the thread ends, the filter is gone.
fn with_filter<T: Send + 'static>(
    profile: LinuxSeccomp,
    test: impl FnOnce(Option<OwnedFd>) -> T + Send + 'static,
) -> T {
    let thread = thread::spawn(move || {
        set_no_new_privs().unwrap();
        test(load(&profile).unwrap())
    });
    thread.join().unwrap()
}

#[test]
fn the_kernel_obeys() {
    let args = json!([{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]);
    let rule =
        json!({"names": ["getpgid"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100, "args": args});
    let profile = profile(json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule]}));
    let answers = with_filter(profile, |_| {
        (
            getpgid(Some(Pid::from_raw(1))),
            getpgid(Some(Pid::this())).is_ok(),
        )
    });
    assert_eq!(answers, (Err(Errno::ENETDOWN), true));
}

#[test]
fn the_agent_gets_the_listener_and_the_state() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("agent");
    let agent = UnixListener::bind(&path).unwrap();
    let rule = json!({"names": ["getpgid"], "action": "SCMP_ACT_NOTIFY"});
    let profile = profile(
        json!({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule],
        "listenerPath": path, "listenerMetadata": "for the agent"}),
    );
    let listener = with_filter(profile.clone(), |listener| listener.unwrap());
    let mut state = State::default();
    state.set_id("web".to_owned());
    state.set_pid(Some(7));
    listener::send(&profile, listener.as_fd(), 8, state).unwrap();

    let socket = agent.accept().unwrap().0;
    let (mut message, mut space) = ([0; 1000], nix::cmsg_space!([i32; 2]));
    let mut parts = [IoSliceMut::new(&mut message)];
    let (fd, flags) = (socket.as_raw_fd(), MsgFlags::empty());
    let received = recvmsg::<()>(fd, &mut parts, Some(&mut space), flags).unwrap();
    let descriptors = received.cmsgs().unwrap().next();
    let Some(ControlMessageOwned::ScmRights(descriptors)) = descriptors else {
        panic!("no descriptor");
    };
    assert_eq!(descriptors.len(), 1);
    let length = received.bytes;
    let message: Value = serde_json::from_slice(&message[..length]).unwrap();
    assert_eq!(message["fds"], json!(["seccompFd"]));
    assert_eq!(message["pid"], 8);
    assert_eq!(message["metadata"], "for the agent");
    assert_eq!(
        (&message["state"]["id"], &message["state"]["pid"]),
        (&json!("web"), &json!(7))
    );
}

#[test]
fn an_error_names_its_field() {
    let (allow, notify) = ("SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY");
    let with_call = |call: Value| json!({"defaultAction": allow, "syscalls": [call]});
    let cases = [
        (
            json!({"defaultAction": notify}),
            "defaultAction: SCMP_ACT_NOTIFY cannot be used as default",
        ),
        (
            json!({"defaultAction": allow, "defaultErrnoRet": 1}),
            "defaultErrnoRet: SCMP_ACT_ALLOW",
        ),
        (
            json!({"defaultAction": allow, "flags": ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]}),
            "flags[0]: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs",
        ),
        (
            with_call(json!({"names": [], "action": allow})),
            "syscalls[0].names: ",
        ),
        (
            with_call(json!({"names": [""], "action": allow})),
            "syscalls[0].names[0]: ",
        ),
        (
            with_call(json!({"names": ["read", "write"], "action": notify})),
            "syscalls[0].action: SCMP_ACT_NOTIFY cannot be used for the write syscall",
        ),
        (
            with_call(json!({"names": ["read"], "action": "SCMP_ACT_ERRNO", "errnoRet": 4096})),
            "syscalls[0].errnoRet: the largest number for SCMP_ACT_ERRNO is 4095",
        ),
        (
            with_call(json!({"names": ["read"], "action": allow,
                "args": [{"index": 6, "value": 0, "op": "SCMP_CMP_EQ"}]})),
            "syscalls[0].args[0].index: 6",
        ),
        (
            with_call(json!({"names": ["read"], "action": notify})),
            "listenerPath: ",
        ),
    ];
    for (json, expected) in cases {
        let error = check::check(&profile(json)).unwrap_err().to_string();
        assert!(
            error.starts_with(&format!("linux.seccomp.{expected}")),
            "{error}"
        );
    }
}

#[test]
fn an_unknown_word_is_found() {
    let call = json!({"names": ["x"], "action": "SCMP_ACT_ALLOW", "args": [{"op": "SCMP_CMP_SO"}]});
    let profile = json!({"defaultAction": "SCMP_ACT_LOG", "syscalls": [call]});
    assert_eq!(
        names::unknown_word("linux.seccomp", &profile).unwrap(),
        "linux.seccomp.syscalls[0].args[0].op: unknown word \"SCMP_CMP_SO\""
    );
}

#[test]
fn every_word_can_be_read() {
    let words = names::ACTIONS
        .map(|word| json!({"action": word.to_string()}))
        .to_vec();
    let words = json!([words, {"architectures": names::ARCHITECTURES.map(|word| word.to_string())},
        {"flags": names::FLAGS.map(|word| word.to_string())},
        names::OPERATORS.map(|word| json!({"op": word.to_string()}))]);
    assert_eq!(names::unknown_word("", &words), None);
}
