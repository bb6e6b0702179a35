//! Logging in: who gets a password or a token, and what is kept of it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use insta::assert_snapshot;
use rexpect::session::spawn_command;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::images::build::Image;
use crate::images::build::layer::Layer;
use crate::images::registry::guards::{challenge, password, tokens};
use crate::images::registry::{Fault, Registry, Reply, Request};
use crate::need_namespaces;
use crate::support::{Seen, TINY_DOCKER, tiny_docker, write_program};

/// A user with a home directory of their own.
struct User(TempDir);

impl User {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn config(&self) -> Value {
        let text = fs::read_to_string(self.0.path().join("config.json"));
        serde_json::from_str(&text.unwrap()).unwrap()
    }

    /// Writes Docker's configuration.
    fn has(&self, config: &Value) {
        fs::write(self.0.path().join("config.json"), config.to_string()).unwrap();
    }

    fn types(&self, arguments: &[&str], stdin: &str) -> Seen {
        let mut command = tiny_docker(arguments);
        let home = self.0.path().display();
        command.env("DOCKER_CONFIG", self.0.path());
        // For helpers.
        command.env("PATH", format!("{home}:/usr/bin:/bin"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let mut seen: Seen = child.wait_with_output().unwrap().into();
        seen.stderr = seen.stderr.replace(&home.to_string(), "HOME");
        seen
    }

    fn pulls(&self, name: &str) -> Seen {
        self.types(&["pull", "-q", name], "")
    }

    fn logs_in(&self, registry: &Registry, password: &str) -> Seen {
        let server = registry.address.to_string();
        let arguments = ["login", "-u", "reader", "--password-stdin", &server];
        let mut seen = self.types(&arguments, password);
        seen.stderr = seen.stderr.replace(&server, "REGISTRY");
        seen
    }
}

fn with_an_image() -> Registry {
    let registry = Registry::start();
    registry.push("x:1", &Image::new().layer(&Layer::new().file("a", "b")));
    registry
}

#[test]
fn a_password_is_checked_kept_used_and_forgotten() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(password("reader", "won:der "));
    let server = registry.address.to_string();
    let before = json!({
        "auths": {"https://index.docker.io/v1/": {"auth": "YTpi"}},
        "HttpHeaders": {"X": "y"},
    });
    user.has(&before);
    let mut said = user
        .pulls(&registry.name("x:1"))
        .stderr
        .replace(&server, "REGISTRY");
    said += &user.logs_in(&registry, "wrong\n").stderr;
    assert_eq!(user.config(), before);
    let seen = user.logs_in(&registry, "won:der \n");
    assert_eq!(seen.stdout, "Login Succeeded\n");
    assert_snapshot!(said + &seen.stderr, @r"
    tiny-docker: cannot pull REGISTRY/x:1: REGISTRY denies access to x: unauthorized
    hint: if the repository exists, log in: tiny-docker login REGISTRY
    tiny-docker: cannot log in to REGISTRY: the user name or the password is wrong
    tiny-docker: the password is now in HOME/config.json, unencrypted
    ");
    let mut after = before.clone();
    after["auths"][&server] = json!({"auth": "cmVhZGVyOndvbjpkZXIg"});
    assert_eq!(user.config(), after);
    let file = fs::metadata(user.0.path().join("config.json")).unwrap();
    assert_eq!(file.permissions().mode() & 0o777, 0o600);
    assert_eq!(user.pulls(&registry.name("x:1")).stderr, "");
    let logout = || {
        user.types(&["logout", &format!("https://{server}/v2/")], "")
            .stdout
    };
    assert_eq!(
        logout(),
        format!("Removing login credentials for {server}\n")
    );
    assert_eq!(logout(), format!("Not logged in to {server}\n"));
    assert_eq!(user.config(), before);
}

#[test]
fn a_token_is_fetched_for_whoever_has_none_or_an_old_one() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    let challenge =
        r#"Negotiate, Bearer error="a \"b\", c", realm="{realm}?a=b" , service="d, e",scope="s:t""#;
    // Each is good for one request.
    registry.guard(tokens(challenge, None, 1));
    assert_eq!(user.pulls(&registry.name("x:1")).stderr, "");
    let log = registry.log();
    let tokens: Vec<_> = log
        .iter()
        .filter(|request| request.path.starts_with("/token"))
        .collect();
    assert_eq!(tokens[0].path, "/token?a=b&service=d%2C%20e&scope=s%3At");
    assert_eq!(
        tokens.len(),
        3,
        "for the manifest, the configuration and the layer"
    );
}

#[test]
fn a_token_service_is_asked_again_only_if_that_may_help() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    for (status, times) in [(500, 1), (501, 1), (429, 5), (502, 5), (504, 5)] {
        let mut tokens = tokens(r#"Bearer realm="{realm}""#, None, 100);
        let reply = Reply::new(status, "").with("Retry-After", "0");
        registry.guard(move |request| match request.path.starts_with("/token") {
            true => Some(reply.clone()),
            false => tokens(request),
        });
        let seen = user.pulls(&registry.name("x:1"));
        let answers = format!("answers {status} ");
        assert!(seen.stderr.contains(&answers), "{}", seen.stderr);
        let asked = registry.log();
        let tokens = asked
            .iter()
            .filter(|request| request.path.starts_with("/token"));
        assert_eq!(tokens.count(), times, "{status}");
    }
}

#[test]
fn a_token_takes_a_password_if_there_is_one() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    let challenge = r#"Bearer realm="{realm}""#;
    registry.guard(tokens(challenge, Some(("reader", "wonder")), 100));
    assert!(
        user.pulls(&registry.name("x:1"))
            .stderr
            .contains("answers 401")
    );
    assert!(user.logs_in(&registry, "wrong").stderr.contains("is wrong"));
    assert_eq!(
        user.logs_in(&registry, "wonder").stdout,
        "Login Succeeded\n"
    );
    registry.log();
    assert_eq!(user.pulls(&registry.name("x:1")).stderr, "");
    let asked = registry.log();
    let token = asked
        .iter()
        .find(|request| request.path.starts_with("/token"));
    assert_eq!(token.unwrap().path, "/token?scope=repository%3Ax%3Apull");
}

#[test]
fn an_identity_token_is_exchanged_for_a_token() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(tokens(r#"Bearer realm="{realm}",service="s""#, None, 100));
    let entry = json!({"identitytoken": "very secret"});
    user.has(&json!({"auths": {registry.address.to_string(): entry}}));
    assert_eq!(user.pulls(&registry.name("x:1")).stderr, "");
    let asked = registry.log();
    let token = asked
        .iter()
        .find(|request| request.path.starts_with("/token"))
        .unwrap();
    assert_eq!((&token.method[..], &token.path[..]), ("POST", "/token"));
}

#[test]
fn another_host_never_gets_the_password() {
    need_namespaces!();
    let (registry, store, user) = (with_an_image(), with_an_image(), User::new());
    registry.guard(password("reader", "wonder"));
    user.logs_in(&registry, "wonder");
    // The store asks for it.
    store.fault(
        "/blobs/",
        1,
        Fault::Answer(challenge("Basic realm=\"give me\"")),
    );
    let mut elsewhere = password("reader", "wonder");
    let address = store.address;
    registry.guard(move |request| {
        let location = format!("http://{address}{}", request.path);
        let sent = Reply::new(307, "").with("Location", &location);
        elsewhere(request).or_else(|| request.path.contains("/blobs/").then_some(sent))
    });
    let seen = user.pulls(&registry.name("x:1"));
    assert!(seen.stderr.contains("denies access"), "{}", seen.stderr);
    assert_eq!(user.pulls(&registry.name("x:1")).stderr, "");
    let asked = store.log();
    assert!(asked.len() >= 3);
    assert!(
        asked
            .iter()
            .all(|request| request.header("authorization").is_empty())
    );
}

#[test]
fn a_registry_that_does_not_ask_gets_no_password() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(password("reader", "wonder"));
    user.logs_in(&registry, "wonder");
    registry.log();
    registry.guard(|_| Some(Reply::error(401, "UNAUTHORIZED")));
    assert_eq!(user.pulls(&registry.name("x:1")).code, Some(1));
    let asked = registry.log();
    let is_silent = |request: &Request| request.header("authorization").is_empty();
    assert!(!asked.is_empty() && asked.iter().all(is_silent));
}

#[test]
fn a_token_service_without_tls_gets_nothing() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    let bearer = challenge("Bearer realm=\"http://192.0.2.1/token\"");
    registry.fault("/manifests/", 1, Fault::Answer(bearer));
    let seen = user.pulls(&registry.name("x:1")).stderr;
    assert!(
        seen.contains("http://192.0.2.1/token, which is not https"),
        "{seen}"
    );
}

/// A helper in `home`, which keeps what it is given, in files of its own.
fn write_helper(home: &Path) {
    let script = format!(
        "#!/bin/sh
        cd {}
        case $1 in
        store) cat >kept ;;
        get) cat >asked; cat kept 2>/dev/null || {{ echo 'credentials not found in native keychain'; exit 1; }} ;;
        erase) rm kept ;;
        esac",
        home.display()
    );
    write_program(&home.join("docker-credential-test"), &script);
}

#[test]
fn a_helper_keeps_the_password_if_docker_is_told_so() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    let server = registry.address.to_string();
    registry.guard(password("reader", "wonder"));
    write_helper(user.0.path());
    user.has(&json!({"credsStore": "no-such", "credHelpers": {&server: "test"}}));
    assert!(
        user.pulls(&registry.name("x:1"))
            .stderr
            .contains("denies access")
    );
    assert_eq!(user.logs_in(&registry, "wonder").stderr, "");
    let kept = fs::read_to_string(user.0.path().join("kept")).unwrap();
    let expected = json!({"ServerURL": server, "Username": "reader", "Secret": "wonder"});
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), expected);
    assert_eq!(user.config()["auths"], json!({&server: {}}));
    assert_eq!(user.pulls(&registry.name("x:1")).stderr, "");
    let asked = fs::read_to_string(user.0.path().join("asked"));
    assert_eq!(asked.unwrap(), server);
    user.types(&["logout", &server], "");
    assert!(!user.0.path().join("kept").exists());
    assert_eq!(user.config()["auths"], json!({}));
}

#[test]
fn a_helper_that_cannot_be_is_named() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(password("reader", "wonder"));
    let said = ["no-such", "../../bin/sh", "x\u{1b}[2J"].map(|helper| {
        user.has(&json!({"credsStore": helper}));
        let seen = user.pulls(&registry.name("x:1")).stderr;
        seen.replace(&registry.name("x:1"), "NAME")
    });
    assert_snapshot!(said.concat(), @r"
    tiny-docker: cannot pull NAME: cannot run docker-credential-no-such: No such file or directory (os error 2)
    tiny-docker: cannot pull NAME: cannot run docker-credential-../../bin/sh: it is not the name of a program
    tiny-docker: cannot pull NAME: cannot run docker-credential-x\u{1b}[2J: it is not the name of a program
    ");
}

#[test]
fn a_damaged_configuration_is_named_and_left_alone() {
    need_namespaces!();
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(password("reader", "wonder"));
    let file = user.0.path().join("config.json");
    fs::write(&file, "{\"auths\": {}").unwrap();
    let mut said = user.logs_in(&registry, "wonder").stderr;
    assert_eq!(fs::read_to_string(&file).unwrap(), "{\"auths\": {}");
    fs::remove_file(&file).unwrap();
    // Nobody writes to it, so whoever opened it would wait.
    assert!(
        Command::new("mkfifo")
            .arg(&file)
            .status()
            .unwrap()
            .success()
    );
    said += &user.logs_in(&registry, "wonder").stderr;
    assert_snapshot!(said, @r"
    tiny-docker: cannot log in to REGISTRY: cannot read HOME/config.json: EOF while parsing an object at line 1 column 12
    tiny-docker: cannot log in to REGISTRY: cannot read HOME/config.json: it is not a regular file
    ");
}

#[test]
fn without_a_terminal_nothing_is_asked() {
    let user = User::new();
    let said = [
        &["login", "localhost:1"][..],
        &["login", "-u", "reader", "localhost:1"],
        &["login", "-u", "a:b", "-p", "c", "localhost:1"],
        &["login", "-u", "reader", "-p", "x", "no/registry"],
        &["login", "-u", "reader", "-p", "x", ""],
    ];
    let said = said.map(|arguments| user.types(arguments, "").stderr);
    assert_snapshot!(said.concat(), @r"
    tiny-docker: cannot ask for a user name: stdin is not a terminal
    hint: tiny-docker login --username NAME --password-stdin
    tiny-docker: cannot ask for a password: stdin is not a terminal
    hint: tiny-docker login --username NAME --password-stdin
    tiny-docker: everybody can see the password in ps: use --password-stdin
    tiny-docker: a user name cannot contain a colon
    tiny-docker: 'no/registry' is not a registry
    tiny-docker: '' is not a registry
    ");
}

#[test]
fn what_is_typed_as_a_password_is_not_shown() {
    let (registry, user) = (with_an_image(), User::new());
    registry.guard(password("reader", "wonder"));
    let terminal = |then: &str| {
        let mut sh = Command::new("sh");
        let login = format!(
            "stty echo; trap : INT; {TINY_DOCKER} login {}; {then}",
            registry.address
        );
        sh.args(["-c", &login]).env("DOCKER_CONFIG", user.0.path());
        spawn_command(sh, Some(60_000)).unwrap()
    };
    let mut shown = terminal("stty -a | grep -o '.echo '; echo over");
    shown.exp_string("Username: ").unwrap();
    shown.send_line("reader").unwrap();
    shown.exp_string("Password: ").unwrap();
    shown.send_line("wonder").unwrap();
    let rest = shown.exp_string("over").unwrap();
    assert!(
        rest.contains("Login Succeeded") && !rest.contains("wonder"),
        "{rest}"
    );
    let mut interrupted = terminal("stty -a | grep -o '.echo '; echo over");
    interrupted.exp_string("Username: ").unwrap();
    interrupted.send_line("reader").unwrap();
    interrupted.exp_string("Password: ").unwrap();
    interrupted.send_control('c').unwrap();
    let rest = interrupted.exp_string("over").unwrap();
    assert!(!rest.contains("-echo"), "{rest}");
    // After Ctrl-Z and `fg`, it asks again.
    let mut stopped = terminal("echo over");
    stopped.exp_string("Username: ").unwrap();
    stopped.send_line("reader").unwrap();
    stopped.exp_string("Password: ").unwrap();
    stopped.send_control('z').unwrap();
    stopped.exp_string("Password: ").unwrap();
    stopped.send_line("wonder").unwrap();
    stopped.exp_string("Login Succeeded").unwrap();
}
