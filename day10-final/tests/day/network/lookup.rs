//! `run --add-host`, `--dns`: how a container's programs find an address.

use std::fs;

use insta::assert_snapshot;
use nix::unistd::geteuid;

use crate::need_namespaces;
use crate::support::{Seen, assert_nothing_is_kept, leave_to, see, shell, state};

fn run(arguments: &[&str]) -> Seen {
    let seen = see(&[&["run"], arguments].concat());
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    seen
}

#[test]
fn a_host_more_is_a_line_more() {
    need_namespaces!();
    let options = [
        "--net",
        "isolated",
        "--add-host",
        "db:10.1.2.3",
        "--add-host=db:fd00::1",
        "--add-host",
        "my.web_1-x:192.0.2.1",
    ];
    let seen = run(&[&options[..], &["cat", "/etc/hosts"]].concat());
    assert_snapshot!(seen.stdout, @"
    127.0.0.1	localhost
    ::1	localhost
    10.1.2.3	db
    fd00::1	db
    192.0.2.1	my.web_1-x
    ");
    let seen = run(&[&options[..], &["getent", "hosts", "my.web_1-x"]].concat());
    assert_eq!(seen.stdout, "192.0.2.1       my.web_1-x\n");
}

#[test]
fn the_hosts_own_file_stays_as_it_is() {
    need_namespaces!();
    let before = std::fs::read_to_string("/etc/hosts").unwrap();
    let seen = run(&[
        "--net",
        "host",
        "--add-host",
        "db:10.1.2.3",
        "sh",
        "-c",
        "cat /etc/hosts; echo more >>/etc/hosts",
    ]);
    assert_eq!(seen.stdout, format!("{before}10.1.2.3\tdb\n"));
    assert_eq!(std::fs::read_to_string("/etc/hosts").unwrap(), before);
}

#[test]
fn host_gateway_is_the_host_where_there_is_a_way_to_it() {
    need_namespaces!();
    let gateway = ["--add-host", "gate:host-gateway"];
    let last = |net: &str| {
        let seen = run(&[
            &["--net", net],
            &gateway[..],
            &["tail", "-n", "1", "/etc/hosts"],
        ]
        .concat());
        seen.stdout
    };
    assert_eq!(last("host"), "127.0.0.1\tgate\n");
    let seen = see(&[&["run", "--net", "isolated"], &gateway[..], &["true"]].concat());
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(125), ""));
    assert_snapshot!(seen.stderr, @"
    tiny-docker: the container has no route to the host
    hint: use --net bridge
    ");
    see(&["ps"]);
    assert_eq!(
        crate::support::records().len(),
        1,
        "only that of --net host"
    );
    if !geteuid().is_root() {
        return leave_to("root, to change the host's network");
    }
    assert_eq!(last("bridge"), "10.10.0.1\tgate\n");
    let subnet = [&["--subnet", "10.77.0.0/24"], &gateway[..]].concat();
    let seen = run(&[&subnet[..], &["tail", "-n", "1", "/etc/hosts"]].concat());
    assert_eq!(seen.stdout, "10.77.0.1\tgate\n");
}

#[test]
fn dns_servers_take_the_place_of_the_hosts() {
    need_namespaces!();
    let nets: &[&str] = if geteuid().is_root() {
        &["isolated", "host", "bridge"]
    } else {
        &["isolated", "host"]
    };
    for net in nets {
        let seen = run(&[
            "--net",
            net,
            "--dns",
            "192.0.2.53",
            "--dns=2001:db8::53",
            "grep",
            "nameserver",
            "/etc/resolv.conf",
        ]);
        assert_eq!(
            seen.stdout, "nameserver 192.0.2.53\nnameserver 2001:db8::53\n",
            "{net}"
        );
    }
}

#[test]
fn what_the_host_asks_its_servers_stays() {
    need_namespaces!();
    let (state, text) = (
        state(),
        "search one.test two.test\nnameserver\t127.0.0.53 # stub\noptions ndots:2 edns0\n",
    );
    fs::write(state.join("resolv.conf"), text).unwrap();
    let seen = shell(&format!(
        "unshare --user --map-root-user --mount sh -c '
            mount --bind {}/resolv.conf /etc/resolv.conf;
            $TD run --net isolated --dns 192.0.2.53 cat /etc/resolv.conf'",
        state.display()
    ));
    let all = "search one.test two.test\noptions ndots:2 edns0\nnameserver 192.0.2.53\n";
    assert_eq!(seen.stdout, all, "{}", seen.stderr);
}

#[test]
fn an_isolated_container_asks_nobody() {
    need_namespaces!();
    let seen = run(&[
        "--net",
        "isolated",
        "--add-host",
        "db:10.1.2.3",
        "cat",
        "/etc/resolv.conf",
    ]);
    assert_eq!(seen.stdout, "");
}

#[test]
fn what_is_no_address_is_refused() {
    need_namespaces!();
    for option in [
        "--add-host=",
        "--add-host=db",
        "--add-host=:10.1.2.3",
        "--add-host=db:",
        "--add-host=db:lots",
        "--add-host=d b:10.1.2.3",
        "--add-host=db:10.1.2.3\n10.6.6.6\tother",
        "--add-host=d\nb:10.1.2.3",
        "--dns=",
        "--dns=one.one",
        "--dns=192.0.2.53\noptions x",
        "--dns=192.0.2.300",
    ] {
        let seen = see(&["run", "--net", "isolated", option, "echo", "started"]);
        assert_eq!(seen.code, Some(125), "{option}");
        assert_eq!(seen.stdout, "", "{option}");
    }
    assert_nothing_is_kept();
}
