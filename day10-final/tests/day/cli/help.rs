//! The help, and the examples at its end, which are typed here.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::keep::done;
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{
    Seen, TINY_DOCKER, can_have_cgroups, host, leave_to, own_network, see, shell, skip, state,
};

/// The commands that the help names, except for help itself.
fn commands() -> Vec<String> {
    let help = see(&["--help"]).stdout;
    let list = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let list = list.take_while(|line| !line.is_empty());
    let names = list.map(|line| line.split_whitespace().next().unwrap().to_owned());
    names.filter(|name| name != "help").collect()
}

/// What the help of `command` lists, without the descriptions.
pub fn examples(command: &[&str]) -> Vec<String> {
    let help = see(&[command, &["--help"]].concat()).stdout;
    let (_, examples) = help.split_once("\nExamples:\n").expect(&help);
    let lines = examples.lines().take_while(|line| line.starts_with("  "));
    let lines = lines.map(|line| line.split("  # ").next().unwrap().trim());
    lines.map(str::to_owned).collect()
}

/// A directory to type in. The program under test is there under our name, and so is what the examples expect.
fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    symlink(TINY_DOCKER, place.path().join("tiny-docker")).unwrap();
    place
}

/// Types `line` into bash. There is no terminal here.
fn type_in(place: &Path, state: &Path, line: &str) -> Seen {
    let path = format!("{}:{}", place.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("timeout");
    bash.args(["60", "bash", "-c", &line.replace("-it ", "-i ")]);
    bash.current_dir(place).stdin(Stdio::null());
    bash.env("PATH", path).env("HOME", place);
    bash.env("TINY_DOCKER_ROOT", state).output().unwrap().into()
}

#[test]
fn each_example_is_understood() {
    own_network();
    let place = place();
    for command in commands() {
        for line in examples(&[&command]) {
            // Without a state directory, nothing starts. So if it is refused, that is because of the line.
            let line = without_inner(&line);
            if line.starts_with("mkdir ") {
                continue;
            }
            let seen = type_in(place.path(), Path::new("/proc/nowhere"), &line);
            assert!(!seen.stderr.contains("--help"), "{line}: {}", seen.stderr);
        }
    }
}

/// `line` with a name in place of the output of our other command.
fn without_inner(line: &str) -> String {
    match line.split_once("$(tiny-docker ") {
        Some((before, rest)) => format!("{before}web{}", rest.split_once(')').unwrap().1),
        None => line.to_owned(),
    }
}

#[test]
fn each_example_works() {
    need_namespaces!();
    if shell("bash -c true").code != Some(0) {
        return skip("bash: sudo apt install bash");
    }
    let place = place();
    let mut all = examples(&[]);
    for command in commands() {
        all.extend(examples(&[&command]));
    }
    let stock = Stock::new();
    for line in all {
        // They need the internet, or Docker.
        let from_elsewhere = [" nginx", " pull ", " login", "docker save alpine |"];
        if from_elsewhere.iter().any(|word| line.contains(word)) {
            continue;
        }
        if line.contains("| jq") && shell("jq --version").code != Some(0) {
            skip("jq: sudo apt install jq");
            continue;
        }
        if line.contains("--memory") && !can_have_cgroups() {
            leave_to("a user who may create cgroups");
            continue;
        }
        stock.fill(place.path());
        works(place.path(), &line);
    }
}

/// The images that the examples are about, without the internet.
struct Stock(Registry);

impl Stock {
    const NAMES: [&str; 2] = ["alpine:latest", "debian:bookworm-slim"];

    fn new() -> Self {
        let registry = Registry::start();
        for name in Self::NAMES {
            let layer = Layer::new().file("name", name);
            registry.push(name, &Image::base().layer(&layer));
        }
        Self(registry)
    }

    /// Puts back what is missing in the store, and the archives beside it.
    fn fill(&self, place: &Path) {
        for name in Self::NAMES {
            if done(&["images", "-q", name]).is_empty() {
                let there = self.0.name(name);
                done(&["pull", "-q", &there]);
                done(&["tag", &there, name]);
                done(&["rmi", &there]);
            }
        }
        let archive = |name: &str| place.join(name).display().to_string();
        if !place.join("images.tar").exists() {
            done(&["save", "-o", &archive("images.tar"), "alpine"]);
            host(&format!("tar -C /etc -c hosts >{}", archive("rootfs.tar")));
        }
    }
}

/// Checks that `line` does what it should with the container that it is about.
fn works(place: &Path, line: &str) {
    let state = state();
    let about = line.contains(" web") || line.contains("ps -a");
    if about && !line.contains("--name web") {
        let web = "trap 'exit 0' TERM HUP; echo 10:00; while :; do sleep 0.1; done";
        let seen = see(&["run", "-d", "--name", "web", "sh", "-c", web]);
        assert_eq!(seen.code, Some(0), "{}", seen.stderr);
        crate::support::wait_until("its output", || !see(&["logs", "web"]).stdout.is_empty());
    }
    // These wait for its end.
    let before = match line {
        _ if line.starts_with("tiny-docker logs -f") => "tiny-docker stop web >/dev/null &",
        "tiny-docker wait web" => "tiny-docker stop web >/dev/null &",
        "tiny-docker rm web" => "tiny-docker stop web >/dev/null;",
        _ => "",
    };
    let seen = type_in(place, &state, &format!("{before} {line}"));
    assert_eq!(
        (seen.code, seen.stderr.as_str()),
        (Some(0), ""),
        "{line}: {}",
        seen.stdout
    );
    if line.contains("exit 3") {
        assert_eq!(seen.stdout, "3\n");
    }
    // If `prune` leaves nothing in the state directory, it leaves no state directory.
    fs::create_dir_all(&state).unwrap();
    see(&["rm", "-f", "web"]);
}

#[test]
fn the_hostname_has_dockers_letter() {
    need_namespaces!();
    assert_eq!(see(&["run", "-h", "web", "hostname"]).stdout, "web\n");
    assert!(see(&["ps", "-h"]).stdout.starts_with("List containers"));
}

#[test]
fn help_of_the_commands_of_this_day() {
    let mut text = String::new();
    for command in commands() {
        // The others are in cli.rs, from their own days.
        if !["run", "ps", "logs", "stop"].contains(&command.as_str()) {
            text += &see(&[&command, "--help"]).stdout;
            text += "---\n";
        }
    }
    assert_snapshot!(text, @r#"
    Run a command in a running container

    Usage: tiny-docker exec [OPTIONS] <ID> <COMMAND>...

    Arguments:
      <ID>          The container's name or id, or a unique prefix of the id
      <COMMAND>...  The command and its arguments

    Options:
      -d, --detach               Run the command in the background, and discard its output
          --root <DIR>           Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -i, --interactive          Pass your stdin to the command
      -t, --tty                  Allocate a pseudo-TTY
      -e, --env <NAME[=VALUE]>   Set an environment variable (without a value: copy it from your environment)
          --env-file <FILE>      Read environment variables from a file, one per line
      -w, --workdir <DIR>        Working directory inside the container
      -u, --user <USER[:GROUP]>  Username or UID, and optionally a group name or GID
      -h, --help                 Print help

    Examples:
      tiny-docker exec -it web sh
      tiny-docker exec -w /etc web cat passwd
      tiny-docker exec -i web sh -c 'cat >/tmp/copy' </etc/hosts
    ---
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
    ---
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
    ---
    Remove containers, and everything they have written

    Usage: tiny-docker rm [OPTIONS] <ID>...

    Arguments:
      <ID>...  The containers' names or ids, or unique prefixes of the ids

    Options:
      -f, --force       Force the removal of a running container (uses SIGKILL)
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker rm web
      tiny-docker rm -f web           # even if it is running
    ---
    List images

    Usage: tiny-docker images [OPTIONS] [REPOSITORY[:TAG]]

    Arguments:
      [REPOSITORY[:TAG]]  Only images of this name

    Options:
          --root <DIR>       Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
          --digests          Show digests
          --no-trunc         Do not truncate output
      -q, --quiet            Only show image ids
          --format <FORMAT>  Output format: table, or json (one object per line)
      -h, --help             Print help

    Examples:
      tiny-docker images
      tiny-docker images alpine       # all tags of a name
      tiny-docker images --digests
    ---
    Download an image from a registry

    Usage: tiny-docker pull [OPTIONS] <NAME[:TAG|@DIGEST]>

    Arguments:
      <NAME[:TAG|@DIGEST]>  The image's name

    Options:
      -q, --quiet       Suppress verbose output
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker pull alpine
      tiny-docker pull -q debian:bookworm-slim
      tiny-docker pull ghcr.io/project/program:1.0
    ---
    Create a tag that refers to an image

    Usage: tiny-docker tag [OPTIONS] <SOURCE_IMAGE[:TAG]> <TARGET_IMAGE[:TAG]>

    Arguments:
      <SOURCE_IMAGE[:TAG]>  The image's name or id
      <TARGET_IMAGE[:TAG]>  The new name

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker tag alpine alpine:before
      tiny-docker tag alpine localhost:5000/base
    ---
    Show the history of an image

    Usage: tiny-docker history [OPTIONS] <IMAGE>

    Arguments:
      <IMAGE>  The image's name or id

    Options:
          --no-trunc    Do not truncate output
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -q, --quiet       Only show image ids
      -h, --help        Print help

    Examples:
      tiny-docker history alpine
      tiny-docker history --no-trunc alpine
    ---
    Load images from a tar archive

    Usage: tiny-docker load [OPTIONS]

    Options:
      -i, --input <FILE>  Read from a file instead of stdin
          --root <DIR>    Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -q, --quiet         Suppress the load output
      -h, --help          Print help

    Examples:
      tiny-docker load <images.tar
      tiny-docker load -i images.tar
      docker save alpine | tiny-docker load
    ---
    Save images to a tar archive

    Usage: tiny-docker save [OPTIONS] <IMAGE>...

    Arguments:
      <IMAGE>...  Names or ids

    Options:
      -o, --output <FILE>  Write to a file instead of stdout
          --root <DIR>     Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help           Print help

    Examples:
      tiny-docker save alpine >alpine.tar
      tiny-docker save -o images.tar alpine debian:bookworm-slim
    ---
    Create an image from a root filesystem in a tar archive

    Usage: tiny-docker import [OPTIONS] <FILE|-> [REPOSITORY[:TAG]]

    Arguments:
      <FILE|->            The archive, or - for stdin
      [REPOSITORY[:TAG]]  The image's name

    Options:
      -c, --change <INSTRUCTION>  Apply a Dockerfile instruction to the created image: CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR
          --root <DIR>            Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -m, --message <TEXT>        Set a commit message for the imported image
      -h, --help                  Print help

    Examples:
      tiny-docker import rootfs.tar base
      tiny-docker export web | tiny-docker import -c 'CMD ["sh"]' - copy
    ---
    Remove one or more images

    Usage: tiny-docker rmi [OPTIONS] <IMAGE>...

    Arguments:
      <IMAGE>...  Names or ids

    Options:
      -f, --force       Force the removal of the image
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker rmi alpine
      tiny-docker rmi -f alpine       # even if a stopped container was made from it
      tiny-docker rmi alpine debian:bookworm-slim
    ---
    Export a container's filesystem as a tar archive

    Usage: tiny-docker export [OPTIONS] <ID>

    Arguments:
      <ID>  The container's name or id, or a unique prefix of the id

    Options:
      -o, --output <FILE>  Write to a file instead of stdout
          --root <DIR>     Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help           Print help

    Examples:
      tiny-docker export web >web.tar
      tiny-docker export web | tar -t
    ---
    Log in to a registry

    Usage: tiny-docker login [OPTIONS] [SERVER]

    Arguments:
      [SERVER]  The registry [default: Docker Hub]

    Options:
          --root <DIR>           Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -u, --username <USERNAME>  Username
      -p, --password <PASSWORD>  Password
          --password-stdin       Take the password from stdin
      -h, --help                 Print help

    Examples:
      tiny-docker login
      tiny-docker login -u reader --password-stdin registry.example.com <password
    ---
    Log out from a registry

    Usage: tiny-docker logout [OPTIONS] [SERVER]

    Arguments:
      [SERVER]  The registry [default: Docker Hub]

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker logout
      tiny-docker logout registry.example.com
    ---
    Manage images

    Usage: tiny-docker image [OPTIONS] <COMMAND>

    Commands:
      ls       List images [alias: list]
      pull     Download an image from a registry
      tag      Create a tag that refers to an image
      history  Show the history of an image
      load     Load images from a tar archive
      save     Save images to a tar archive
      import   Create an image from a root filesystem in a tar archive
      rm       Remove one or more images
      inspect  Display detailed information on images, as JSON
      prune    Remove unused images
      help     Print this message or the help of the given subcommand(s)

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker image ls
      tiny-docker image prune -a      # remove all images without a container
    ---
    Manage everything that we keep

    Usage: tiny-docker system [OPTIONS] <COMMAND>

    Commands:
      df     Show disk usage
      prune  Remove all stopped containers, and everything else that is unused
      info   Show which features this host supports, and how to enable the others
      help   Print this message or the help of the given subcommand(s)

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker system df
      tiny-docker system prune
    ---
    Send a signal to running containers

    Usage: tiny-docker kill [OPTIONS] <ID>...

    Arguments:
      <ID>...  The containers' names or ids, or unique prefixes of the ids

    Options:
          --root <DIR>       Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -s, --signal <SIGNAL>  Signal to send, by name or number [default: KILL]
      -h, --help             Print help

    Examples:
      tiny-docker kill -s HUP web     # many programs then reload their configuration
      tiny-docker kill web
    ---
    Block until containers stop, then print their exit codes

    Usage: tiny-docker wait [OPTIONS] <ID>...

    Arguments:
      <ID>...  The containers' names or ids, or unique prefixes of the ids

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker wait web
      tiny-docker wait $(tiny-docker run -d sh -c 'exit 3')     # prints 3
    ---
    Remove all stopped containers, and everything else that is unused

    Usage: tiny-docker prune [OPTIONS]

    Options:
      -a, --all         Remove all images without a container, not just those without a name
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -f, --force       Do not prompt for confirmation
      -h, --help        Print help

    Examples:
      tiny-docker prune
      tiny-docker prune -f
    ---
    Show which features this host supports, and how to enable the others

    Usage: tiny-docker info [OPTIONS]

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      tiny-docker info
    ---
    Print a completion script for your shell

    Usage: tiny-docker completion [OPTIONS] <SHELL>

    Arguments:
      <SHELL>  [possible values: bash, elvish, fish, powershell, zsh]

    Options:
          --root <DIR>  Directory for tiny-docker's state [env: TINY_DOCKER_ROOT]
      -h, --help        Print help

    Examples:
      source <(tiny-docker completion bash)      # for the current shell
      mkdir -p ~/.local/share/bash-completion/completions && tiny-docker completion bash >~/.local/share/bash-completion/completions/tiny-docker
      mkdir -p ~/.zfunc && tiny-docker completion zsh >~/.zfunc/_tiny-docker
      mkdir -p ~/.config/fish/completions && tiny-docker completion fish >~/.config/fish/completions/tiny-docker.fish

    For zsh, ~/.zshrc must contain this line before compinit: fpath=(~/.zfunc $fpath)
    ---
    "#);
}
