//! What is in the state directory: others can read it, and may have changed or damaged it.

use std::fs;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::images::build::layer::Layer;
use crate::images::build::{Image, digest};
use crate::images::keep::done;
use crate::images::pull::{assert_complete, assert_pulled, image, listed, offered};
use crate::images::registry::Registry;
use crate::need_namespaces;
use crate::support::{Running, see, state, tiny_docker};

fn index() -> Value {
    let text = fs::read(state().join("images/index.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

fn set_index(index: &Value) {
    fs::write(state().join("images/index.json"), index.to_string()).unwrap();
}

#[test]
fn the_store_is_an_image_layout_that_others_can_read() {
    need_namespaces!();
    let (_registry, name, built) = offered(&image());
    assert_pulled(&see(&["pull", &name]));
    let layout = fs::read_to_string(state().join("images/oci-layout")).unwrap();
    assert_eq!(layout, r#"{"imageLayoutVersion":"1.0.0"}"#);
    let entry = json!({
        "mediaType": built.media_type,
        "digest": built.digest(),
        "size": built.manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": name},
    });
    assert_eq!(index()["manifests"], json!([entry]));
    // If it is there, skopeo(1) is one of those others.
    let images = format!("oci:{}:{name}", state().join("images").display());
    let skopeo = Command::new("skopeo")
        .args(["inspect", "--config", &images])
        .output();
    if let Ok(seen) = skopeo {
        let config: Value = serde_json::from_slice(&seen.stdout).unwrap_or_default();
        assert_eq!(config["config"]["Cmd"], json!(["sh"]), "{seen:?}");
    }
}

#[test]
fn what_others_have_added_to_the_index_stays() {
    need_namespaces!();
    let (registry, name, _) = offered(&image());
    assert_pulled(&see(&["pull", &name]));
    let mut index_before = index();
    index_before["annotations"] = json!({"theirs": "yes"});
    let theirs = json!({"mediaType": "x/y", "digest": "sha512:00", "size": 1, "data": ""});
    index_before["manifests"]
        .as_array_mut()
        .unwrap()
        .insert(0, theirs.clone());
    index_before["manifests"][1]["artifactType"] = json!("z");
    set_index(&index_before);
    registry.push("x/y:2", &image().layer(&Layer::new().file("a", "b")));
    let pulled = see(&["pull", "-q", &registry.name("x/y:2")]);
    assert_eq!(pulled.code, Some(0));
    // What theirs needs, nobody knows.
    assert_eq!(
        pulled.stderr,
        "tiny-docker: cannot tell which images' files nobody needs: all of them stay: an entry of index.json is not an image\n"
    );
    let index = index();
    assert_eq!(index["annotations"], index_before["annotations"]);
    assert_eq!(index["manifests"][0], theirs);
    assert_eq!(index["manifests"][1], index_before["manifests"][1]);
    assert_eq!(index["manifests"].as_array().unwrap().len(), 3);
}

#[test]
fn a_damaged_index_is_an_error_with_a_way_out() {
    need_namespaces!();
    let (_registry, name, built) = offered(&image());
    assert_pulled(&see(&["pull", &name]));
    let path = state().join("images/index.json");
    for damaged in ["", "{", "[]", r#"{"manifests": 1}"#, "\0\n\n"] {
        fs::write(&path, damaged).unwrap();
        for command in [vec!["images"], vec!["pull", &name], vec!["rmi", &name]] {
            let seen = see(&command);
            assert_eq!(seen.code, Some(1), "{command:?}");
            let path = path.display();
            let reason = format!("cannot read {path}: ");
            let hint = format!("\nhint: rm {path}, and pull the images again\n");
            assert!(seen.stderr.contains(&reason), "{}", seen.stderr);
            assert!(seen.stderr.ends_with(&hint), "{}", seen.stderr);
            assert_eq!(seen.stderr.lines().count(), 2, "{}", seen.stderr);
        }
    }
    fs::remove_file(&path).unwrap();
    assert_pulled(&see(&["pull", &name]));
    assert_complete(&built);
}

#[test]
fn a_damaged_blob_is_an_error_with_a_way_out() {
    need_namespaces!();
    let (_registry, name, built) = offered(&image());
    assert_pulled(&see(&["pull", &name]));
    let blobs = state().join("images/blobs/sha256");
    for blob in [&built.layers[0], &built.config, &built.manifest] {
        let path = blobs.join(&digest(blob)[7..]);
        let mut damaged = blob.clone();
        damaged[20] ^= 1;
        fs::write(&path, damaged).unwrap();
        // Otherwise, nobody would need the layer's blob.
        let layer = listed("layers").swap_remove(0);
        fs::remove_dir_all(state().join("images/layers").join(layer)).unwrap();
        let said = see(&["pull", &format!("{name}@{}", built.digest())]).stderr;
        let path = path.display();
        let hint = format!(
            "cannot read {path}: it is damaged\nhint: rm {path}, and pull the image again\n"
        );
        assert!(said.ends_with(&hint), "{said}");
        fs::remove_file(path.to_string()).unwrap();
        assert_pulled(&see(&["pull", &name]));
        assert_complete(&built);
    }
}

#[test]
fn pulls_at_the_same_time_lose_no_image() {
    need_namespaces!();
    let registry = Registry::start();
    let tags: Vec<_> = (0..8)
        .map(|tag| registry.name(&format!("x/y:{tag}")))
        .collect();
    for (number, _) in tags.iter().enumerate() {
        let image = Image::new().layer(&Layer::new().file("number", number.to_string()));
        registry.push(&format!("x/y:{number}"), &image);
    }
    let start = |tag| Running::start(&mut tiny_docker(&["pull", "-q", tag]));
    let pulls: Vec<_> = tags.iter().map(|tag| start(tag)).collect();
    for mut pull in pulls {
        assert!(pull.0.wait().unwrap().success());
    }
    assert_eq!(done(&["images", "-q"]).lines().count(), 8);
}

#[test]
fn what_killed_pulls_have_left_goes_with_the_next_command_that_removes() {
    need_namespaces!();
    let (_registry, name, built) = offered(&image());
    assert_pulled(&see(&["pull", &name]));
    let images = state().join("images");
    let left = |days: u64| {
        let hex = digest(&days.to_le_bytes())[7..].to_owned();
        let partial = images.join("partial").join(&hex);
        fs::write(&partial, "some").unwrap();
        let time = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        fs::File::open(&partial)
            .unwrap()
            .set_modified(time)
            .unwrap();
        fs::create_dir_all(images.join("layers").join(format!(".{hex}")).join("a/b")).unwrap();
        fs::write(images.join("blobs/sha256").join(&hex), "all").unwrap();
        hex
    };
    let (new, _old) = (left(0), left(2));
    // What is not ours stays.
    fs::write(images.join("partial/theirs"), "").unwrap();
    assert_pulled(&see(&["pull", &name]));
    let mut partial = vec![new, "theirs".to_owned()];
    partial.sort();
    assert_eq!(listed("partial"), partial);
    fs::remove_file(images.join("partial/theirs")).unwrap();
    done(&["image", "prune", "-f"]);
    assert_complete(&built);
    // And with the last image, all of it.
    done(&["rmi", &name]);
    assert!(!images.exists());
}

#[test]
fn the_layers_of_a_container_stay_as_long_as_it_does() {
    need_namespaces!();
    let (registry, name, built) = offered(&Image::base());
    assert_pulled(&see(&["pull", &name]));
    done(&["run", "--net", "isolated", "--name", "one", &name, "true"]);
    // The tag means something else now, and nobody wants the old image.
    registry.push("x/y:1", &Image::base().layer(&Layer::new().file("a", "b")));
    done(&["rmi", "-f", &name]);
    let layers = built.layers.len();
    assert_eq!(listed("layers").len(), layers);
    let record = state().join("containers");
    let record = fs::read_dir(record)
        .unwrap()
        .flatten()
        .next()
        .unwrap()
        .path();
    let record = record.join("config.json");
    let text = fs::read(&record).unwrap();
    // A record that cannot be read may need anything.
    fs::write(&record, "{").unwrap();
    let seen = see(&["pull", "-q", &name]);
    assert_eq!(seen.code, Some(0));
    assert!(
        seen.stderr.contains("all of them stay: cannot read"),
        "{}",
        seen.stderr
    );
    fs::write(&record, text).unwrap();
    done(&["rmi", &name]);
    assert_eq!(listed("layers").len(), layers);
    done(&["rm", "one"]);
    done(&["image", "prune", "-f"]);
    assert!(!state().join("images").exists());
}
