//! The formats in which the kernel writes statistics.

use serde_json::{Map, Value, json};

/// Lines such as "oom_kill 3".
pub fn pairs(text: &str) -> Map<String, Value> {
    let pair = |line: &str| {
        let (key, number) = line.split_once(' ')?;
        Some((key.to_owned(), json!(number.trim().parse::<u64>().ok()?)))
    };
    text.lines().filter_map(pair).collect()
}

/// The number at `key` of [`pairs`], or 0.
pub fn at(pairs: &Map<String, Value>, key: &str) -> u64 {
    pairs.get(key).and_then(Value::as_u64).unwrap_or(0)
}

/// A list such as "0-2,7" of CPUs or memory nodes.
pub fn list(text: &str) -> Vec<u16> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<u16>().ok()?..=last.parse().ok()?)
    };
    text.trim().split(',').filter_map(range).flatten().collect()
}

/// Lines of version 1 such as "8:0 Read 4096". The last one, "Total 4096", is for all devices together.
pub fn blkio(text: &str) -> Vec<Value> {
    let entry = |line: &str| {
        let words: Vec<_> = line.split([' ', ':']).collect();
        match words[..] {
            [major, minor, op, value] => device(major, minor, op, value),
            [major, minor, value] => device(major, minor, "", value),
            _ => None,
        }
    };
    text.lines().filter_map(entry).collect()
}

/// An entry for the number 'MAJOR:MINOR' of a device. What is 0 or empty is left out.
pub fn device(major: &str, minor: &str, op: &str, value: &str) -> Option<Value> {
    let numbers = [("major", major), ("minor", minor), ("value", value)];
    let mut entry = Map::new();
    for (name, number) in numbers {
        match number.parse::<u64>().ok()? {
            0 => (),
            number => drop(entry.insert(name.to_owned(), json!(number))),
        }
    }
    if !op.is_empty() {
        entry.insert("op".to_owned(), json!(op));
    }
    Some(Value::Object(entry))
}

// ANCHOR: pressure
/// How long processes have had to wait: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0", and "full …". The kernel's
/// accounting/psi.rst.
pub fn pressure(text: &str) -> Value {
    let line = |kind: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(kind))
            .unwrap_or_default();
        let mut data = json!({"avg10": 0.0, "avg60": 0.0, "avg300": 0.0, "total": 0});
        for (key, value) in line
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
        {
            match (value.parse::<u64>(), value.parse::<f64>()) {
                (Ok(total), _) if key == "total" => data[key] = json!(total),
                (_, Ok(average)) => data[key] = json!(average),
                _ => (),
            }
        }
        data
    };
    json!({"some": line("some "), "full": line("full ")})
}
// ANCHOR_END: pressure

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_understood() {
        assert_eq!(list("0-2,7\n"), [0, 1, 2, 7]);
        assert!(list("\n").is_empty());
        let read = json!([{"major": 8, "op": "Read", "value": 42}]);
        assert_eq!(json!(blkio("8:0 Read 42\nTotal 42\n")), read);
        let text = "some avg10=1.50 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(pressure(text)["some"]["avg10"], json!(1.5));
        assert_eq!(pressure(text)["some"]["total"], json!(7));
    }
}
