//! JSON becomes the structs of the specification, with errors that name the field.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// How long we look for the name of a field. A file that takes longer was not written for people.
const LONGEST: Duration = Duration::from_secs(2);

/// How much of an error is shown, in characters.
const MOST: usize = 1000;

// ANCHOR: parse
/// Reads the `value`, which was in this `file`.
pub fn parse<T: DeserializeOwned>(value: &Value, file: &Path) -> Result<T> {
    let cannot = || format!("{} does not follow the specification", file.display());
    // The crate would take an array for the fields in their order.
    ensure!(value.is_object(), "{}: it is not an object", cannot());
    T::deserialize(value)
        .map_err(|error| {
            let reason = error.to_string();
            let field = blame::<T>(value.clone(), &reason);
            // It may have a value of the file in it, and that may be long, or have several lines.
            let reason: String = reason.replace('\n', "\\n").chars().take(MOST).collect();
            match field.is_empty() {
                true => anyhow::Error::msg(reason),
                false => anyhow::anyhow!("{field}: {reason}"),
            }
        })
        .with_context(cannot)
}
// ANCHOR_END: parse

// ANCHOR: refuse_arrays
/// Fails if an array was `given` where an object has been `read`. The crate takes its elements for the object's fields
/// in their order, and nobody means that. `name` is where we are.
pub fn refuse_arrays(given: &Value, read: &Value, name: &str) -> Result<()> {
    match (given, read) {
        (Value::Array(_), Value::Object(_)) => bail!("{name}: it is not an object"),
        (Value::Object(given), Value::Object(read)) => {
            let dot = if name.is_empty() { "" } else { "." };
            given.iter().try_for_each(|(field, given)| {
                let read = read.get(field).unwrap_or(&Value::Null);
                refuse_arrays(given, read, &format!("{name}{dot}{field}"))
            })
        }
        (Value::Array(given), Value::Array(read)) => {
            let mut pairs = given.iter().zip(read).enumerate();
            pairs.try_for_each(|(n, (given, read))| {
                refuse_arrays(given, read, &format!("{name}[{n}]"))
            })
        }
        _ => Ok(()),
    }
}
// ANCHOR_END: refuse_arrays

// ANCHOR: blame
/// The field that is to blame for the error: the innermost one without which there is none, or another one. The parser
/// itself does not say.
fn blame<T: DeserializeOwned>(mut value: Value, reason: &str) -> String {
    let deadline = Instant::now() + LONGEST;
    let missing = reason.strip_prefix("missing field `");
    let missing = missing.and_then(|rest| rest.strip_suffix('`'));
    let (mut path, mut name) = (Vec::new(), String::new());
    loop {
        if missing.is_some_and(|field| helps::<T>(&mut value, &path, field, reason)) {
            return name;
        }
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

/// Whether there is another error, or none, if the object at this path has the `field` that is missing.
fn helps<T: DeserializeOwned>(value: &mut Value, path: &[Step], field: &str, reason: &str) -> bool {
    let Value::Object(fields) = at(value, path) else {
        return false;
    };
    if fields.contains_key(field) {
        return false;
    }
    fields.insert(field.to_owned(), Value::Null);
    let with = T::deserialize(&*value).err().map(|error| error.to_string());
    Step::Field(field.to_owned()).take(at(value, path));
    with.as_deref() != Some(reason)
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
    fn an_array_is_no_object() {
        let given = json!({"process": {"user": [5, 6], "args": ["a"]}});
        let read = json!({"process": {"user": {"uid": 5, "gid": 6}, "args": ["a"]}});
        let error = refuse_arrays(&given, &read, "").unwrap_err().to_string();
        assert_eq!(error, "process.user: it is not an object");
        refuse_arrays(&read, &read, "").unwrap();
    }

    #[test]
    fn an_error_names_its_field() {
        let says = |config: Value| {
            let read = parse::<Spec>(&config, Path::new("config.json"));
            format!("{:#}", read.unwrap_err())
        };
        let namespaces = json!([{"type": "pid"}, {"type": "nope"}]);
        let config = json!({"ociVersion": "1.0.0", "linux": {"namespaces": namespaces}});
        assert!(says(config).contains(": linux.namespaces[1].type: unknown variant"));
        assert!(says(json!({"ociVersion": 1})).contains(": ociVersion: invalid type"));
        assert!(says(json!([])).ends_with(": it is not an object"));
        let user = json!({"uid": 0, "gid": 0});
        let process = json!({"ociVersion": "1.0.0", "process": {"user": user}});
        assert!(says(process).ends_with(": process: missing field `cwd`"));
    }
}
