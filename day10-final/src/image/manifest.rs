//! What an image consists of: an index, a manifest, a configuration. The image specification, manifest.md.
//!
//! In this room, [`document`] tells the first two apart, [`platform`] chooses from an index, and [`config`] is what a
//! container needs to know.

mod config;
mod document;
mod platform;

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

// A circle: these read the types that are defined here. All of it has its names in one place.
pub use crate::image::manifest::config::{Config, History, Settings};
pub use crate::image::manifest::document::Document;
pub use crate::image::manifest::platform::{ARCHITECTURE, Foreign, OS, choose};

use crate::failure::quoted;
use crate::image::digest::Digest;

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
pub const LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
pub const LAYER_ZSTD: &str = "application/vnd.oci.image.layer.v1.tar+zstd";

/// No manifest or configuration is larger. The distribution specification lets a registry refuse more.
pub const MOST: u64 = 4 << 20;

/// None has more lists, objects and values.
const PARTS: usize = 1 << 16;

// ANCHOR: descriptor
/// Where content is, and how one recognises it.
#[derive(Clone, Serialize, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    pub media_type: String,
    pub digest: Digest,
    pub size: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    #[serde(default, deserialize_with = "or_null")]
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}
// ANCHOR_END: descriptor

#[derive(Clone, Serialize, Deserialize, PartialEq)]
pub struct Platform {
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

pub struct Manifest {
    pub config: Descriptor,
    pub layers: Vec<Descriptor>,
}

/// A media type without its parameters: "text/plain; charset=utf-8".
pub fn bare(media_type: &str) -> &str {
    let kind = media_type.split(';').next();
    kind.unwrap_or_default().trim()
}

// ANCHOR: parse
/// Reads JSON. The error may quote it, but has one line, and not a long one.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    // Of a few bytes each, they may take hundreds in memory.
    let parts = bytes.iter().filter(|byte| b",[{".contains(byte)).count();
    ensure!(parts <= PARTS, "it has more than {PARTS} parts");
    let parsed = serde_json::from_slice(bytes);
    parsed.map_err(|error| anyhow!(quoted(&error.to_string())))
}
// ANCHOR_END: parse

/// Go writes null for an empty map.
fn or_null<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    from: D,
) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn what_an_error_quotes_is_escaped_once() {
        let said = |json: &str| parse::<Digest>(json.as_bytes()).err().unwrap().to_string();
        let reason = said(r#""sha256:../x""#);
        assert!(
            reason.starts_with("'sha256:../x' is not a sha256 digest"),
            "{reason}"
        );
        let reason = said(r#""a'\n\u001bé""#);
        assert!(
            reason.starts_with(r"'a\'\n\u{1b}é' is not a sha256 digest"),
            "{reason}"
        );
    }

    #[test]
    fn what_we_do_not_know_about_content_is_kept() {
        let mut all = json!({"mediaType": LAYER, "digest": Digest::of(b""), "size": 0});
        all["annotations"] = json!({"a": "b"});
        all["urls"] = json!(["x"]);
        all["platform"] = json!({"os": "linux", "architecture": "arm", "os.version": "1"});
        let read: Descriptor = from_value(all.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), all);
        all["annotations"] = Value::Null;
        assert!(from_value::<Descriptor>(all).is_ok());
    }
}
