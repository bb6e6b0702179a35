//! What only Docker has, and what to type instead.

use insta::assert_snapshot;

use crate::need_namespaces;
use crate::support::{own_network, records, see};

/// The answer to each line of words.
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
        "commit x y",
        "compose up",
        "container ls",
        "cp x:/a b",
        "create x",
        "diff x",
        "events",
        "image build .",
        "ls",
        "manifest inspect x",
        "network ls",
        "pause x",
        "port x",
        "push x",
        "rename x y",
        "scout cves",
        "search x",
        "system events",
        "top x",
        "version",
        "volume ls",
    ];
    assert_snapshot!(said(&commands), @"
    $ tiny-docker attach x
    tiny-docker: attach is not supported: a container keeps the terminal it was started with
    hint: tiny-docker logs -f ID, or exec -it ID sh
    $ tiny-docker build .
    tiny-docker: build is not supported: images can be pulled, but not built
    hint: docker save IMAGE | tiny-docker load
    $ tiny-docker checkpoint ls
    tiny-docker: checkpoint is not supported: there is no daemon to do it
    $ tiny-docker commit x y
    tiny-docker: commit is not supported: images are made from archives
    hint: tiny-docker export ID | tiny-docker import - NAME
    $ tiny-docker compose up
    tiny-docker: compose is not supported: each container is started separately
    $ tiny-docker container ls
    tiny-docker: container is not supported: its subcommands are commands of their own
    hint: tiny-docker ps, rm, prune, …
    $ tiny-docker cp x:/a b
    tiny-docker: cp is not supported: copy files through a volume or a pipe
    hint: -v DIR:/mnt, or tiny-docker exec ID cat FILE >FILE
    $ tiny-docker create x
    tiny-docker: create is not supported: a container runs only once
    hint: tiny-docker run
    $ tiny-docker diff x
    tiny-docker: diff is not supported: a container's changes are in a directory
    hint: find $(tiny-docker inspect ID | jq -r '.[].Layer')/upper
    $ tiny-docker events
    tiny-docker: events is not supported: there is no daemon to report them
    hint: tiny-docker wait ID
    $ tiny-docker image build .
    tiny-docker: build is not supported: images can be pulled, but not built
    hint: docker save IMAGE | tiny-docker load
    $ tiny-docker ls
    tiny-docker: ls is not supported: ps lists the containers
    hint: tiny-docker ps
    $ tiny-docker manifest inspect x
    tiny-docker: manifest is not supported: pull chooses the image for this machine by itself
    hint: tiny-docker pull NAME
    $ tiny-docker network ls
    tiny-docker: network is not supported: there is only one bridge
    hint: tiny-docker run --net bridge
    $ tiny-docker pause x
    tiny-docker: pause is not supported: a container cannot be frozen
    hint: tiny-docker kill -s STOP ID, later -s CONT
    $ tiny-docker port x
    tiny-docker: port is not supported: ps shows the ports
    hint: tiny-docker ps
    $ tiny-docker push x
    tiny-docker: push is not supported: images can be pulled, but not pushed
    hint: tiny-docker save -o FILE IMAGE, then skopeo copy docker-archive:FILE docker://IMAGE
    $ tiny-docker rename x y
    tiny-docker: rename is not supported: a container cannot be changed
    hint: tiny-docker rm ID, then run --name NAME
    $ tiny-docker scout cves
    tiny-docker: scout is not supported: nobody looks into an image for known bugs
    $ tiny-docker search x
    tiny-docker: search is not supported: a registry is asked for one name at a time
    hint: tiny-docker pull NAME
    $ tiny-docker system events
    tiny-docker: events is not supported: there is no daemon to report them
    hint: tiny-docker wait ID
    $ tiny-docker top x
    tiny-docker: top is not supported: processes can be listed from inside
    hint: tiny-docker exec ID ps -ef
    $ tiny-docker version
    tiny-docker: version is not supported: client and server are one program, with one version
    hint: tiny-docker --version
    $ tiny-docker volume ls
    tiny-docker: volume is not supported: volumes are directories on the host
    hint: tiny-docker run -v $PWD/DIR:/DIR
    ");
}

/// Docker's options, from version 20 to 28, except those that we have.
const OPTIONS: [(&str, &str); 22] = [
    (
        "run",
        "-a --annotation --attach --blkio-weight --blkio-weight-device -c --cgroup-parent --cgroupns --cidfile --cpu-count
        --cpu-percent --cpu-period --cpu-quota --cpu-rt-period --cpu-rt-runtime --cpu-shares --cpuset-cpus --cpuset-mems
        --detach-keys --device --device-cgroup-rule --device-read-bps --device-read-iops --device-write-bps
        --device-write-iops --disable-content-trust --dns-opt --dns-option --dns-search --domainname
        --gpus --group-add --health-cmd --health-interval --health-retries --health-start-interval --health-start-period
        --health-timeout --io-maxbandwidth --io-maxiops --ip --ip6 --ipc --isolation --kernel-memory
        --label-file --link --link-local-ip --log-driver --log-opt --mac-address --memory-reservation --memory-swap
        --memory-swappiness --mount --net-alias --network-alias --no-healthcheck --oom-kill-disable --oom-score-adj
        --pid --platform --privileged --restart --runtime --shm-size --sig-proxy
        --stop-timeout --storage-opt --sysctl --ulimit --use-api-socket --userns --uts --volume-driver
        --volumes-from",
    ),
    ("exec", "--detach-keys --privileged"),
    ("ps", "-f --filter -s --size"),
    ("inspect", "-f --format -s --size"),
    ("logs", "--details --since -t --timestamps --until"),
    ("rm", "-l --link"),
    ("stats", "--no-trunc"),
    ("prune", "--filter --volumes"),
    ("info", "-f --format"),
    ("images", "-f --filter --tree"),
    ("pull", "-a --all-tags --disable-content-trust --platform"),
    ("rmi", "--no-prune --platform"),
    ("history", "--format -H --human --platform"),
    ("load", "--platform"),
    ("save", "--platform"),
    ("import", "--platform"),
    ("image ls", "-f --filter --tree"),
    ("image rm", "--no-prune --platform"),
    ("image inspect", "-f --format --platform"),
    ("image prune", "--filter"),
    ("system df", "--format"),
    (
        "",
        "-D --debug -H --host -c --context --config -l --log-level --tls --tlscacert --tlscert --tlskey --tlsverify -v",
    ),
];

#[test]
fn each_option_that_docker_has_is_answered() {
    own_network();
    // Each answer, and what it is about.
    let mut answers: Vec<(String, String)> = Vec::new();
    for (command, options) in OPTIONS {
        for option in options.split_whitespace() {
            let words = command.split_whitespace().chain([option, "x"]);
            let seen = see(&words.collect::<Vec<_>>());
            let (code, stdout) = (seen.code, seen.stdout.as_str());
            assert_eq!((code, stdout), (Some(125), ""), "{command} {option}");
            let says = format!("tiny-docker: {option} is not supported: ");
            let answer = seen.stderr.strip_prefix(&says).expect(&seen.stderr);
            match answers.iter_mut().find(|(known, _)| known == answer) {
                Some((_, about)) => *about += &format!(" {option}"),
                None => answers.push((answer.to_owned(), format!("{command} {option}"))),
            }
        }
    }
    let answers = answers.iter();
    let table: String = answers
        .map(|(answer, about)| format!("{about}\n{answer}"))
        .collect();
    assert_snapshot!(table, @r#"
    run -a --attach --detach-keys --sig-proxy
    without -d, output and signals are always passed on
    hint: tiny-docker run -d, then logs -f ID
    run --annotation --label-file
    only labels can be set, one by one
    hint: -l NAME=VALUE
    run --blkio-weight --blkio-weight-device -c --cpu-count --cpu-percent --cpu-rt-period --cpu-rt-runtime --cpu-shares --cpuset-cpus --cpuset-mems --device-read-bps --device-read-iops --device-write-bps --device-write-iops --io-maxbandwidth --io-maxiops --kernel-memory --memory-reservation
    there are only three limits
    hint: --memory, --cpus, --pids-limit
    run --cgroup-parent
    a container's cgroup is created below your own
    hint: systemd-run --user --scope -p Delegate=yes tiny-docker run …
    run --cgroupns --ipc --pid --userns --uts
    each container has its own namespaces; only the network can be shared
    hint: --net host
    run --cidfile
    run -d prints the id
    hint: tiny-docker run -d … >FILE
    run --cpu-period --cpu-quota
    the limit is given as a number of CPUs
    hint: --cpus NUMBER
    run --device --device-cgroup-rule --gpus
    containers have only the usual devices
    run --disable-content-trust --disable-content-trust
    there are no signatures, but a digest says exactly what you get
    hint: NAME@sha256:DIGEST
    run --dns-opt --dns-option --dns-search
    only the DNS servers can be chosen
    hint: --dns ADDRESS
    run --domainname
    the domain is part of the hostname
    hint: --hostname NAME.DOMAIN
    run --group-add
    a user's groups come from the container's /etc/group
    hint: -u USER:GROUP
    run --health-cmd --health-interval --health-retries --health-start-interval --health-start-period --health-timeout --no-healthcheck
    there is no daemon to do it
    hint: tiny-docker exec ID COMMAND
    run --ip --ip6 --link-local-ip --mac-address
    addresses are assigned automatically
    hint: tiny-docker inspect ID
    run --isolation --runtime
    there is only one way to run a container
    hint: leave it out
    run --link --net-alias --network-alias
    containers cannot find each other by name
    hint: --add-host NAME:ADDRESS
    run --log-driver --log-opt
    a log is always a file
    hint: tiny-docker logs ID
    run --memory-swap --memory-swappiness
    a container with a memory limit has no swap
    hint: --memory SIZE
    run --mount
    use the short form
    hint: -v HOST:CONTAINER[:ro], or --tmpfs PATH
    run --oom-kill-disable --oom-score-adj
    the kernel decides what it kills
    hint: --memory SIZE
    run --platform --platform --platform --platform --platform --platform --platform --platform --platform
    only this machine's images can run here
    hint: leave it out
    run --privileged
    no single option disables all protections
    hint: --cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false
    run --restart
    there is no daemon to do it
    hint: let systemd do it: tiny-docker run without -d, and Restart=always
    run --shm-size
    /dev/shm shares the space of /dev, unless it is a separate tmpfs
    hint: --tmpfs /dev/shm
    run --stop-timeout
    it is an option of stop
    hint: tiny-docker stop -t SECONDS ID
    run --storage-opt
    a layer may grow until the disk is full
    run --sysctl
    a container has the kernel's default settings
    run --ulimit
    a container inherits the limits of its caller
    hint: ulimit -n NUMBER, then tiny-docker run
    run --use-api-socket
    there is no daemon
    run --volume-driver --volumes-from
    volumes are directories on the host
    hint: -v HOST:CONTAINER
    exec --detach-keys
    the terminal is kept until the command ends
    hint: tiny-docker exec -d ID COMMAND
    exec --privileged
    a command has the privileges of its container
    hint: tiny-docker run --cap-add CAPABILITY
    ps -f --filter
    there are no filters
    hint: tiny-docker ps -a | grep …
    ps -s --size -s --size
    a container's changes are in a directory
    hint: du -sh $(tiny-docker inspect ID | jq -r '.[].Layer')/upper
    inspect -f --format -f --format
    there are no templates, but the output is JSON
    hint: tiny-docker inspect ID | jq -r '.[].State.Pid'
    logs --details
    a log contains only the output
    hint: leave it out
    logs --since -t --timestamps --until
    a log contains only the output, without timestamps
    hint: tiny-docker logs -f ID | while read -r line; do echo "$(date +%T) $line"; done
    rm -l --link
    containers are not linked
    hint: tiny-docker rm ID
    stats --no-trunc
    nothing is truncated
    hint: leave it out
    prune --filter
    there are no filters
    hint: tiny-docker ps -a and images, then rm ID and rmi ID
    prune --volumes
    volumes are your own directories, and are kept
    hint: tiny-docker prune
    info -f --format
    there are no templates
    hint: tiny-docker info | grep …
    images -f --filter -f --filter
    there are no filters, except for a name
    hint: tiny-docker images NAME, or images | grep …
    images --tree --tree
    of each image, only the one for this machine is here
    hint: tiny-docker images
    pull -a --all-tags
    a registry is asked for one name at a time
    hint: tiny-docker pull NAME:TAG
    rmi --no-prune --no-prune
    layers have no names: they go with the last image that needs them
    hint: leave it out
    history --format
    there are no templates, but the image's own words are JSON
    hint: tiny-docker inspect IMAGE
    history -H --human
    sizes and dates are always for humans
    hint: leave it out
    image prune --filter
    there are no filters
    hint: tiny-docker images, then rmi ID
    system df --format
    there are no templates
    hint: tiny-docker system df | grep …
     -D --debug -l --log-level
    there is no daemon to keep a log
    hint: strace -f tiny-docker …
     -H --host -c --context --config --tls --tlscacert --tlscert --tlskey --tlsverify
    there is no daemon to talk to
    hint: --root DIR selects another set of containers
     -v
    the short form of --version is -V
    hint: tiny-docker -V
    "#);
}

#[test]
fn a_value_that_docker_has_is_answered() {
    let values = [
        "run --security-opt apparmor=unconfined true",
        "run --security-opt apparmor:docker-default true",
        "run --security-opt label=disable true",
        "run --security-opt seccomp=profile.json true",
        "run --security-opt systempaths=unconfined true",
        "run --net container:web true",
        "run --restart always true",
        "run --restart=on-failure:3 true",
    ];
    assert_snapshot!(said(&values), @"
    $ tiny-docker run --security-opt apparmor=unconfined true
    tiny-docker: apparmor=unconfined is not supported: containers have no AppArmor profile and no SELinux label
    hint: leave it out
    $ tiny-docker run --security-opt apparmor:docker-default true
    tiny-docker: apparmor:docker-default is not supported: containers have no AppArmor profile and no SELinux label
    hint: leave it out
    $ tiny-docker run --security-opt label=disable true
    tiny-docker: label=disable is not supported: containers have no AppArmor profile and no SELinux label
    hint: leave it out
    $ tiny-docker run --security-opt seccomp=profile.json true
    tiny-docker: seccomp=profile.json is not supported: the only choice is between the default filter and none
    hint: --security-opt seccomp=unconfined
    $ tiny-docker run --security-opt systempaths=unconfined true
    tiny-docker: systempaths=unconfined is not supported: parts of /proc are always covered
    $ tiny-docker run --net container:web true
    tiny-docker: container:web is not supported: containers do not share a network
    hint: --net bridge
    $ tiny-docker run --restart always true
    tiny-docker: --restart is not supported: there is no daemon to do it
    hint: let systemd do it: tiny-docker run without -d, and Restart=always
    $ tiny-docker run --restart=on-failure:3 true
    tiny-docker: --restart is not supported: there is no daemon to do it
    hint: let systemd do it: tiny-docker run without -d, and Restart=always
    ");
}

#[test]
fn a_signal_as_for_the_shells_kill_is_answered() {
    assert_snapshot!(said(&["kill -9 x", "kill -KILL x", "kill x -TERM", "kill -l"]), @"
    $ tiny-docker kill -9 x
    tiny-docker: -9 is not supported: signals are given with -s, as in Docker
    hint: tiny-docker kill -s SIGNAL ID
    $ tiny-docker kill -KILL x
    tiny-docker: -K is not supported: signals are given with -s, as in Docker
    hint: tiny-docker kill -s SIGNAL ID
    $ tiny-docker kill x -TERM
    tiny-docker: -T is not supported: signals are given with -s, as in Docker
    hint: tiny-docker kill -s SIGNAL ID
    $ tiny-docker kill -l
    tiny-docker: -l is not supported: signals are given with -s, as in Docker
    hint: tiny-docker kill -s SIGNAL ID
    ");
}

#[test]
fn an_option_may_ask_for_what_is_done_anyway() {
    need_namespaces!();
    let options = "--restart no --restart=no --net host -p 8080:80/TCP -p 8053:53/Udp";
    let seen = see(&[
        &["run"],
        &options.split(' ').collect::<Vec<_>>()[..],
        &["echo", "ran"],
    ]
    .concat());
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "ran\n"));
    let ignored =
        "tiny-docker: -p has no effect with --net host: the container uses the host's ports\n";
    assert_eq!(seen.stderr, ignored);
}

#[test]
fn a_switch_may_have_a_value() {
    need_namespaces!();
    let run = |options: &str| {
        let line = format!("run --net isolated {options} sh -c");
        let words = line.split_whitespace().collect::<Vec<_>>();
        let seen = see(&[
            &words[..],
            &["test -t 1 && echo terminal; echo ran; : >/file"],
        ]
        .concat());
        (seen.stdout.replace('\r', ""), seen.stderr, records().len())
    };
    let plain = |count| ("ran\n".to_owned(), String::new(), count);
    assert_eq!(run("--rm=true"), plain(0));
    assert_eq!(run("--rm=1 --init=T --tty=false"), plain(0));
    assert_eq!(run("--rm=false"), plain(1));
    assert_eq!(run("--rm --rm=false"), plain(2));
    assert_eq!(run("--rm -it=false"), plain(2));
    assert_eq!(run("--rm -i=false -t=true").0, "terminal\nran\n");
    assert!(run("--rm --read-only=true").1.contains("Read-only"));
    let id = see(&["run", "--net", "isolated", "--detach=true", "true"]).stdout;
    assert_eq!(see(&["wait", id.trim()]).stdout, "0\n");
    assert_eq!(see(&["ps", "-a=true", "-q=true"]).stdout.lines().count(), 3);
    assert_eq!(see(&["rm", "--force=true", id.trim()]).code, Some(0));
    assert_eq!(see(&["images", "-q=true", "--digests=false"]).stdout, "");
    assert_eq!(see(&["image", "ls", "--quiet=1"]).stdout, "");
    // What follows the command belongs to it.
    let seen = see(&["run", "--net", "isolated", "echo", "--rm=true", "-it=x"]);
    assert_eq!(seen.stdout, "--rm=true -it=x\n");
    let seen = see(&["run", "--rm=maybe", "true"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert_snapshot!(seen.stderr, @"
    error: invalid value 'maybe' for '--rm[=<true|false>]': expected true or false

    For more information, try '--help'.
    ");
}

#[test]
fn clap_answers_for_what_docker_does_not_have_either() {
    for line in ["nope", "run --nope true", "ps --nope"] {
        let said = said(&[line]);
        assert!(said.matches("nope").count() > 1, "{said}");
        assert!(!said.contains("there is no"), "{said}");
        // Somebody would type it, and it would be a command.
        assert!(!said.contains("-- --nope"), "{said}");
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
