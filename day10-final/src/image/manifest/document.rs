//! What a name leads to: an image, or an index of some. Whoever asks has to find out which.

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;
use serde_json::Value;

use crate::failure::shown;
use crate::image::manifest::{CONFIG, DOCKER_INDEX, DOCKER_MANIFEST, INDEX, LAYER, LAYER_GZIP};
use crate::image::manifest::{Descriptor, LAYER_ZSTD, MANIFEST, Manifest, bare, parse};

/// What configurations are called. The last two come from registries that did not know: Docker accepts them as well.
const CONFIGS: [&str; 4] = [
    CONFIG,
    "application/vnd.docker.container.image.v1+json",
    "application/octet-stream",
    "application/json",
];

/// What layers are called that we can unpack.
const LAYERS: [&str; 6] = [
    LAYER,
    LAYER_GZIP,
    LAYER_ZSTD,
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.diff.tar.gzip",
    "application/vnd.docker.image.rootfs.diff.tar.zstd",
];

/// What a name leads to.
pub enum Document {
    Index(Vec<Descriptor>),
    Manifest(Box<Manifest>),
}

// ANCHOR: raw
/// What may be in any of them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Raw {
    schema_version: Option<u64>,
    media_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    fs_layers: Option<Value>,
}
// ANCHOR_END: raw

impl Document {
    // ANCHOR: read
    /// Reads the bytes of a manifest or an index. `media_type` is what came with them, which may be wrong or missing;
    /// what they say themselves counts more, and both at once is refused (CVE-2021-41190).
    pub fn read(bytes: &[u8], media_type: Option<&str>) -> Result<Self> {
        let raw: Raw = parse(bytes).context("cannot read the manifest")?;
        if raw.fs_layers.is_some() || raw.schema_version == Some(1) {
            bail!(
                "it is in the format of 2014 (schema 1), which only old versions of Docker can read"
            );
        }
        let said = raw.media_type.as_deref().or(media_type).map(bare);
        let says = |types: [&str; 2]| said.is_some_and(|said| types.contains(&said));
        let is_index = says([INDEX, DOCKER_INDEX]);
        let is_manifest = says([MANIFEST, DOCKER_MANIFEST]);
        match (raw.manifests, raw.config, raw.layers) {
            (Some(manifests), None, None) => {
                ensure!(
                    !is_manifest,
                    "it says that it is a manifest, but is an index"
                );
                Ok(Self::Index(manifests))
            }
            (None, Some(config), Some(layers)) => {
                ensure!(!is_index, "it says that it is an index, but is a manifest");
                let manifest = Manifest { config, layers };
                manifest.check()?;
                Ok(Self::Manifest(Box::new(manifest)))
            }
            (Some(_), ..) => bail!("it is an index and a manifest at once (CVE-2021-41190)"),
            _ => bail!("it is neither an image's manifest nor an index"),
        }
    }
    // ANCHOR_END: read

    /// What a descriptor calls it. A web server that knows nothing about images says application/octet-stream.
    pub fn media_type(bytes: &[u8], media_type: Option<&str>) -> Result<&'static str> {
        let raw: Raw = parse(bytes)?;
        let said = raw.media_type.as_deref().or(media_type).map(bare);
        let types = match raw.manifests {
            Some(_) => [INDEX, DOCKER_INDEX],
            None => [MANIFEST, DOCKER_MANIFEST],
        };
        let known = types.into_iter().find(|known| said == Some(known));
        Ok(known.unwrap_or(types[0]))
    }
}

// ANCHOR: check
impl Manifest {
    /// Fails if it is not an image, or needs what we cannot do.
    fn check(&self) -> Result<()> {
        let config = bare(&self.config.media_type);
        if config.starts_with("application/vnd.cncf.helm.") {
            bail!("it is a Helm chart, not an image");
        }
        ensure!(
            CONFIGS.contains(&config),
            "it is not an image: its configuration is of type {}",
            shown(config)
        );
        self.layers.iter().try_for_each(check_layer)
    }
}

fn check_layer(layer: &Descriptor) -> Result<()> {
    let (kind, shown) = (bare(&layer.media_type), shown(&layer.media_type));
    if LAYERS.contains(&kind) {
        return Ok(());
    }
    if kind.ends_with("+encrypted") {
        bail!("a layer is encrypted: {shown}");
    }
    if kind.contains(".foreign.") || kind.contains(".nondistributable.") {
        bail!("a layer is foreign, which means that it is not in the registry: {shown}");
    }
    bail!("a layer is of an unknown type: {shown}")
}
// ANCHOR_END: check

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::image::digest::Digest;

    use super::*;

    fn descriptor(media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": Digest::of(b""), "size": 0})
    }

    fn manifest() -> Value {
        json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG),
            "layers": [descriptor(LAYER_GZIP)],
        })
    }

    fn refused(document: &Value, media_type: Option<&str>) -> String {
        let outcome = Document::read(document.to_string().as_bytes(), media_type);
        format!("{:#}", outcome.err().unwrap())
    }

    #[test]
    fn a_document_says_what_it_is() {
        let mut silent = manifest();
        silent["mediaType"] = Value::Null;
        for (document, media_type) in [
            (manifest(), None),
            (manifest(), Some("application/octet-stream")),
            (manifest(), Some(INDEX)),
            (
                silent.clone(),
                Some("application/vnd.oci.image.manifest.v1+json; charset=utf-8"),
            ),
            (silent.clone(), Some("text/plain")),
        ] {
            let read = Document::read(document.to_string().as_bytes(), media_type);
            assert!(matches!(read, Ok(Document::Manifest(_))), "{media_type:?}");
        }
        let index = json!({"manifests": [descriptor(MANIFEST)]}).to_string();
        let read = Document::read(index.as_bytes(), None);
        assert!(matches!(read, Ok(Document::Index(_))));
    }

    #[test]
    fn what_could_be_two_things_is_neither() {
        let mut both = manifest();
        both["manifests"] = json!([]);
        assert!(refused(&both, None).contains("at once"));
        let mut lying = manifest();
        lying["mediaType"] = json!(INDEX);
        assert!(refused(&lying, None).contains("says that it is an index"));
        let index = json!({"manifests": []});
        assert!(refused(&index, Some(MANIFEST)).contains("says that it is a manifest"));
        let mut silent = manifest();
        silent["mediaType"] = Value::Null;
        assert!(refused(&silent, Some(DOCKER_INDEX)).contains("says that it is an index"));
        // Which of the two would count?
        let twice = br#"{"manifests": [], "manifests": []}"#;
        assert!(Document::read(twice, None).is_err());
    }

    #[test]
    fn what_is_no_image_is_refused_by_name() {
        let with = |config: &str, layer: &str| {
            let mut manifest = manifest();
            manifest["config"]["mediaType"] = json!(config);
            manifest["layers"][0]["mediaType"] = json!(layer);
            refused(&manifest, None)
        };
        let helm = "application/vnd.cncf.helm.config.v1+json";
        let encrypted = format!("{LAYER_GZIP}+encrypted");
        let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        let kept = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
        for (refused, reason) in [
            (with(helm, LAYER), "a Helm chart"),
            (
                with("application/vnd.x", LAYER),
                "its configuration is of type application/vnd.x",
            ),
            (with(CONFIG, &encrypted), "a layer is encrypted"),
            (with(CONFIG, foreign), "a layer is foreign"),
            (with(CONFIG, kept), "a layer is foreign"),
            (with(CONFIG, "application/x-lzma"), "of an unknown type"),
            (
                refused(&json!({"schemaVersion": 1, "fsLayers": []}), None),
                "schema 1",
            ),
            (refused(&json!({}), None), "neither"),
            (refused(&json!([]), None), "cannot read the manifest"),
        ] {
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn a_digest_or_a_size_that_cannot_be_is_refused() {
        let mut other = manifest();
        other["layers"][0]["digest"] = json!("sha256:../etc/hostname");
        assert!(refused(&other, None).contains("is not a sha256 digest"));
        for wrong in [json!(-1), json!(1.5), json!("1"), Value::Null] {
            let mut manifest = manifest();
            manifest["layers"][0]["size"] = wrong;
            assert!(refused(&manifest, None).contains("cannot read the manifest"));
        }
    }

    #[test]
    fn a_document_is_called_what_it_is() {
        let index = br#"{"schemaVersion": 2, "manifests": []}"#;
        let docker = format!(r#"{{"mediaType": "{DOCKER_MANIFEST}", "layers": []}}"#);
        for (bytes, said, expected) in [
            (&index[..], None, INDEX),
            (index, Some("text/plain; charset=utf-8"), INDEX),
            (index, Some(DOCKER_INDEX), DOCKER_INDEX),
            (docker.as_bytes(), Some(MANIFEST), DOCKER_MANIFEST),
            (b"{}", Some("application/octet-stream"), MANIFEST),
        ] {
            let called = Document::media_type(bytes, said).ok();
            assert_eq!(called, Some(expected), "{said:?}");
        }
    }
}
