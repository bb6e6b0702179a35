//! What `stats` shows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, UdpSocket};

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::Value;

use crate::support::{Detached, Running, host, leave_to, see, shell, tiny_docker, wait_until};
use crate::terminal::terminal;
use crate::{need_cgroups, need_namespaces};

/// `stats --no-stream` about one container.
fn stats(id: &str) -> Value {
    let seen = see(&["stats", "--no-stream", "--format", "json", id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    serde_json::from_str(&seen.stdout).unwrap()
}

/// The number at the beginning of `text`, and its unit.
fn number(text: &Value) -> (f64, String) {
    let text = text.as_str().unwrap();
    let end = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    (text[..end].parse().unwrap(), text[end..].to_owned())
}

#[test]
fn without_containers_there_are_only_headings() {
    let seen = see(&["stats", "--no-stream"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(seen.stdout, @"CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O   PIDS");
}

#[test]
fn a_busy_cpu_is_seen() {
    need_namespaces!();
    let busy = Detached::start(&["sh", "-c", "while :; do :; done"]);
    let idle = Detached::start(&["sleep", "1000"]);
    let (percent, unit) = number(&stats(&busy.id)["CPUPerc"]);
    // Others may keep this machine busy, too.
    assert!((10.0..=110.0).contains(&percent), "{percent}");
    assert_eq!(unit, "%");
    assert!(number(&stats(&idle.id)["CPUPerc"]).0 < 5.0);
}

#[test]
fn programs_that_run_one_after_the_other_are_seen() {
    need_namespaces!();
    // Each of them has ended before the second look. Their parent has their time.
    let container = Detached::start(&[
        "sh",
        "-c",
        "while :; do head -c 3000000 /dev/zero | cat >/dev/null; done",
    ]);
    let (percent, _) = number(&stats(&container.id)["CPUPerc"]);
    assert!(percent > 10.0, "{percent}");
}

#[test]
fn processes_and_memory_are_counted() {
    need_namespaces!();
    let container = Detached::start(&["sh", "-c", "sleep 1000 & sleep 1000 & sleep 1000"]);
    wait_until("all", || stats(&container.id)["PIDs"] == "4");
    // Its parent is on the host, and its namespace is the container's.
    shell(&format!(
        "$TD exec -d {} sleep 1000 >/dev/null 2>&1",
        container.id
    ));
    wait_until("one more", || stats(&container.id)["PIDs"] == "5");
    let (memory, rest) = number(&stats(&container.id)["MemUsage"]);
    assert!(memory > 0.0 && rest.contains("iB / "), "{memory}{rest}");
    assert!(rest.ends_with("GiB") || rest.ends_with("MiB"), "{rest}");
}

#[test]
fn with_limits_its_cgroup_counts() {
    need_cgroups!();
    // Files in memory belong to the cgroup, and to no process.
    let script = "head -c 20000000 /dev/zero >/x/file; echo ready; while :; do sleep 1; done";
    let limits = ["-m", "128m", "--pids-limit", "50", "--tmpfs", "/x"];
    let container = Detached::start(&[&limits[..], &["sh", "-c", script]].concat());
    wait_until("it ready", || {
        see(&["logs", &container.id]).stdout == "ready\n"
    });
    let all = stats(&container.id);
    let (memory, rest) = number(&all["MemUsage"]);
    assert!(
        (19.0..128.0).contains(&memory) && rest == "MiB / 128MiB",
        "{all}"
    );
    let (percent, _) = number(&all["MemPerc"]);
    assert!((percent - memory / 1.28).abs() < 0.1, "{all}");
    assert_eq!(all["PIDs"], "2");
}

#[test]
fn what_is_received_and_sent_is_counted() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, for --net bridge");
    }
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = format!(
        "exec 3<>/dev/tcp/10.10.0.1/{port} && head -c 180000 <&3 >/dev/null && \
         head -c 180000 /dev/zero >&3 && echo sent; sleep 1000"
    );
    let container = Detached::start(&["bash", "-c", &script]);
    let (mut stream, _) = listener.accept().unwrap();
    stream.write_all(&[0; 180_000]).unwrap();
    stream.read_exact(&mut [0; 180_000]).unwrap();
    let traffic = stats(&container.id)["NetIO"].as_str().unwrap().to_owned();
    let parts: Vec<_> = traffic.split(" / ").collect();
    assert!(
        parts
            .iter()
            .all(|part| part.starts_with("18") && part.ends_with("kB")),
        "{traffic}"
    );
}

#[test]
fn the_hosts_traffic_is_not_the_containers() {
    need_namespaces!();
    if geteuid().is_root() {
        // Otherwise, this test's host has only a loopback device.
        host("ip link add d0 type veth peer name d1 && ip link set d0 up && ip link set d1 up");
        host("ip addr add 192.0.2.1/24 dev d0");
        let socket = UdpSocket::bind("192.0.2.1:0").unwrap();
        socket.send_to(b"to nobody", "192.0.2.2:9").unwrap();
        wait_until("d0 sent, if only who asks for the address", || {
            host("awk '$1 == \"d0:\" { print $10 }' /proc/net/dev") != "0\n"
        });
    }
    let container = Detached::start(&["--net", "host", "sleep", "1000"]);
    assert_eq!(stats(&container.id)["NetIO"], "0B / 0B");
}

#[test]
fn a_container_that_has_ended_uses_nothing() {
    need_namespaces!();
    see(&["run", "--name", "gone", "true"]);
    let hide = |text: &str| {
        let rows = text.lines().map(|line| match line.find("   ") {
            Some(12) if !line.starts_with('C') => format!("ID          {}", &line[12..]),
            _ => line.to_owned(),
        });
        rows.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(hide(&see(&["stats", "--no-stream", "gone"]).stdout), @"
    CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O   PIDS
    ID             gone      0.00%     0B / 0B             0.00%     0B / 0B   0B / 0B     0
    ");
    assert_snapshot!(hide(&see(&["stats", "--no-stream", "-a"]).stdout), @"
    CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O   PIDS
    ID             gone      0.00%     0B / 0B             0.00%     0B / 0B   0B / 0B     0
    ");
    assert_snapshot!(hide(&see(&["stats", "--no-stream"]).stdout), @"CONTAINER ID   NAME      CPU %     MEM USAGE / LIMIT   MEM %     NET I/O   BLOCK I/O   PIDS");
}

#[test]
fn a_wrong_id_prints_only_an_error() {
    need_namespaces!();
    see(&["run", "--name", "gone", "true"]);
    let seen = see(&["stats", "gone", "nope"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), ""));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot show the resource usage of nope: no such container
    hint: tiny-docker ps -a lists all containers
    ");
    let seen = see(&["stats", "--format", "{{.Name}}"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert_snapshot!(seen.stderr, @"
    error: invalid value '{{.Name}}' for '--format <FORMAT>': expected table or json
    hint: select fields with --format json | jq .ID

    For more information, try '--help'.
    ");
}

#[test]
fn it_goes_on_and_shows_new_containers() {
    need_namespaces!();
    let mut stats = Running::start(&mut tiny_docker(&["stats", "--format", "json"]));
    let mut output = BufReader::new(stats.0.stdout.take().unwrap());
    let container = Detached::start(&["--name", "new", "sleep", "1000"]);
    for _ in 0..3 {
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(
            (&line["Name"], &line["ID"]),
            (&"new".into(), &container.id.as_str().into())
        );
    }
    kill(Pid::from_raw(stats.pid()), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains('\u{1b}'));
    assert_eq!(stats.0.wait().unwrap().code(), None);
}

#[test]
fn a_reader_that_has_had_enough_ends_it_quietly() {
    need_namespaces!();
    let seen = shell("(timeout 60 $TD stats; echo code $? >&2) | head -1");
    assert_eq!(seen.stderr, "code 141\n", "not of SIGPIPE");
    assert!(
        seen.stdout.starts_with("CONTAINER ID   NAME"),
        "{}",
        seen.stdout
    );
    let seen = shell("$TD stats --no-stream >/dev/full; echo $?");
    assert_eq!(seen.stdout, "1\n");
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot print: No space left on device (os error 28)");
}

#[test]
fn on_a_terminal_each_table_replaces_the_last() {
    need_namespaces!();
    let mut user = terminal("$TD stats");
    for _ in 0..3 {
        user.exp_string("\u{1b}[H\u{1b}[2JCONTAINER ID   NAME")
            .unwrap();
    }
    user.send_control('c').unwrap();
    user.exp_eof().unwrap();
    let mut user = terminal("$TD stats --no-stream");
    assert!(user.exp_eof().unwrap().starts_with("CONTAINER ID   NAME"));
}

#[test]
fn its_help_is_complete() {
    assert_snapshot!(see(&["stats", "--help"]).stdout, @"
    Display a live stream of containers' resource usage

    Usage: tiny-docker stats [OPTIONS] [ID]...

    Arguments:
      [ID]...  The containers' names or ids, or unique prefixes of the ids [default: all that are running]

    Options:
      -a, --all              Show all containers (default shows just running)
          --root <DIR>       Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
          --no-stream        Print only the first result
          --format <FORMAT>  Output format: table, or json (one object per line)
      -h, --help             Print help

    Examples:
      tiny-docker stats --no-stream
      tiny-docker stats --no-stream --format json web | jq -r .MemUsage
    ");
}
