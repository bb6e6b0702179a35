//! `rmi`: takes a name away from an image. With its last name, the image goes.

use std::cmp::Reverse;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use crate::container::{Container, Status};
use crate::failure::{FAILED, print, shown, warn};
use crate::image::digest::Digest;
use crate::image::keep::{NoSuch, users, uses};
use crate::image::name::Name;
use crate::image::store::collect::collect;
use crate::image::store::{Image, Store};

/// How many names an error lists.
const ENOUGH: usize = 3;

// ANCHOR: remove
/// Removes what the names and ids mean. With `force`, a container that has ended does not count, nor does it matter how
/// many names an id has.
pub fn remove(options: &crate::cli::images::Rmi, state: &Path) -> Result<u8> {
    let mut code = 0;
    for text in &options.images {
        let removed = one(text, options.force, state);
        match removed.with_context(|| format!("cannot remove {}", shown(text))) {
            Ok(printed) => code = code.max(printed),
            Err(error) => {
                warn(&error);
                // With `force`, it is fine if there is nothing to remove.
                if !(options.force && error.is::<NoSuch>()) {
                    code = FAILED;
                }
            }
        }
    }
    Ok(code)
}

/// Prints what it has done, as Docker puts it. If that fails, returns an exit code.
fn one(text: &str, force: bool, state: &Path) -> Result<u8> {
    let store = Store::existing(state)?.ok_or(NoSuch)?;
    let found = store.find(text)?.ok_or(NoSuch)?;
    let image = Going::of(&store, &found)?;
    let mut users = users(state)?;
    users.retain(|container| uses(container, &image.id));
    // A digest says which image is meant, but not by which of its names.
    let is_meant = |name: &Name| text.parse::<Name>().is_ok_and(|typed| same(&typed, name));
    if found.name.as_ref().is_some_and(is_meant) {
        if image.names.len() > 1 {
            return untagged(&store.remove(&[found])?);
        }
        image.check_name(text, force, &users)?;
        if users.iter().any(is_running) {
            // It stays, without a name: there is more to say about a running container's image than its layers.
            store.untag(&found)?;
            return untagged(&[found]);
        }
    } else {
        image.check_id(text, force, &users)?;
    }
    let chain = store.whole(&found).map(|whole| whole.config.chain());
    let mut code = untagged(&store.remove(&image.entries())?)?;
    // Somebody may have given it another name since we looked.
    if Going::of(&store, &found)?.entries().is_empty() {
        code = code.max(print(format!("Deleted: {}", image.id)));
    }
    // Nothing is collected while somebody uses the store, even if that is us.
    drop(store);
    let mut gone = collect(state)?.layers;
    let order = |layer: &Digest| chain.as_ref().ok()?.iter().position(|own| own == layer);
    gone.sort_by_key(|layer| Reverse(order(layer)));
    let printed = gone.iter().map(|layer| print(format!("Deleted: {layer}")));
    Ok(printed.fold(code, u8::max))
}
// ANCHOR_END: remove

fn same(one: &Name, other: &Name) -> bool {
    one.canonical() == other.canonical()
}

/// Says which entries are gone. If there were none, somebody else was faster.
fn untagged(gone: &[Image]) -> Result<u8> {
    ensure!(!gone.is_empty(), NoSuch);
    let names = gone.iter().filter_map(|entry| entry.name.as_ref());
    let printed = names.map(|name| print(format!("Untagged: {name}")));
    Ok(printed.fold(0, u8::max))
}

fn is_running(container: &Container) -> bool {
    container.status == Status::Running
}

/// An image, and all entries of the index that lead to it.
struct Going {
    id: Digest,
    names: Vec<Image>,
    nameless: Vec<Image>,
}

impl Going {
    fn of(store: &Store, found: &Image) -> Result<Self> {
        // If its manifest is damaged or missing, it is still possible to remove it.
        let id = |image: &Image| store.id(image).unwrap_or(image.descriptor.digest);
        let mut all = store.images()?;
        let wanted = id(found);
        all.retain(|image| id(image) == wanted);
        let (names, nameless) = all.into_iter().partition(|image| image.name.is_some());
        Ok(Self {
            id: wanted,
            names,
            nameless,
        })
    }

    fn entries(&self) -> Vec<Image> {
        [&self.names[..], &self.nameless].concat()
    }

    // ANCHOR: conflicts
    /// Fails if its last name must not go.
    fn check_name(&self, text: &str, force: bool, users: &[Container]) -> Result<()> {
        let Some(user) = users.first().filter(|_| !force) else {
            return Ok(());
        };
        let (image, text) = (self.id.short(), shown(text));
        bail!(
            "conflict: container {} is using its referenced image {image}\nhint: tiny-docker rm {0}, or rmi -f {text}",
            user.id
        )
    }

    /// Fails if it must not go, with all of its names.
    fn check_id(&self, text: &str, force: bool, users: &[Container]) -> Result<()> {
        let image = self.id.short();
        if let Some(user) = users.iter().find(|user| is_running(user)) {
            let user = &user.id;
            bail!(
                "conflict: running container {user} is using its referenced image {image}\nhint: tiny-docker rm -f {user}"
            );
        }
        if force {
            return Ok(());
        }
        if let Some(user) = users.first() {
            let (user, text) = (&user.id, shown(text));
            bail!(
                "conflict: stopped container {user} is using its referenced image {image}\nhint: tiny-docker rm {user}, or rmi -f {text}"
            );
        }
        let names = self.names.iter().filter_map(|image| image.name.as_ref());
        let mut some: Vec<_> = names.take(ENOUGH).map(Name::to_string).collect();
        if self.names.len() > ENOUGH {
            some.push("…".to_owned());
        }
        ensure!(
            self.names.len() < 2,
            "conflict: it has {} names: {}\nhint: tiny-docker rmi -f {}",
            self.names.len(),
            some.join(", "),
            shown(text)
        );
        Ok(())
    }
    // ANCHOR_END: conflicts
}
