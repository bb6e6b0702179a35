//! From a name to a manifest: what a tag means is only known to its registry, and it may mean an index.

use anyhow::{Result, bail, ensure};

use crate::image::manifest::{Descriptor, Document, Manifest, choose};
use crate::image::name::Name;
use crate::image::registry::Registry;
use crate::image::store::{NESTED, Store};

/// What a name means at the moment.
pub struct Resolved {
    /// Of what the name leads to: a manifest or an index.
    pub descriptor: Descriptor,
    /// That one and, if it is an index, what it leads to on this machine.
    pub documents: Vec<Vec<u8>>,
    pub manifest: Manifest,
}

// ANCHOR: resolve
/// Asks the registry. What has a digest, and is in the store, need not be asked for.
pub fn resolve(registry: &Registry, store: &Store, name: &Name) -> Result<Resolved> {
    let known = store.images()?.into_iter();
    let known = known.map(|image| image.descriptor);
    let mut wanted = known
        .filter(|descriptor| Some(descriptor.digest) == name.digest)
        .find(|descriptor| store.has_blob(&descriptor.digest));
    let mut reference = reference(name);
    let (mut documents, mut first) = (Vec::new(), None);
    for _ in 0..=NESTED {
        let (descriptor, bytes) = ask(registry, store, &reference, wanted.as_ref())?;
        let document = Document::read(&bytes, Some(&descriptor.media_type))?;
        documents.push(bytes);
        let first = first.get_or_insert(descriptor);
        match document {
            Document::Manifest(manifest) => {
                return Ok(Resolved {
                    descriptor: first.clone(),
                    documents,
                    manifest: *manifest,
                });
            }
            Document::Index(index) => {
                let chosen = choose(&index)?;
                reference = chosen.digest.to_string();
                wanted = Some(chosen.clone());
            }
        }
    }
    bail!("its indexes are nested too deeply")
}
// ANCHOR_END: resolve

/// The tag or digest of a name.
pub fn reference(name: &Name) -> String {
    let digest = name.digest.map(|digest| digest.to_string());
    digest.or_else(|| name.tag.clone()).unwrap_or_default()
}

/// The bytes of a manifest or an index, which should be what `wanted` says.
fn ask(
    registry: &Registry,
    store: &Store,
    reference: &str,
    wanted: Option<&Descriptor>,
) -> Result<(Descriptor, Vec<u8>)> {
    if let Some(wanted) = wanted.filter(|wanted| store.has_blob(&wanted.digest)) {
        return Ok((wanted.clone(), store.read_blob(wanted)?));
    }
    let answer = registry.manifest(reference)?;
    let size = answer.bytes.len() as u64;
    if let Some(wanted) = wanted {
        ensure!(
            size == wanted.size,
            "the manifest has {size} bytes, and {} in the index",
            wanted.size
        );
    }
    let said = answer.media_type.as_deref();
    Document::read(&answer.bytes, said)?;
    let descriptor = Descriptor {
        media_type: Document::media_type(&answer.bytes, said)?.to_owned(),
        digest: answer.digest,
        size,
        platform: None,
        annotations: Default::default(),
        unknown: Default::default(),
    };
    Ok((descriptor, answer.bytes))
}
