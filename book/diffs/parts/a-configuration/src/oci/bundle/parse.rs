//! JSON becomes the structs of the specification, with errors that name the field.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long we look for the name of a field. A file that takes longer was not written for people.
const LONGEST: Duration = Duration::from_secs(2);

// ANCHOR: parse
/// Reads the `value`, which was in this `file`.
pub fn parse<T: DeserializeOwned>(value: Value, file: &Path) -> Result<T> {
    let cannot = || format!("{} does not follow the specification", file.display());
    // The crate would take an array for the fields in their order.
    ensure!(value.is_object(), "{}: it is not an object", cannot());
    T::deserialize(&value)
        .map_err(|error| {
            let reason = error.to_string();
            match blame::<T>(value, &reason) {
                field if field.is_empty() => anyhow::Error::msg(reason),
                field => anyhow::anyhow!("{field}: {reason}"),
            }
        })
        .with_context(cannot)
}
// ANCHOR_END: parse

// ANCHOR: blame
/// The field that is to blame for the error: the innermost one without which there is none, or another one. The parser
/// itself does not say.
fn blame<T: DeserializeOwned>(mut value: Value, reason: &str) -> String {
    let deadline = Instant::now() + LONGEST;
    let (mut path, mut name) = (Vec::new(), String::new());
    loop {
        let inner = match at(&mut value, &path) {
            Value::Object(fields) => fields.keys().cloned().map(Step::Field).collect(),
            Value::Array(items) => (0..items.len()).map(Step::Item).collect(),
            _ => Vec::new(),
        };
        let guilty = inner.into_iter().find(|step| {
            if Instant::now() > deadline {
                return false;
            }
            let taken = step.take(at(&mut value, &path));
            let without = T::deserialize(&value).err().map(|error| error.to_string());
            step.put_back(at(&mut value, &path), taken);
            without.as_deref() != Some(reason)
        });
        match &guilty {
            Some(Step::Field(field)) if name.is_empty() => name += field,
            Some(Step::Field(field)) => name += &format!(".{field}"),
            Some(Step::Item(n)) => name += &format!("[{n}]"),
            None => return name,
        }
        path.extend(guilty);
    }
}
// ANCHOR_END: blame

/// One level further into a value.
enum Step {
    Field(String),
    Item(usize),
}

impl Step {
    fn take(&self, value: &mut Value) -> Value {
        match (self, value) {
            (Self::Field(name), Value::Object(fields)) => fields.remove(name).unwrap_or_default(),
            (Self::Item(n), Value::Array(items)) => items.remove(*n),
            _ => Value::Null,
        }
    }

    fn put_back(&self, value: &mut Value, taken: Value) {
        match (self, value) {
            (Self::Field(name), Value::Object(fields)) => {
                fields.insert(name.clone(), taken);
            }
            (Self::Item(n), Value::Array(items)) => items.insert(*n, taken),
            _ => (),
        }
    }
}

fn at<'a>(mut value: &'a mut Value, path: &[Step]) -> &'a mut Value {
    for step in path {
        value = match step {
            Step::Field(name) => &mut value[name.as_str()],
            Step::Item(n) => &mut value[*n],
        };
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use oci_spec::runtime::Spec;
    use serde_json::json;

    #[test]
    fn an_error_names_its_field() {
        let says = |config: Value| {
            let read = parse::<Spec>(config, Path::new("config.json"));
            format!("{:#}", read.unwrap_err())
        };
        let namespaces = json!([{"type": "pid"}, {"type": "nope"}]);
        let config = json!({"ociVersion": "1.0.0", "linux": {"namespaces": namespaces}});
        assert!(says(config).contains(": linux.namespaces[1].type: unknown variant"));
        assert!(says(json!({"ociVersion": 1})).contains(": ociVersion: invalid type"));
        assert!(says(json!([])).ends_with(": it is not an object"));
    }
}
