//! How long ago something was, in Docker's words. For `ps` only.

use std::time::{Duration, SystemTime};

// ANCHOR: age
/// The time since `time`, which has the format of RFC 3339. None if it is not a time.
pub fn since(time: &str) -> Option<String> {
    let time = humantime::parse_rfc3339(time).ok()?;
    // A clock that was set back must not make ages negative.
    let age = SystemTime::now().duration_since(time);
    Some(words(age.unwrap_or_default()))
}

/// One number, and no more than it takes to recognise a container: nobody needs seconds after a week.
fn words(age: Duration) -> String {
    let seconds = age.as_secs();
    let (minutes, hours) = (seconds / 60, (seconds + 30 * 60) / 3600);
    let days = hours / 24;
    match (seconds, minutes, hours, days) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (..60, ..) => format!("{seconds} seconds"),
        (_, 1, ..) => "About a minute".to_owned(),
        (_, ..60, ..) => format!("{minutes} minutes"),
        (_, _, 1, _) => "About an hour".to_owned(),
        (_, _, ..48, _) => format!("{hours} hours"),
        (.., ..14) => format!("{days} days"),
        (.., ..60) => format!("{} weeks", days / 7),
        (.., ..730) => format!("{} months", days / 30),
        _ => format!("{} years", days / 365),
    }
}
// ANCHOR_END: age

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_in_dockers_words() {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        const DAY: u64 = 24 * HOUR;
        for (seconds, expected) in [
            (0, "Less than a second"),
            (1, "1 second"),
            (2, "2 seconds"),
            (59, "59 seconds"),
            (MINUTE, "About a minute"),
            (2 * MINUTE - 1, "About a minute"),
            (2 * MINUTE, "2 minutes"),
            (HOUR - 1, "59 minutes"),
            (HOUR, "About an hour"),
            (HOUR + 30 * MINUTE - 1, "About an hour"),
            // Hours alone are rounded to the nearest one.
            (HOUR + 30 * MINUTE, "2 hours"),
            (2 * DAY - 30 * MINUTE - 1, "47 hours"),
            (2 * DAY - 30 * MINUTE, "2 days"),
            (13 * DAY + 5 * HOUR, "13 days"),
            (14 * DAY, "2 weeks"),
            (44 * DAY, "6 weeks"),
            (60 * DAY - HOUR, "8 weeks"),
            (60 * DAY, "2 months"),
            (720 * DAY, "24 months"),
            (730 * DAY, "2 years"),
            (3 * 365 * DAY + 60 * DAY, "3 years"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), expected, "{seconds}");
        }
    }

    #[test]
    fn an_invalid_time_has_no_age() {
        assert_eq!(since("yesterday"), None);
        assert_eq!(
            since("2000-01-01T00:00:00Z").map(|age| age.ends_with(" years")),
            Some(true)
        );
        assert_eq!(
            since("9999-01-01T00:00:00Z").as_deref(),
            Some("Less than a second")
        );
    }
}
