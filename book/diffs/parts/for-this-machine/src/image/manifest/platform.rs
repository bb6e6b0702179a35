//! What runs on this machine, among what an index offers: the image specification, image-index.md.

use std::error::Error;
use std::fmt::{self, Display, Formatter};

use anyhow::{Result, bail};

use crate::failure::shown;
use crate::image::manifest::{DOCKER_INDEX, DOCKER_MANIFEST, Descriptor, INDEX, MANIFEST};
use crate::image::manifest::{Platform, bare};

/// This machine, in Go's words.
pub const OS: &str = "linux";
pub const ARCHITECTURE: &str = match cfg!(target_arch = "x86_64") {
    true => "amd64",
    false => "arm64",
};

/// The variant that every machine of this architecture has.
const VARIANT: &str = match cfg!(target_arch = "x86_64") {
    true => "v1",
    false => "v8",
};

/// How many platforms an error lists.
const LISTED: usize = 12;

// ANCHOR: choose
/// The one of an index that runs on this machine: "there is none for linux/amd64: there are …".
///
/// An entry that does not say where it runs is the last resort: its configuration will say.
pub fn choose(index: &[Descriptor]) -> Result<&Descriptor> {
    let runs = |entry: &&Descriptor| entry.platform.as_ref().is_some_and(Platform::runs_here);
    let images = || index.iter().filter(|entry| is_image(entry));
    let chosen = images().find(runs);
    chosen
        .or_else(|| images().find(|entry| entry.platform.is_none()))
        .map_or_else(|| bail!(Foreign(none_runs(images()))), Ok)
}

/// Buildkit puts what it knows about an image beside it, as another "image" for a machine that does not exist.
fn is_image(entry: &Descriptor) -> bool {
    let is_about_another = entry.annotations.contains_key("vnd.docker.reference.type");
    let unknown = |platform: &Platform| platform.os == "unknown";
    let known = [MANIFEST, INDEX, DOCKER_MANIFEST, DOCKER_INDEX];
    known.contains(&bare(&entry.media_type))
        && !is_about_another
        && !entry.platform.as_ref().is_some_and(unknown)
}
// ANCHOR_END: choose

fn none_runs<'a>(images: impl Iterator<Item = &'a Descriptor>) -> String {
    let platforms = images.filter_map(|entry| entry.platform.as_ref());
    let mut there: Vec<_> = platforms.map(Platform::to_string).collect();
    there.sort();
    there.dedup();
    let more = there.len() > LISTED;
    there.truncate(LISTED);
    let there = match &there[..] {
        [] => "it lists no images".to_owned(),
        [one] => format!("there is {one}"),
        all if more => format!("there are {}, …", all.join(", ")),
        all => format!("there are {}", all.join(", ")),
    };
    format!("there is none for {OS}/{ARCHITECTURE}: {there}")
}

impl Platform {
    fn runs_here(&self) -> bool {
        let variant = self.variant.as_deref().unwrap_or_default();
        check(&self.os, &self.architecture).is_ok() && ["", VARIANT].contains(&variant)
    }
}

/// Fails if programs for `os` and `architecture` do not run here. Nothing said means: this machine.
pub fn check(os: &str, architecture: &str) -> Result<()> {
    let is = |said: &str, here: &str| said.is_empty() || said == here;
    if is(os, OS) && is(architecture, ARCHITECTURE) {
        return Ok(());
    }
    let there = format!("{}/{}", shown(os), shown(architecture));
    let reason = format!("it is for {there}, and this machine is {OS}/{ARCHITECTURE}");
    bail!(Foreign(reason))
}

/// It is for another machine.
#[derive(Debug)]
pub struct Foreign(String);

impl Display for Foreign {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Foreign {}

impl Display for Platform {
    /// For example linux/arm/v7.
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{}/{}", shown(&self.os), shown(&self.architecture))?;
        match &self.variant {
            Some(variant) if !variant.is_empty() => write!(f, "/{}", shown(variant)),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;
    use crate::image::digest::Digest;

    /// An index's entry for `platform`, for example "linux/arm/v7", or "" for none.
    fn entry(platform: &str) -> Descriptor {
        let mut parts = platform.split('/');
        let digest = Digest::of(platform.as_bytes());
        let mut entry = json!({"mediaType": MANIFEST, "digest": digest, "size": 1});
        if !platform.is_empty() {
            entry["platform"] = json!({"os": parts.next(), "architecture": parts.next()});
            entry["platform"]["variant"] = json!(parts.next());
        }
        from_value(entry).unwrap()
    }

    fn chosen(platforms: &[&str]) -> Result<String> {
        let index: Vec<_> = platforms.iter().map(|platform| entry(platform)).collect();
        let chosen = choose(&index)?.digest;
        let is_it = |platform: &&&str| Digest::of(platform.as_bytes()) == chosen;
        Ok((*platforms.iter().find(is_it).unwrap()).to_owned())
    }

    #[test]
    fn the_image_for_this_machine_is_chosen() {
        let here = &format!("{OS}/{ARCHITECTURE}")[..];
        let exactly = &format!("{here}/{VARIANT}")[..];
        for (offered, expected) in [
            (&["windows/amd64", "linux/arm/v7", here][..], here),
            (&["linux/riscv64", exactly], exactly),
            (&[&format!("{here}/v99"), here], here),
            (&["", here], here),
            (&["linux/riscv64", ""], ""),
            (&["unknown/unknown", here], here),
        ] {
            assert_eq!(chosen(offered).unwrap(), expected, "{offered:?}");
        }
    }

    #[test]
    fn what_there_is_instead_is_listed() {
        let refused = |offered: &[&str]| chosen(offered).unwrap_err().to_string();
        let none = format!("there is none for {OS}/{ARCHITECTURE}:");
        assert_eq!(
            refused(&[
                "linux/riscv64",
                "linux/arm/v7",
                "windows/amd64",
                "linux/riscv64"
            ]),
            format!("{none} there are linux/arm/v7, linux/riscv64, windows/amd64")
        );
        assert_eq!(
            refused(&["unknown/unknown"]),
            format!("{none} it lists no images")
        );
        assert_eq!(
            refused(&["plan9/mips\u{1b}[2J"]),
            format!("{none} there is plan9/mips\\u{{1b}}[2J")
        );
    }

    #[test]
    fn what_describes_another_image_is_not_chosen() {
        let mut attestation = entry("");
        let kind = "vnd.docker.reference.type".to_owned();
        attestation
            .annotations
            .insert(kind, "attestation-manifest".to_owned());
        assert!(choose(&[attestation]).is_err());
        let mut signature = entry("");
        signature.media_type = "application/vnd.dev.cosign.artifact".to_owned();
        assert!(choose(&[signature]).is_err());
    }
}
