//! What the parts of a name may consist of: the distribution project's reference grammar.

use std::net::Ipv6Addr;

/// How long a tag may be.
const LONGEST_TAG: usize = 128;

/// A host name or an IP address, perhaps with a port: RFC 1123, RFC 3986.
pub fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let has_edges = !label.is_empty() && !label.starts_with('-') && !label.ends_with('-');
        has_edges && label.bytes().all(is_inside)
    };
    let ipv6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    let is_host = match ipv6 {
        Some(address) => address.parse::<Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    let is_number = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
    is_host && port.is_none_or(|port| is_number(port) && port.parse::<u16>().is_ok())
}

// ANCHOR: component
/// One part of a repository: words of a-z and 0-9, with one dot, one or two underscores, or any number of hyphens
/// between them.
pub fn is_component(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let mut separators = text.split(is_word).filter(|between| !between.is_empty());
    let has_words_outside = text.starts_with(is_word) && text.ends_with(is_word);
    let is_separator =
        |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    has_words_outside && separators.all(is_separator)
}
// ANCHOR_END: component

/// What comes after a name's colon.
pub fn is_tag(text: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_inside = |c: char| is_word(c) || c == '.' || c == '-';
    text.len() <= LONGEST_TAG && text.starts_with(is_word) && text.chars().all(is_inside)
}

/// Docker refuses such a name, which would hide the image that has the id.
pub fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
