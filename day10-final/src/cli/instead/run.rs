//! Options of Docker's `run` that our `run` does not have.

use crate::cli::instead::images::{CONTENT_TRUST, PLATFORM};
use crate::cli::instead::lack::Lack;

pub const NO_DAEMON: &str = "there is no daemon to do it";

pub const OPTIONS: [Lack; 29] = [
    (
        &["--attach", "-a", "--sig-proxy", "--detach-keys"],
        "without -d, output and signals are always passed on",
        "tiny-docker run -d, then logs -f ID",
    ),
    (
        &["--annotation", "--label-file"],
        "only labels can be set, one by one",
        "-l NAME=VALUE",
    ),
    (
        &["--cgroup-parent"],
        "a container's cgroup is created below your own",
        "systemd-run --user --scope -p Delegate=yes tiny-docker run …",
    ),
    (
        &["--cgroupns", "--ipc", "--pid", "--userns", "--uts"],
        "each container has its own namespaces; only the network can be shared",
        "--net host",
    ),
    (
        &["--cidfile"],
        "run -d prints the id",
        "tiny-docker run -d … >FILE",
    ),
    (
        &["--cpu-period", "--cpu-quota"],
        "the limit is given as a number of CPUs",
        "--cpus NUMBER",
    ),
    (
        &["--memory-swap", "--memory-swappiness"],
        "a container with a memory limit has no swap",
        "--memory SIZE",
    ),
    (
        &["--oom-kill-disable", "--oom-score-adj"],
        "the kernel decides what it kills",
        "--memory SIZE",
    ),
    (
        &[
            "--blkio-weight",
            "--blkio-weight-device",
            "--cpu-count",
            "--cpu-percent",
            "--cpu-rt-period",
            "--cpu-rt-runtime",
            "--cpu-shares",
            "-c",
            "--cpuset-cpus",
            "--cpuset-mems",
            "--device-read-bps",
            "--device-read-iops",
            "--device-write-bps",
            "--device-write-iops",
            "--io-maxbandwidth",
            "--io-maxiops",
            "--kernel-memory",
            "--memory-reservation",
        ],
        "there are only three limits",
        "--memory, --cpus, --pids-limit",
    ),
    (
        &["--device", "--device-cgroup-rule", "--gpus"],
        "containers have only the usual devices",
        "",
    ),
    CONTENT_TRUST,
    PLATFORM,
    (
        &["--dns-search", "--dns-option", "--dns-opt"],
        "only the DNS servers can be chosen",
        "--dns ADDRESS",
    ),
    (
        &["--domainname"],
        "the domain is part of the hostname",
        "--hostname NAME.DOMAIN",
    ),
    (
        &["--group-add"],
        "a user's groups come from the container's /etc/group",
        "-u USER:GROUP",
    ),
    (
        &[
            "--health-cmd",
            "--health-interval",
            "--health-retries",
            "--health-start-interval",
            "--health-start-period",
            "--health-timeout",
            "--no-healthcheck",
        ],
        NO_DAEMON,
        "tiny-docker exec ID COMMAND",
    ),
    (
        &["--ip", "--ip6", "--link-local-ip", "--mac-address"],
        "addresses are assigned automatically",
        "tiny-docker inspect ID",
    ),
    (
        &["--link", "--network-alias", "--net-alias"],
        "containers cannot find each other by name",
        "--add-host NAME:ADDRESS",
    ),
    (
        &["--isolation", "--runtime"],
        "there is only one way to run a container",
        "leave it out",
    ),
    (
        &["--log-driver", "--log-opt"],
        "a log is always a file",
        "tiny-docker logs ID",
    ),
    (
        &["--mount"],
        "use the short form",
        "-v HOST:CONTAINER[:ro], or --tmpfs PATH",
    ),
    (
        &["--privileged"],
        "no single option disables all protections",
        "--cap-add ALL --security-opt seccomp=unconfined --security-opt no-new-privileges=false",
    ),
    (
        &["--shm-size"],
        "/dev/shm shares the space of /dev, unless it is a separate tmpfs",
        "--tmpfs /dev/shm",
    ),
    (
        &["--stop-timeout"],
        "it is an option of stop",
        "tiny-docker stop -t SECONDS ID",
    ),
    (
        &["--storage-opt"],
        "a layer may grow until the disk is full",
        "",
    ),
    (
        &["--sysctl"],
        "a container has the kernel's default settings",
        "",
    ),
    (
        &["--ulimit"],
        "a container inherits the limits of its caller",
        "ulimit -n NUMBER, then tiny-docker run",
    ),
    (&["--use-api-socket"], "there is no daemon", ""),
    (
        &["--volumes-from", "--volume-driver"],
        "volumes are directories on the host",
        "-v HOST:CONTAINER",
    ),
];
