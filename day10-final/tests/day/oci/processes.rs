//! New limits for a container that stands still, in cgroup v2.

use serde_json::json;

use crate::need_cgroup_v2;
use crate::oci::bundle::Bundle;

#[test]
fn an_update_leaves_a_paused_container_paused() {
    need_cgroup_v2!();
    let bundle = Bundle::running(json!({}));
    bundle.done(&["pause"], &[]);
    bundle.done(&["update", "--pids-limit", "50"], &[]);
    assert_eq!(
        (bundle.file("cgroup.freeze"), bundle.file("pids.max")),
        ("1".into(), "50".into())
    );
    bundle.done(&["resume"], &[]);
    assert_eq!(bundle.status(), "running");
}
