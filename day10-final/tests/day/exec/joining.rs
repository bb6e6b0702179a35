//! Attacks by an ordinary user, from outside their container, on root, who executes a command in it. ptrace(2).

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::support::{Running, Seen, as_ordinary_user, leave_to, shell, state, wait_until};
use crate::terminal::terminal;

/// Looks at each new process on the host while it lives, and prints what it has caught of those in the same user
/// namespace as its argument. Whatever it can open, it can also trace.
const TRACER: &str = r#"$| = 1; my (%new, %said); my $namespace = readlink("/proc/$ARGV[0]/ns/user");
    sub newest { open(L, "<", "/proc/loadavg"); my @words = split " ", <L>; $words[4] }
    my $last = newest(); print "ready\n";
    for (;;) {
        my $newest = newest(); $new{$_} = 1 for $last + 1 .. $newest; $last = $newest;
        for my $pid (keys %new) {
            sysopen(M, "/proc/$pid/mem", 2) or do { delete $new{$pid} if !-d "/proc/$pid"; next };
            next if readlink("/proc/$pid/ns/user") ne $namespace;
            open(S, "<", "/proc/$pid/status"); my $status = join "", <S>; close M;
            my ($uid, $groups) = $status =~ /^Uid:\t(\d+).*^Groups:\t(.*?) *$/ms or next;
            my $what = $uid == $> ? "fair" : "caught user $uid";
            $what .= " in group 42" if $groups =~ /\b42\b/;
            my ($host) = stat "/dev/pts";
            $what .= " at a terminal" if grep { ((stat "/proc/$pid/fd/$_")[0] // 0) == $host } 0 .. 2;
            print "$what\n" if !$said{$what}++; delete $new{$pid};
        }
    }"#;

/// A user's container. Root has a copy of its record, because root does not use another user's state directory.
struct Users {
    home: TempDir,
    id: String,
    /// The pid of its PID 1.
    pid: String,
}

impl Users {
    /// In the background, with `options`.
    fn start(options: &[&str]) -> Self {
        let home = TempDir::new().unwrap();
        let run = [
            &["--root", "state", "run", "-d"],
            options,
            &["sleep", "1000"],
        ]
        .concat();
        let mut run = as_ordinary_user(home.path(), &run);
        let seen: Seen = run.current_dir(home.path()).output().unwrap().into();
        assert_eq!(seen.code, Some(0), "{}", seen.stderr);
        let id = seen.stdout.trim().to_owned();
        // This creates root's own state directory.
        assert_eq!(shell("$TD run --net isolated true").code, Some(0));
        let own = state().join("containers").join(&id);
        fs::create_dir(&own).unwrap();
        fs::set_permissions(&own, Permissions::from_mode(0o700)).unwrap();
        let record = home.path().join("state/containers").join(&id);
        for file in ["config.json", "lock"] {
            fs::copy(record.join(file), own.join(file)).unwrap();
        }
        let config = fs::read(own.join("config.json")).unwrap();
        let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
        let pid = config["pid"].to_string();
        Self { home, id, pid }
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        let mut rm = as_ordinary_user(self.home.path(), &["--root", "state", "rm", "-f", &self.id]);
        let _ = rm.current_dir(self.home.path()).output();
    }
}

#[test]
fn in_a_users_container_root_executes_nothing_that_the_user_can_catch() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let container = Users::start(&[]);
    let said = container.home.path().join("said");
    let mut perl = Command::new("perl");
    perl.args(["-e", TRACER, &container.pid]);
    perl.uid(65534).gid(65534);
    perl.stdin(Stdio::null())
        .stdout(File::create(&said).unwrap());
    let _tracer = Running(perl.spawn().unwrap());
    let said = || fs::read_to_string(&said).unwrap();
    wait_until("the attack", || said().contains("ready"));
    // With root's terminal, it could read what root types.
    for options in ["", "-it"] {
        let exec = format!(
            "setpriv --groups 42 $TD exec {options} {} true",
            container.id
        );
        let mut root = terminal(&format!("for n in $(seq 30); do {exec}; done; echo done"));
        root.exp_string("done").unwrap();
    }
    // Those that it has caught are the user's already.
    wait_until("somebody", || said() != "ready\n");
    assert_eq!(said(), "ready\nfair\n");
}

#[test]
fn root_leaves_its_groups_when_it_enters_a_users_container() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root");
    }
    let files = TempDir::new().unwrap();
    fs::set_permissions(files.path(), Permissions::from_mode(0o755)).unwrap();
    let secret = files.path().join("secret");
    fs::write(&secret, "the group's").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o640)).unwrap();
    chown(&secret, Some(0), Some(42)).unwrap();
    let volume = format!("{}:/files", files.path().display());
    let container = Users::start(&["-v", &volume]);
    let line = format!(
        "setpriv --groups 42 $TD exec {} cat /files/secret",
        container.id
    );
    let seen = shell(&line);
    assert_eq!(
        (seen.stdout.as_str(), seen.code),
        ("", Some(1)),
        "{}",
        seen.stderr
    );
    assert!(seen.stderr.contains("Permission denied"), "{}", seen.stderr);
}
