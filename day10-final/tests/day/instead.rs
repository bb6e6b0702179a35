//! Docker's words that are not here, and what to type instead.

use insta::assert_snapshot;

use crate::support::{own_network, see};

/// What is said of each line of words.
fn said(lines: &[&str]) -> String {
    own_network();
    let mut text = String::new();
    for line in lines {
        let seen = see(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(seen.stdout, "", "{line}");
        assert_ne!(seen.code, Some(0), "{line}");
        text += &format!("$ tiny-docker {line}\n{}", seen.stderr);
    }
    text
}

#[test]
fn dockers_commands_that_are_not_here() {
    let commands = [
        "attach x",
        "build .",
        "checkpoint ls",
        "compose up",
        "container ls",
        "cp x:/a b",
        "create x",
        "diff x",
        "events",
        "export x",
        "ls",
        "network ls",
        "pause x",
        "port x",
        "pull x",
        "rename x y",
        "system df",
        "top x",
        "version",
        "volume ls",
    ];
    assert_snapshot!(said(&commands), @"
    $ tiny-docker attach x
    tiny-docker: attach is not here: a container keeps the terminal that it has been given
    hint: tiny-docker logs -f ID, or exec -it ID sh
    $ tiny-docker build .
    tiny-docker: build is not here: there are no images here, but directories
    hint: docker export $(docker create IMAGE) | tar -x -C DIR, then --rootfs DIR
    $ tiny-docker checkpoint ls
    tiny-docker: checkpoint is not here: there is no daemon that could do it
    $ tiny-docker compose up
    tiny-docker: compose is not here: it is about one container at a time
    $ tiny-docker container ls
    tiny-docker: container is not here: the word can be left out
    hint: tiny-docker ps, rm, prune, …
    $ tiny-docker cp x:/a b
    tiny-docker: cp is not here: files go in and out by volumes and pipes
    hint: -v DIR:/mnt, or tiny-docker exec ID cat FILE >FILE
    $ tiny-docker create x
    tiny-docker: create is not here: a container runs once, from its start to its end
    hint: tiny-docker run
    $ tiny-docker diff x
    tiny-docker: diff is not here: what a container has written is a directory
    hint: find $(tiny-docker inspect ID | jq -r '.[].Layer')/upper
    $ tiny-docker events
    tiny-docker: events is not here: nobody is there who could tell
    hint: tiny-docker wait ID
    $ tiny-docker export x
    tiny-docker: export is not here: there are no images here, but directories
    hint: tiny-docker exec ID tar -c -C / . >FILE
    $ tiny-docker ls
    tiny-docker: ls is not here: it is called as in Docker
    hint: tiny-docker ps
    $ tiny-docker network ls
    tiny-docker: network is not here: there is one, and it comes and goes with the containers
    hint: tiny-docker run --net bridge
    $ tiny-docker pause x
    tiny-docker: pause is not here: a container cannot be frozen
    hint: tiny-docker kill -s STOP ID, and CONT
    $ tiny-docker port x
    tiny-docker: port is not here: ports are shown with the rest
    hint: tiny-docker ps
    $ tiny-docker pull x
    tiny-docker: pull is not here: there are no images here, but directories
    hint: docker export $(docker create IMAGE) | tar -x -C DIR, then --rootfs DIR
    $ tiny-docker rename x y
    tiny-docker: rename is not here: what a container is, it stays
    hint: tiny-docker rm ID, then run --name NAME
    $ tiny-docker system df
    tiny-docker: system is not here: two of its commands are here
    hint: tiny-docker info, or prune
    $ tiny-docker top x
    tiny-docker: top is not here: its processes are seen from inside
    hint: tiny-docker exec ID ps -ef
    $ tiny-docker version
    tiny-docker: version is not here: client and server are one program here
    hint: tiny-docker --version
    $ tiny-docker volume ls
    tiny-docker: volume is not here: volumes are directories of yours
    hint: tiny-docker run -v $PWD/DIR:/DIR
    ");
}

#[test]
fn dockers_options_that_are_not_here() {
    let options = [
        "run -a stdout true",
        "run --pid host true",
        "run --gpus all true",
        "run --dns-search x true",
        "run --entrypoint sh true",
        "run -P true",
        "ps --filter name=x",
        "run --health-cmd x true",
        "run --ip 10.10.0.9 true",
        "run -l a=b true",
        "run --log-driver none true",
        "run --cpuset-cpus 0 true",
        "run --mount type=tmpfs,dst=/x true",
        "run --pull always true",
        "run --privileged true",
        "exec --privileged x true",
        "run --restart=always true",
        "stop --signal HUP x",
        "logs --since 1m x",
        "run --volumes-from x true",
        "run --ulimit nofile=9 true",
    ];
    assert_snapshot!(said(&options), @r#"
    $ tiny-docker run -a stdout true
    tiny-docker: -a is not here: output and signals are passed on, until it ends
    hint: tiny-docker run -d, then logs -f ID
    $ tiny-docker run --pid host true
    tiny-docker: --pid is not here: each container has namespaces of its own
    $ tiny-docker run --gpus all true
    tiny-docker: --gpus is not here: there are no devices but the usual ones
    $ tiny-docker run --dns-search x true
    tiny-docker: --dns-search is not here: only servers can be given
    hint: --dns ADDRESS
    $ tiny-docker run --entrypoint sh true
    tiny-docker: --entrypoint is not here: there are no images, and so no entry points
    hint: tiny-docker run … COMMAND ARG…
    $ tiny-docker run -P true
    tiny-docker: -P is not here: ports are published one by one
    hint: -p HOST:CONTAINER
    $ tiny-docker ps --filter name=x
    tiny-docker: --filter is not here: there are no filters
    hint: tiny-docker ps -a | grep …
    $ tiny-docker run --health-cmd x true
    tiny-docker: --health-cmd is not here: nobody is there who could look
    hint: tiny-docker exec ID COMMAND
    $ tiny-docker run --ip 10.10.0.9 true
    tiny-docker: --ip is not here: addresses are given as they are free
    hint: tiny-docker inspect ID
    $ tiny-docker run -l a=b true
    tiny-docker: -l is not here: there are no labels
    hint: --name NAME
    $ tiny-docker run --log-driver none true
    tiny-docker: --log-driver is not here: a log is a file
    hint: tiny-docker logs ID
    $ tiny-docker run --cpuset-cpus 0 true
    tiny-docker: --cpuset-cpus is not here: there are three limits
    hint: --memory, --cpus, --pids-limit
    $ tiny-docker run --mount type=tmpfs,dst=/x true
    tiny-docker: --mount is not here: there is the short form
    hint: -v HOST:CONTAINER[:ro], or --tmpfs PATH
    $ tiny-docker run --pull always true
    tiny-docker: --pull is not here: there are no images here, but directories
    hint: docker export $(docker create IMAGE) | tar -x -C DIR, then --rootfs DIR
    $ tiny-docker run --privileged true
    tiny-docker: --privileged is not here: no single word opens all locks
    hint: --cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false
    $ tiny-docker exec --privileged x true
    tiny-docker: --privileged is not here: no single word opens all locks
    hint: --cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false
    $ tiny-docker run --restart=always true
    tiny-docker: --restart is not here: nobody is left who could start it again
    hint: let systemd do it: tiny-docker run without -d, and Restart=always
    $ tiny-docker stop --signal HUP x
    tiny-docker: --signal is not here: it is SIGTERM that asks a container to stop
    hint: tiny-docker kill -s SIGNAL ID
    $ tiny-docker logs --since 1m x
    tiny-docker: --since is not here: a log has no times in it
    hint: tiny-docker logs -f ID | while read -r line; do echo "$(date +%T) $line"; done
    $ tiny-docker run --volumes-from x true
    tiny-docker: --volumes-from is not here: volumes are directories of yours
    hint: -v HOST:CONTAINER
    $ tiny-docker run --ulimit nofile=9 true
    tiny-docker: --ulimit is not here: it is as the kernel, or Docker's default, has it
    "#);
}

#[test]
fn of_what_docker_has_not_either_clap_tells() {
    for line in ["nope", "run --nope true", "ps --nope"] {
        let said = said(&[line]);
        assert!(said.matches("nope").count() > 1, "{said}");
        assert!(!said.contains("is not here"), "{said}");
    }
}

#[test]
fn the_options_of_the_command_are_its_own() {
    let seen = see(&[
        "--root",
        "/proc/nowhere",
        "run",
        "x",
        "--privileged",
        "version",
    ]);
    assert!(seen.stderr.contains("cannot create"), "{}", seen.stderr);
}
