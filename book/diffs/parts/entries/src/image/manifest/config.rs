//! An image's configuration: how its containers should run, and what its layers unpack to. The image specification,
//! config.md.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::image::digest::Digest;
use crate::image::manifest::{Manifest, parse, platform};

/// overlayfs takes no more.
const LAYERS: usize = 500;

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Config {
    #[serde(default)]
    pub created: Option<String>,
    #[serde(default)]
    pub author: Option<String>,
    #[serde(default)]
    pub architecture: String,
    #[serde(default)]
    pub os: String,
    #[serde(default)]
    pub config: Option<Settings>,
    pub rootfs: RootFs,
    #[serde(default)]
    pub history: Option<Vec<History>>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

/// How a container of the image should run.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Settings {
    pub user: Option<String>,
    pub exposed_ports: Option<BTreeMap<String, Value>>,
    pub env: Option<Vec<String>>,
    pub entrypoint: Option<Vec<String>>,
    pub cmd: Option<Vec<String>>,
    pub volumes: Option<BTreeMap<String, Value>>,
    pub working_dir: Option<String>,
    pub labels: Option<BTreeMap<String, String>>,
    pub stop_signal: Option<String>,
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
pub struct RootFs {
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Of the uncompressed layers, from the bottom.
    pub diff_ids: Vec<Digest>,
}

#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct History {
    pub created: Option<String>,
    pub created_by: Option<String>,
    pub author: Option<String>,
    pub comment: Option<String>,
    pub empty_layer: bool,
}

impl Config {
    // ANCHOR: read
    /// Reads and checks it: this machine's os and architecture, and as many layers as `manifest` has.
    pub fn read(bytes: &[u8], manifest: &Manifest) -> Result<Self> {
        let config: Self = parse(bytes).context("cannot read the image's configuration")?;
        platform::check(&config.os, &config.architecture)?;
        let (said, there) = (config.rootfs.diff_ids.len(), manifest.layers.len());
        ensure!(
            said == there,
            "its manifest has {there} layers, and its configuration {said}"
        );
        ensure!(
            there <= LAYERS,
            "it has {there} layers, and overlayfs takes {LAYERS}"
        );
        Ok(config)
    }
    // ANCHOR_END: read

    // ANCHOR: chain
    /// What the layers are called when they are unpacked, one on top of the other: the image specification's chain
    /// ids, from the bottom. A layer's directory also depends on what is below it.
    pub fn chain(&self) -> Vec<Digest> {
        let mut chain: Vec<Digest> = Vec::new();
        for layer in &self.rootfs.diff_ids {
            chain.push(match chain.last() {
                Some(below) => Digest::of(format!("{below} {layer}").as_bytes()),
                None => *layer,
            });
        }
        chain
    }
    // ANCHOR_END: chain
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    /// What is read from `config`, for an image of two layers.
    fn read(config: &Value) -> Result<Config> {
        let one = json!({"mediaType": "x", "digest": Digest::of(b""), "size": 0});
        let manifest = Manifest {
            config: from_value(one.clone())?,
            layers: from_value(json!([one, one]))?,
        };
        Config::read(config.to_string().as_bytes(), &manifest)
    }

    fn config() -> Value {
        let layers = [Digest::of(b"a"), Digest::of(b"b")];
        json!({"rootfs": {"type": "layers", "diff_ids": layers}})
    }

    #[test]
    fn a_layer_is_called_by_what_is_below_it_as_well() {
        let chain = read(&config()).unwrap().chain();
        let pair = format!("{} {}", Digest::of(b"a"), Digest::of(b"b"));
        assert!(chain == [Digest::of(b"a"), Digest::of(pair.as_bytes())]);
    }

    #[test]
    fn go_writes_null_for_what_is_empty() {
        let mut null = config();
        let names = "User ExposedPorts Env Entrypoint Cmd Volumes WorkingDir Labels StopSignal";
        for name in names.split(' ') {
            null["config"][name] = Value::Null;
        }
        null["history"] = Value::Null;
        assert!(read(&null).is_ok());
        null["config"] = Value::Null;
        assert!(read(&null).is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |name: &str, value: Value| {
            let mut config = config();
            config[name] = value;
            format!("{:#}", read(&config).err().unwrap())
        };
        let one = json!({"diff_ids": [Digest::of(b"a")]});
        assert!(refused("os", json!("windows")).starts_with("it is for windows/"));
        assert!(refused("architecture", json!("s390x")).contains("/s390x, and this machine"));
        let layers = refused("rootfs", one);
        assert_eq!(layers, "its manifest has 2 layers, and its configuration 1");
        assert!(refused("config", json!([])).contains("cannot read the image's configuration"));
    }
}
