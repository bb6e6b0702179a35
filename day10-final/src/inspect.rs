//! `inspect`: everything that we know about containers and images, under Docker's names, for jq(1).
//!
//! It reads the records in [`crate::state`], and the names of images from [`crate::ps`]. Only `main` uses it.

mod image;
mod notes;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;
use serde_json::ser::{PrettyFormatter, Serializer};
use serde_json::{Map, Value, json};

use crate::cli::images::{Inspect, Kind};
use crate::container::{Container, Status};
use crate::failure::{FAILED, escaped_json, shown, warn};
use crate::network::addresses;
use crate::state::store::{self, NoSuch};
use crate::{ps, signals};

/// How Docker says "never": the zero time of its language, Go.
const NEVER: &str = "0001-01-01T00:00:00Z";

// ANCHOR: inspect
/// Prints what we know about the containers and images that the ids mean: an array of those that exist.
pub fn inspect(options: &Inspect, state: &Path) -> Result<u8> {
    signals::end_with_the_reader()?;
    let (mut found, mut code) = (Vec::new(), 0);
    for id in &options.ids {
        match one(id, options.kind, state).with_context(|| format!("cannot inspect {}", shown(id)))
        {
            Ok(known) => found.push(known),
            Err(error) => {
                warn(&error);
                code = FAILED;
            }
        }
    }
    let mut text = Vec::new();
    found.serialize(&mut Serializer::with_formatter(
        &mut text,
        PrettyFormatter::with_indent(b"    "),
    ))?;
    text.push(b'\n');
    let text = escaped_json(&String::from_utf8_lossy(&text));
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot print")?;
    Ok(code)
}
// ANCHOR_END: inspect

// ANCHOR: one
/// As in Docker, a container comes before an image with the same name.
fn one(id: &str, kind: Option<Kind>, state: &Path) -> Result<Value> {
    if kind != Some(Kind::Image) {
        match store::find(state, id) {
            Err(error) if kind.is_none() && error.is::<NoSuch>() => (),
            found => return found.map(|container| describe(&container, state)),
        }
    }
    image::describe(id, state)?.context(match kind {
        Some(_) => "no such image",
        None => "no such container or image\nhint: tiny-docker ps -a lists all containers",
    })
}
// ANCHOR_END: one

// ANCHOR: describe
fn describe(container: &Container, state: &Path) -> Value {
    json!({
        "Id": container.id,
        "Name": format!("/{}", container.name),
        "Created": container.created_at,
        "Path": container.command.first(),
        "Args": container.command.iter().skip(1).collect::<Vec<_>>(),
        "Image": match &container.image {
            Some(image) => image.id.to_string(),
            None => ps::image(container, state),
        },
        "State": state_of(container),
        "LogPath": container.log.as_deref().unwrap_or(Path::new("")),
        "Mounts": mounts(container),
        "Config": config(container, state),
        "HostConfig": host_config(container),
        "NetworkSettings": network_settings(container),
        // Docker has no names for these.
        "Rootfs": container.rootfs,
        "Layer": container.layer,
        "Cgroup": container.cgroup,
    })
}
// ANCHOR_END: describe

/// A container starts when it is created. What we do not know about its end is null, or "never".
fn state_of(container: &Container) -> Value {
    let running = container.status == Status::Running;
    let code = container.exit_code.map_or(Value::Null, Value::from);
    let ended = !running && container.status != Status::Created;
    json!({
        "Status": container.status.to_string(),
        "Running": running,
        "Pid": pid(container).unwrap_or(0),
        "ExitCode": if ended { code } else { 0.into() },
        "OOMKilled": container.out_of_memory,
        "StartedAt": container.created_at,
        "FinishedAt": container.finished_at.as_deref().unwrap_or(NEVER),
    })
}

/// Its PID 1, as the host sees it, if it is running.
fn pid(container: &Container) -> Option<i32> {
    let running = container.status == Status::Running;
    container
        .process
        .as_ref()
        .filter(|_| running)
        .map(|process| process.pid)
}

fn mounts(container: &Container) -> Value {
    let volumes = container.volumes.volumes.iter();
    volumes
        .map(|volume| {
            json!({
                "Type": "bind",
                "Source": volume.host,
                "Destination": volume.container,
                "Mode": if volume.read_only { "ro" } else { "" },
                "RW": !volume.read_only,
            })
        })
        .chain(notes::volumes(container))
        .collect()
}

fn config(container: &Container, state: &Path) -> Value {
    let mut config = json!({
        "Hostname": container.hostname,
        "User": container.privileges.user.as_deref().unwrap_or(""),
        "Env": container.environment,
        "Cmd": container.command,
        "Image": match &container.image {
            Some(image) => image.name.clone(),
            None => ps::image(container, state),
        },
        "WorkingDir": container.directory.as_deref().unwrap_or(Path::new("")),
        "Tty": container.tty,
        "OpenStdin": container.interactive,
    });
    notes::add_to(&mut config, container);
    config
}

fn host_config(container: &Container) -> Value {
    let (limits, volumes) = (&container.limits, &container.volumes);
    let [added, dropped] = container.privileges.changes();
    let binds = volumes.volumes.iter().map(|volume| {
        let end = if volume.read_only { ":ro" } else { "" };
        format!(
            "{}:{}{end}",
            volume.host.display(),
            volume.container.display()
        )
    });
    let tmpfs = volumes.tmpfs.iter().map(|tmpfs| {
        (
            tmpfs.path.display().to_string(),
            tmpfs.options.clone().into(),
        )
    });
    let hosts = container.lookup.add_host.iter().map(ToString::to_string);
    json!({
        "AutoRemove": container.remove,
        "Binds": binds.collect::<Vec<_>>(),
        "CapAdd": added,
        "CapDrop": dropped,
        "Dns": container.lookup.dns,
        "ExtraHosts": hosts.collect::<Vec<_>>(),
        "Init": container.init,
        "Memory": limits.memory.unwrap_or(0),
        "NanoCpus": (limits.cpus.unwrap_or(0.0) * 1e9).round() as u64,
        "NetworkMode": container.net.in_docker(),
        "PidsLimit": limits.pids_limit,
        "PortBindings": bindings(container),
        "ReadonlyRootfs": volumes.read_only,
        "SecurityOpt": container.privileges.options(),
        "Tmpfs": tmpfs.collect::<Map<_, _>>(),
    })
}

/// Which of the host's ports lead to each of the container's, for example to 80/tcp.
fn bindings(container: &Container) -> BTreeMap<String, Vec<Value>> {
    let mut bindings = BTreeMap::<_, Vec<_>>::new();
    for port in &container.ports.publish {
        let host = json!({ "HostIp": port.ip, "HostPort": port.host.to_string() });
        let inside = format!("{}/{}", port.container, port.protocol);
        bindings.entry(inside).or_default().push(host);
    }
    bindings
}

/// As in Docker, only a running container has an address.
fn network_settings(container: &Container) -> Value {
    let address = container.address.filter(|_| pid(container).is_some());
    let text = |address: Option<Ipv4Addr>| address.map_or_else(String::new, |it| it.to_string());
    json!({
        "IPAddress": text(address),
        "MacAddress": address.map_or_else(String::new, addresses::mac),
        "Gateway": text(address.and(pid(container)).and_then(gateway)),
        "Ports": pid(container).map(|_| notes::ports(bindings(container), container)).unwrap_or_default(),
    })
}

/// The default gateway of `pid`: in "eth0 00000000 01000A0A 0003 …", that is 10.10.0.1. proc_pid_net(5).
fn gateway(pid: i32) -> Option<Ipv4Addr> {
    let routes = fs::read_to_string(format!("/proc/{pid}/net/route")).ok()?;
    let mut routes = routes
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let default = routes.find(|fields| fields.get(1) == Some(&"00000000"))?;
    let address = u32::from_str_radix(default.get(2)?, 16).ok()?;
    // The kernel prints it as this machine stores it.
    Some(Ipv4Addr::from(address.to_ne_bytes()))
}
