//! What `import -c` takes: the instructions of a Dockerfile that only say how containers should run.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::failure::in_quotes;
use crate::image::archive::import::words::Words;
use crate::image::manifest::Settings;
use crate::kill;

/// Changes the `settings` as `instruction` says, for example "CMD sleep 1".
pub fn apply(settings: &mut Settings, instruction: &str) -> Result<()> {
    let cannot = || format!("cannot apply {}", in_quotes(instruction));
    let instruction = instruction.trim();
    let parts = instruction.split_once(char::is_whitespace);
    let (name, text) = parts.unwrap_or((instruction, ""));
    change(settings, &name.to_ascii_uppercase(), text.trim()).with_context(cannot)
}

// ANCHOR: change
fn change(settings: &mut Settings, name: &str, text: &str) -> Result<()> {
    let variables = settings.env.clone().unwrap_or_default();
    let words = Words::of(text, &variables);
    match name {
        "CMD" => settings.cmd = Some(command(text)),
        "ENTRYPOINT" => settings.entrypoint = Some(command(text)),
        "ENV" => pairs(text, words)?
            .into_iter()
            .for_each(|(name, value)| set(settings.env.get_or_insert_default(), &name, &value)),
        "LABEL" => {
            let labels = settings.labels.get_or_insert_default();
            labels.extend(pairs(text, words)?);
        }
        "EXPOSE" => {
            for port in words.all()? {
                add(&mut settings.exposed_ports, ports(&port)?);
            }
        }
        "VOLUME" => {
            let paths = array(text).map_or_else(|| words.all(), Ok)?;
            ensure!(!paths.iter().any(String::is_empty), "a path is empty");
            add(&mut settings.volumes, paths);
        }
        "STOPSIGNAL" => {
            let signal = words.one()?;
            kill::named(&signal)?;
            settings.stop_signal = Some(signal);
        }
        "USER" => settings.user = Some(words.one()?),
        "WORKDIR" => {
            let before = settings.working_dir.take().unwrap_or_default();
            settings.working_dir = Some(joined(&before, &words.one()?)?);
        }
        _ => bail!(
            "it is not one of CMD, ENTRYPOINT, ENV, EXPOSE, LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR"
        ),
    }
    ensure!(!text.is_empty(), "{name} needs an argument");
    Ok(())
}
// ANCHOR_END: change

// ANCHOR: command
/// A JSON array is the command as it is. Anything else is for the shell.
fn command(text: &str) -> Vec<String> {
    array(text).unwrap_or_else(|| ["/bin/sh", "-c", text].map(str::to_owned).into())
}

fn array(text: &str) -> Option<Vec<String>> {
    serde_json::from_str(text).ok()
}
// ANCHOR_END: command

/// "NAME=value NAME=value …" or, as it once was, "NAME value".
fn pairs(text: &str, words: Words) -> Result<Vec<(String, String)>> {
    let first = text.split(char::is_whitespace).next().unwrap_or_default();
    if !first.contains('=') {
        let value = words.one()?;
        let (name, value) = value
            .split_once(char::is_whitespace)
            .context("it has no value")?;
        return Ok(vec![(name.to_owned(), value.trim_start().to_owned())]);
    }
    let pair = |word: String| {
        let (name, value) = word
            .split_once('=')
            .context("it is not of the form NAME=value")?;
        ensure!(!name.is_empty(), "a name is empty");
        Ok((name.to_owned(), value.to_owned()))
    };
    words.all()?.into_iter().map(pair).collect()
}

/// Sets a variable, in its old place if it is there.
fn set(variables: &mut Vec<String>, name: &str, value: &str) {
    let is_it =
        |variable: &&mut String| variable.split_once('=').is_some_and(|(its, _)| its == name);
    let variable = format!("{name}={value}");
    match variables.iter_mut().find(is_it) {
        Some(before) => *before = variable,
        None => variables.push(variable),
    }
}

/// For example "80", "53/udp" or "8000-8010/tcp", as images have them: one by one, with the protocol.
fn ports(text: &str) -> Result<Vec<String>> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let number = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let ports = number(first)
        .zip(number(last))
        .filter(|(first, last)| first <= last);
    let (first, last) = ports.with_context(|| format!("{} is not a port", in_quotes(text)))?;
    let protocol = protocol.to_ascii_lowercase();
    let known = ["tcp", "udp", "sctp"].contains(&&protocol[..]);
    ensure!(known, "{} is not tcp, udp or sctp", in_quotes(&protocol));
    Ok((first..=last)
        .map(|port| format!("{port}/{protocol}"))
        .collect())
}

/// Images have these as JSON objects without a value, since Go has no sets.
fn add(set: &mut Option<BTreeMap<String, Value>>, keys: Vec<String>) {
    let nothing = |key| (key, Map::new().into());
    let set = set.get_or_insert_default();
    set.extend(keys.into_iter().map(nothing));
}

/// The directory `path`, seen from the directory `before`, which is / if it is empty.
fn joined(before: &str, path: &str) -> Result<String> {
    let mut joined = PathBuf::from("/");
    for part in Path::new("/").join(before).join(path).components() {
        match part {
            Component::Normal(name) => joined.push(name),
            Component::ParentDir => drop(joined.pop()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => (),
        }
    }
    Ok(joined.to_str().context("it is not UTF-8")?.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::{json, to_value};

    use super::*;

    fn applied(instructions: &[&str]) -> Value {
        let mut settings = Settings::default();
        for instruction in instructions {
            apply(&mut settings, instruction).unwrap();
        }
        let mut all = to_value(settings).unwrap();
        let fields = all.as_object_mut().unwrap();
        fields.retain(|_, value| !value.is_null());
        all
    }

    #[test]
    fn an_instruction_means_what_it_means_in_a_dockerfile() {
        for (instructions, said) in [
            (
                &["CMD sleep  1"][..],
                json!({"Cmd": ["/bin/sh", "-c", "sleep  1"]}),
            ),
            (
                &["cmd [\"sleep\", \"1\"]", "ENTRYPOINT [\"\"]"],
                json!({"Cmd": ["sleep", "1"], "Entrypoint": [""]}),
            ),
            (
                &["CMD [sleep, 1]"],
                json!({"Cmd": ["/bin/sh", "-c", "[sleep, 1]"]}),
            ),
            (
                &[
                    r#"ENV A=b C="d  'e'" F='g "$A"' H=i\ j K="#,
                    "ENV A=$A:${C}/$L\\$A$",
                ],
                json!({"Env": [r"A=b:d  'e'/$A$", "C=d  'e'", r#"F=g "$A""#, "H=i j", "K="]}),
            ),
            (
                &["ENV A b  c", "ENV D \"e f\""],
                json!({"Env": ["A=b  c", "D=e f"]}),
            ),
            (
                &["LABEL a.b=\"c d\" e=f", "LABEL e=g"],
                json!({"Labels": {"a.b": "c d", "e": "g"}}),
            ),
            (
                &["EXPOSE 80 53/UDP 8000-8001"],
                json!({"ExposedPorts": {"80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {}}}),
            ),
            (
                &["VOLUME /a /b", "VOLUME [\"/c d\"]"],
                json!({"Volumes": {"/a": {}, "/b": {}, "/c d": {}}}),
            ),
            (
                &["WORKDIR /a/b", "WORKDIR ../c/./d"],
                json!({"WorkingDir": "/a/c/d"}),
            ),
            (&["WORKDIR a"], json!({"WorkingDir": "/a"})),
            (
                &["ENV U=1", "USER $U:2", "STOPSIGNAL SIGUSR1"],
                json!({"Env": ["U=1"], "User": "1:2", "StopSignal": "SIGUSR1"}),
            ),
        ] {
            assert_eq!(applied(instructions), said, "{instructions:?}");
        }
    }

    #[test]
    fn an_instruction_that_cannot_be_is_refused_with_the_reason() {
        for (instruction, reason) in [
            ("", "it is not one of CMD, ENTRYPOINT,"),
            ("RUN true", "it is not one of CMD, ENTRYPOINT,"),
            ("CMD", "CMD needs an argument"),
            ("USER ", "USER needs an argument"),
            ("ENV A", "it has no value"),
            ("ENV A=b C", "it is not of the form NAME=value"),
            ("ENV A=b =c", "a name is empty"),
            ("ENV A='b", "a quote is not closed"),
            (
                "ENV A=${B:-c}",
                "only ${NAME} is understood, without a modifier",
            ),
            ("EXPOSE 0", "'0' is not a port"),
            ("EXPOSE 2-1", "'2-1' is not a port"),
            ("EXPOSE 80/icmp", "'icmp' is not tcp, udp or sctp"),
            ("VOLUME [\"\"]", "a path is empty"),
            ("STOPSIGNAL SIGNOPE", "no such signal: SIGNOPE"),
        ] {
            let refused = apply(&mut Settings::default(), instruction).unwrap_err();
            let refused = format!("{refused:#}");
            assert!(refused.contains(reason), "{instruction}: {refused}");
        }
    }
}
