//! Reads limits from JSON: `linux.resources` of config.json, and the file of `update --resources`.

use std::io::Read;

use anyhow::{Context, Result, ensure};
use oci_spec::runtime::LinuxResources;
use serde::Deserialize;
use serde_json::{Map, Value};

/// In bytes. A real file has a few hundred.
const MOST: u64 = 16 << 20;

/// Reads the JSON of `update --resources`: what `linux.resources` of config.json is.
pub fn read(input: impl Read) -> Result<LinuxResources> {
    let mut text = String::new();
    input
        .take(MOST + 1)
        .read_to_string(&mut text)
        .context("cannot read the resources")?;
    ensure!(
        text.len() as u64 <= MOST,
        "the resources have more than {MOST} bytes"
    );
    // Go's decoder, which engines are used to, stops at the end of the object.
    let mut values = serde_json::Deserializer::from_str(&text).into_iter();
    let value = values.next().context("the resources are empty")?;
    parse(value.context("the resources are not valid JSON")?)
}

/// Reads `linux.resources`, as [`canonical`] makes it.
pub fn parse(mut value: Value) -> Result<LinuxResources> {
    canonical(&mut value);
    LinuxResources::deserialize(&value).context("invalid linux.resources")
}

// ANCHOR: canonical
/// Gives the fields of `linux.resources` the names that the specification has for them, before it is read.
///
/// In Go, `CPU` is as good as `cpu`, and `pagesize` as `pageSize`: engines and their users are used to that. And
/// `"pids": {}` is no limit, not a limit of 0.
pub fn canonical(resources: &mut Value) {
    rename(resources);
    if let Some(object) = resources.as_object_mut()
        && let Some(pids) = object.get("pids")
        && pids.is_object()
        && pids.get("limit").is_none_or(Value::is_null)
    {
        object.remove("pids");
    }
}
// ANCHOR_END: canonical

/// All names of fields below `linux.resources`.
const NAMES: [&str; 47] = [
    "devices",
    "allow",
    "type",
    "major",
    "minor",
    "access",
    "memory",
    "limit",
    "reservation",
    "swap",
    "kernel",
    "kernelTCP",
    "swappiness",
    "disableOOMKiller",
    "useHierarchy",
    "checkBeforeUpdate",
    "cpu",
    "shares",
    "quota",
    "burst",
    "period",
    "realtimeRuntime",
    "realtimePeriod",
    "cpus",
    "mems",
    "idle",
    "pids",
    "blockIO",
    "weight",
    "leafWeight",
    "weightDevice",
    "throttleReadBpsDevice",
    "throttleWriteBpsDevice",
    "throttleReadIOPSDevice",
    "throttleWriteIOPSDevice",
    "rate",
    "hugepageLimits",
    "pageSize",
    "network",
    "classID",
    "priorities",
    "name",
    "priority",
    "rdma",
    "hcaHandles",
    "hcaObjects",
    "unified",
];

fn rename(value: &mut Value) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(rename),
        Value::Object(object) => {
            let renamed = std::mem::take(object).into_iter().map(|(name, mut value)| {
                let known = NAMES.iter().find(|known| known.eq_ignore_ascii_case(&name));
                let name = known.map_or(name, |known| known.to_string());
                match name.as_str() {
                    // Its keys are names of files.
                    "unified" => (),
                    // Its keys are names of devices.
                    "rdma" => value
                        .as_object_mut()
                        .into_iter()
                        .flatten()
                        .for_each(|it| rename(it.1)),
                    _ => rename(&mut value),
                }
                (name, value)
            });
            *object = renamed.collect::<Map<_, _>>();
        }
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_may_have_any_case() {
        let value = json!({"CPU": {"Cpus": "0"}, "hugepageLimits": [{"pagesize": "2MB", "limit": 1}],
                           "unified": {"Memory.Max": "1"}, "pids": {}});
        let read = parse(value).unwrap();
        assert_eq!(read.cpu().as_ref().unwrap().cpus().as_deref(), Some("0"));
        assert_eq!(
            read.hugepage_limits().as_ref().unwrap()[0].page_size(),
            "2MB"
        );
        assert!(read.unified().as_ref().unwrap().contains_key("Memory.Max"));
        assert!(read.pids().is_none());
    }
}
