//! How a store is named.

use std::path::PathBuf;

use super::fault::StoreError;
use super::folder::FolderStore;
use super::objects::Store;

/// Settings of a bucket as its variables of the environment name them (`AWS_ENDPOINT`, …): read by the command line, handed on as they
/// are.
pub type StoreSettings = Vec<(String, String)>;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreAddress {
    /// A folder of this machine: `file:///PATH`, or a path.
    Folder(PathBuf),
    /// A bucket that speaks S3: `s3://BUCKET/PREFIX`.
    S3 {
        /// Name of the bucket.
        bucket: String,
        /// What the names of all objects begin with, without a `/` at its ends; empty for nothing.
        prefix: String,
    },
}

impl StoreAddress {
    /// Reads an address.
    ///
    /// # Errors
    /// If it is none.
    pub fn new(text: &str) -> Result<Self, StoreError> {
        let wrong = |reason| Err(StoreError::Address { given: text.to_owned(), reason });
        match text.split_once("://") {
            None if text.is_empty() => wrong("it is empty"),
            None => Ok(Self::Folder(text.into())),
            Some(("file", path)) if !path.starts_with('/') => wrong("a folder is `file:///PATH`, with three `/`"),
            Some(("file", path)) if path.contains(['%', '?', '#']) => {
                wrong("nothing is decoded in it; name the folder by its path alone")
            }
            Some(("file", path)) => Ok(Self::Folder(path.into())),
            Some(("s3", rest)) => {
                let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
                let prefix = prefix.trim_end_matches('/');
                if bucket.is_empty() {
                    return wrong("a bucket is `s3://BUCKET` or `s3://BUCKET/PREFIX`");
                }
                let plain = |part: &str| {
                    !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"._+-@=".contains(&b))
                };
                if !plain(bucket) || !prefix.is_empty() && !prefix.split('/').all(plain) {
                    return wrong("its parts may hold only ASCII letters, digits and `._+-@=`");
                }
                Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
            }
            Some(_) => wrong("a store is `s3://BUCKET/PREFIX`, `file:///PATH`, or a path"),
        }
    }

    /// The same with its last part cut off, which names the bundle.
    ///
    /// # Errors
    /// If there is none.
    pub fn of_bundle(text: &str) -> Result<(Self, String), StoreError> {
        let none = || StoreError::Address {
            given: text.to_owned(),
            reason: "the address of a bundle ends in the id of its run: STORE/RUN_ID",
        };
        let (store, run_id) = text.trim_end_matches('/').rsplit_once('/').ok_or_else(none)?;
        if run_id.is_empty() || store.is_empty() || store.ends_with(":/") && !store.starts_with("file:") {
            return Err(none());
        }
        Ok((Self::new(store)?, run_id.to_owned()))
    }

    /// Opens the store.
    ///
    /// # Errors
    /// If this executable cannot, or the settings make no sense.
    pub fn open(&self, settings: &[(String, String)]) -> Result<Box<dyn Store>, StoreError> {
        match self {
            Self::Folder(folder) => Ok(Box::new(FolderStore::new(folder.clone()))),
            #[cfg(feature = "upload")]
            Self::S3 { bucket, prefix } => Ok(Box::new(super::s3::S3Store::open(bucket, prefix, settings)?)),
            #[cfg(not(feature = "upload"))]
            Self::S3 { bucket, .. } => {
                let _ = settings;
                Err(StoreError::NotBuilt { bucket: bucket.clone() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_what_it_is_or_what_is_wrong_with_it() {
        let s3 = |bucket: &str, prefix: &str| StoreAddress::S3 { bucket: bucket.into(), prefix: prefix.into() };
        for (text, address) in [
            ("s3://b", s3("b", "")),
            ("s3://b/", s3("b", "")),
            ("s3://b/p/q/", s3("b", "p/q")),
            ("file:///srv/x", StoreAddress::Folder("/srv/x".into())),
            ("worlds", StoreAddress::Folder("worlds".into())),
        ] {
            assert_eq!(StoreAddress::new(text).unwrap(), address, "{text}");
        }
        for bad in ["", "s3://", "s3:///p", "s3://b//p", "s3://b/a b", "file://host/x", "file:///a%20b", "http://x/y"] {
            assert!(matches!(StoreAddress::new(bad), Err(StoreError::Address { .. })), "{bad}");
        }
        assert_eq!(StoreAddress::of_bundle("s3://b/p/run-1/").unwrap(), (s3("b", "p"), "run-1".to_owned()));
        assert_eq!(StoreAddress::of_bundle("s3://b/run-1").unwrap(), (s3("b", ""), "run-1".to_owned()));
        assert_eq!(StoreAddress::of_bundle("a/run-1").unwrap(), (StoreAddress::Folder("a".into()), "run-1".to_owned()));
        for bad in ["run-1", "s3://run-1", "/"] {
            assert!(StoreAddress::of_bundle(bad).is_err(), "{bad}");
        }
    }
}
