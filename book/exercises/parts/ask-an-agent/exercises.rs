//! The grader of this part's exercise. It fails until the exercise is solved, and says what is missing:
//!
//!     cargo test --test exercises -- --ignored ex1

use std::fs::File;
use std::io::{IoSlice, Read};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::libc::{self, c_int, sock_filter, sock_fprog};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use nix::unistd::{Pid, getpgid, gettid};
use serde_json::json;
use tempfile::TempDir;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(4);

/// An agent, which goes in the end.
struct Agent {
    own: TempDir,
    child: Child,
}

impl Agent {
    fn start() -> Self {
        let own = TempDir::new().unwrap();
        let program = own.path().join("tiny-runc");
        symlink(env!("CARGO_BIN_EXE_tiny-docker"), &program).unwrap();
        let mut command = Command::new(program);
        command.arg("--root").arg(own.path().join("state"));
        command.arg("agent").arg(own.path().join("socket"));
        let printed = File::create(own.path().join("printed")).unwrap();
        let child = command.stdin(Stdio::null()).stdout(printed).spawn();
        let child = child.unwrap();
        Self { own, child }
    }

    fn connect(&mut self) -> UnixStream {
        let start = Instant::now();
        loop {
            if let Ok(socket) = UnixStream::connect(self.own.path().join("socket")) {
                return socket;
            }
            assert!(
                self.child.try_wait().unwrap().is_none(),
                "tiny-runc agent has ended"
            );
            assert!(start.elapsed() < PATIENCE, "nobody listens at the socket");
            sleep(Duration::from_millis(10));
        }
    }

    /// What it has printed when it has ended.
    fn printed(&mut self) -> String {
        let start = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(
                start.elapsed() < PATIENCE,
                "it does not end, although no process has the filter"
            );
            sleep(Duration::from_millis(10));
        }
        let mut text = String::new();
        let mut printed = File::open(self.own.path().join("printed")).unwrap();
        printed.read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Has this thread ask about getpgid(2) from now on.
fn load() -> OwnedFd {
    set_no_new_privs().unwrap();
    let instruction = |code: u32, k: u32, jf| sock_filter {
        code: code as u16,
        jt: 0,
        jf,
        k,
    };
    let test = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    let filter = [
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        instruction(test, libc::SYS_getpgid as u32, 1),
        instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_USER_NOTIF, 0),
        instruction(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ALLOW, 0),
    ];
    let program = sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER;
    let (call, operation) = (libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER);
    // SAFETY: seccomp(2) reads the program, which is as long as it says.
    let listener = unsafe { libc::syscall(call, operation, flags, &program) };
    assert!(listener >= 0, "{}", std::io::Error::last_os_error());
    // SAFETY: it is new.
    unsafe { OwnedFd::from_raw_fd(listener as RawFd) }
}

/// Starts an agent, and a thread that makes so many calls. Returns what they answer, the thread's pid, and what the agent
/// has printed.
fn ask(id: &str, calls: usize) -> (Vec<nix::Result<Pid>>, c_int, String) {
    let mut agent = Agent::start();
    let socket = agent.connect();
    let (send_listener, listener) = mpsc::channel();
    let (go_on, wait) = mpsc::channel::<()>();
    let (send_answers, answers) = mpsc::channel();
    thread::spawn(move || {
        send_listener.send(load()).unwrap();
        let _ = wait.recv();
        let found: Vec<_> = (0..calls).map(|_| getpgid(Some(Pid::this()))).collect();
        let _ = send_answers.send((found, gettid().as_raw()));
    });
    let listener: OwnedFd = listener.recv_timeout(PATIENCE).unwrap();
    let state =
        json!({"ociVersion": "1.0.2", "id": id, "status": "creating", "pid": 1, "bundle": "/"});
    let message = json!({"ociVersion": "1.0.2", "fds": ["seccompFd"], "pid": 1, "state": state});
    let message = message.to_string();
    let (parts, descriptors) = ([IoSlice::new(message.as_bytes())], [listener.as_raw_fd()]);
    let rights = [ControlMessage::ScmRights(&descriptors)];
    sendmsg::<()>(socket.as_raw_fd(), &parts, &rights, MsgFlags::empty(), None).unwrap();
    drop((socket, listener));
    go_on.send(()).unwrap();
    let answers = answers.recv_timeout(PATIENCE);
    let (found, pid) = answers.expect("nobody answers the calls");
    (found, pid, agent.printed())
}

#[test]
#[ignore = "exercise 1: an agent that takes notes"]
fn ex1_each_call_is_noted() {
    let (_, pid, printed) = ask("web", 2);
    let line = format!("web {pid} {}\n", libc::SYS_getpgid);
    assert_eq!(printed, format!("{line}{line}"));
}

#[test]
#[ignore = "exercise 1: an agent that takes notes"]
fn ex1_the_calls_go_on() {
    let own = getpgid(None);
    let (found, _, _) = ask("box-1", 3);
    assert_eq!(found, [own, own, own]);
}

#[test]
#[ignore = "exercise 1: an agent that takes notes"]
fn ex1_it_ends_with_the_last_process() {
    let (found, _, printed) = ask("quiet", 0);
    assert_eq!((found.len(), printed.as_str()), (0, ""));
}
