//! `run -e`, `--env-file`: what a command finds.

use std::fs;
use std::path::PathBuf;

use insta::assert_snapshot;

use crate::ground::Ground;
use crate::need_namespaces;
use crate::support::{
    Seen, assert_nothing_is_kept, copy_program, see, shell, skip, state, tiny_docker,
};

/// What `env` prints, with these options, except for what each container has. The caller has CALLERS.
fn own(options: &[&str]) -> String {
    let arguments = [&["run", "--net", "isolated"], options, &["env"]].concat();
    let mut run = tiny_docker(&arguments);
    let seen: Seen = run
        .env("CALLERS", "theirs, with blanks")
        .output()
        .unwrap()
        .into();
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let has = ["PATH=/usr", "HOSTNAME=tiny", "HOME=/root", "TERM=xterm"];
    let lines = seen.stdout.lines();
    let own = lines.filter(|line| !has.iter().any(|has| line.starts_with(has)));
    own.map(|line| format!("{line}\n")).collect()
}

fn file(name: &str, text: &str) -> PathBuf {
    let file = state().join(name);
    fs::write(&file, text).unwrap();
    file
}

#[test]
fn a_command_finds_what_it_is_given_and_nothing_else_of_the_callers() {
    need_namespaces!();
    assert_eq!(own(&[]), "");
    assert_snapshot!(own(&["-e", "A=1", "--env", "B=with = and 'quotes'", "-e", "EMPTY=", "-e", "CALLERS"]), @"
    A=1
    B=with = and 'quotes'
    EMPTY=
    CALLERS=theirs, with blanks
    ");
}

#[test]
fn what_the_caller_does_not_have_does_not_come() {
    need_namespaces!();
    assert_eq!(own(&["-e", "NOBODYS"]), "");
}

#[test]
fn a_file_has_one_in_each_line() {
    need_namespaces!();
    let text = "# a comment\n#OUT=commented\n\nSKY=light blue\n  INDENTED=1\n   # OTHER=too\nQUOTED=\"as it is\"\nHASH=a # b\nCALLERS\nNOBODYS\r\nDOS=1\r\nLAST=no line end";
    let file = file("variables", text);
    assert_snapshot!(own(&["--env-file", file.to_str().unwrap()]), @r#"
    SKY=light blue
    INDENTED=1
    QUOTED="as it is"
    HASH=a # b
    CALLERS=theirs, with blanks
    DOS=1
    LAST=no line end
    "#);
}

#[test]
fn a_byte_order_mark_belongs_to_no_name() {
    need_namespaces!();
    let file = file("marked", "\u{feff}FIRST=1\r\nSECOND=2\r\nLAST=3\r");
    assert_snapshot!(own(&["--env-file", file.to_str().unwrap()]), @"
    FIRST=1
    SECOND=2
    LAST=3
    ");
}

#[test]
fn a_mistake_in_a_file_is_told_with_its_line() {
    let path = state().join("vars.env");
    let mut said = String::new();
    for text in [
        &b"A=1\n# a comment\nexport B=2\n"[..],
        b"C = 3\n",
        b"A=1\n\nD \n",
        b"not a variable\n",
        b"=5\n",
        b"A=1\n  =5\n",
        b"TAB\t=1\n",
        "A=1\n\u{feff}B=2\n".as_bytes(),
        "WIDE\u{3000}=1\n".as_bytes(),
        b"A\0B=2\n",
        b"A=1\nZERO=2\0\n",
        b"A=1\nB=\xff\n",
        b"\xff\xfeA\0=\0",
        b"\x1b[31mRED=1\n",
    ] {
        fs::write(&path, text).unwrap();
        let seen = see(&["run", "--env-file", path.to_str().unwrap(), "true"]);
        assert_eq!(seen.code, Some(125), "{text:?}");
        said += &seen.stderr.replace(path.to_str().unwrap(), "vars.env");
    }
    assert_snapshot!(said, @r"
    tiny-docker: cannot read vars.env: line 3: a variable name cannot contain whitespace or control characters: 'export B'
    tiny-docker: cannot read vars.env: line 1: a variable name cannot contain whitespace or control characters: 'C '
    tiny-docker: cannot read vars.env: line 3: a variable name cannot contain whitespace or control characters: 'D '
    tiny-docker: cannot read vars.env: line 1: a variable name cannot contain whitespace or control characters: 'not a variable'
    tiny-docker: cannot read vars.env: line 1: the name is missing: '=5'
    tiny-docker: cannot read vars.env: line 2: the name is missing: '=5'
    tiny-docker: cannot read vars.env: line 1: a variable name cannot contain whitespace or control characters: 'TAB\t'
    tiny-docker: cannot read vars.env: line 2: a variable name cannot contain whitespace or control characters: '\u{feff}B'
    tiny-docker: cannot read vars.env: line 1: a variable name cannot contain whitespace or control characters: 'WIDE\u{3000}'
    tiny-docker: cannot read vars.env: line 1: a variable name cannot contain whitespace or control characters: 'A\0B'
    tiny-docker: cannot read vars.env: line 2: the value of ZERO contains a NUL byte
    tiny-docker: cannot read vars.env: line 2: it is not UTF-8
    tiny-docker: cannot read vars.env: line 1: it is not UTF-8
    tiny-docker: cannot read vars.env: line 1: a variable name cannot contain whitespace or control characters: '\u{1b}[31mRED'
    ");
    assert_nothing_is_kept();
}

#[test]
fn a_file_may_be_a_pipe_and_has_an_end() {
    need_namespaces!();
    if shell("bash -c true").code != Some(0) {
        return skip("bash: sudo apt install bash");
    }
    let bash = |line: &str| shell(&format!("timeout 60 bash -c '{line}'"));
    let run = "$TD run --net isolated --env-file";
    for line in [
        format!("{run} <(echo PIPED=1) env"),
        format!("$TD logs -f $({run} <(echo PIPED=1) -d env)"),
    ] {
        let seen = bash(&line);
        assert!(seen.stdout.contains("\nPIPED=1\n"), "{}", seen.stdout);
        assert_eq!(seen.stderr, "", "{line}");
    }
    for endless in ["/dev/zero", "<(yes A=1)"] {
        let seen = bash(&format!("{run} {endless} true"));
        let expected = "larger than 1 MiB\n";
        assert!(seen.stderr.ends_with(expected), "{}", seen.stderr);
        assert_eq!(seen.code, Some(125));
    }
}

#[test]
fn the_last_word_is_that_of_the_command_line() {
    need_namespaces!();
    let first = file(
        "first",
        "A=first file\nB=first file\nC=first file\nC=again\n",
    );
    let second = file("second", "B=second file\n");
    let [first, second] = [&first, &second].map(|file| file.to_str().unwrap());
    let said = own(&[
        "-e",
        "A=command line",
        "--env-file",
        first,
        "--env-file",
        second,
        "-e",
        "D=1",
        "-e",
        "D=2",
    ]);
    assert_snapshot!(said, @"
    C=again
    B=second file
    A=command line
    D=2
    ");
    // Even what each container has.
    let seen = see(&[
        "run",
        "--net",
        "isolated",
        "-e",
        "HOME=/tmp",
        "-e",
        "HOSTNAME=other",
        "-e",
        "TERM=dumb",
        "sh",
        "-c",
        "echo $HOME $HOSTNAME $TERM; env | grep -c -e ^HOME= -e ^HOSTNAME= -e ^TERM=",
    ]);
    assert_eq!(seen.stdout, "/tmp other dumb\n3\n");
}

#[test]
fn what_is_no_variable_or_no_file_is_refused() {
    need_namespaces!();
    let mut said = String::new();
    let binary = state().join("binary");
    fs::write(&binary, b"A=\xff\n").unwrap();
    let no_name = file("no-name", "A=1\n=2\n");
    let state = state();
    for options in [
        ["-e", ""],
        ["-e", "=value"],
        ["--env-file", "/no/such/file"],
        ["--env-file", state.to_str().unwrap()],
        ["--env-file", binary.to_str().unwrap()],
        ["--env-file", no_name.to_str().unwrap()],
    ] {
        let seen = see(&[
            &["run", "--net", "isolated"],
            &options[..],
            &["echo", "started"],
        ]
        .concat());
        assert_eq!(
            (seen.code, seen.stdout.as_str()),
            (Some(125), ""),
            "{options:?}"
        );
        said += &seen.stderr.replace(state.to_str().unwrap(), "STATE");
    }
    assert_snapshot!(said, @"
    tiny-docker: '' is not a variable
    hint: use -e NAME=VALUE
    tiny-docker: '=value' is not a variable
    hint: use -e NAME=VALUE
    tiny-docker: cannot read /no/such/file: No such file or directory (os error 2)
    tiny-docker: cannot read STATE: Is a directory (os error 21)
    tiny-docker: cannot read STATE/binary: line 1: it is not UTF-8
    tiny-docker: cannot read STATE/no-name: line 2: the name is missing: '=2'
    ");
    assert_nothing_is_kept();
}

#[test]
fn path_decides_where_commands_are_looked_for() {
    need_namespaces!();
    let ground = Ground::new();
    let opt = ground.rootfs().join("opt");
    fs::create_dir(&opt).unwrap();
    copy_program(&ground.rootfs().join("bin/echo"), &opt.join("tool"));
    let rootfs = format!("--rootfs={}", ground.rootfs().display());
    let run = |path: &[&str], command: &[&str]| {
        see(&[&["run", "--net", "isolated", &rootfs], path, command].concat())
    };
    assert_eq!(run(&[], &["tool", "found"]).code, Some(127));
    assert_eq!(
        run(&["-e", "PATH=/opt"], &["tool", "found"]).stdout,
        "found\n"
    );
    assert_eq!(
        run(&["-e", "PATH=/bin:/opt"], &["tool", "found"]).stdout,
        "found\n"
    );
    assert_eq!(
        run(&["-e", "PATH=/opt"], &["echo", "found"]).code,
        Some(127)
    );
    assert_eq!(
        run(&["-e", "PATH=/opt"], &["/bin/echo", "found"]).stdout,
        "found\n"
    );
    assert_eq!(run(&["-e", "PATH="], &["no-such-command"]).code, Some(127));
}
