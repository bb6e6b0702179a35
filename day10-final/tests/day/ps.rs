//! What `ps` shows.

use std::fs;
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::ground::Ground;
use crate::need_namespaces;
use crate::support::{
    Running, only_record, records, see, shell, state, tiny_docker, wait_until, without_age,
    without_ids,
};

/// Starts a container, and waits until it is listed as running.
fn start(arguments: &[&str]) -> Running {
    let before = see(&["ps"]).stdout.lines().count();
    let running = Running::start(&mut tiny_docker(
        &[&["run", "--net", "isolated"], arguments].concat(),
    ));
    wait_until("the container listed", || {
        see(&["ps"]).stdout.lines().count() > before
    });
    running
}

#[test]
fn without_containers_there_are_only_headings() {
    let seen = see(&["ps", "-a"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_snapshot!(seen.stdout, @"CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES");
}

#[test]
fn ps_lists_the_running_ones_and_with_a_all_newest_first() {
    need_namespaces!();
    see(&["run", "sh", "-c", "exit 3"]);
    see(&["run", "sh", "-c", "kill -KILL 1; echo ended by nobody"]);
    let time = format!("1000.{}1", std::process::id());
    let _running = start(&["sleep", &time]);
    let hide = |text: String| without_ids(&text).replace(&time, "1000");
    assert_snapshot!(hide(see(&["ps"]).stdout), @r#"
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "sleep 1000"   AGE ago   Up AGE   NAME
    "#);
    assert_snapshot!(hide(see(&["ps", "--all"]).stdout), @r#"
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "sleep 1000"   AGE ago   Up AGE   NAME
    ID   default   "sh -c 'kill -KILL 1…"   AGE ago   Exited (0) AGE ago   NAME
    ID   default   "sh -c 'exit 3'"   AGE ago   Exited (3) AGE ago   NAME
    "#);
}

#[test]
fn the_columns_are_as_wide_as_they_need_to_be() {
    need_namespaces!();
    see(&["run", "--name", "one", "sh", "-c", "exit 255"]);
    see(&["run", "--name", "two", "echo", "ééééé"]);
    let table = see(&["ps", "-a"]).stdout;
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3);
    // Without -a, nothing is wide, so each column has its ten characters.
    assert_snapshot!(see(&["ps"]).stdout, @"CONTAINER ID   IMAGE     COMMAND   CREATED   STATUS    PORTS     NAMES");
    for (heading, one, two) in [
        ("IMAGE     ", "default   ", "default   "),
        (
            "COMMAND             ",
            "\"sh -c 'exit 255'\"   ",
            "\"echo ééééé\"        ",
        ),
        ("NAMES", "one", "two"),
    ] {
        let place = |line: &str, cell: &str| line.find(cell).map(|at| line[..at].chars().count());
        let column = place(lines[0], heading);
        assert!(column.is_some(), "{table}");
        assert_eq!(
            (place(lines[1], two), place(lines[2], one)),
            (column, column),
            "{table}"
        );
    }
}

#[test]
fn control_characters_in_a_command_do_not_reach_the_terminal() {
    need_namespaces!();
    see(&["run", "sh", "-c", "true\n", "\u{1b}[31mred", "é"]);
    assert_snapshot!(without_ids(&see(&["ps", "-a"]).stdout), @r#"
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "sh -c true\n \u{1b}[31mre…"   AGE ago   Exited (0) AGE ago   NAME
    "#);
}

#[test]
fn a_command_is_quoted_and_cut_short() {
    need_namespaces!();
    for command in [
        &["echo", "fifteen letters"][..],
        &["echo", "sixteen of these"],
        &["echo", "\"quoted\" \\"],
        &["echo", "it's", "a b", "c"],
        &["echo", "ééééééééééééééé"],
        &["echo", "éééééééééééééééé"],
    ] {
        see(&[&["run"], command].concat());
    }
    let commands = |options: &[&str]| {
        let table = see(&[&["ps", "-a"], options].concat()).stdout;
        let lines = table
            .lines()
            .skip(1)
            .map(|line| line.split("   ").nth(2).unwrap().trim());
        lines.collect::<Vec<_>>().join("\n")
    };
    assert_snapshot!(commands(&[]), @r#"
    "echo éééééééééééééé…"
    "echo ééééééééééééééé"
    "echo it's 'a b' c"
    "echo '\"quoted\" \\'"
    "echo 'sixteen of th…"
    "echo 'fifteen lette…"
    "#);
    assert_snapshot!(commands(&["--no-trunc"]), @r#"
    "echo éééééééééééééééé"
    "echo ééééééééééééééé"
    "echo it's 'a b' c"
    "echo '\"quoted\" \\'"
    "echo 'sixteen of these'"
    "echo 'fifteen letters'"
    "#);
}

#[test]
fn ids_or_the_newest_are_listed_on_request() {
    need_namespaces!();
    for code in ["1", "2", "3"] {
        see(&[
            "run",
            "--name",
            &format!("with-{code}"),
            "sh",
            "-c",
            &format!("exit {code}"),
        ]);
    }
    let _running = start(&["--name", "up", "sleep", "1000"]);
    let names = |options: &[&str]| {
        let seen = see(&[&["ps"], options].concat());
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        let names = seen
            .stdout
            .lines()
            .map(|line| line.split_whitespace().last().unwrap());
        names.collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&[]), "NAMES up");
    assert_eq!(names(&["-n", "2"]), "NAMES up with-3");
    assert_eq!(names(&["-n", "0"]), "NAMES");
    assert_eq!(names(&["--last=9"]), "NAMES up with-3 with-2 with-1");
    assert_eq!(names(&["-l"]), "NAMES up");
    assert_eq!(names(&["-aq"]).split(' ').count(), 4);
    let id = names(&["-q"]);
    assert!(see(&["ps"]).stdout.contains(&format!("\n{id} ")));
    assert_eq!(names(&["--latest", "--quiet", "--format", "json"]), id);
}

#[test]
fn the_image_is_the_name_of_the_root_filesystem() {
    need_namespaces!();
    let ground = Ground::new();
    see(&["run", "--rootfs", ground.rootfs().to_str().unwrap(), "true"]);
    see(&["run", "true"]);
    assert_snapshot!(without_ids(&see(&["ps", "-a"]).stdout), @r#"
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "true"   AGE ago   Exited (0) AGE ago   NAME
    ID   rootfs   "true"   AGE ago   Exited (0) AGE ago   NAME
    "#);
}

#[test]
fn for_programs_there_is_json() {
    need_namespaces!();
    let _running = start(&["--name", "up", "sh", "-c", "sleep 1000; echo \"never\""]);
    see(&["run", "--net", "isolated", "--name", "gone", "true"]);
    let seen = see(&["ps", "-a", "--format", "json"]);
    let objects = seen.stdout.lines().map(|line| {
        let mut object: Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["ID"].as_str().unwrap().len(), 12);
        object["ID"] = "ID".into();
        let at = object["CreatedAt"].as_str().unwrap();
        assert!(at.len() == 29 && at.ends_with(" +0000 UTC"), "{at}");
        object["CreatedAt"] = "TIME".into();
        for key in ["RunningFor", "Status"] {
            object[key] = without_age(object[key].as_str().unwrap()).into();
        }
        object.to_string()
    });
    assert_snapshot!(objects.collect::<Vec<_>>().join("\n"), @r#"
    {"Command":"\"true\"","CreatedAt":"TIME","ID":"ID","Image":"default","Labels":"","Names":"gone","Networks":"none","Ports":"","RunningFor":"AGE ago","State":"exited","Status":"Exited (0) AGE ago"}
    {"Command":"\"sh -c 'sleep 1000; …\"","CreatedAt":"TIME","ID":"ID","Image":"default","Labels":"","Names":"up","Networks":"none","Ports":"","RunningFor":"AGE ago","State":"running","Status":"Up AGE"}
    "#);
    let seen = see(&["ps", "--format", "{{.Names}}"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert_snapshot!(seen.stderr, @"
    error: invalid value '{{.Names}}' for '--format <FORMAT>': expected table or json
    hint: select fields with --format json | jq .ID

    For more information, try '--help'.
    ");
}

/// Changes the only record with `change`.
fn change(change: impl FnOnce(&mut Value)) {
    let config = only_record().join("config.json");
    let mut record = serde_json::from_slice(&fs::read(&config).unwrap()).unwrap();
    change(&mut record);
    fs::write(&config, record.to_string()).unwrap();
}

#[test]
fn ages_are_counted_from_the_record() {
    need_namespaces!();
    let before = |seconds| {
        let time = SystemTime::now() - Duration::from_secs(seconds);
        humantime::format_rfc3339_seconds(time).to_string()
    };
    see(&["run", "--name", "it", "sh", "-c", "exit 3"]);
    let row = || {
        let table = see(&["ps", "-a"]).stdout;
        table.lines().nth(1).unwrap()[12..].to_owned()
    };
    change(|record| {
        record["created_at"] = before(3 * 3600).into();
        record["finished_at"] = before(150).into();
    });
    assert_snapshot!(row(), @r#"   default   "sh -c 'exit 3'"   3 hours ago   Exited (3) 2 minutes ago             it"#);
    // On earlier days, nobody noted when it ended, and it had no name.
    change(|record| {
        record["created_at"] = before(100 * 24 * 3600).into();
        record.as_object_mut().unwrap().remove("finished_at");
        record.as_object_mut().unwrap().remove("name");
    });
    assert_snapshot!(row(), @r#"   default   "sh -c 'exit 3'"   3 months ago   Exited (3)"#);
    change(|record| record["status"] = "created".into());
    assert_snapshot!(row(), @r#"   default   "sh -c 'exit 3'"   3 months ago   Created"#);
    change(|record| record["created_at"] = "yesterday".into());
    assert_snapshot!(row(), @r#"   default   "sh -c 'exit 3'"             Created"#);
}

#[test]
fn a_reader_that_has_had_enough_ends_ps_quietly() {
    need_namespaces!();
    for _ in 0..3 {
        see(&["run", "true"]);
    }
    let seen = shell("for i in 1 2 3 4 5 6 7 8 9; do $TD ps -a | head -1; done");
    assert_eq!(seen.stderr, "");
    assert_eq!(seen.stdout.lines().count(), 9);
    // Here, the reader is gone before the first byte.
    let seen = shell("(sleep 0.3; $TD ps -a) | true; sleep 0.5");
    assert_eq!(seen.stderr, "");
    let seen = shell("$TD ps >/dev/full; echo $?");
    assert_eq!(seen.stdout, "1\n");
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot print: No space left on device (os error 28)");
}

#[test]
fn a_container_whose_runtime_was_killed_has_ended() {
    need_namespaces!();
    let running = start(&["sleep", "1000"]);
    kill(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    wait_until("it gone", || see(&["ps"]).stdout.lines().count() == 1);
    assert_snapshot!(without_ids(&see(&["ps", "-a"]).stdout), @r#"
    CONTAINER ID   IMAGE   COMMAND   CREATED   STATUS   PORTS   NAMES
    ID   default   "sleep 1000"   AGE ago   Exited   NAME
    "#);
}

#[test]
fn ps_changes_no_record() {
    need_namespaces!();
    let running = start(&["sleep", "1000"]);
    kill(Pid::from_raw(running.pid()), Signal::SIGKILL).unwrap();
    let config = only_record().join("config.json");
    let before = (
        fs::read(&config).unwrap(),
        fs::metadata(&config).unwrap().modified().unwrap(),
    );
    see(&["ps"]);
    see(&["ps", "-a"]);
    let after = (
        fs::read(&config).unwrap(),
        fs::metadata(&config).unwrap().modified().unwrap(),
    );
    assert!(before == after);
}

#[test]
fn ps_never_fails_while_containers_come_and_go() {
    need_namespaces!();
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do $TD run true & $TD run no-such 2>/dev/null & done; wait";
    let mut coming = std::process::Command::new("sh");
    coming
        .args(["-c", script])
        .env("TD", crate::support::TINY_DOCKER);
    let mut coming = Running::start(coming.env("TINY_DOCKER_ROOT", state()));
    loop {
        let over = coming.0.try_wait().unwrap().is_some();
        let seen = see(&["ps", "-a"]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
        if over {
            break;
        }
    }
    let listed = see(&["ps", "-a"]).stdout;
    assert_eq!(listed.matches("   \"true\"   ").count(), 15, "{listed}");
    assert_eq!(records().len(), 15);
}

#[test]
fn ps_never_sees_half_of_a_record() {
    need_namespaces!();
    // Each of these creates a record, and removes it again.
    let script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
        do $TD run no-such & $TD run no-such & $TD run no-such & $TD run no-such; done 2>/dev/null; wait";
    let mut coming = std::process::Command::new("sh");
    coming.args(["-c", script]);
    coming.env("TD", crate::support::TINY_DOCKER);
    let mut coming = Running::start(coming.env("TINY_DOCKER_ROOT", state()));
    while coming.0.try_wait().unwrap().is_none() {
        let seen = see(&["ps", "-a"]);
        assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    }
    assert_eq!(records().len(), 0);
}
