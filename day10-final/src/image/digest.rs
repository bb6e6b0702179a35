//! What content is called: by the SHA-256 of its bytes. The image specification, descriptor.md.

use std::fmt::{self, Debug, Display, Formatter, Write};
use std::io::{self, Read};
use std::str::FromStr;

use anyhow::{Error, Result, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// For example "sha256:4bc4…", and in no other spelling, since it becomes a file's name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Its 64 hexadecimal digits.
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }

    /// As many digits as commands print.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

// ANCHOR: one_spelling
impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let Some(hex) = text.strip_prefix("sha256:") else {
            bail!("{} is not a sha256 digest", crate::failure::in_quotes(text));
        };
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let mut digest = [0; 32];
        if hex.len() != 64 || !hex.bytes().all(is_hex) {
            bail!("{} is not a sha256 digest", crate::failure::in_quotes(text));
        }
        for (byte, digits) in digest.iter_mut().zip(hex.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(str::from_utf8(digits)?, 16)?;
        }
        Ok(Self(digest))
    }
}
// ANCHOR_END: one_spelling

impl TryFrom<String> for Digest {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl Display for Digest {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl Debug for Digest {
    fn fmt(&self, f: &mut Formatter) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A reader or writer that computes the digest and the size of what goes through it.
pub struct Hashing<R> {
    inner: R,
    hash: Sha256,
    pub size: u64,
}

impl<R> Hashing<R> {
    pub fn new(inner: R) -> Self {
        let hash = Sha256::new();
        Self {
            inner,
            hash,
            size: 0,
        }
    }

    pub fn digest(self) -> Digest {
        Digest(self.hash.finalize().into())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

impl<W: io::Write> io::Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(buffer)?;
        self.hash.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_has_one_spelling() {
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let digest: Digest = text.parse().unwrap();
        assert_eq!(digest.to_string(), text);
        let hex = digest.hex();
        for wrong in [
            text.to_uppercase(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{}", &hex[1..]),
            format!("sha256:{hex}0"),
            format!("sha256:+{}", &hex[1..]),
            format!("sha512:{hex}{hex}"),
            "sha256:../../../../../../etc/hostname".to_owned(),
            String::new(),
        ] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_read_is_counted_and_digested() {
        let mut reader = Hashing::new(&b"some bytes"[..]);
        io::copy(&mut reader, &mut io::sink()).unwrap();
        assert_eq!(reader.size, 10);
        assert_eq!(reader.digest(), Digest::of(b"some bytes"));
    }
}
