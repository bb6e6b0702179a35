//! Several pulls at once, and what one of them shows on a terminal.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::images::build::layer::Layer;
use crate::images::build::{Built, Image, Packed, digest};
use crate::images::pull::{assert_complete, assert_pulled, image, noise, offered};
use crate::images::registry::{Fault, Registry};
use crate::need_namespaces;
use crate::support::{Running, see, state, tiny_docker, wait_until};
use crate::terminal::terminal;

#[test]
fn two_pulls_fetch_each_blob_once() {
    need_namespaces!();
    let layer = |seed| Layer::new().file("noise", noise(seed, 40_000));
    let mut one = Image::new();
    for seed in 1..6 {
        one = one.packed(&layer(seed), Packed::Plain);
    }
    // The other one has the same layers, in another order.
    let mut other = Image::new();
    for seed in [1, 5, 4, 3, 2] {
        other = other.packed(&layer(seed), Packed::Plain);
    }
    let (registry, name, built) = offered(&one);
    registry.push("x/y:2", &other);
    registry.fault("/blobs/", 99, Fault::Slow(5));
    let other = registry.name("x/y:2");
    let names = [&name, &name, &other, &name, &other];
    let start = |name: &&String| Running::start(&mut tiny_docker(&["pull", name]));
    let pulls: Vec<_> = names.iter().map(start).collect();
    for mut pull in pulls {
        assert!(pull.0.wait().unwrap().success());
    }
    let log = registry.log();
    for blob in built.layers.iter().chain([&built.config]) {
        let asked = log
            .iter()
            .filter(|request| request.path.ends_with(&digest(blob)));
        assert_eq!(asked.count(), 1);
    }
    let images = see(&["images", "-q"]).stdout;
    assert_eq!(images.lines().count(), 2);
}

#[test]
fn on_a_terminal_each_layer_has_a_line_while_it_moves() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    let layer = digest(&built.layers[0]);
    registry.fault(&layer, 1, Fault::Slow(5));
    let mut user = terminal(&format!("TERM=xterm $TD pull {name}; echo over"));
    let short = &layer[7..19];
    user.exp_string(&format!("{short}: Downloading [")).unwrap();
    // Drawn again, in the same place.
    user.exp_string("\x1b[1A\r\x1b[J").unwrap();
    user.exp_string(&format!("{short}: Pull complete\r\n"))
        .unwrap();
    user.exp_string("over").unwrap();
    assert_complete(&built);
}

/// Starts a pull. Only half of its lower layer arrives.
fn stalled(registry: &Registry, name: &str, built: &Built) -> Running {
    let layer = digest(&built.layers[0]);
    registry.fault(&layer, 1, Fault::Stall);
    let pull = Running::start(&mut tiny_docker(&["pull", name]));
    let partial = state().join("images/partial").join(&layer[7..]);
    wait_until("half of it", || {
        fs::metadata(&partial).is_ok_and(|blob| blob.len() > 100_000)
    });
    pull
}

#[test]
fn a_killed_pull_does_not_stop_another() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    let mut first = stalled(&registry, &name, &built);
    let mut second = tiny_docker(&["pull", &name]);
    let mut second = Running::start(second.stderr(Stdio::piped()));
    let mut said = BufReader::new(second.0.stderr.take().unwrap()).lines();
    let waits = said.next().unwrap().unwrap();
    assert!(waits.starts_with("tiny-docker: waiting for /"), "{waits}");
    first.0.kill().unwrap();
    assert!(second.0.wait().unwrap().success());
    assert_complete(&built);
    assert_pulled(&see(&["pull", &name]));
}

#[test]
fn while_nothing_moves_nothing_is_drawn() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    let mut first = stalled(&registry, &name, &built);
    let mut user = terminal(&format!("TERM=xterm $TD pull {name}; echo over"));
    let before = user.exp_string("tiny-docker: waiting for ").unwrap();
    assert!(!before.contains("\x1b[J"), "{before:?}");
    first.0.kill().unwrap();
    user.exp_string("Status: Downloaded newer image").unwrap();
    user.exp_string("over").unwrap();
}

#[test]
fn what_is_said_while_a_terminal_is_drawn_stays() {
    need_namespaces!();
    let (registry, name, built) = offered(&image());
    let mut first = stalled(&registry, &name, &built);
    // This one waits for the layer that they share, while another one arrives.
    let more = Layer::new().file("noise", noise(3, 500_000));
    let built = registry.push("x/y:2", &image().packed(&more, Packed::Plain));
    registry.fault(&digest(&built.layers[1]), 1, Fault::Slow(20));
    let name = registry.name("x/y:2");
    let mut user = terminal(&format!("TERM=xterm $TD pull {name}; echo over"));
    // What was drawn makes room for it.
    user.exp_string("\x1b[1A\r\x1b[Jtiny-docker: waiting for ")
        .unwrap();
    first.0.kill().unwrap();
    user.exp_string("Status: Downloaded newer image").unwrap();
    user.exp_string("over").unwrap();
}
