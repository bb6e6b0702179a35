//! `--net bridge`: a veth pair connects the container with a bridge on the host. ip-link(8), veth(4).

use std::fs::{self, File, OpenOptions};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;

use anyhow::{Context, Error, Result, anyhow, bail, ensure};
use nix::net::if_::if_nametoindex;
use nix::unistd::Pid;

use crate::failure::warn;
use crate::host::{has, run_with_stdin};
use crate::network::addresses::{LAST_GIVEN, VENDOR, mac, name, next_number, soon, veths};
use crate::network::firewall;
use crate::network::subnet::Subnet;
use crate::network::{NO_NET_ADMIN, set_flags, without_ipv6};
use crate::state::lock;

pub const BRIDGE: &str = "td0";

/// Whoever changes the host's network has it locked.
const LOCK: &str = "/run/tiny-docker.lock";

/// How long we wait for others. Each holds the lock for some hundredths of a second, and there may be many.
const SECONDS: u64 = 300;

const FORWARDING: &str = "/proc/sys/net/ipv4/ip_forward";

const INSTEAD: &str = "hint: --net isolated does without";

// ANCHOR: veth
/// Connects a container with the bridge, as long as that has its namespace.
///
/// Its end on the host is named after the number of the container's address. The kernel gives a name only
/// once, and takes the veth away with the namespace, in whatever way that ends: so this is the register of
/// the addresses, and there is nothing to tidy up in it.
pub struct Veth {
    number: u32,
    /// The kernel's number for it, which is never reused. The name may belong to another veth by now.
    index: u32,
    pub address: Ipv4Addr,
}
// ANCHOR_END: veth

impl Veth {
    // ANCHOR: attach
    /// Connects the container whose PID 1 is `container`. The first one has the bridge made, too.
    pub fn attach(container: Pid, subnet: Subnet) -> Result<Self> {
        for program in ["ip", "nsenter"] {
            ensure!(has(program), "{program} is not in PATH\n{INSTEAD}");
        }
        let lock = lock()?;
        let veth = Self::create(container, subnet)?;
        if let Err(error) = enable_nat(subnet) {
            warn(&error.context("containers have no way out"));
        }
        drop(lock);

        let (with_bits, gateway) = (subnet.with_bits(veth.number), subnet.address(1));
        let commands = format!(
            "addr add {with_bits} dev eth0
            link set eth0 up
            route add default via {gateway}
            "
        );
        let ip = format!("nsenter --net=/proc/{container}/ns/net ip -batch -");
        run_with_stdin(&ip, &commands)?;
        Ok(veth)
    }
    // ANCHOR_END: attach

    // ANCHOR: create
    /// The host's end, attached to the bridge, and the other one in the container's namespace, where it is still down.
    fn create(container: Pid, subnet: Subnet) -> Result<Self> {
        let bridge = bridge(subnet)?;
        let number = next_number(subnet)?;
        let (name, address) = (name(number), subnet.address(number));
        let mac = mac(address);
        let commands = format!(
            "{bridge}
            link add {name} type veth peer name eth0 address {mac} netns {container}
            link set {name} master {BRIDGE} up
            "
        );
        run_with_stdin("ip -batch -", &commands)
            .map_err(|error| anyhow!("{error}\n{}", instead(&error)))?;
        let index = if_nametoindex(name.as_str()).context("the container has ended")?;
        let silent = [BRIDGE, &name].into_iter().try_for_each(without_ipv6);
        if let Err(error) = silent {
            warn(&anyhow!(
                "a container may become this host's router: {error}"
            ));
        }
        // If that fails, the next container gets the first free address.
        let _ = fs::write(LAST_GIVEN, number.to_string());
        if !bridge.is_empty() {
            reconnect()?;
        }
        Ok(Self {
            number,
            index,
            address,
        })
    }
    // ANCHOR_END: create
}

/// What to do if `ip` says this.
fn instead(error: &Error) -> &'static str {
    match error.to_string().contains("not permitted") {
        true => NO_NET_ADMIN,
        false => INSTEAD,
    }
}

// ANCHOR: drop
impl Drop for Veth {
    /// Disconnects the container. The kernel removes it with the namespace, which lives on while somebody holds a descriptor of it,
    /// or one of its sockets.
    fn drop(&mut self) {
        let (lock, name) = (lock(), name(self.number));
        if lock.is_ok() && if_nametoindex(name.as_str()) == Ok(self.index) {
            let _ = set_flags(&name, 0);
        }
    }
}
// ANCHOR_END: drop

// ANCHOR: bridge
/// The commands that make the bridge: none, if it is as it should be.
///
/// It stays when the last container ends, since the next one needs it again.
fn bridge(subnet: Subnet) -> Result<String> {
    if let Some((device, network)) = subnet.taken(BRIDGE)? {
        let other = Subnet::another(BRIDGE).context("all networks that we know are taken")?;
        bail!("{subnet} is taken: {device} leads to {network}\nhint: TINY_DOCKER_SUBNET={other}");
    }
    let (exists, network) = (if_nametoindex(BRIDGE).is_ok(), Subnet::of(BRIDGE)?);
    if network == Some(subnet) {
        return Ok(String::new());
    }
    let is_ours = |link: String| link.contains(&format!("link/ether {VENDOR}"));
    ensure!(
        !exists || is_ours(run_with_stdin(&format!("ip link show {BRIDGE}"), "")?),
        "{BRIDGE} is not tiny-docker's"
    );
    ensure!(
        network.is_none() || soon(|| veths().is_ok_and(|veths| veths.is_empty())),
        "{BRIDGE} is in use, and not for {subnet}\nhint: ip route show dev {BRIDGE}"
    );
    let mut commands = String::new();
    if network.is_some() {
        commands += &format!("link del {BRIDGE}\n");
    }
    let (mac, address) = (mac(subnet.address(1)), subnet.with_bits(1));
    if !exists || network.is_some() {
        commands += &format!("link add {BRIDGE} address {mac} type bridge\n");
    }
    // Somebody may have removed the address alone, or have switched the bridge off.
    Ok(commands + &format!("addr replace {address} dev {BRIDGE}\nlink set {BRIDGE} up"))
}

/// Connects the veths again that were connected before somebody removed the bridge.
fn reconnect() -> Result<()> {
    let command = |(_, name): (u32, String)| format!("link set {name} master {BRIDGE}\n");
    let commands: String = veths()?.into_iter().map(command).collect();
    // If a container has ended meanwhile, `ip` reports an error.
    let _ = run_with_stdin("ip -force -batch -", &commands);
    Ok(())
}
// ANCHOR_END: bridge

// ANCHOR: enable_nat
/// For each container anew: somebody may have loaded the host's own rules and settings again. The switch stays on, since
/// others may rely on it by the time we end.
fn enable_nat(subnet: Subnet) -> Result<()> {
    firewall::open(BRIDGE, subnet)?;
    let forwards = fs::read_to_string(FORWARDING).context("cannot read ip_forward")?;
    if forwards.trim() == "0" {
        fs::write(FORWARDING, "1").context("cannot switch on ip_forward")?;
    }
    Ok(())
}
// ANCHOR_END: enable_nat

/// Who may open the file may lock it: nobody else is to hold up the network.
fn lock() -> Result<File> {
    let cannot = || format!("cannot lock {LOCK}");
    let mut options = OpenOptions::new();
    let lock = options.create(true).append(true).mode(0o600).open(LOCK);
    let lock = lock.with_context(cannot)?;
    lock::wait(&lock, LOCK.as_ref(), File::try_lock, SECONDS)?;
    Ok(lock)
}
