//! The content of a verified bundle's artifacts: digested once more as it is read, so that what is used is what was
//! verified, whatever happened to the folder in between.

use std::error::Error;
use std::io::{self, BufRead, BufReader, Read};

use super::verified::Bundle;
use crate::base::digest::{Digest, Hasher};
use crate::base::error_chain::error_chain;
use crate::base::fsx;
use crate::record::index::ArtifactEntry;

/// How much is read at a time, in bytes.
const BLOCK_BYTES: usize = 256 * 1024;

/// An artifact of a verified bundle could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ArtifactError {
    /// The bundle has none of that name.
    #[error("the bundle has no `{name}`")]
    Absent {
        /// Name of the artifact: its path inside the bundle.
        name: String,
    },
    /// It could not be read.
    #[error("`{name}` cannot be read")]
    Read {
        /// Name of the artifact: its path inside the bundle.
        name: String,
        /// The operating system's error.
        #[source]
        source: io::Error,
    },
    /// It is not what was verified.
    #[error("`{name}` has changed since the bundle was verified")]
    Changed {
        /// Name of the artifact: its path inside the bundle.
        name: String,
    },
    /// It is what was verified, and cannot be used.
    #[error("`{name}` cannot be used: {reason}")]
    Unusable {
        /// Name of the artifact: its path inside the bundle.
        name: String,
        /// The reason, as text for people.
        reason: String,
    },
}

impl Bundle {
    /// Reads an artifact through `read`. Its answer is given only if the bytes, to the last one, are the verified ones.
    pub fn read_artifact<T, E: Error + 'static>(
        &self,
        name: &str,
        read: impl FnOnce(&mut dyn BufRead) -> Result<T, E>,
    ) -> Result<T, ArtifactError> {
        let entry = self.entry(name).ok_or_else(|| ArtifactError::Absent { name: name.to_owned() })?;
        let path = self.folder().join(name);
        let failed = |source| ArtifactError::Read { name: name.to_owned(), source };
        let file = fsx::open_regular(&path).map_err(failed)?;
        // One byte more than expected is enough to see that there is more.
        let tap = DigestTap { source: file.take(entry.file_size.saturating_add(1)), hasher: Hasher::default() };
        let mut reader = BufReader::with_capacity(BLOCK_BYTES, tap);
        let answer = read(&mut reader);
        io::copy(&mut reader, &mut io::sink()).map_err(failed)?;
        let found = reader.into_inner().hasher.finish();
        if !is_as_indexed(entry, found) {
            return Err(ArtifactError::Changed { name: name.to_owned() });
        }
        answer.map_err(|error| ArtifactError::Unusable { name: name.to_owned(), reason: error_chain(&error) })
    }
}

fn is_as_indexed(entry: &ArtifactEntry, (digest, size): (Digest, u64)) -> bool {
    entry.sha256 == digest && entry.file_size == size
}

/// Digests what passes through it.
struct DigestTap<R> {
    source: R,
    hasher: Hasher,
}

impl<R: Read> Read for DigestTap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::bundle::tests::fixture::{RUN, build, verify};
    use crate::record::layout;

    #[test]
    fn only_the_verified_bytes_are_given() {
        let out = tempfile::tempdir().unwrap();
        let folder = build(out.path(), RUN).folder;
        let bundle = verify(&folder).unwrap();
        let read = |name: &str| {
            bundle.read_artifact(name, |reader| {
                let mut text = String::new();
                reader.read_to_string(&mut text).map(|_| text)
            })
        };
        let good = read(layout::SUMMARY_TEXT).unwrap();
        assert_eq!(good, fs::read_to_string(folder.join(layout::SUMMARY_TEXT)).unwrap());
        // A reader that stops early sees no less of a check.
        bundle.read_artifact(layout::SUMMARY_TEXT, |_| Ok::<_, io::Error>(())).unwrap();
        assert!(matches!(read("no-such"), Err(ArtifactError::Absent { .. })));
        let swapped = format!("X{}", &good[1..]);
        for changed in [swapped.as_str(), &good[1..], &format!("{good}more"), ""] {
            fs::write(folder.join(layout::SUMMARY_TEXT), changed).unwrap();
            assert!(matches!(read(layout::SUMMARY_TEXT), Err(ArtifactError::Changed { .. })), "{changed:?}");
            let early = bundle.read_artifact(layout::SUMMARY_TEXT, |_| Ok::<_, io::Error>(()));
            assert!(matches!(early, Err(ArtifactError::Changed { .. })), "{changed:?}");
        }
        fs::write(folder.join(layout::SUMMARY_TEXT), &good).unwrap();
        let refused = bundle.read_artifact(layout::SUMMARY_TEXT, |_| Err::<(), _>(io::Error::other("no")));
        assert!(matches!(refused, Err(ArtifactError::Unusable { .. })));
    }
}
