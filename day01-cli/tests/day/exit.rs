//! How a command ends if it is a process like any other: since day 2, the command is PID 1 of a
//! container, which survives its own signals.

use crate::support::see;

#[test]
fn a_command_killed_by_signal_n_exits_128_plus_n() {
    // 35 is a real-time signal.
    for signal in [6, 9, 15, 35] {
        let kill = format!("kill -{signal} $$");
        assert_eq!(see(&["run", "sh", "-c", &kill]).code, Some(128 + signal));
    }
}
