//! `run --name`, and the names of containers without it.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use crate::need_namespaces;
use crate::state::power::is_dead;
use crate::support::{
    Detached, Running, Seen, assert_nothing_is_kept, names, only_record, records, see, state,
    tiny_docker, wait_until,
};

/// `tiny-docker run --net isolated ARGUMENTS…`
fn run(arguments: &[&str]) -> Seen {
    see(&[&["run", "--net", "isolated"], arguments].concat())
}

fn start(name: &str) -> Detached {
    Detached::start(&["--net", "isolated", "--name", name, "sleep", "1000"])
}

#[test]
fn whatever_takes_an_id_takes_a_name() {
    need_namespaces!();
    for by_name in [true, false] {
        let container = start("web");
        assert_eq!(container.record()["name"], "web");
        // An entire id, or a prefix of it, means the same.
        let typed = if by_name { "web" } else { &container.id[..6] };
        for (arguments, printed) in [
            (&["logs", typed][..], String::new()),
            (&["kill", "-s", "CONT", typed], format!("{typed}\n")),
            (&["stop", "-t", "0", typed], format!("{typed}\n")),
            (&["wait", typed], "137\n".to_owned()),
            (&["rm", typed], format!("{typed}\n")),
        ] {
            let seen = see(arguments);
            assert_eq!(
                (seen.code, seen.stdout, seen.stderr),
                (Some(0), printed, String::new()),
                "{arguments:?}"
            );
        }
        assert_nothing_is_kept();
    }
}

#[test]
fn a_container_without_a_name_gets_one() {
    need_namespaces!();
    for _ in 0..20 {
        assert_eq!(run(&["true"]).code, Some(0));
    }
    let drawn = names();
    assert_eq!(drawn.len(), 20);
    for name in &drawn {
        let (how, who) = name.split_once('_').unwrap();
        let word = |text: &str| text.len() > 1 && text.bytes().all(|b| b.is_ascii_lowercase());
        assert!(
            word(how) && word(who.trim_end_matches(|c: char| c.is_ascii_digit())),
            "{name}"
        );
    }
    let names: Vec<_> = drawn.iter().map(String::as_str).collect();
    assert_eq!(see(&[&["rm"], &names[..]].concat()).code, Some(0));
    assert_nothing_is_kept();
}

#[test]
fn a_name_is_not_given_twice() {
    need_namespaces!();
    let first = start("web");
    for state in ["running", "ended"] {
        let seen = run(&["--name", "web", "echo", "started"]);
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "{state}"
        );
        let said = seen.stderr.replace(&first.id, "ID");
        assert_eq!(
            said,
            "tiny-docker: the name web is already in use by ID\nhint: tiny-docker rm web\n"
        );
        assert_eq!(only_record().file_name().unwrap(), first.id.as_str());
        assert_eq!(names(), ["web"]);
        assert_eq!(see(&["stop", "-t", "0", "web"]).code, Some(0));
    }
}

#[test]
fn if_several_want_the_same_name_at_once_one_gets_it() {
    need_namespaces!();
    let run = |n: usize| {
        let line = format!("echo {n}; sleep 1000");
        let arguments = [
            "run", "-d", "--net", "isolated", "--name", "web", "sh", "-c", &line,
        ];
        Running::start(tiny_docker(&arguments).stderr(Stdio::null()))
    };
    let mut all: Vec<_> = (0..8).map(run).collect();
    let mut codes: Vec<_> = all
        .iter_mut()
        .map(|run| run.0.wait().unwrap().code().unwrap())
        .collect();
    codes.sort();
    assert_eq!(codes, [0, 125, 125, 125, 125, 125, 125, 125]);
    let id = only_record()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let winner = Detached { id };
    assert_eq!(names(), ["web"]);
    assert_eq!(winner.record()["name"], "web");
    assert_eq!(see(&["rm", "-f", "web"]).code, Some(0));
    assert_nothing_is_kept();
}

#[test]
fn a_name_is_free_again_when_its_container_is_gone() {
    need_namespaces!();
    assert_eq!(run(&["--name", "web", "true"]).code, Some(0));
    assert_eq!(see(&["rm", "web"]).code, Some(0));
    assert_eq!(run(&["--name", "web", "--rm", "true"]).code, Some(0));
    // These have never existed.
    assert_eq!(run(&["--name", "web", "/no-such-command"]).code, Some(127));
    assert_eq!(run(&["--name", "web", "/etc/passwd"]).code, Some(126));
    let missing = ["--name", "web", "--rootfs", "/no/such", "true"];
    assert_eq!(run(&missing).code, Some(125));
    assert_nothing_is_kept();
    let seen = run(&["--name", "web", "true"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_killed_run_keeps_a_name_only_as_long_as_there_is_a_record() {
    need_namespaces!();
    let kill = |options: &[&str]| {
        let options = [&["run", "--net", "isolated", "--name", "web"], options].concat();
        let arguments = [&options[..], &["sleep", "1000"]].concat();
        let mut run = Running::start(&mut tiny_docker(&arguments));
        wait_until("it running", || see(&["ps"]).stdout.contains("sleep 1000"));
        let record = fs::read(only_record().join("config.json")).unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
        let pid = record["pid"].as_i64().unwrap() as i32;
        run.0.kill().unwrap();
        run.0.wait().unwrap();
        // We use none of our commands: it would tidy up.
        wait_until("its end", || is_dead(pid));
    };
    kill(&[]);
    assert_eq!(run(&["--name", "web", "true"]).code, Some(125));
    assert_eq!(see(&["rm", "web"]).code, Some(0));
    // Nobody has removed it. The next container that wants its name does.
    kill(&["--rm"]);
    let seen = run(&["--name", "web", "true"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    only_record();
}

#[test]
fn a_run_that_is_killed_while_it_starts_leaves_no_name() {
    need_namespaces!();
    for pause in 0..30 {
        let arguments = [
            "run", "--net", "isolated", "--rm", "--name", "web", "sleep", "1000",
        ];
        let mut run = Running::start(&mut tiny_docker(&arguments));
        std::thread::sleep(std::time::Duration::from_micros(300 * pause));
        run.0.kill().unwrap();
        run.0.wait().unwrap();
    }
    wait_until("nothing left", || {
        see(&["rm", "-f", "nothing"]);
        records().is_empty() && names().is_empty()
    });
}

#[test]
fn a_name_comes_before_the_beginning_of_an_id_and_after_a_whole_one() {
    need_namespaces!();
    let first = start("first");
    let prefix = &first.id[..4];
    let second = start(prefix);
    assert_eq!(run(&["--name", &first.id, "true"]).code, Some(0));
    assert_eq!(see(&["stop", "-t", "0", prefix]).code, Some(0));
    assert_eq!(second.record()["status"], "stopped");
    assert_eq!(first.record()["status"], "running");
    assert_eq!(see(&["stop", "-t", "0", &first.id]).code, Some(0));
    assert_eq!(first.record()["status"], "stopped");
    assert_eq!(see(&["rm", &first.id]).code, Some(0));
    // Now it is the name of the third.
    assert_eq!(see(&["rm", &first.id]).code, Some(0));
    assert_eq!(names(), [second.record()["name"].as_str().unwrap()]);
}

#[test]
fn an_invalid_name_is_refused() {
    need_namespaces!();
    let long = "a".repeat(65);
    for name in [
        "a", "-a", "_a", ".a", "a b", "a/b", "../x", "a\nb", "ä1", "a:b", &long,
    ] {
        let name = format!("--name={name}");
        let seen = run(&[&name, "echo", "started"]);
        assert_eq!(seen.code, Some(125), "{name}");
        assert_eq!(seen.stdout, "", "{name}");
    }
    assert_nothing_is_kept();
    for name in ["a1", "1a", "A_.-", "web.example-1", &long[1..]] {
        assert_eq!(run(&["--name", name, "true"]).code, Some(0), "{name}");
    }
}

#[test]
fn no_name_leads_out_of_the_directory_of_names() {
    need_namespaces!();
    let container = start("web");
    // Where "../x" and "x/../web" would lead.
    symlink(&container.id, state().join("x")).unwrap();
    fs::create_dir(state().join("names/x")).unwrap();
    let absolute = state().join("x");
    for name in [
        "../x",
        "x/../web",
        "./web",
        absolute.to_str().unwrap(),
        "..",
        ".",
    ] {
        for command in ["logs", "stop", "kill", "wait", "rm"] {
            let seen = see(&[command, name]);
            assert_eq!(
                (seen.code, seen.stdout.as_str()),
                (Some(1), ""),
                "{command} {name}"
            );
            assert!(
                seen.stderr.contains(": no such container\n"),
                "{}",
                seen.stderr
            );
        }
    }
    assert!(container.is_running());
    // What a record says is not a path either.
    assert_eq!(see(&["stop", "-t", "0", "web"]).code, Some(0));
    let config = container.log().with_file_name("config.json");
    let text = fs::read_to_string(&config).unwrap();
    for name in ["../x", "$(touch x)", "x\u{9b}2J", "-x"] {
        fs::write(
            &config,
            text.replace("\"web\"", &serde_json::json!(name).to_string()),
        )
        .unwrap();
        let seen = see(&["ps", "-a"]);
        assert_eq!((seen.code, seen.stdout.lines().count()), (Some(0), 1));
        assert!(
            seen.stderr.ends_with(": its name is not valid\n"),
            "{}",
            seen.stderr
        );
    }
    assert_eq!(see(&["rm", &container.id]).code, Some(1));
    assert_eq!(see(&["rm", "-f", &container.id]).code, Some(0));
    assert!(state().join("x").is_symlink());
}

#[test]
fn the_link_of_a_container_that_is_gone_is_in_nobodys_way() {
    need_namespaces!();
    fs::create_dir_all(state().join("names")).unwrap();
    symlink("0123456789ab", state().join("names/web")).unwrap();
    symlink("../../etc", state().join("names/other")).unwrap();
    assert_eq!(see(&["logs", "other"]).code, Some(1));
    fs::write(state().join("names/file"), "kept").unwrap();
    let seen = run(&["--name", "web", "true"]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    // What is not a link to an id is not ours.
    for name in ["other", "file"] {
        let seen = run(&["--name", name, "true"]);
        assert_eq!(seen.code, Some(125));
        assert!(
            seen.stderr
                .ends_with(&format!("names/{name} is not a link to an id\n")),
            "{}",
            seen.stderr
        );
    }
    assert_eq!(names(), ["file", "other", "web"]);
    assert_eq!(records().len(), 1);
}
