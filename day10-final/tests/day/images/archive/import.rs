//! `import`: a root filesystem becomes an image.

use insta::assert_snapshot;
use serde_json::Value;

use super::{gzip, with_input, zstd};
use crate::images::build::digest;
use crate::images::build::layer::Layer;
use crate::images::keep::{done, refused};
use crate::images::run::ran;
use crate::need_namespaces;
use crate::support::{Seen, state};

/// `import -`, of an archive that must be good. Returns the id.
fn imported(archive: &[u8], words: &[&str]) -> String {
    let words = [&["import"], words].concat();
    let seen = with_input(&words, archive);
    assert_eq!(
        (seen.code, seen.stderr.as_str()),
        (Some(0), ""),
        "{words:?}"
    );
    seen.stdout.trim().to_owned()
}

#[test]
fn a_root_filesystem_becomes_an_image_that_runs() {
    need_namespaces!();
    let archive = Layer::base().archive();
    let words = [
        "-c",
        r#"CMD ["-c", "echo $A; pwd"]"#,
        "-c",
        r#"ENTRYPOINT ["sh"]"#,
        "-c",
        "ENV A='b c'",
        "-c",
        "workdir tmp",
        "-m",
        "as it was",
        "-",
        "some:1",
    ];
    let id = imported(&archive, &words);
    assert_eq!(done(&["images", "-q", "--no-trunc"]), format!("{id}\n"));
    assert_eq!(ran(&["some:1"]), "b c\n/tmp\n");
    let history = done(&["history", "some:1"]);
    assert!(history.contains("as it was"), "{history}");
    let inspected: Value = serde_json::from_str(&done(&["inspect", "some:1"])).unwrap();
    let layers = &inspected[0]["RootFS"]["Layers"];
    assert_eq!(layers[0], digest(&archive));
    for packed in [gzip(&archive), zstd(&archive)] {
        imported(&packed, &["-", "some:2"]);
        assert_eq!(
            ran(&["some:2", "ls", "/etc"]),
            "group\nhostname\nhosts\npasswd\nresolv.conf\n"
        );
        let inspected: Value = serde_json::from_str(&done(&["inspect", "some:2"])).unwrap();
        assert_eq!(inspected[0]["RootFS"]["Layers"], *layers);
    }
}

#[test]
fn what_cannot_be_imported_is_refused_with_the_reason() {
    need_namespaces!();
    assert_snapshot!(refused(&["import", "/usr"]), @"
    tiny-docker: cannot import /usr: it is a directory
    hint: tar -C /usr -c . | tiny-docker import -
    ");
    assert_snapshot!(refused(&["import", "/nope"]), @"tiny-docker: cannot import /nope: No such file or directory (os error 2)");
    assert_snapshot!(refused(&["import", "/dev/null"]), @"tiny-docker: cannot import /dev/null: it is empty");
    assert_snapshot!(refused(&["import", "-c", "", "/dev/null"]), @"tiny-docker: cannot apply '': it is not one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR");
    assert_snapshot!(refused(&["import", "-c", "EXPOSE /x", "/dev/null"]), @"tiny-docker: cannot apply 'EXPOSE /x': '/x' is not a port");
    assert_snapshot!(refused(&["import", "-c", "RUN true", "/dev/null"]), @"tiny-docker: cannot apply 'RUN true': it is not one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR");
    assert_snapshot!(refused(&["import", "-c", "ENV A=\"b", "/dev/null"]), @r#"tiny-docker: cannot apply 'ENV A=\"b': a quote is not closed"#);
    assert_snapshot!(refused(&["import", "/dev/null", "No"]), @"tiny-docker: 'No' is not an image's name: a repository cannot have capital letters");
    let of = |archive: &[u8]| {
        let Seen { code, stderr, .. } = with_input(&["import", "-"], archive);
        assert_eq!(code, Some(1), "{stderr}");
        assert!(!state().join("images").exists(), "{stderr}");
        let parts = stderr.split_inclusive(|c: char| !c.is_ascii_hexdigit());
        let parts = parts.map(|part| if part.len() > 64 { "HEX:" } else { part });
        parts.collect::<String>()
    };
    assert_snapshot!(of(b"no archive at all"), @"tiny-docker: cannot import -: layer sha256:HEX: the archive ends too early");
    let archive = Layer::new().file("../evil", "").archive();
    assert_snapshot!(of(&archive), @"tiny-docker: cannot import -: layer sha256:HEX: cannot unpack ../evil: it leads out of the image");
    let archive = Layer::new().file("few", [1; 1000]).archive();
    of(&archive[..1000]);
    of(&gzip(&archive)[..20]);
    assert_snapshot!(of(b"\xfd7zXZ\0 and so on"), @"
    tiny-docker: cannot import -: it is compressed with neither gzip nor zstd
    hint: decompress it first, for example with xz -dc
    ");
}
