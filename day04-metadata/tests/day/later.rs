//! The commands of later days say when they arrive. As each does, its test here goes.

use crate::support::see;
use insta::assert_snapshot;

#[test]
fn logs_arrives_on_day_5() {
    let seen = see(&["logs", "abc"]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot show abc's log: logs arrives on day 5");
}

#[test]
fn stop_arrives_on_day_6() {
    let seen = see(&["stop", "abc"]);
    assert_eq!(seen.code, Some(1));
    assert_snapshot!(seen.stderr, @"tiny-docker: cannot stop abc: stop arrives on day 6");
}
