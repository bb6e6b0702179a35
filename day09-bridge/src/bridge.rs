//! `--net bridge`: a cable from the container to a bridge on the host. ip-link(8), veth(4).

use std::fs::{self, File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::CommandExt;
use std::process::Stdio;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use nix::net::if_::{if_nameindex, if_nametoindex};
use nix::unistd::{Pid, geteuid};

use crate::failure::warn;
use crate::firewall;
use crate::host::{has, program, type_into};
use crate::network::NO_NET_ADMIN;
use crate::subnet::Subnet;

const BRIDGE: &str = "td0";

/// Whoever changes the host's network has it locked.
const LOCK: &str = "/run/tiny-docker.lock";

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

const INSTEAD: &str = "hint: --net isolated does without";

/// The bridge's alias tells what [`FORWARDING`] was before.
const ALIAS: &str = "ip_forward-was";

/// How our addresses of the other kind begin. 02: given by software, not by a maker.
const VENDOR: &str = "02:42";

/// Removing a bridge and its rules takes longer than a container: the next one may come soon.
const LINGER: Duration = Duration::from_secs(1);

// ANCHOR: cable
/// Connects a container with the bridge, as long as that has its namespace.
///
/// Its end on the host is named after the number of the container's address. The kernel gives a name only
/// once, and takes the cable away with the namespace, in whatever way that ends: so this is the register of
/// the addresses, and there is nothing to tidy up in it.
pub struct Cable {
    /// The kernel's number for it, which it never gives again.
    index: u32,
    pub address: Ipv4Addr,
}

fn name(number: u32) -> String {
    format!("{BRIDGE}-{number}")
}
// ANCHOR_END: cable

impl Cable {
    // ANCHOR: plug
    /// Connects the container whose PID 1 is `container`. The first one has the bridge made, too.
    pub fn plug(container: Pid, subnet: Subnet) -> Result<Self> {
        for program in ["ip", "nsenter"] {
            ensure!(has(program), "{program} is not in PATH\n{INSTEAD}");
        }
        let lock = lock()?;
        let bridge = bridge(subnet)?;
        let number = free_number(subnet)?;
        let (name, address) = (name(number), subnet.address(number));
        let mac = mac(address);
        let commands = format!(
            "{bridge}
            link add {name} type veth peer name eth0 address {mac} netns {container}
            link set {name} master {BRIDGE} up
            "
        );
        let made = type_into("ip -batch -", &commands);
        made.inspect_err(|_| tidy_up_later(None))
            .map_err(|error| anyhow!("{error}\n{}", instead(&error)))?;
        let index = if_nametoindex(name.as_str()).context("the container has ended")?;
        let cable = Self { index, address };
        if let Err(error) = open_way_out(subnet) {
            warn(&error.context("containers have no way out"));
        }
        drop(lock);

        let (with_bits, gateway) = (subnet.with_bits(number), subnet.address(1));
        let commands = format!(
            "addr add {with_bits} dev eth0
            link set eth0 up
            route add default via {gateway}
            "
        );
        let ip = format!("nsenter --net=/proc/{container}/ns/net ip -batch -");
        type_into(&ip, &commands)?;
        Ok(cable)
    }
    // ANCHOR_END: plug
}

/// What to do where `ip` says this.
fn instead(error: &Error) -> &'static str {
    match error.to_string().contains("not permitted") {
        true => NO_NET_ADMIN,
        false => INSTEAD,
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        tidy_up_later(Some(self.index));
    }
}

/// Reuse of an address comes with the same one of these: what others remember about it stays true.
fn mac(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("{VENDOR}:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

// ANCHOR: bridge
/// The commands that make the bridge. None, where there is one.
fn bridge(subnet: Subnet) -> Result<String> {
    if let Some((device, network)) = subnet.taken(BRIDGE)? {
        let other = Subnet::another(BRIDGE).context("all networks that we know are taken")?;
        bail!("{subnet} is taken: {device} leads to {network}\nhint: TINY_DOCKER_SUBNET={other}");
    }
    let exists = if_nametoindex(BRIDGE).is_ok();
    let fits = exists && Subnet::of(BRIDGE)? == Some(subnet);
    if exists && !fits {
        let unused = soon(|| cables().is_ok_and(|cables| cables.is_empty()));
        ensure!(
            unused,
            "{BRIDGE} is in use, and not for {subnet}\nhint: ip route show dev {BRIDGE}"
        );
        remove()?;
    }
    if fits {
        return Ok(String::new());
    }
    let forwards = fs::read_to_string(FORWARDING).context("cannot read ip_forward")?;
    let forwards = forwards.trim();
    let (mac, address) = (mac(subnet.address(1)), subnet.with_bits(1));
    Ok(format!(
        "link add {BRIDGE} address {mac} type bridge
        addr add {address} dev {BRIDGE}
        link set {BRIDGE} up alias {ALIAS}-{forwards}"
    ))
}
// ANCHOR_END: bridge

// ANCHOR: open_way_out
/// For each container anew: somebody may have loaded the host's own rules and settings again.
fn open_way_out(subnet: Subnet) -> Result<()> {
    firewall::open(BRIDGE, subnet)?;
    let forwards = fs::read_to_string(FORWARDING).context("cannot read ip_forward")?;
    if forwards.trim() == "0" {
        fs::write(FORWARDING, "1").context("cannot switch on ip_forward")?;
    }
    Ok(())
}
// ANCHOR_END: open_way_out

/// The first address that no container has, by its number.
fn free_number(subnet: Subnet) -> Result<u32> {
    let free = || {
        let cables = cables().unwrap_or_default();
        let taken = |number: &u32| cables.iter().any(|(_, cable)| *cable == name(*number));
        (2..=subnet.last()).find(|number| !taken(number))
    };
    soon(|| free().is_some());
    free().with_context(|| format!("all addresses of {subnet} are in use\nhint: tiny-docker ps"))
}

/// Whether `condition` holds within a second. The kernel ends a namespace a while after its last process.
fn soon(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(1);
    while !condition() {
        if Instant::now() > deadline {
            return false;
        }
        sleep(Duration::from_millis(20));
    }
    true
}

/// All that there are on this host, by the kernel's number and by name.
fn cables() -> Result<Vec<(u32, String)>> {
    let devices = if_nameindex().context("cannot list network devices")?;
    let mut cables = Vec::new();
    for device in &devices {
        let name = device.name().to_string_lossy();
        if name.starts_with(BRIDGE) && name != BRIDGE {
            cables.push((device.index(), name.into_owned()));
        }
    }
    Ok(cables)
}

/// Who may open the file may lock it: nobody else is to hold up the network.
fn lock() -> Result<File> {
    let cannot = || format!("cannot lock {LOCK}");
    let mut options = OpenOptions::new();
    let lock = options.create(true).append(true).mode(0o600).open(LOCK);
    let lock = lock.with_context(cannot)?;
    lock.lock().with_context(cannot)?;
    Ok(lock)
}

// ANCHOR: tidy_up
/// Has [`tidy_up`] done in the background.
fn tidy_up_later(cable: Option<u32>) {
    let mut command = program("/proc/self/exe");
    command
        .arg("tidy-up")
        .args(cable.map(|index| index.to_string()))
        .current_dir("/")
        .process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    // Any later command of ours tries again.
    let _ = command.spawn();
}

/// Where a `run` was killed that should have done it.
pub fn tidy_up_abandoned() {
    let there = geteuid().is_root() && if_nametoindex(BRIDGE).is_ok();
    if there && cables().is_ok_and(|cables| cables.is_empty()) {
        tidy_up_later(None);
    }
}

/// After a while, removes the cable with the number `ours` and, if it was the last, the bridge and its rules.
pub fn tidy_up(ours: Option<u32>) -> Result<()> {
    sleep(LINGER);
    let _lock = lock()?;
    // It is still there where somebody has stayed in the namespace.
    for (_, name) in cables()?.iter().filter(|(index, _)| ours == Some(*index)) {
        type_into(&format!("ip link del {name}"), "")?;
    }
    if if_nametoindex(BRIDGE).is_ok() && cables()?.is_empty() {
        remove()?;
    }
    Ok(())
}

fn remove() -> Result<()> {
    let link = type_into(&format!("ip link show {BRIDGE}"), "")?;
    // One whose maker was killed too early has no alias, but already an address as only we give them.
    let is_ours = link.contains(ALIAS) || link.contains(&format!("link/ether {VENDOR}"));
    ensure!(is_ours, "{BRIDGE} is not one of ours");
    firewall::close();
    if link.contains(&format!("{ALIAS}-0")) {
        // Where it could not be switched on, this cannot be done either.
        let _ = fs::write(FORWARDING, "0");
    }
    type_into(&format!("ip link del {BRIDGE}"), "")?;
    Ok(())
}
// ANCHOR_END: tidy_up
