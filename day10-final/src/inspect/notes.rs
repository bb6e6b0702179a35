//! What an image has said about a container, under Docker's names.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::container::Container;
use crate::network::exposed::Exposed;

/// For its Config, whose "Cmd" is the entire command so far.
pub fn add_to(config: &mut Value, container: &Container) {
    let notes = &container.notes;
    let command = container.command.split_at_checked(notes.entrypoint);
    let (entrypoint, arguments) = command.unwrap_or_default();
    let exposed = notes.exposed.iter().flat_map(|exposed| exposed.ports());
    let exposed = exposed.map(|(port, protocol)| (format!("{port}/{protocol}"), json!({})));
    let volumes = container.volumes.own.iter();
    let volumes = volumes.map(|path| (path.display().to_string(), json!({})));
    config["Entrypoint"] = json!(Some(entrypoint).filter(|words| !words.is_empty()));
    config["Cmd"] = json!(arguments);
    config["ExposedPorts"] = exposed.collect::<Map<_, _>>().into();
    config["Labels"] = json!(notes.labels);
    config["StopSignal"] = json!(notes.stop_signal.as_deref().unwrap_or("SIGTERM"));
    config["Volumes"] = volumes.collect::<Map<_, _>>().into();
}

/// What has changed in a volume of the image is a part of the container's layer.
pub fn volumes(container: &Container) -> impl Iterator<Item = Value> {
    let upper = container.layer.join("upper");
    container.volumes.own.iter().map(move |path| {
        json!({
            "Type": "volume",
            "Source": upper.join(path.strip_prefix("/").unwrap_or(path)),
            "Destination": path,
            "Mode": "",
            "RW": true,
        })
    })
}

/// Adds the ports that only other containers can reach to those that are `published`.
pub fn ports(
    published: BTreeMap<String, Vec<Value>>,
    container: &Container,
) -> BTreeMap<String, Option<Vec<Value>>> {
    let inside = Exposed::unpublished(&container.notes.exposed, &container.ports).into_iter();
    let inside = inside.flat_map(Exposed::ports);
    let inside = inside.map(|(port, protocol)| (format!("{port}/{protocol}"), None));
    let published = published.into_iter();
    let published = published.map(|(port, hosts)| (port, Some(hosts)));
    published.chain(inside).collect()
}
