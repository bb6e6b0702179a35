//! What an image says besides what it runs.

use std::fs;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use nix::unistd::geteuid;
use serde_json::{Value, json};

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::keep::done;
use crate::images::run::{put, ran, refused, run};
use crate::need_namespaces;
use crate::support::{Detached, leave_to, see, state, wait_until};

/// What `inspect` says about a container or an image.
fn inspected(words: &[&str]) -> Value {
    let all = done(&[&["inspect"], words].concat());
    serde_json::from_str::<Value>(&all).unwrap()[0].take()
}

#[test]
fn its_entry_point_can_be_replaced() {
    need_namespaces!();
    let settings = json!({"Entrypoint": ["sh", "-c", "echo $0 $1"], "Cmd": ["own"]});
    put("x", &Image::base().settings(settings));
    assert_eq!(ran(&["x"]), "own\n");
    // The image's arguments were for its own entry point.
    assert_eq!(ran(&["--entrypoint", "pwd", "x"]), "/\n");
    assert_eq!(ran(&["--entrypoint", "id", "x", "-u"]), "0\n");
    assert_eq!(ran(&["--entrypoint", "", "x", "id", "-u"]), "0\n");
    let said = "tiny-docker: cannot run x: no command specified\n";
    assert_eq!(refused(&["--entrypoint=", "x"]), said);
    // Nor does it take an image.
    assert_eq!(ran(&["--entrypoint", "/bin/echo", "id", "-u"]), "id -u\n");

    done(&["run", "--net", "isolated", "--name", "one", "x", "a", "b"]);
    let known = inspected(&["one"]);
    assert_eq!(
        known["Config"]["Entrypoint"],
        json!(["sh", "-c", "echo $0 $1"])
    );
    assert_eq!(known["Config"]["Cmd"], json!(["a", "b"]));
    assert_eq!(known["Path"], "sh");
}

#[test]
fn its_ports_are_shown_and_published() {
    need_namespaces!();
    let ports = json!({"80/tcp": {}, "81": {}, "53/udp": {}, "9/sctp": {}, "0": {}, "x\n": {}, "7000-7002/tcp": {}});
    let image = Image::base().settings(json!({"ExposedPorts": ports, "Cmd": ["sleep", "1000"]}));
    put("x", &image);
    if !geteuid().is_root() {
        let said = refused(&["-P", "x"]);
        assert!(said.contains("cannot publish ports"), "{said}");
        return leave_to("root");
    }
    let column = |id: &str| {
        let lines = done(&["ps", "--format", "json"]);
        let mut lines = lines
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        let line = lines.find(|line| line["ID"] == id).unwrap();
        line["Ports"].as_str().unwrap().to_owned()
    };
    let inside = Detached::start(&["--expose", "82/tcp", "x"]);
    assert_eq!(column(&inside.id), "53/udp, 80-82/tcp, 7000-7002/tcp");
    let known = inspected(&[&inside.id]);
    assert_eq!(known["Config"]["ExposedPorts"]["7001/tcp"], json!({}));
    assert_eq!(known["NetworkSettings"]["Ports"]["80/tcp"], Value::Null);
    let isolated = Detached::start(&["--net", "isolated", "x"]);
    assert_eq!(column(&isolated.id), "");

    let seen = see(&["run", "-d", "-P", "-p", "8080:80", "x"]);
    assert_eq!(seen.code, Some(0));
    assert_snapshot!(seen.stderr, @r"
    tiny-docker: cannot publish 0: it is not a TCP or UDP port
    tiny-docker: cannot publish 9/sctp: it is not a TCP or UDP port
    tiny-docker: cannot publish x\n: it is not a TCP or UDP port
    ");
    let id = seen.stdout.trim();
    let known = inspected(&[id]);
    let led_to = |port: &str| {
        let host = &known["NetworkSettings"]["Ports"][port][0]["HostPort"];
        host.as_str().unwrap().parse::<u16>().unwrap()
    };
    assert_eq!(led_to("80/tcp"), 8080);
    let chosen = ["81/tcp", "53/udp", "7000/tcp", "7001/tcp", "7002/tcp"].map(led_to);
    assert!(chosen.iter().all(|&port| port > 1024), "{chosen:?}");
    assert!(!column(id).contains(", 80"), "{}", column(id));
    done(&["rm", "-f", id]);
    let published = run(&["-P", "x"]);
    assert_eq!(published.code, Some(125));
    assert!(
        published
            .stderr
            .contains("--net isolated cannot be reached")
    );
}

#[test]
fn its_volumes_stay_writable_and_go_with_the_container() {
    need_namespaces!();
    let layer = Layer::new()
        .file("data/old/file", "image\n")
        .link("link", "data/linked");
    let volumes = json!({"/data": {}, "/new/place": {}, "/link": {}, "/data/old": {}});
    let image = Image::base()
        .layer(&layer)
        .settings(json!({"Volumes": volumes}));
    put("x", &image);
    let script = "cat /data/old/file; cd /data && echo 1 >old/file && echo 2 >/new/place/f && echo 3 >/link/f
        cat old/file /new/place/f linked/f; echo 4 2>/dev/null >/etc/f || echo read-only";
    assert_eq!(
        ran(&["--read-only", "x", "sh", "-c", script]),
        "image\n1\n2\n3\nread-only\n"
    );

    // The user's have precedence, and are no obstacle.
    let own = state().join("own");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("f"), "mine\n").unwrap();
    let own = own.display();
    let script = "cat /data/f; cat /data/old/file; echo 5 >/new/place/f";
    let words = [
        "-v",
        &format!("{own}:/data"),
        "--tmpfs",
        "/new/place",
        "--read-only",
    ];
    assert_eq!(
        ran(&[&words[..], &["x", "sh", "-c", script]].concat()),
        "mine\nimage\n"
    );
    let words = [
        "-v",
        &format!("{own}:/new"),
        "x",
        "sh",
        "-c",
        "cat /new/f; echo 6 >/new/place/f",
    ];
    assert_eq!(ran(&words), "mine\n");
    assert!(!state().join("own/place/f").exists());

    done(&[
        "run",
        "--net",
        "isolated",
        "--name",
        "one",
        "x",
        "sh",
        "-c",
        "echo 7 >/data/f",
    ]);
    let mount = &inspected(&["one"])["Mounts"][0];
    assert_eq!(
        (&mount["Type"], &mount["Destination"]),
        (&json!("volume"), &json!("/data"))
    );
    let source = std::path::PathBuf::from(mount["Source"].as_str().unwrap());
    assert_eq!(fs::read_to_string(source.join("f")).unwrap(), "7\n");
    done(&["rm", "one"]);
    assert!(!source.exists());
    // The next container begins with the image's.
    assert_eq!(ran(&["x", "sh", "-c", "ls /data"]), "linked\nold\n");
}

#[test]
fn a_volume_where_none_can_be_is_refused() {
    need_namespaces!();
    let mut said = String::new();
    for volume in [
        "/",
        "/proc",
        "/proc/self",
        "/sys/fs",
        "data",
        "/data/../proc",
        "/a\nhint: b",
        "",
    ] {
        let mut volumes = json!({});
        volumes[volume] = json!({});
        put(
            "x",
            &Image::new()
                .layer(&Layer::new().file("f", ""))
                .settings(json!({"Volumes": volumes, "Cmd": ["true"]})),
        );
        said += &refused(&["x"]);
    }
    let links = Layer::new()
        .link("data", "proc/self")
        .link("up", "../../..");
    let image = Image::base().layer(&links);
    for volume in ["/data", "/up"] {
        let mut volumes = json!({});
        volumes[volume] = json!({});
        put(
            "x",
            &image
                .clone()
                .settings(json!({"Volumes": volumes, "Cmd": ["true"]})),
        );
        said += &refused(&["x"]);
    }
    assert_snapshot!(said, @r"
    tiny-docker: cannot run x: cannot use its volume /: the path in the container must be absolute, and not /
    tiny-docker: cannot run x: cannot use its volume /proc: /proc belongs to the container itself
    tiny-docker: cannot run x: cannot use its volume /proc/self: /proc belongs to the container itself
    tiny-docker: cannot run x: cannot use its volume /sys/fs: /sys belongs to the container itself
    tiny-docker: cannot run x: cannot use its volume data: the path in the container must be absolute, and not /
    tiny-docker: cannot run x: cannot use its volume /data/../proc: the path in the container must be absolute, and not /
    tiny-docker: cannot run x: cannot use its volume /a\nhint: b: it contains a control character
    tiny-docker: cannot run x: cannot use its volume '': the path in the container must be absolute, and not /
    tiny-docker: cannot mount /data: it is a symbolic link to /proc/1: /proc belongs to the container itself
    tiny-docker: cannot mount /up: it is a symbolic link to /: the path in the container must be absolute, and not /
    ");
}

#[test]
fn stop_sends_the_signal_that_it_wants() {
    need_namespaces!();
    let script = "trap 'echo quit; exit 3' QUIT; trap 'echo usr1; exit 4' USR1; echo ready; while :; do sleep 0.05; done";
    let settings = json!({"StopSignal": "SIGQUIT", "Cmd": ["sh", "-c", script]});
    put("x", &Image::base().settings(settings));
    let stopped = |options: &[&str], stop: &[&str]| {
        let container = Detached::start(&[&["--net", "isolated"], options, &["x"]].concat());
        wait_until("it ready", || {
            see(&["logs", &container.id]).stdout == "ready\n"
        });
        let start = Instant::now();
        done(&[&["stop"], stop, &[&container.id]].concat());
        assert!(start.elapsed() < Duration::from_secs(8));
        done(&["logs", &container.id])
    };
    assert_eq!(stopped(&[], &[]), "ready\nquit\n");
    assert_eq!(stopped(&["--stop-signal", "USR1"], &[]), "ready\nusr1\n");
    assert_eq!(stopped(&[], &["-s", "usr1"]), "ready\nusr1\n");
    let said = refused(&["--stop-signal", "NONE", "x"]);
    assert!(
        said.starts_with("tiny-docker: cannot run x: no such signal: NONE\n"),
        "{said}"
    );
    let settings = json!({"StopSignal": "a\nb", "Cmd": ["true"]});
    put("y", &Image::base().settings(settings));
    let seen = run(&["y"]);
    let said = "tiny-docker: the image's stop signal does not exist: a\\nb: TERM takes its place\n";
    assert_eq!((seen.code, &*seen.stderr), (Some(0), said));
}

#[test]
fn its_labels_are_the_containers() {
    need_namespaces!();
    let labels = json!({"a": "image", "b=c": "\u{1b}[2J", "empty": ""});
    put(
        "x",
        &Image::base().settings(json!({"Labels": labels, "Cmd": ["true"]})),
    );
    done(&[
        "run", "--net", "isolated", "--name", "one", "-l", "a=mine", "--label", "d", "x",
    ]);
    let known = inspected(&["one"]);
    let expected = json!({"a": "mine", "b=c": "\u{1b}[2J", "d": "", "empty": ""});
    assert_eq!(known["Config"]["Labels"], expected);
    let line: Value = serde_json::from_str(&done(&["ps", "-a", "--format", "json"])).unwrap();
    assert_eq!(line["Labels"], "a=mine,b=c=\u{1b}[2J,d=,empty=");
    let said = refused(&["-l", "=x", "x"]);
    assert_eq!(
        said,
        "tiny-docker: cannot run x: '=x' is not a label\nhint: use -l NAME=VALUE\n"
    );
    let said = refused(&["-l", "", "x"]);
    assert!(said.contains(": '' is not a label\n"), "{said}");
}

#[test]
fn inspect_knows_images() {
    need_namespaces!();
    let mut image =
        Image::base().settings(json!({"Cmd": ["true"], "Healthcheck": {"Test": ["NONE"]}}));
    image.config["author"] = json!("somebody");
    let built = put("box", &image);
    done(&["tag", "box", "other:1"]);
    let known = inspected(&["box"]);
    assert_eq!(known["Id"], built.id());
    assert_eq!(known["RepoTags"], json!(["box:latest", "other:1"]));
    let digests = ["box", "other"].map(|name| format!("{name}@{}", built.digest()));
    assert_eq!(known["RepoDigests"], json!(digests));
    assert_eq!(known["Created"], "2024-01-02T03:04:05Z");
    assert_eq!(known["Config"]["Healthcheck"]["Test"], json!(["NONE"]));
    assert_eq!(known["RootFS"]["Layers"].as_array().unwrap().len(), 1);
    assert!(known["Size"].as_u64().unwrap() > 1_000_000);

    // A container of this name comes first.
    done(&["run", "--net", "isolated", "--name", "box", "box"]);
    assert_eq!(inspected(&["box"])["Name"], "/box");
    assert_eq!(inspected(&["--type", "image", "box"])["Id"], built.id());
    let known: Value = serde_json::from_str(&done(&["image", "inspect", "box"])).unwrap();
    assert_eq!(known[0]["Id"], built.id());
    done(&["rm", "box"]);
    assert_eq!(inspected(&[&built.id()[7..15]])["Id"], built.id());
    let seen = see(&["inspect", "--type", "container", "box"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(1), "[]\n"));
    let seen = see(&["image", "inspect", "nope"]);
    assert_eq!(
        seen.stderr,
        "tiny-docker: cannot inspect nope: no such image\n"
    );
}
