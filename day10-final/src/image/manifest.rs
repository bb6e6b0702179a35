//! What an image consists of: an index, a manifest, a configuration. The image specification, manifest.md.

pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// No manifest or configuration is larger. The distribution specification lets a registry refuse more.
pub const MOST: u64 = 4 << 20;
