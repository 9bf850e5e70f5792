//! SHA-256 digests.

use std::fmt;
use std::io::{self, Read, Write};
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// How much is read at a time when a file is digested. Larger blocks measured no faster.
const BLOCK_BYTES: usize = 256 * 1024;

/// A SHA-256 digest. Its text form is 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The 32 bytes that the text form spells.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Reads `source` to its end and returns its digest and length in bytes.
    pub fn of_reader(mut source: impl Read) -> io::Result<(Self, u64)> {
        let mut hasher = Hasher::default();
        let mut block = vec![0_u8; BLOCK_BYTES];
        loop {
            match source.read(&mut block) {
                Ok(0) => return Ok(hasher.finish()),
                Ok(n) => hasher.update(&block[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// A digest in the making; also a [`Write`] sink, so that a document can be digested as it is produced.
#[derive(Debug, Default, Clone)]
pub struct Hasher {
    state: Sha256,
    length_bytes: u64,
}

impl Hasher {
    /// Takes `bytes` into the digest, behind those before.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.length_bytes += bytes.len() as u64;
    }

    /// How many bytes were added.
    pub fn length_bytes(&self) -> u64 {
        self.length_bytes
    }

    /// The digest of everything added, and how many bytes that was.
    pub fn finish(self) -> (Digest, u64) {
        (Digest(self.state.finalize().into()), self.length_bytes)
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// The text is not 64 lower-case hexadecimal digits.
#[derive(Debug, thiserror::Error)]
#[error("`{found}` is not a SHA-256 digest (64 lower-case hexadecimal digits)")]
pub struct ParseDigestError {
    found: String,
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refuse = || ParseDigestError { found: text.chars().take(80).collect() };
        let bytes = text.as_bytes();
        if bytes.len() != 64 {
            return Err(refuse());
        }
        let mut out = [0_u8; 32];
        for (slot, pair) in out.iter_mut().zip(bytes.chunks_exact(2)) {
            let high = hex_value(pair[0]).ok_or_else(refuse)?;
            let low = hex_value(pair[1]).ok_or_else(refuse)?;
            *slot = (high << 4) | low;
        }
        Ok(Self(out))
    }
}

fn hex_value(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_vectors() {
        // FIPS 180-4 examples.
        assert_eq!(Digest::of(b"").to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Digest::of(b"abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn reader_and_sink_agree_with_the_one_shot_form() {
        let bytes: Vec<u8> = (0..1_000_000_u32).map(|n| n as u8).collect();
        let (from_reader, length) = Digest::of_reader(&bytes[..]).unwrap();
        let mut sink = Hasher::default();
        for part in bytes.chunks(777) {
            sink.write_all(part).unwrap();
        }
        assert_eq!(length, 1_000_000);
        assert_eq!(from_reader, Digest::of(&bytes));
        assert_eq!(sink.finish(), (Digest::of(&bytes), 1_000_000));
    }

    #[test]
    fn upper_case_and_short_texts_are_refused() {
        let text = Digest::of(b"abc").to_string();
        assert_eq!(text.parse::<Digest>().unwrap(), Digest::of(b"abc"));
        assert!(text.to_uppercase().parse::<Digest>().is_err());
        assert!(text[..63].parse::<Digest>().is_err());
        assert!("zz".repeat(32).parse::<Digest>().is_err());
    }
}
