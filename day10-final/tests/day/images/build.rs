//! Images as the tests need them: each byte of a layer is the test's.

pub mod layer;

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::images::build::layer::Layer;

const OCI: &str = "application/vnd.oci.image";
const DOCKER: &str = "application/vnd.docker";

/// This machine, in Go's words.
pub const ARCHITECTURE: &str = match cfg!(target_arch = "x86_64") {
    true => "amd64",
    false => "arm64",
};

/// What `bytes` are called.
pub fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// How a layer is packed.
#[derive(Clone)]
pub enum Packed {
    Plain,
    Gzip,
    /// As these bytes, and with this suffix of its media type.
    As(Vec<u8>, &'static str),
}

/// An image that a test describes.
#[derive(Clone)]
pub struct Image {
    layers: Vec<(Vec<u8>, Packed)>,
    /// The configuration, as far as it is known before the layers are.
    pub config: Value,
    /// Docker's media types in place of the specification's.
    pub docker: bool,
}

/// Its bytes, as a registry has them.
pub struct Built {
    pub manifest: Vec<u8>,
    pub media_type: String,
    pub config: Vec<u8>,
    pub layers: Vec<Vec<u8>>,
}

impl Built {
    /// Of the manifest.
    pub fn digest(&self) -> String {
        digest(&self.manifest)
    }

    /// Of the configuration: Docker's image id.
    pub fn id(&self) -> String {
        digest(&self.config)
    }
}

impl Image {
    /// One without layers, whose command is `sh`.
    pub fn new() -> Self {
        Self {
            layers: Vec::new(),
            config: json!({
                "created": "2024-01-02T03:04:05Z",
                "os": "linux",
                "architecture": ARCHITECTURE,
                "config": {"Env": ["PATH=/bin"], "Cmd": ["sh"]},
            }),
            docker: false,
        }
    }

    /// One that can run: see [`Layer::base`].
    pub fn base() -> Self {
        Self::new().packed(&Layer::base(), Packed::Plain)
    }

    /// Adds a layer on top.
    pub fn layer(self, layer: &Layer) -> Self {
        self.packed(layer, Packed::Gzip)
    }

    pub fn packed(mut self, layer: &Layer, packed: Packed) -> Self {
        self.layers.push((layer.archive(), packed));
        self
    }

    /// Replaces what the image says about its containers: `json!({"Cmd": ["true"]})`.
    pub fn settings(mut self, settings: Value) -> Self {
        self.config["config"] = settings;
        self
    }

    pub fn build(&self) -> Built {
        let (mut layers, mut diff_ids, mut descriptors) = (Vec::new(), Vec::new(), Vec::new());
        for (archive, how) in &self.layers {
            let (blob, suffix) = pack(archive, how);
            let media_type = match self.docker {
                true => format!("{DOCKER}.image.rootfs.diff.tar{}", suffix.replace('+', ".")),
                false => format!("{OCI}.layer.v1.tar{suffix}"),
            };
            diff_ids.push(digest(archive));
            descriptors.push(descriptor(&media_type, &blob));
            layers.push(blob);
        }
        let mut config = self.config.clone();
        config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        let config = config.to_string().into_bytes();
        let (media_type, of_config) = match self.docker {
            true => ("distribution.manifest.v2+json", "container.image.v1+json"),
            false => ("manifest.v1+json", "config.v1+json"),
        };
        let family = match self.docker {
            true => DOCKER,
            false => OCI,
        };
        let media_type = format!("{family}.{media_type}");
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": descriptor(&format!("{family}.{of_config}"), &config),
            "layers": descriptors,
        });
        Built {
            manifest: manifest.to_string().into_bytes(),
            media_type,
            config,
            layers,
        }
    }
}

fn pack(archive: &[u8], how: &Packed) -> (Vec<u8>, &'static str) {
    match how {
        Packed::Plain => (archive.to_vec(), ""),
        Packed::As(blob, suffix) => (blob.clone(), suffix),
        Packed::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(archive).unwrap();
            (gzip.finish().unwrap(), "+gzip")
        }
    }
}

/// How a manifest or an index refers to `bytes`.
pub fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({"mediaType": media_type, "digest": digest(bytes), "size": bytes.len()})
}
