//! From a name to a manifest: what a tag means is only known to its registry, and it may mean an index.

use crate::image::name::Name;

/// The tag or digest of a name.
pub fn reference(name: &Name) -> String {
    let digest = name.digest.map(|digest| digest.to_string());
    digest.or_else(|| name.tag.clone()).unwrap_or_default()
}
