//! What a bundle is, and the other name.

use std::fs;
use std::os::unix::process::CommandExt;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::oci::TinyRunc;
use crate::support::{Seen, TINY_DOCKER};

#[test]
fn spec_writes_a_configuration_and_replaces_none() {
    let (runc, bundle) = (TinyRunc::new(), TempDir::new().unwrap());
    let bundle = bundle.path().to_str().unwrap();
    let seen = runc.see(&["spec", "--bundle", bundle]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let path = format!("{bundle}/config.json");
    let written = fs::read(&path).unwrap();
    let config: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(config["root"]["path"], "rootfs");
    assert_eq!(config["process"]["args"][0], "sh");
    let seen = runc.see(&["spec", "--bundle", bundle]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("it exists already"), "{}", seen.stderr);
    assert_eq!(fs::read(&path).unwrap(), written);
}

#[test]
fn the_name_decides_which_command_line_it_has() {
    let called = |name: &str| -> Seen {
        let mut command = Command::new(TINY_DOCKER);
        command.arg0(name).arg("--version");
        command.output().unwrap().into()
    };
    for name in ["tiny-runc", "/usr/local/sbin/tiny-runc", "./tiny-runc"] {
        let seen = called(name);
        let lines: Vec<_> = seen.stdout.lines().collect();
        assert_eq!(seen.code, Some(0), "{name}: {}", seen.stderr);
        assert!(lines[0].starts_with("tiny-runc version "), "{lines:?}");
        assert!(lines.contains(&"spec: 1.2.1"), "{lines:?}");
    }
    for name in ["tiny-docker", "/tiny-runc/docker", "tiny-runc-2"] {
        let seen = called(name);
        assert!(!seen.stdout.contains("spec:"), "{name}: {}", seen.stdout);
    }
}

#[test]
fn an_error_is_the_last_line_of_the_log_and_is_printed_as_well() {
    let (runc, own) = (TinyRunc::new(), TempDir::new().unwrap());
    let log = own.path().join("log");
    fs::write(&log, "a line of somebody else\n").unwrap();
    let nowhere = own.path().join("nowhere");
    let fails = ["spec", "--bundle", nowhere.to_str().unwrap()];
    let with = ["--log", log.to_str().unwrap(), "--log-format", "json"];
    let seen = runc.see(&[&with[..], &fails].concat());
    let reason = format!(
        "cannot create {}: no such file or directory",
        nowhere.join("config.json").display()
    );
    assert_eq!(seen.code, Some(1));
    assert_eq!(seen.stderr, format!("tiny-runc: {reason}\n"));
    assert_eq!(seen.stdout, "");
    let text = fs::read_to_string(&log).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, "a line of somebody else"));
    let line: Value = serde_json::from_str(lines[1]).unwrap();
    assert_eq!(
        (&line["level"], &line["msg"]),
        (&"error".into(), &reason.into())
    );
    assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
}

#[test]
fn a_message_of_several_lines_is_one_line_of_the_log() {
    let (runc, own) = (TinyRunc::new(), TempDir::new().unwrap());
    let (log, bundle) = (own.path().join("log"), own.path().to_str().unwrap());
    fs::write(own.path().join("config.json"), "{}").unwrap();
    for format in ["text", "json"] {
        let with = ["--log", log.to_str().unwrap(), "--log-format", format];
        let seen = runc.see(&[&with[..], &["spec", "--bundle", bundle]].concat());
        assert!(seen.stderr.contains("\nhint: "), "{}", seen.stderr);
        let text = fs::read_to_string(&log).unwrap();
        assert_eq!(text.lines().count(), 1, "{text}");
        fs::remove_file(&log).unwrap();
    }
}

#[test]
fn a_log_that_cannot_be_opened_is_an_error() {
    let (runc, own) = (TinyRunc::new(), TempDir::new().unwrap());
    let bundle = own.path().to_str().unwrap();
    let seen = runc.see(&["--log", bundle, "spec", "--bundle", bundle]);
    assert_eq!(seen.code, Some(1));
    assert_eq!(
        seen.stderr,
        format!("tiny-runc: cannot open the log {bundle}: is a directory\n")
    );
    assert!(!own.path().join("config.json").exists());
}
