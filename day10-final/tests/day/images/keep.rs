use crate::need_namespaces;
use crate::support::{see, state};

/// Runs a command that must succeed, and returns what it prints.
pub fn done(words: &[&str]) -> String {
    let seen = see(words);
    assert_eq!(
        (seen.code, seen.stderr.as_str()),
        (Some(0), ""),
        "{words:?}"
    );
    seen.stdout
}

#[test]
fn without_images_there_is_an_empty_list_and_no_directory() {
    need_namespaces!();
    let empty = "REPOSITORY   TAG       IMAGE ID   CREATED   SIZE\n";
    assert_eq!(done(&["images"]), empty);
    assert!(!state().join("images").exists());
}
