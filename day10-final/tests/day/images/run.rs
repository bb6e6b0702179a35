//! A container of an image.

use std::fs;
use std::os::unix::fs::MetadataExt;

use insta::assert_snapshot;
use nix::unistd::geteuid;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::images::build::layer::Layer;
use crate::images::build::{Built, Image, Packed};
use crate::images::keep::done;
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{Detached, Seen, see, shell, skip, state, tiny_docker};

/// Puts `image` into the store, as `name`.
pub fn put(name: &str, image: &Image) -> Built {
    let registry = Registry::start();
    let built = registry.push("x:1", image);
    let there = registry.name("x:1");
    done(&["pull", "-q", &there]);
    done(&["tag", &there, name]);
    done(&["rmi", &there]);
    built
}

/// `run WORDS…`, away from the host's network.
pub fn run(words: &[&str]) -> Seen {
    see(&[&["run", "--rm", "--net", "isolated"], words].concat())
}

/// Runs a container that must succeed, and returns what it prints.
pub fn ran(words: &[&str]) -> String {
    let Seen {
        code,
        stdout,
        stderr,
    } = run(words);
    assert_eq!((code, stderr.as_str()), (Some(0), ""), "{words:?}");
    stdout
}

/// What is said about a container that cannot be.
pub fn refused(words: &[&str]) -> String {
    let seen = run(words);
    let refused = (Some(125), "");
    assert_eq!(
        (seen.code, seen.stdout.as_str()),
        refused,
        "{words:?}: {}",
        seen.stderr
    );
    seen.stderr
}

#[test]
fn an_image_that_is_missing_is_pulled_once() {
    need_namespaces!();
    let registry = Registry::start();
    let image = Image::base().settings(json!({"Cmd": ["id", "-u"]}));
    registry.push("x/y:latest", &image);
    let name = registry.name("x/y");
    let seen = run(&["-q", &name]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "0\n"));
    let said = format!("Unable to find image '{name}:latest' locally\n");
    assert_eq!(seen.stderr, said);
    registry.log();
    assert_eq!(ran(&[&name]), "0\n");
    assert_eq!(registry.lines(), "");

    // In the background, too, everything that is said about it comes before the id.
    done(&["rmi", &name]);
    let seen = see(&["run", "-qd", "--net", "isolated", &name]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), said.as_str()));
    assert_eq!(done(&["wait", seen.stdout.trim()]), "0\n");
}

#[test]
fn pull_says_when_the_registry_is_asked() {
    need_namespaces!();
    let registry = Registry::start();
    let say = |word: &str| Image::base().settings(json!({"Entrypoint": ["sh", "-c", word]}));
    registry.push("x:latest", &say("echo old"));
    let name = registry.name("x");
    let never = refused(&["--pull", "never", &name]);
    assert!(never.starts_with(&format!(
        "tiny-docker: cannot run {name}: there is no image {name}:latest\n"
    )));
    assert_eq!(registry.lines(), "");
    assert_eq!(run(&["--pull=missing", "-q", &name]).stdout, "old\n");
    registry.push("x:latest", &say("echo new"));
    assert_eq!(ran(&[&name]), "old\n");
    assert_eq!(ran(&["--pull=never", &name]), "old\n");
    // There is nothing that could not be found.
    assert_eq!(ran(&["--pull=always", "-q", &name]), "new\n");
    assert_eq!(ran(&[&name]), "new\n");
}

#[test]
fn the_first_word_is_an_image_or_a_command() {
    need_namespaces!();
    let words = ["id", "-u"];
    assert_eq!(ran(&words), "0\n");
    let built = put(
        "id",
        &Image::base().settings(json!({"Entrypoint": ["sh", "-c", "echo image $0"]})),
    );
    // What is in the store comes first.
    assert_eq!(ran(&words), "image -u\n");
    assert_eq!(ran(&["id:latest"]), "image sh\n");
    assert_eq!(ran(&["docker.io/library/id"]), "image sh\n");
    assert_eq!(ran(&[&built.id()]), "image sh\n");
    assert_eq!(ran(&[&built.id()[7..15]]), "image sh\n");
    // A path is a command, and so is everything with a root filesystem of the user's own.
    assert_eq!(ran(&["/bin/id", "-u"]), "0\n");
    assert_eq!(ran(&["./bin/id", "-u"]), "0\n");
    let rootfs = format!("--rootfs={}", state().join("rootfs/default").display());
    assert_eq!(ran(&[&rootfs, "id", "-u"]), "0\n");
    // Where a command is looked for.
    let tools = TempDir::new().unwrap();
    fs::copy(
        state().join("rootfs/default/bin/echo"),
        tools.path().join("tool"),
    )
    .unwrap();
    let volume = format!("{}:/opt/tools", tools.path().display());
    let path = "PATH=/bin:/opt/tools";
    assert_eq!(
        ran(&["-v", &volume, "-e", path, "tool", "found"]),
        "found\n"
    );
    done(&["rmi", "id"]);
    assert_eq!(ran(&words), "0\n");
}

#[test]
fn an_id_that_looks_like_a_program_does_not_hide_it() {
    need_namespaces!();
    let layer = Layer::new().file("file", "");
    let numbered = |n: u32| {
        Image::new()
            .layer(&layer)
            .settings(json!({"Env": [n.to_string()]}))
    };
    let begins_with_dd = |n: &u32| numbered(*n).build().id().starts_with("sha256:dd");
    let n = (0..10_000).find(begins_with_dd).unwrap();
    put("x", &numbered(n));
    assert!(ran(&["dd", "--version"]).starts_with("dd "));
}

#[test]
fn a_mistyped_word_is_neither() {
    need_namespaces!();
    let mut said = String::new();
    for words in [
        &["--pull=never", "nosuchcommand"][..],
        &["Nosuchcommand"],
        &["a b"],
        &["--pull=always", "/bin/sh"],
        &["x:\u{1b}[2J"],
    ] {
        said += &refused(words);
    }
    assert_snapshot!(said, @r"
    tiny-docker: cannot run nosuchcommand: there is no image nosuchcommand:latest
    hint: run takes an image, or a program of the default root filesystem: tiny-docker run ls /bin lists the programs
    tiny-docker: cannot run Nosuchcommand: 'Nosuchcommand' is not an image's name: a repository cannot have capital letters
    hint: run takes an image, or a program of the default root filesystem: tiny-docker run ls /bin lists the programs
    tiny-docker: cannot run a b: 'a b' is not an image's name: a repository consists of a-z and 0-9, with . _ or - between them
    hint: run takes an image, or a program of the default root filesystem: tiny-docker run ls /bin lists the programs
    tiny-docker: cannot run /bin/sh: '/bin/sh' is not an image's name: a repository consists of a-z and 0-9, with . _ or - between them
    tiny-docker: cannot run x:\u{1b}[2J: '\u{1b}[2J' is not a tag
    ");
    assert!(!state().join("containers").exists());
    if geteuid().is_root() {
        // This test's host has no network.
        let said = refused(&["nosuchcommand"]);
        let mut lines = said.lines();
        assert_eq!(
            lines.next(),
            Some("Unable to find image 'nosuchcommand:latest' locally")
        );
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("tiny-docker: cannot pull nosuchcommand:latest: ")
        );
        assert!(
            lines
                .next()
                .unwrap()
                .starts_with("hint: run takes an image, or a program")
        );
    }
}

#[test]
fn it_runs_as_the_image_says_unless_the_user_says_otherwise() {
    need_namespaces!();
    let settings = json!({
        "Env": ["PATH=/bin", "A=image", "HOME=/h", "NOTHING", "=x"],
        "Entrypoint": ["sh", "-c", "echo $0 $1 $A $B $HOME $PATH; pwd"],
        "Cmd": ["own"],
        "WorkingDir": "/new/directory",
    });
    put("x", &Image::base().settings(settings));
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    assert_eq!(ran(&["x"]), "own image /h /bin\n/new/directory\n");
    assert_eq!(ran(&["x", "a", "b"]), "a b image /h /bin\n/new/directory\n");
    let words = ["-e", "A=mine", "-e", "B=2", "-w", "/tmp", "x", "a"];
    assert_eq!(ran(&words), "a mine 2 /h /bin\n/tmp\n");

    // The caller's variables are not the image's business.
    let secret = tiny_docker(&["run", "--net", "isolated", "x"])
        .env("NOTHING", "secret")
        .output();
    assert!(
        !String::from_utf8(secret.unwrap().stdout)
            .unwrap()
            .contains("secret")
    );
    put(
        "y",
        &Image::base().settings(json!({"Cmd": ["sh", "-c", "echo $PATH $HOME; pwd"]})),
    );
    assert_eq!(ran(&["y"]), format!("{path} /root\n/\n"));
    put("z", &Image::base().settings(Value::Null));
    assert_eq!(ran(&["z", "pwd"]), "/\n");
    let seen = run(&["z"]);
    assert_eq!(seen.code, Some(125));
    assert_eq!(
        seen.stderr,
        "tiny-docker: cannot run z: no command specified\n"
    );
}

#[test]
fn its_user_is_one_of_the_image() {
    need_namespaces!();
    if see(&["run", "--net", "isolated", "-u", "1", "true"]).code != Some(0) {
        return skip(
            "newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap",
        );
    }
    let users = Layer::new()
        .file(
            "etc/passwd",
            "root:x:0:0::/root:/bin/sh\nweb:x:33:34::/home/web:/bin/sh\n",
        )
        .file("etc/group", "root:x:0:\nweb:x:34:\nmore:x:44:web\n");
    let image = Image::base().layer(&users);
    let settings =
        json!({"User": "web", "Cmd": ["sh", "-c", "id; echo $HOME"], "WorkingDir": "/w"});
    put("x", &image.settings(settings));
    assert_eq!(
        ran(&["x"]),
        "uid=33(web) gid=34(web) groups=34(web),44(more)\n/home/web\n"
    );
    assert_eq!(ran(&["-u", "0", "x", "id", "-u"]), "0\n");
    assert_eq!(ran(&["-u", "", "x", "id", "-u"]), "33\n");

    // And so is everybody who comes later.
    let container = Detached::start(&["--net", "isolated", "-e", "A=1", "x", "sleep", "1000"]);
    let exec = |words: &[&str]| done(&[&["exec"], words].concat());
    let id = container.id.as_str();
    assert_eq!(
        exec(&[id, "sh", "-c", "id -u; pwd; echo $A $HOME"]),
        "33\n/w\n1 /home/web\n"
    );
    assert_eq!(
        exec(&["-u", "0", "-w", "/", id, "sh", "-c", "id -u; pwd"]),
        "0\n/\n"
    );
}

#[test]
fn layers_are_on_top_of_each_other_whatever_the_state_directory_is_called() {
    need_namespaces!();
    let mut image = Image::base();
    for n in 0..129 {
        let name = format!("opt/{n}");
        let layer = Layer::new()
            .directory("opt/")
            .file(&name, "")
            .file("opt/last", n.to_string());
        image = image.packed(&layer, Packed::Plain);
    }
    let registry = Registry::start();
    registry.push("x:1", &image);
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("a,b:c\\d e=ä");
    let see = |words: &[&str]| -> Seen {
        let mut command = tiny_docker(words);
        command
            .env("TINY_DOCKER_ROOT", &state)
            .output()
            .unwrap()
            .into()
    };
    let script = "echo changed >/opt/last; cd /opt; set -- *; echo $#; cat last";
    let words = ["run", "-q", "--net", "isolated", &registry.name("x:1")];
    for script in ["cat /opt/last", script, "cat /opt/last"] {
        let seen = see(&[&words[..], &["sh", "-c", script]].concat());
        let printed = match script.starts_with("cat") {
            true => "128",
            false => "130\nchanged\n",
        };
        assert_eq!(seen.stdout, printed, "{}", seen.stderr);
    }
    // Root and ordinary users remove it alike.
    assert_eq!(see(&["prune", "-f"]).code, Some(0));
}

#[test]
fn its_root_directory_is_the_images() {
    need_namespaces!();
    let root = Layer::new().entry("./", "", |header| {
        header.set_entry_type(tar::EntryType::Directory);
        header.set_mode(0o1711);
    });
    put(
        "x",
        &Image::base()
            .layer(&root)
            .layer(&Layer::new().file("file", "")),
    );
    assert_eq!(ran(&["x", "stat", "-c", "%a %u:%g", "/"]), "1711 0:0\n");
}

#[test]
fn an_image_may_be_without_layers() {
    need_namespaces!();
    put("x", &Image::new().settings(json!({"Cmd": ["/none"]})));
    for _ in 0..2 {
        assert_eq!(run(&["x"]).code, Some(127));
    }
    let layers = state().join("images/layers");
    let empty = fs::read_dir(layers).unwrap().next().unwrap().unwrap();
    assert_eq!(empty.metadata().unwrap().mode() & 0o7777, 0o755);
    // It was for the container.
    assert!(done(&["rmi", "x"]).contains("Deleted: "));
    assert!(!state().join("images").exists());
}

#[test]
fn where_overlayfs_cannot_be_used_its_layers_are_copied() {
    need_namespaces!();
    let lower = Layer::new()
        .file("etc/a", "lower")
        .file("etc/b", "lower")
        .file("to", "")
        .link("link", "to");
    let upper = Layer::new().file("etc/a", "upper").file("link", "a file");
    put("x", &Image::base().layer(&lower).layer(&upper));
    // A layer above a layer: not on an overlayfs, which the state is on here, as in most containers.
    let script = r#"
        mkdir upper work state
        mount -t overlay overlay -o "lowerdir=$TINY_DOCKER_ROOT,upperdir=upper,workdir=work$XATTR" state || exit 99
        export TINY_DOCKER_ROOT=$PWD/state
        $TD run --net isolated x sh -c 'cat /etc/a /etc/b /link /to; echo mine >/etc/a; cat /etc/a'
        $TD pull -q $NAME"#;
    // There, nobody can create a whiteout.
    let registry = Registry::start();
    let gone = Layer::new().file("etc/.wh.a", "");
    registry.push("y:1", &Image::new().layer(&lower).layer(&gone));
    let directory = TempDir::new().unwrap();
    let (unshare, xattr) = match geteuid().is_root() {
        true => ("unshare --mount", ""),
        false => ("unshare --user --map-root-user --mount", ",userxattr"),
    };
    let seen = shell(&format!(
        "cd {} && NAME={} XATTR={xattr} {unshare} sh -c '{}'",
        directory.path().display(),
        registry.name("y:1"),
        script.replace('\'', r"'\''")
    ));
    if seen.code == Some(99) {
        return skip("overlayfs for this user");
    }
    assert_eq!(seen.stdout, "upperlowera filemine\n", "{}", seen.stderr);
    assert!(
        seen.stderr
            .starts_with("tiny-docker: copying the root filesystem, because overlayfs")
    );
    assert!(
        seen.stderr.ends_with(
            ": cannot unpack etc/.wh.a: the filesystem of the state directory cannot mark a file as removed\n\
             hint: use one that is not overlayfs: tiny-docker --root DIR, or TINY_DOCKER_ROOT\n"
        ),
        "{}",
        seen.stderr
    );
}

#[test]
fn ps_shows_the_name_as_long_as_it_means_this_image() {
    need_namespaces!();
    let image = |n: &str| Image::base().settings(json!({"Cmd": ["true", n]}));
    let first = put("x:1", &image("1"));
    ran(&["x:1"]);
    done(&["run", "--net", "isolated", "x:1"]);
    let column = || {
        let line = done(&["ps", "-a", "--format", "json"]);
        serde_json::from_str::<Value>(&line).unwrap()["Image"].clone()
    };
    assert_eq!(column(), "x:1");
    put("x:1", &image("2"));
    assert_eq!(column(), first.id()[7..19]);
    let known: Value =
        serde_json::from_str(&done(&["inspect", done(&["ps", "-aq"]).trim()])).unwrap();
    assert_eq!(known[0]["Image"], first.id());
    assert_eq!(known[0]["Config"]["Image"], "x:1");
}

#[test]
fn what_an_image_says_is_checked() {
    need_namespaces!();
    put(
        "x",
        &Image::base().settings(json!({"User": "a\nhint: b", "Cmd": ["true"]})),
    );
    let said = "tiny-docker: cannot run x: 'a\\nhint: b' contains a control character\n";
    assert_eq!(refused(&["x"]), said);
    let settings = json!({
        "Entrypoint": [""],
        "Cmd": ["pwd"],
        "WorkingDir": "/../..//.",
        "Healthcheck": {"Test": 7},
        "OnBuild": ["x"],
    });
    put("x", &Image::base().settings(settings));
    assert_eq!(ran(&["x"]), "/\n");
    assert_eq!(run(&["x", ""]).code, Some(127));
}

#[test]
fn the_image_stays_as_it_is() {
    need_namespaces!();
    put("x", &Image::base());
    let before =
        shell("find $TINY_DOCKER_ROOT/images/layers -printf '%P %m %s %T@\n' | sort").stdout;
    assert_eq!(
        run(&[
            "x",
            "sh",
            "-c",
            "echo y >/etc/passwd; echo z >/new; : >/bin/id"
        ])
        .code,
        Some(0)
    );
    let after =
        shell("find $TINY_DOCKER_ROOT/images/layers -printf '%P %m %s %T@\n' | sort").stdout;
    assert_eq!(before, after);
    let layer = state().join("images/layers");
    assert_eq!(fs::metadata(layer).unwrap().mode() & 0o777, 0o755);
}
