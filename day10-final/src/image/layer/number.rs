//! Numbers in a tar archive: octal, binary if they are too large for that, or decimal in pax records. tar(5).

use anyhow::{Context, Result, ensure};
use nix::sys::time::TimeSpec;

/// The number in a header's `field`. One that is empty counts as 0.
pub fn field(field: &[u8]) -> Result<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => binary(field),
        _ => octal(field),
    }
}

fn octal(field: &[u8]) -> Result<i64> {
    let padding = |byte: &u8| matches!(byte, b' ' | 0);
    let digits = field.iter().skip_while(|byte| padding(byte));
    let digits: Vec<_> = digits.take_while(|byte| !padding(byte)).copied().collect();
    if digits.is_empty() {
        return Ok(0);
    }
    let digits = str::from_utf8(&digits)
        .ok()
        .filter(|text| !text.starts_with(['+', '-']));
    digits
        .and_then(|digits| i64::from_str_radix(digits, 8).ok())
        .context("a number in its header is wrong")
}

/// A signed number, the most significant byte first. Its first bit only says that it is one.
fn binary(field: &[u8]) -> Result<i64> {
    let first = i128::from(field[0] & 0x7f);
    let sign = (first & 0x40) << 1;
    let value = field[1..].iter().try_fold(first - sign, |value, byte| {
        Some(value.checked_mul(256)? + i128::from(*byte))
    });
    value
        .and_then(|value| i64::try_from(value).ok())
        .context("a number in its header is too large")
}

/// A number in a pax record.
pub fn decimal(text: &[u8]) -> Result<i64> {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.context("a number in its pax header is wrong")
}

/// Seconds since 1970, perhaps with a fraction, and perhaps negative. Beyond nanoseconds, digits are ignored.
pub fn time(text: &[u8]) -> Result<TimeSpec> {
    let mut parts = text.splitn(2, |byte| *byte == b'.');
    let whole = parts.next().unwrap_or_default();
    let fraction = parts.next().unwrap_or_default();
    let digits = fraction.iter().all(u8::is_ascii_digit);
    ensure!(digits, "a time in its pax header is wrong");
    let padded = fraction.iter().chain(b"000000000").take(9);
    let nanoseconds = padded.fold(0, |sum, digit| 10 * sum + i64::from(digit - b'0'));
    let seconds = decimal(whole)?;
    Ok(match whole.starts_with(b"-") && nanoseconds > 0 {
        true => TimeSpec::new(seconds.saturating_sub(1), 1_000_000_000 - nanoseconds),
        false => TimeSpec::new(seconds, nanoseconds),
    })
}

/// A user or group id. The largest one means "none" to the kernel, chown(2).
pub fn id(number: i64) -> Result<u32> {
    let id = u32::try_from(number).ok().filter(|id| *id != u32::MAX);
    id.with_context(|| format!("there is no user or group {number}"))
}
