//! What `inspect` shows, under Docker's names.

use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use serde_json::{Value, json};

use crate::support::{
    Detached, inspect, leave_to, processes_with, see, shell, state, tiny_docker, wait_until,
    without_ids,
};
use crate::{need_cgroups, need_namespaces};

/// `value` as it is printed, without what differs between runs.
fn steady(mut value: Value) -> String {
    let id = value["Id"].as_str().unwrap().to_owned();
    let started = value["Created"].clone();
    assert_eq!(value["State"]["StartedAt"], started);
    for time in ["/Created", "/State/StartedAt"] {
        *value.pointer_mut(time).unwrap() = "TIME".into();
    }
    if value["State"]["Pid"] != 0 {
        value["State"]["Pid"] = "PID".into();
    }
    if value["State"]["FinishedAt"] != "0001-01-01T00:00:00Z" {
        assert!(value["State"]["FinishedAt"].as_str() >= started.as_str());
        value["State"]["FinishedAt"] = "TIME".into();
    }
    let text = serde_json::to_string_pretty(&value).unwrap();
    text.replace(&id, "ID")
        .replace(state().to_str().unwrap(), "STATE")
}

#[test]
fn everything_that_was_asked_for_is_shown() {
    need_namespaces!();
    let (user, volume) = ("root", state().join("volume"));
    let volume = format!("{}:/data:ro", volume.display());
    let container = Detached::start(&[
        "--name",
        "web",
        "--hostname",
        "www",
        "--net",
        "isolated",
        "-u",
        user,
        "-e",
        "A=B",
        "-w",
        "/tmp",
        "-v",
        &volume,
        "--tmpfs",
        "/run/lock",
        "--read-only",
        "--cap-add",
        "NET_ADMIN",
        "--cap-drop",
        "MKNOD",
        "--dns",
        "192.0.2.1",
        "--add-host",
        "db:192.0.2.2",
        "--init",
        "-i",
        "sleep",
        "1000",
    ]);
    assert_snapshot!(steady(inspect("web")), @r#"
    {
      "Args": [
        "1000"
      ],
      "Cgroup": [],
      "Config": {
        "Cmd": [
          "sleep",
          "1000"
        ],
        "Entrypoint": null,
        "Env": [
          "A=B"
        ],
        "ExposedPorts": {},
        "Hostname": "www",
        "Image": "default",
        "Labels": {},
        "OpenStdin": true,
        "StopSignal": "SIGTERM",
        "Tty": false,
        "User": "root",
        "Volumes": {},
        "WorkingDir": "/tmp"
      },
      "Created": "TIME",
      "HostConfig": {
        "AutoRemove": false,
        "Binds": [
          "STATE/volume:/data:ro"
        ],
        "CapAdd": [
          "CAP_NET_ADMIN"
        ],
        "CapDrop": [
          "CAP_MKNOD"
        ],
        "Dns": [
          "192.0.2.1"
        ],
        "ExtraHosts": [
          "db:192.0.2.2"
        ],
        "Init": true,
        "Memory": 0,
        "NanoCpus": 0,
        "NetworkMode": "none",
        "PidsLimit": null,
        "PortBindings": {},
        "ReadonlyRootfs": true,
        "SecurityOpt": [
          "no-new-privileges"
        ],
        "Tmpfs": {
          "/run/lock": ""
        }
      },
      "Id": "ID",
      "Image": "default",
      "Layer": "STATE/containers/ID/layer",
      "LogPath": "STATE/containers/ID/container.log",
      "Mounts": [
        {
          "Destination": "/data",
          "Mode": "ro",
          "RW": false,
          "Source": "STATE/volume",
          "Type": "bind"
        }
      ],
      "Name": "/web",
      "NetworkSettings": {
        "Gateway": "",
        "IPAddress": "",
        "MacAddress": "",
        "Ports": {}
      },
      "Path": "sleep",
      "Rootfs": "STATE/rootfs/default",
      "State": {
        "ExitCode": 0,
        "FinishedAt": "0001-01-01T00:00:00Z",
        "OOMKilled": false,
        "Pid": "PID",
        "Running": true,
        "StartedAt": "TIME",
        "Status": "running"
      }
    }
    "#);
    let pid = inspect("web")["State"]["Pid"].as_i64();
    assert_eq!(pid, container.record()["pid"].as_i64());
}

#[test]
fn limits_are_in_dockers_units() {
    need_cgroups!();
    let limits = ["--memory", "64m", "--cpus", "0.5", "--pids-limit", "9"];
    let container = Detached::start(&[&limits[..], &["--net=isolated", "sleep", "1000"]].concat());
    let value = inspect(&container.id);
    let config = &value["HostConfig"];
    assert_eq!(
        json!([config["Memory"], config["NanoCpus"], config["PidsLimit"]]),
        json!([67_108_864, 500_000_000, 9])
    );
    let groups = value["Cgroup"].as_array().unwrap();
    assert!(!groups.is_empty());
    assert!(
        groups
            .iter()
            .all(|group| group.as_str().unwrap().ends_with(&container.id))
    );
}

#[test]
fn published_ports_are_shown_while_they_lead_there() {
    need_namespaces!();
    if !geteuid().is_root() {
        return leave_to("root, for --net bridge");
    }
    let publish = [
        "-p",
        "8080:80",
        "-p",
        "127.0.0.1:8081:80",
        "-p",
        "5353:53/udp",
    ];
    let container = Detached::start(&[&publish[..], &["--name", "web", "sleep", "1000"]].concat());
    let bindings = || inspect("web")["HostConfig"]["PortBindings"].to_string();
    assert_snapshot!(bindings(), @r#"{"53/udp":[{"HostIp":"0.0.0.0","HostPort":"5353"}],"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"127.0.0.1","HostPort":"8081"}]}"#);
    let ports = || inspect("web")["NetworkSettings"]["Ports"].to_string();
    assert_eq!(ports(), bindings());
    assert_snapshot!(without_ids(&see(&["ps"]).stdout), @r#"
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "sleep 1000"   AGE ago   Up AGE   0.0.0.0:5353->53/udp, 0.0.0.0:8080->80/tcp, 127.0.0.1:8081->80/tcp   web
    "#);
    see(&["stop", "-t", "0", &container.id]);
    assert_eq!(ports(), "{}");
    assert_snapshot!(without_ids(&see(&["ps", "-a"]).stdout), @r#"
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "sleep 1000"   AGE ago   Exited (137) AGE ago   web
    "#);
}

#[test]
fn how_it_ended_is_shown() {
    need_namespaces!();
    see(&[
        "run", "--net", "isolated", "--name", "gone", "sh", "-c", "exit 3",
    ]);
    assert_snapshot!(steady(inspect("gone")), @r#"
    {
      "Args": [
        "-c",
        "exit 3"
      ],
      "Cgroup": [],
      "Config": {
        "Cmd": [
          "sh",
          "-c",
          "exit 3"
        ],
        "Entrypoint": null,
        "Env": [],
        "ExposedPorts": {},
        "Hostname": "tiny-container",
        "Image": "default",
        "Labels": {},
        "OpenStdin": false,
        "StopSignal": "SIGTERM",
        "Tty": false,
        "User": "",
        "Volumes": {},
        "WorkingDir": ""
      },
      "Created": "TIME",
      "HostConfig": {
        "AutoRemove": false,
        "Binds": [],
        "CapAdd": [],
        "CapDrop": [],
        "Dns": [],
        "ExtraHosts": [],
        "Init": false,
        "Memory": 0,
        "NanoCpus": 0,
        "NetworkMode": "none",
        "PidsLimit": null,
        "PortBindings": {},
        "ReadonlyRootfs": false,
        "SecurityOpt": [
          "no-new-privileges"
        ],
        "Tmpfs": {}
      },
      "Id": "ID",
      "Image": "default",
      "Layer": "STATE/containers/ID/layer",
      "LogPath": "",
      "Mounts": [],
      "Name": "/gone",
      "NetworkSettings": {
        "Gateway": "",
        "IPAddress": "",
        "MacAddress": "",
        "Ports": {}
      },
      "Path": "sh",
      "Rootfs": "STATE/rootfs/default",
      "State": {
        "ExitCode": 3,
        "FinishedAt": "TIME",
        "OOMKilled": false,
        "Pid": 0,
        "Running": false,
        "StartedAt": "TIME",
        "Status": "exited"
      }
    }
    "#);
    let container = Detached::start(&["sleep", "1000"]);
    see(&["stop", "-t", "0", &container.id]);
    let state = &inspect(&container.id)["State"];
    assert_eq!(
        json!([state["Status"], state["ExitCode"], state["Running"]]),
        json!(["exited", 137, false])
    );
}

#[test]
fn what_nobody_knows_is_not_made_up() {
    need_namespaces!();
    let container = Detached::start(&["--net", "isolated", "sleep", "1000"]);
    let kill = |pid: i32| {
        nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        )
        .unwrap();
    };
    kill(container.supervisor());
    kill(container.pid());
    wait_until("its end", || !container.is_running());
    let mut state = inspect(&container.id)["State"].take();
    state["StartedAt"].take();
    assert_snapshot!(state.to_string(), @r#"{"ExitCode":null,"FinishedAt":"0001-01-01T00:00:00Z","OOMKilled":false,"Pid":0,"Running":false,"StartedAt":null,"Status":"exited"}"#);
}

#[test]
fn the_pid_is_that_of_pid_1_on_the_host() {
    need_namespaces!();
    let time = format!("1000.{}2", std::process::id());
    let container = Detached::start(&["sleep", &time]);
    let pid = inspect(&container.id)["State"]["Pid"].as_i64().unwrap() as i32;
    assert_ne!(pid, container.supervisor());
    assert!(processes_with(&time).contains(&pid));
}

#[test]
fn existing_containers_are_shown_and_every_other_id_is_an_error() {
    need_namespaces!();
    for name in ["one", "two"] {
        see(&["run", "--net", "isolated", "--name", name, "true"]);
    }
    let seen = see(&["inspect", "two", "nope", "one", ""]);
    assert_eq!(seen.code, Some(1));
    let found: Value = serde_json::from_str(&seen.stdout).unwrap();
    assert_eq!(
        json!([found[0]["Name"], found[1]["Name"], found[2]]),
        json!(["/two", "/one", null])
    );
    assert_snapshot!(seen.stderr, @"
    tiny-docker: cannot inspect nope: no such container or image
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot inspect '': the id is empty
    ");
    let seen = see(&["inspect", "nope"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), "[]\n"));
    let seen = see(&["inspect"]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(seen.stderr, @"
    error: the following required arguments were not provided:
      <NAME|ID>...

    Usage: tiny-docker inspect --root <DIR> <NAME|ID>...

    For more information, try '--help'.
    ");
    let seen = see(&["inspect", "-f", "{{.State.Pid}}", "one"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: -f is not supported: there are no templates, but the output is JSON
    hint: tiny-docker inspect ID | jq -r '.[].State.Pid'
    ");
    // As in Docker, four blanks for each level.
    assert!(
        see(&["inspect", "one"])
            .stdout
            .starts_with("[\n    {\n        \"")
    );
}

#[test]
fn a_full_output_is_an_error() {
    let full = std::fs::File::options()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let mut inspect = tiny_docker(&["inspect", "nope"]);
    let seen = inspect
        .stdout(full)
        .stderr(std::process::Stdio::piped())
        .output()
        .unwrap();
    assert_eq!(seen.status.code(), Some(1));
    assert_snapshot!(String::from_utf8(seen.stderr).unwrap(), @"
    tiny-docker: cannot inspect nope: no such container or image
    hint: tiny-docker ps -a lists all containers
    tiny-docker: cannot print: No space left on device (os error 28)
    ");
}

#[test]
fn its_help_is_complete() {
    assert_snapshot!(see(&["inspect", "--help"]).stdout, @"
    Display detailed information on containers and images, as JSON

    Usage: tiny-docker inspect [OPTIONS] <NAME|ID>...

    Arguments:
      <NAME|ID>...  Names or ids, or unique prefixes of the ids

    Options:
          --root <DIR>   Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
          --type <TYPE>  Only look for this type: container, or image
      -h, --help         Print help

    Examples:
      tiny-docker inspect web
      tiny-docker inspect web | jq -r '.[0].NetworkSettings.IPAddress'
    ");
}

#[test]
fn what_a_terminal_would_obey_is_escaped() {
    need_namespaces!();
    // From the middle of UTF-16, and from beyond it. It is the name of the "image", too.
    let odd = "\u{1b}[2J\u{7f}\u{9b}2J\u{202e}\u{2066}\u{feff}\u{e0001}é日😀";
    let rootfs = state().join(odd);
    symlink(state().join("rootfs/default"), &rootfs).unwrap();
    let rootfs = ["--rootfs", rootfs.to_str().unwrap()];
    let container = Detached::start(&[&rootfs[..], &["sh", "-c", "sleep 600", odd]].concat());
    for command in ["ps --format json", "inspect $($TD ps -q)"] {
        let seen = shell(&format!("$TD {command}"));
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        let is_obeyed = |c: char| {
            c != '\n' && (c.is_control() || "\u{202e}\u{2066}\u{feff}\u{e0001}".contains(c))
        };
        assert!(!seen.stdout.contains(is_obeyed), "{:?}", seen.stdout);
        let escaped = r"\u001b[2J\u007f\u009b2J\u202e\u2066\ufeff\udb40\udc01é日😀";
        assert!(seen.stdout.contains(escaped), "{}", seen.stdout);
    }
    let json = see(&["ps", "--format", "json"]).stdout;
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap()["Image"], odd);
    let inspected = inspect(&container.id);
    assert_eq!(inspected["Args"], json!(["-c", "sleep 600", odd]));
    assert_eq!(inspected["Config"]["Image"], odd);
}
