//! `--net bridge`: a veth pair connects the container with a bridge on the host. ip-link(8), veth(4).
//!
//! The [parent](crate::parent) and [`prune`](crate::prune) call it. It uses the rest of the room, never the reverse.

use std::fs::{self, File, OpenOptions, Permissions};
use std::net::Ipv4Addr;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use nix::net::if_::if_nametoindex;
use nix::unistd::{Pid, geteuid};

use crate::failure::warn;
use crate::host::{has, run_with_stdin};
use crate::network::addresses::{BRIDGE, LAST_GIVEN, VENDOR, mac, name, next_number, soon, veths};
use crate::network::device::{NO_NET_ADMIN, set_flags, without_ipv6};
use crate::network::ports::Ports;
use crate::network::publish::{self, Published};
use crate::network::subnet::Subnet;
use crate::network::{firewall, spoofing};
use crate::state::lock;

/// Whoever changes the host's network holds this lock.
const LOCK: &str = "/run/tiny-docker.lock";

/// How long we wait for others. Each holds the lock for a few hundredths of a second, but there may be many.
const SECONDS: u64 = 300;

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

const INSTEAD: &str = "hint: use --net isolated, which needs no bridge";

// ANCHOR: veth
/// Connects a container with the bridge, until it is dropped.
pub struct Veth {
    number: u32,
    /// The kernel's number for it, which is never reused. Its name may belong to another veth by now.
    index: u32,
    pub address: Ipv4Addr,
    /// The tool that published the container's ports, if it has any.
    publisher: Option<&'static str>,
}
// ANCHOR_END: veth

// ANCHOR: attach
/// Connects the container whose PID 1 is `container`. Creates the bridge if there is none.
///
/// The veth's end on the host is named after the number of the address. The kernel allows each name only once, and
/// removes the veth along with the container's namespace, however that ends. So there is nothing to tidy up.
///
/// If the rules for published ports are gone, those of the containers in `state` are restored.
pub fn attach(container: Pid, subnet: Subnet, ports: &Ports, state: &Path) -> Result<Veth> {
    ensure!(has("ip"), "ip is not in PATH\n{INSTEAD}");
    let lock = lock()?;
    let bridge = bridge(subnet)?;
    let number = next_number(subnet)?;
    let (veth, address) = (name(number), subnet.address(number));
    let mac = mac(address);
    // If a container calls its own published port, the packets return through the device that they came from.
    let hairpin = match ports.publish[..] {
        [] => "off",
        _ => "on",
    };
    let commands = format!(
        "{bridge}
        link add {veth} type veth peer name eth0 address {mac} netns {container}
        link set {veth} master {BRIDGE} up
        link set {veth} type bridge_slave hairpin {hairpin}
        "
    );
    run_with_stdin("ip -batch -", &commands)
        .map_err(|error| anyhow!("{error}\n{}", instead(&error)))?;
    let index = if_nametoindex(veth.as_str()).context("the container has ended")?;
    without_ipv6_on(&veth);
    // If that fails, the next container gets the first free address.
    let _ = fs::write(LAST_GIVEN, number.to_string());
    if !bridge.is_empty() {
        reconnect()?;
    }
    let mut veth = Veth {
        number,
        index,
        address,
        publisher: None,
    };
    let added = add_rules(&mut veth, subnet, ports, state);
    drop(lock);
    match added {
        Err(error) if ports.publish.is_empty() => {
            warn(&error.context("containers cannot reach any other network"));
        }
        added => added.context("cannot publish ports")?,
    }
    Ok(veth)
}
// ANCHOR_END: attach

/// What helps against this error from `ip`.
fn instead(error: &Error) -> &'static str {
    match error.to_string().contains("not permitted") {
        true => NO_NET_ADMIN,
        false => INSTEAD,
    }
}

fn without_ipv6_on(veth: &str) {
    if let Err(error) = [BRIDGE, veth].into_iter().try_for_each(without_ipv6) {
        warn(&anyhow!(
            "a container may become this host's router: {error}"
        ));
    }
}

// ANCHOR: drop
impl Drop for Veth {
    /// Disconnects the container. The kernel removes the veth along with the namespace, but that lives on while
    /// somebody holds a descriptor of it, or one of its sockets.
    fn drop(&mut self) {
        let (lock, name) = (lock(), name(self.number));
        // The port is free again when this command returns.
        if let (Some(tool), true) = (self.publisher, lock.is_ok()) {
            let _ = publish::withdraw(tool, self.index);
        }
        if lock.is_ok() && if_nametoindex(name.as_str()) == Ok(self.index) {
            let _ = set_flags(&name, 0);
        }
    }
}
// ANCHOR_END: drop

// ANCHOR: add_rules
/// Sets up the way out, and the ways in that the user asked for.
///
/// This is done again for each container: somebody may have reloaded the host's own rules and settings. Forwarding
/// stays on, since others may rely on it by the time we end.
fn add_rules(veth: &mut Veth, subnet: Subnet, ports: &Ports, state: &Path) -> Result<()> {
    let veths = veths()?;
    let rules = spoofing::forbid(subnet, &veths);
    let (tool, rules) = firewall::enable_nat(subnet, rules)?;
    let mut published = Published::among(rules, tool);
    published.keep(&veths, subnet, state);
    veth.publisher = (!ports.publish.is_empty()).then_some(published.tool);
    published.add(ports, veth.address, veth.index);
    published.write()?;
    let forwards = fs::read_to_string(FORWARDING).context("cannot read ip_forward")?;
    if forwards.trim() == "0" {
        fs::write(FORWARDING, "1").context("cannot enable ip_forward")?;
    }
    Ok(())
}
// ANCHOR_END: add_rules

// ANCHOR: bridge
/// The commands that create the bridge, or repair it: somebody may have removed its address, or switched it off.
/// None, if it is as it should be.
///
/// It stays when the last container ends, since the next one needs it again.
fn bridge(subnet: Subnet) -> Result<String> {
    if let Some((device, network)) = subnet.taken(BRIDGE)? {
        let other = Subnet::another(BRIDGE).context("all candidate subnets are in use")?;
        bail!("{subnet} overlaps {network} on {device}\nhint: use TINY_DOCKER_SUBNET={other}");
    }
    let (exists, network) = (if_nametoindex(BRIDGE).is_ok(), Subnet::of(BRIDGE)?);
    if network == Some(subnet) {
        return Ok(String::new());
    }
    ensure!(!exists || is_ours()?, "{BRIDGE} belongs to another program");
    ensure!(
        network.is_none() || soon(|| veths().is_ok_and(|veths| veths.is_empty())),
        "{BRIDGE} is in use, but not with subnet {subnet}\nhint: ip route show dev {BRIDGE} shows its subnet"
    );
    let mut commands = String::new();
    if network.is_some() {
        commands += &format!("link del {BRIDGE}\n");
    }
    let (mac, address) = (mac(subnet.address(1)), subnet.with_bits(1));
    if !exists || network.is_some() {
        // 0x4000: treat LLDP (01:80:c2:00:00:0e) like all other frames. By default, it gets around the guard.
        commands += &format!("link add {BRIDGE} address {mac} type bridge group_fwd_mask 0x4000\n");
    }
    Ok(commands + &format!("addr replace {address} dev {BRIDGE}\nlink set {BRIDGE} up"))
}

/// Reconnects the veths that were on the bridge before somebody removed it.
fn reconnect() -> Result<()> {
    let command = |(_, name): (u32, String)| {
        format!("link set {name} master {BRIDGE}\nlink set {name} type bridge_slave hairpin on\n")
    };
    let commands: String = veths()?.into_iter().map(command).collect();
    // If a container has ended meanwhile, `ip` reports an error.
    let _ = run_with_stdin("ip -force -batch -", &commands);
    Ok(())
}
// ANCHOR_END: bridge

fn is_ours() -> Result<bool> {
    let link = run_with_stdin(&format!("ip link show {BRIDGE}"), "")?;
    Ok(link.contains(&format!("link/ether {VENDOR}")))
}

// ANCHOR: remove_unused
/// Removes the bridge and all rules, if no container is connected.
pub fn remove_unused() -> Result<()> {
    // If the file does not exist, there has been no bridge since the host started.
    if !geteuid().is_root() || !Path::new(LOCK).exists() {
        return Ok(());
    }
    let _lock = lock()?;
    if !veths()?.is_empty() {
        return Ok(());
    }
    firewall::disable_nat();
    if if_nametoindex(BRIDGE).is_ok() && is_ours()? {
        run_with_stdin(&format!("ip link del {BRIDGE}"), "")?;
    }
    Ok(())
}
// ANCHOR_END: remove_unused

/// Whoever may open the file may lock it, and nobody else should hold up the network.
fn lock() -> Result<File> {
    let cannot = || format!("cannot lock {LOCK}");
    let mut options = OpenOptions::new();
    let lock = options.create(true).append(true).mode(0o600).open(LOCK);
    let lock = lock.with_context(cannot)?;
    // An earlier day's program may have created it so that everybody can open it.
    let private = Permissions::from_mode(0o600);
    lock.set_permissions(private).with_context(cannot)?;
    lock::wait(&lock, LOCK.as_ref(), File::try_lock, SECONDS)?;
    Ok(lock)
}
