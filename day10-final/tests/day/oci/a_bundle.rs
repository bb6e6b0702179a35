//! What a bundle is, and the other name.

use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::oci::TinyRunc;

#[test]
fn spec_writes_a_configuration_and_replaces_none() {
    let (runc, bundle) = (TinyRunc::new(), TempDir::new().unwrap());
    let bundle = bundle.path().to_str().unwrap();
    let seen = runc.see(&["spec", "--bundle", bundle]);
    assert_eq!((seen.code, seen.stderr.as_str()), (Some(0), ""));
    let path = format!("{bundle}/config.json");
    let written = fs::read(&path).unwrap();
    let config: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(config["root"]["path"], "rootfs");
    assert_eq!(config["process"]["args"][0], "sh");
    let seen = runc.see(&["spec", "--bundle", bundle]);
    assert_eq!(seen.code, Some(1));
    assert!(seen.stderr.contains("it exists already"), "{}", seen.stderr);
    assert_eq!(fs::read(&path).unwrap(), written);
}
