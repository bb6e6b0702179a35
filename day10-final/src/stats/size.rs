//! Sizes with few digits: in powers of 1024 for memory, and of 1000 for everything else. For `stats` and `prune`.

const BINARY: [&str; 6] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const DECIMAL: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];

/// For example 15.62MiB.
pub fn of_memory(bytes: u64) -> String {
    short(bytes, 1024.0, BINARY, 4)
}

/// For example 1.05kB.
pub fn of_data(bytes: u64) -> String {
    short(bytes, 1000.0, DECIMAL, 3)
}

/// At most `digits` digits, unless there are more before the point. Zeros at the end are left out.
fn short(bytes: u64, base: f64, units: [&str; 6], digits: usize) -> String {
    let (mut number, mut power) = (bytes as f64, 0);
    // A number that would be rounded up to 1000 of a unit is 1 of the next.
    while (number + 0.5).floor() >= base && power + 1 < units.len() {
        number /= base;
        power += 1;
    }
    let before_the_point = (number as u64).to_string().len();
    let number = format!("{number:.*}", digits.saturating_sub(before_the_point));
    let number = match number.contains('.') {
        true => number.trim_end_matches('0').trim_end_matches('.'),
        false => &number,
    };
    format!("{number}{}", units[power])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_dockers_units() {
        for (bytes, memory, data) in [
            (0, "0B", "0B"),
            (1, "1B", "1B"),
            (999, "999B", "999B"),
            (1000, "1000B", "1kB"),
            (1023, "1023B", "1.02kB"),
            (1024, "1KiB", "1.02kB"),
            (1536, "1.5KiB", "1.54kB"),
            (999_499, "976.1KiB", "999kB"),
            (999_500, "976.1KiB", "1MB"),
            (1_048_575, "1MiB", "1.05MB"),
            (16_378_757, "15.62MiB", "16.4MB"),
            (128 << 20, "128MiB", "134MB"),
            (4 << 30, "4GiB", "4.29GB"),
            (u64::MAX, "16384PiB", "18447PB"),
        ] {
            assert_eq!(
                (of_memory(bytes), of_data(bytes)),
                (memory.to_owned(), data.to_owned()),
                "{bytes}"
            );
        }
    }
}
