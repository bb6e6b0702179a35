//! Programs that people run in containers, under load: nginx and redis, from Debian's packages.

use std::env;
use std::fs::{self, File, Permissions};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::need_namespaces;
use crate::network::bridge::is_installed;
use crate::network::internet;
use crate::privileges::users::can_be_somebody_else;
use crate::support::{Detached, can_have_cgroups, host, leave_to, see, skip, wait_until};

/// Returns from a test, aloud, where there are no servers to be run. Is their root filesystem.
macro_rules! need_servers {
    () => {{
        need_namespaces!();
        if !can_be_somebody_else() {
            return skip("newuidmap, and a range of ids for this user in /etc/subuid: sudo apt install uidmap");
        }
        match env::var("TINY_DOCKER_DEBIAN") {
            Ok(debian) if Path::new(&debian).join("usr/sbin/nginx").exists() => debian,
            _ => return skip("nginx and redis in $TINY_DOCKER_DEBIAN: mmdebstrap --include=procps,nginx-light,redis-server bookworm $TINY_DOCKER_DEBIAN"),
        }
    }};
}

/// The same, also where their ports cannot be published, or where there is no `program` to call them.
macro_rules! need_published_servers {
    ($program:literal) => {{
        let debian = need_servers!();
        if !geteuid().is_root() {
            return leave_to("root, to change the host's network");
        }
        if !can_have_cgroups() {
            return skip("cgroups that this user may change: systemd-run --user --scope -p Delegate=yes cargo test");
        }
        if !is_installed($program) {
            return skip(concat!($program, ": sudo apt install apache2-utils redis-tools"));
        }
        debian
    }};
}

/// As in nginx's image of Docker's: what it writes to its logs are the logs of the container.
///
/// It waits for each caller to hang up first. What it has only handed to the kernel goes with the container's network,
/// as in Docker.
const NGINX: &str = "ln -sf /dev/stdout /var/log/nginx/access.log
    ln -sf /dev/stderr /var/log/nginx/error.log
    echo 'lingering_close always;' >/etc/nginx/conf.d/lingering.conf
    exec nginx -g 'daemon off;'";

/// As in redis' image: root gives the volume to another user, and becomes that one.
const REDIS: &str = "chown -R redis /data
    exec setpriv --reuid redis --regid redis --init-groups \
        redis-server --dir /data --appendonly yes --protected-mode no";

/// A directory that others than its owner may read: nginx's workers are www-data.
fn directory() -> TempDir {
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    directory
}

/// nginx with these `pages`.
fn nginx(options: &[&str], debian: &str, pages: &Path) -> Detached {
    let volume = format!("{}:/var/www/html:ro", pages.display());
    let always = ["--rootfs", debian, "-v", &volume, "sh", "-c", NGINX];
    Detached::start(&[options, &always].concat())
}

/// redis with these `data`, ready.
fn redis(options: &[&str], debian: &str, data: &Path, script: &str) -> Detached {
    let volume = format!("{}:/data", data.display());
    let always = ["--rootfs", debian, "-v", &volume, "sh", "-c", script];
    let server = Detached::start(&[options, &always].concat());
    wait_until("redis ready", || {
        logs(&server).contains("Ready to accept connections")
    });
    server
}

/// All that it has printed.
fn logs(container: &Detached) -> String {
    let seen = see(&["logs", &container.id]);
    seen.stdout + &seen.stderr
}

/// Asks the container at port 8080 of this host, as soon as it answers.
fn ask_for(page: &str) -> TcpStream {
    let mut connection = None;
    wait_until("nginx at its port", || {
        connection = answer(page);
        connection.is_some()
    });
    connection.unwrap()
}

/// None if nobody answers. The supervisor takes each call, and hangs up if nginx does not listen.
fn answer(page: &str) -> Option<TcpStream> {
    let mut connection = TcpStream::connect("127.0.0.1:8080").ok()?;
    write!(connection, "GET {page} HTTP/1.0\r\n\r\n").ok()?;
    let begun = connection.peek(&mut [0]).is_ok_and(|length| length > 0);
    begun.then_some(connection)
}

/// Stops it, and expects that it has come to its end in order.
fn stop(container: &Detached) {
    let seen = see(&["stop", &container.id]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    assert_eq!(container.record()["exit_code"], 0, "{}", logs(container));
}

#[test]
fn nginx_serves_a_volume_to_the_host_and_to_the_outside_under_load() {
    let debian = need_published_servers!("ab");
    let pages = directory();
    fs::write(pages.path().join("index.html"), "from a volume\n").unwrap();
    let options = ["--name", "web", "-p", "8080:80", "--memory", "128m"];
    let web = nginx(&options, &debian, pages.path());
    let mut page = String::new();
    ask_for("/").read_to_string(&mut page).unwrap();
    assert!(page.ends_with("\r\n\r\nfrom a volume\n"), "{page}");

    let outside = internet::connect();
    for from in [
        "ab -q -n 2000 -c 20 http://127.0.0.1:8080/".to_owned(),
        format!("{outside} ab -q -n 2000 -c 20 http://192.0.2.1:8080/"),
    ] {
        let report = host(&from);
        let words = report.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("Document Length: 14 bytes"), "{report}");
        assert!(words.contains("Complete requests: 2000"), "{report}");
        assert!(words.contains("Failed requests: 0"), "{report}");
        assert!(!words.contains("Non-2xx"), "{report}");
    }
    // Each request is in the log, and the host has not hidden who asked.
    let requests = |client: &str| {
        let of_theirs =
            |line: &&str| line.starts_with(client) && line.contains(r#""GET / HTTP/1.0" 200 14 "#);
        logs(&web).lines().filter(of_theirs).count()
    };
    wait_until("all requests in the log", || requests("") == 4001);
    assert_eq!(
        (requests("10.10.0.1 "), requests("192.0.2.2 ")),
        (2001, 2000)
    );
    let most = web.in_its_group("memory.peak", "memory.max_usage_in_bytes");
    let most: u32 = most.unwrap().parse().unwrap();
    assert!((1 << 20..128 << 20).contains(&most), "{most} bytes");
    stop(&web);
}

#[test]
fn nginx_finishes_a_slow_download_before_it_quits() {
    let debian = need_published_servers!("nft");
    let pages = directory();
    // More than is on its way at a time.
    const LARGE: u64 = 64 << 20;
    File::create(pages.path().join("large"))
        .unwrap()
        .set_len(LARGE)
        .unwrap();
    let web = nginx(&["--name", "web", "-p", "8080:80"], &debian, pages.path());
    let mut slow = ask_for("/large");
    slow.read_exact(&mut [0; 1000]).unwrap();
    let seen = see(&["kill", "-s", "QUIT", "web"]);
    assert_eq!((seen.code, seen.stdout.as_str()), (Some(0), "web\n"));
    wait_until("nobody served any more", || answer("/").is_none());
    assert!(web.is_running());
    let mut rest = Vec::new();
    slow.read_to_end(&mut rest).unwrap();
    assert!(rest.len() as u64 > LARGE - 1000, "{} bytes", rest.len());
    drop(slow);
    assert_eq!(see(&["wait", "web"]).stdout, "0\n");
}

#[test]
fn redis_under_load_keeps_its_data_for_the_next_container() {
    let debian = need_published_servers!("redis-benchmark");
    let data = directory();
    let options = ["-p", "6379:6379", "--memory", "64m"];
    let first = redis(&options, &debian, data.path(), REDIS);
    let load = host("redis-benchmark -n 5000 -c 20 -q -t set,get");
    assert_eq!(load.matches("requests per second").count(), 2, "{load}");
    assert_eq!(host("redis-cli set kept 'for the next'"), "OK\n");
    stop(&first);
    let said = logs(&first);
    assert!(said.contains("DB saved on disk"), "{said}");

    // At the same port, and a neighbour knows it by its name.
    let second = redis(&options, &debian, data.path(), REDIS);
    assert_eq!(host("redis-cli get kept"), "for the next\n");
    let address = second.record()["address"].as_str().unwrap().to_owned();
    let name = format!("db:{address}");
    let options = ["run", "--rootfs", &debian, "--add-host", &name];
    let neighbour = see(&[&options[..], &["redis-cli", "-h", "db", "get", "kept"]].concat());
    assert_eq!(neighbour.stdout, "for the next\n", "{}", neighbour.stderr);
    stop(&second);
}

#[test]
fn redis_killed_at_its_limit_has_lost_nothing_that_it_had_confirmed() {
    let debian = need_published_servers!("redis-cli");
    let data = directory();
    let options = ["-p", "6379:6379", "--memory", "64m"];
    let first = redis(&options, &debian, data.path(), REDIS);
    assert_eq!(host("redis-cli set kept 'in spite of it'"), "OK\n");
    let too_much = "return #string.rep('x', 200 * 1024 * 1024)";
    host(&format!(r#"! redis-cli eval "{too_much}" 0 2>&1"#));
    first.wait_for_its_end();
    let listed = first.listed();
    assert!(listed.contains("137, out of memory"), "{listed}");

    let second = redis(&options, &debian, data.path(), REDIS);
    assert_eq!(host("redis-cli get kept"), "in spite of it\n");
    stop(&second);
}

#[test]
fn servers_without_a_network_are_reached_by_exec() {
    let debian = need_servers!();
    let pages = directory();
    fs::write(pages.path().join("index.html"), "from a volume\n").unwrap();
    let web = nginx(
        &["--net", "isolated", "--name", "web"],
        &debian,
        pages.path(),
    );
    let get = r#"exec 3<>/dev/tcp/127.0.0.1/80 && printf 'GET / HTTP/1.0\r\n\r\n' >&3 && cat <&3"#;
    let ask = || see(&["exec", "web", "bash", "-c", get]).stdout;
    wait_until("nginx at its port", || ask().ends_with("from a volume\n"));
    let users = see(&["exec", "web", "sh", "-c", "ps -C nginx -o user= | sort -u"]);
    assert_eq!(users.stdout, "root\nwww-data\n", "{}", users.stderr);
    stop(&web);
    // In its layer there are files of www-data's, who on the host is not this user.
    let removed = see(&["rm", "web"]);
    assert_eq!((removed.code, removed.stderr.as_str()), (Some(0), ""));

    let data = directory();
    // As the container's root, which may be this user: then, the files are theirs.
    let script = "exec redis-server --dir /data";
    let options = ["--net", "isolated", "--name", "db"];
    let db = redis(&options, &debian, data.path(), script);
    let client = |line: &str| see(&["exec", "db", "sh", "-c", line]).stdout;
    let load = client("redis-benchmark -n 5000 -q -t set");
    assert!(load.contains("requests per second"), "{load}");
    assert_eq!(client("redis-cli set kept yes"), "OK\n");
    stop(&db);
    assert!(data.path().join("dump.rdb").exists());
}
