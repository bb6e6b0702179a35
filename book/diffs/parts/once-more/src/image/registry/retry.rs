//! Once more, after a while: a registry that is busy says for how long. RFC 9110, section 10.2.3.

use std::fmt::{self, Display, Formatter};
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use anyhow::{Result, bail};
use ureq::Body;
use ureq::http::Response;

use crate::failure::say;

/// How often we ask.
const TIMES: u32 = 5;

/// How long we wait before the second time. From then on, twice as long each time.
const PAUSE: Duration = Duration::from_millis(250);

/// How long we wait at most, if the registry says how long.
const LONGEST: Duration = Duration::from_secs(60);

/// An error that may be gone the next time.
#[derive(Debug)]
pub struct Passing {
    /// When we should ask again.
    pub after: Option<Duration>,
    pub reason: String,
}

impl Passing {
    pub fn now(reason: String) -> Self {
        let after = None;
        Self { after, reason }
    }
}

impl Display for Passing {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Passing {}

// ANCHOR: patiently
/// Tries again while the error is a passing one, but not forever. Tells the user what it waits for.
pub fn patiently<T>(mut attempt: impl FnMut() -> Result<T>) -> Result<T> {
    let mut pause = PAUSE;
    for _ in 1..TIMES {
        let error = match attempt() {
            Ok(result) => return Ok(result),
            Err(error) => error,
        };
        let Some(Passing { after, reason }) = error.downcast_ref() else {
            return Err(error);
        };
        let wait = after.unwrap_or(pause);
        if wait > LONGEST {
            bail!("{reason}\nhint: try again in {} s", wait.as_secs());
        }
        if wait >= Duration::from_millis(500) {
            let seconds = wait.as_millis().div_ceil(1000);
            say(&format!("waiting for {seconds} s: {reason}"));
        }
        sleep(wait);
        pause *= 2;
    }
    attempt()
}
// ANCHOR_END: patiently

// ANCHOR: advice
/// How long `answer` advises us to wait: its Retry-After, in seconds or as a date.
pub fn advice(answer: &Response<Body>) -> Option<Duration> {
    let advice = answer.headers().get("Retry-After")?.to_str().ok()?;
    let seconds = advice.parse().map(Duration::from_secs);
    seconds.ok().or_else(|| {
        let wait = date(advice)?.duration_since(SystemTime::now());
        // It is over already, by our clock. That may be wrong, so we do not ask at once.
        Some(wait.unwrap_or(PAUSE).max(PAUSE))
    })
}
// ANCHOR_END: advice

/// The time that "Sun, 06 Nov 1994 08:49:37 GMT" means.
fn date(text: &str) -> Option<SystemTime> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let words: Vec<_> = text.split(' ').collect();
    let [_, day, month, year, time, "GMT"] = words[..] else {
        return None;
    };
    let month = MONTHS.find(month).filter(|_| month.len() == 3)? / 3 + 1;
    humantime::parse_rfc3339(&format!("{year}-{month:02}-{day}T{time}Z")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_as_http_writes_it() {
        let seconds = |text| {
            let since = date(text)?.duration_since(SystemTime::UNIX_EPOCH);
            since.ok().map(|since| since.as_secs())
        };
        assert_eq!(seconds("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777));
        for wrong in [
            "",
            "soon",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(seconds(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_passing_error_is_met_with_patience_that_ends() {
        let mut asked = 0;
        let outcome: Result<()> = patiently(|| {
            asked += 1;
            let after = Some(Duration::ZERO);
            let reason = "busy".to_owned();
            Err(Passing { after, reason }.into())
        });
        assert_eq!(
            (asked, outcome.unwrap_err().to_string()),
            (TIMES, "busy".to_owned())
        );
        let mut asked = 0;
        let outcome: Result<()> = patiently(|| {
            asked += 1;
            bail!("no")
        });
        assert_eq!((asked, outcome.is_err()), (1, true));
    }

    #[test]
    fn nobody_waits_for_an_hour() {
        let outcome: Result<()> = patiently(|| {
            let after = Some(Duration::from_secs(3600));
            let reason = "busy".to_owned();
            Err(Passing { after, reason }.into())
        });
        let error = outcome.unwrap_err().to_string();
        assert_eq!(error, "busy\nhint: try again in 3600 s");
    }
}
