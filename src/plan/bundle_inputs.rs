//! The input documents that a bundle holds, as a [`DocumentSource`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use super::source::DocumentSource;
use crate::base::bundle_path::BundlePath;
use crate::base::fsx::{self, FileError};
use crate::base::json;
use crate::base::limits::{MAX_BUNDLE_FILES, MAX_INDEX_BYTES};
use crate::base::shared_bytes::{DocumentBytes, SharedBytes};
use crate::record::layout;
use crate::record::sources::{INPUT_SOURCES_SCHEMA, InputRole, InputSource, InputSources};

/// The input documents of a bundle, as its `inputs/sources.json` lists them.
#[derive(Debug, Clone)]
pub struct BundleInputs {
    plan: String,
    documents: HashMap<(InputRole, String), InputSource>,
    copies: CopySource,
}

/// Where the bundle's copies are read from.
#[derive(Debug, Clone)]
enum CopySource {
    /// The bundle's folder, when they are asked for.
    Folder(PathBuf),
    /// They were read, and compared with the list, already.
    Held(BTreeMap<BundlePath, DocumentBytes>),
}

/// Why the input documents of a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleInputsError {
    /// The list cannot be read.
    #[error("the bundle's list of input documents cannot be read")]
    Read(#[from] FileError),
    /// The list is no acceptable JSON, or of another shape, or contradicts itself or the files that it lists.
    #[error("`{}` cannot be parsed: {reason}", layout::INPUT_SOURCES)]
    List {
        /// What is wrong with it.
        reason: String,
    },
    /// A file under `inputs/` that the list does not name.
    #[error("`{path}` lies under inputs/ and is not an input document")]
    Stray {
        /// Where it lies in the bundle.
        path: BundlePath,
    },
}

impl BundleInputs {
    /// Reads the list of the bundle in the folder `bundle`. The documents themselves are read, and compared with their
    /// digests, when they are asked for.
    pub fn open(bundle: &Path) -> Result<Self, BundleInputsError> {
        let bytes = fsx::read_regular(&bundle.join(layout::INPUT_SOURCES), MAX_INDEX_BYTES)?;
        Self::from_list(bundle, &bytes)
    }

    /// The same from a list that was read, and verified, already.
    pub fn from_list(bundle: &Path, list: &[u8]) -> Result<Self, BundleInputsError> {
        Self::listed(list, CopySource::Folder(bundle.to_owned()))
    }

    /// From every file of a bundle under `inputs/`, as the very bytes that were digested. Each has to be listed, with its
    /// size and digest.
    pub fn held(files: &BTreeMap<BundlePath, DocumentBytes>) -> Result<Self, BundleInputsError> {
        let refuse = |reason: String| Err(BundleInputsError::List { reason });
        let list_path = BundlePath::new(layout::INPUT_SOURCES).expect("the layout's names are valid bundle paths");
        let Some(list) = files.get(&list_path).and_then(DocumentBytes::held) else {
            return refuse("it is absent".into());
        };
        let inputs = Self::listed(&list, CopySource::Held(files.clone()))?;
        let mut named = BTreeSet::from([&list_path]);
        for InputSource { file, size, sha256, .. } in inputs.documents.values() {
            match files.get(file) {
                None => return refuse(format!("it lists `{file}`, which is absent")),
                Some(bytes) if *size != bytes.length() || *sha256 != bytes.digest() => {
                    return refuse(format!("it lists `{file}` with another size or digest"));
                }
                Some(_) => _ = named.insert(file),
            }
        }
        match files.keys().find(|path| !named.contains(path)) {
            Some(path) => Err(BundleInputsError::Stray { path: path.clone() }),
            None => Ok(inputs),
        }
    }

    fn listed(list: &[u8], copies: CopySource) -> Result<Self, BundleInputsError> {
        let refuse = |reason: String| BundleInputsError::List { reason };
        let value = json::parse(list).map_err(|error| refuse(error.to_string()))?;
        let sources: InputSources = json::from_value(value).map_err(|error| refuse(error.to_string()))?;
        if sources.schema_version != INPUT_SOURCES_SCHEMA {
            return Err(refuse(format!("its format is not `{INPUT_SOURCES_SCHEMA}`")));
        }
        if sources.documents.len() > MAX_BUNDLE_FILES {
            return Err(refuse(format!("it lists more than {MAX_BUNDLE_FILES} documents")));
        }
        let mut documents = HashMap::new();
        let mut plan = None;
        for entry in sources.documents {
            if entry.role == InputRole::Plan && plan.replace(entry.path.clone()).is_some() {
                return Err(refuse("it lists two plans".into()));
            }
            if let Some(twice) = documents.insert((entry.role, entry.path.clone()), entry) {
                return Err(refuse(format!("it lists the {} `{}` twice", twice.role.as_str(), twice.path)));
            }
        }
        let plan = plan.ok_or_else(|| refuse("it lists no plan".into()))?;
        Ok(Self { plan, documents, copies })
    }

    /// Every document that is listed: its role, and the path by which it is referred to.
    pub fn documents(&self) -> impl Iterator<Item = (InputRole, &str)> {
        self.documents.keys().map(|(role, path)| (*role, path.as_str()))
    }

    /// The path by which the plan is referred to.
    pub fn plan_path(&self) -> &str {
        &self.plan
    }
}

impl DocumentSource for BundleInputs {
    fn read(&self, role: InputRole, path: &str, cap_bytes: u64) -> Result<SharedBytes, FileError> {
        let refuse = |kind, reason: &str| {
            Err(FileError {
                action: "read",
                path: PathBuf::from(path),
                source: io::Error::new(kind, reason.to_owned()),
            })
        };
        let Some(entry) = self.documents.get(&(role, path.to_owned())) else {
            return refuse(io::ErrorKind::NotFound, "the bundle does not list it among its inputs");
        };
        let bytes = match &self.copies {
            CopySource::Folder(bundle) => SharedBytes::from(fsx::read_regular(&entry.file.under(bundle), cap_bytes)?),
            CopySource::Held(files) => match files.get(&entry.file).and_then(DocumentBytes::held) {
                Some(bytes) => bytes,
                None => return refuse(io::ErrorKind::NotFound, "the bundle's copy is not at hand any more"),
            },
        };
        if bytes.len() as u64 > cap_bytes {
            return refuse(io::ErrorKind::FileTooLarge, &format!("it is larger than {cap_bytes} bytes"));
        }
        if bytes.len() as u64 != entry.size || bytes.digest() != entry.sha256 {
            return refuse(io::ErrorKind::InvalidData, "the bundle's copy differs from its listed size or digest");
        }
        Ok(bytes)
    }

    fn has(&self, role: InputRole, path: &str) -> bool {
        self.documents.contains_key(&(role, path.to_owned()))
    }

    fn has_digest_alone(&self, path: &str) -> bool {
        self.has(InputRole::SubjectDigest, path)
    }

    fn questions(&self) -> Option<String> {
        let mut listed = self.documents.keys().filter(|(role, _)| *role == InputRole::Questions);
        listed.next().map(|(_, path)| path.clone())
    }
}
