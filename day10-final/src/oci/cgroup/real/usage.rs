//! What containers use, and what happens when it is too much.

use serde_json::{Value, json};

use super::made;

#[test]
fn statistics_have_runcs_shape() {
    let Some(made) = made(&json!({"pids": {"limit": 20}})) else {
        return;
    };
    made.run("head -c 10000000 /dev/zero | md5sum");
    let stats = made.0.stats().unwrap();
    assert_eq!(stats["pids"], json!({"limit": 20}));
    for number in [
        "/cpu/usage/total",
        "/memory/usage/limit",
        "/memory/raw/pgfault",
    ] {
        assert!(
            stats.pointer(number).and_then(Value::as_u64).unwrap() > 0,
            "{number}: {stats}"
        );
    }
    assert!(stats["cpuset"]["cpu_exclusive"].is_number());
}

#[test]
fn a_lack_of_memory_is_noticed() {
    let Some(made) = made(&json!({"memory": {"limit": 8388608, "swap": 8388608}})) else {
        return;
    };
    assert_eq!(made.0.oom_kills(), 0);
    made.run("exec 2>/dev/null; head -c 50m /dev/zero | tail -n 1");
    assert!(made.0.oom_kills() > 0);
}
