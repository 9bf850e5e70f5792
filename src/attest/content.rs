//! What can be vouched for: a bundle, a packet, a sealed declaration. Opening one verifies it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::digest::Digest;
use crate::base::fsx::{self, FileError};
use crate::base::json::{self, JsonError};
use crate::base::limits::MAX_INPUT_DOCUMENT_BYTES;
use crate::base::printable::excerpt;
use crate::bundle::{self, Bundle, BundleRefused, Verified, sealed_folder};
use crate::identity::{self, Discrepancy};
use crate::promote::{self, GateEvaluation};
use crate::record::identity::{Declaration, RUN_IDENTITY_SCHEMA};
use crate::record::index::ARTIFACT_INDEX_SCHEMA;
use crate::record::layout;
use crate::record::packet::PROMOTION_PACKET_SCHEMA;
use crate::review::{OpenedPacket, ReviewError};

/// The formats of sealed declarations of other systems begin with this.
const SYSTEM_DECLARATION_FORMATS: &str = "sandproof.system_declaration.";

/// What was verified, and may be vouched for.
#[derive(Debug, Clone)]
pub enum AttestedContent {
    /// A bundle, with what its gates say.
    Bundle(Box<Verified<Bundle>>, GateEvaluation),
    /// A packet, and the bundle that yields it.
    Packet(Box<OpenedPacket>),
    /// A declaration whose digests are those of its parts.
    Declaration(Box<SealedDeclaration>),
}

/// The kinds of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentKind {
    /// A bundle.
    Bundle,
    /// A promotion packet.
    Packet,
    /// A sealed declaration.
    Declaration,
}

impl ContentKind {
    /// The word that documents have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bundle => "bundle",
            Self::Packet => "packet",
            Self::Declaration => "declaration",
        }
    }
}

/// A declaration that was held to itself.
#[derive(Debug, Clone)]
pub struct SealedDeclaration {
    path: PathBuf,
    digest: Digest,
    declaration: Declaration,
}

impl SealedDeclaration {
    /// What is declared.
    pub fn declaration(&self) -> &Declaration {
        &self.declaration
    }
}

/// Content that cannot be vouched for.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is no document.
    #[error("`{}` is not acceptable JSON", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Where and why it is not.
        #[source]
        source: JsonError,
    },
    /// It is another document.
    #[error("`{}` is {found}; what can be verified is a bundle, a promotion packet, or a sealed declaration", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// What it is.
        found: String,
    },
    /// The bundle does not verify.
    #[error(transparent)]
    Bundle(#[from] BundleRefused),
    /// The packet is not what its bundle yields, or that does not verify.
    #[error(transparent)]
    Packet(ReviewError),
    /// The declaration is not of its published shape.
    #[error("`{}` has the format of a sealed declaration and not its shape: {reason}", path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The declaration is not sealed.
    #[error("`{}` describes a system, and is not sealed: it has no identity yet", path.display())]
    NotSealed {
        /// The file.
        path: PathBuf,
    },
    /// The declaration's digests are not those of its parts.
    #[error("`{}` is not what it says that it is: {}", path.display(), flaws.iter().map(|flaw| format!("{}: {}", flaw.pointer(), flaw.words())).collect::<Vec<_>>().join("; "))]
    Declaration {
        /// The file.
        path: PathBuf,
        /// Every digest that is another.
        flaws: Vec<Discrepancy>,
    },
}

impl AttestedContent {
    /// Opens and verifies what `path` leads to: a bundle's folder, an output root, a bundle's index, a packet, or the file or
    /// folder of a sealed declaration. Pointers of a packet are relative to `root`, if it is given.
    ///
    /// # Errors
    /// If it does not verify, or is nothing that can be vouched for.
    pub fn open(path: &Path, root: Option<&Path>) -> Result<Self, ContentError> {
        let sealed_in = sealed_folder::declaration_in(path);
        if path.is_dir() && sealed_in.is_none() {
            return Self::open_bundle(path);
        }
        let path = sealed_in.as_deref().unwrap_or(path);
        let bytes = fsx::read_input(path, MAX_INPUT_DOCUMENT_BYTES)?;
        let value = json::parse(&bytes).map_err(|source| ContentError::Json { path: path.to_owned(), source })?;
        let format = value.get("schema_version").and_then(Value::as_str).unwrap_or_default();
        match format {
            PROMOTION_PACKET_SCHEMA => {
                Ok(Self::Packet(Box::new(OpenedPacket::open(path, root).map_err(ContentError::Packet)?)))
            }
            ARTIFACT_INDEX_SCHEMA if path.file_name().is_some_and(|name| name == layout::ARTIFACT_INDEX) => {
                Self::open_bundle(fsx::folder_of(path))
            }
            RUN_IDENTITY_SCHEMA => Self::open_declaration(path, &bytes, value),
            other if other.starts_with(SYSTEM_DECLARATION_FORMATS) => Self::open_declaration(path, &bytes, value),
            "" => Err(ContentError::Other { path: path.to_owned(), found: "a document without a format".into() }),
            other => {
                let found = format!("a document of the format `{}`", excerpt(other, 80));
                Err(ContentError::Other { path: path.to_owned(), found })
            }
        }
    }

    fn open_bundle(path: &Path) -> Result<Self, ContentError> {
        let bundle = bundle::verify(path)?;
        let report = promote::evaluate(&bundle);
        Ok(Self::Bundle(Box::new(bundle), report))
    }

    fn open_declaration(path: &Path, bytes: &[u8], value: Value) -> Result<Self, ContentError> {
        if value.get("identity").is_none() && value.get("digests").is_none() {
            return Err(ContentError::NotSealed { path: path.to_owned() });
        }
        let declaration: Declaration = json::from_value(value)
            .map_err(|error| ContentError::Shape { path: path.to_owned(), reason: excerpt(&error.to_string(), 200) })?;
        let flaws = identity::verify_against_itself(&declaration);
        if !flaws.is_empty() {
            return Err(ContentError::Declaration { path: path.to_owned(), flaws });
        }
        let sealed = SealedDeclaration { path: path.to_owned(), digest: Digest::of(bytes), declaration };
        Ok(Self::Declaration(Box::new(sealed)))
    }

    /// What kind it is.
    pub fn kind(&self) -> ContentKind {
        match self {
            Self::Bundle(..) => ContentKind::Bundle,
            Self::Packet(_) => ContentKind::Packet,
            Self::Declaration(_) => ContentKind::Declaration,
        }
    }

    /// The file whose bytes stand for all of it: of a bundle its index.
    pub fn file(&self) -> PathBuf {
        match self {
            Self::Bundle(bundle, _) => bundle.folder().join(layout::ARTIFACT_INDEX),
            Self::Packet(packet) => packet.path().to_owned(),
            Self::Declaration(sealed) => sealed.path.clone(),
        }
    }

    /// The digest of that file's bytes, as they were verified.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Bundle(bundle, _) => bundle.index_sha256(),
            Self::Packet(packet) => packet.digest(),
            Self::Declaration(sealed) => sealed.digest,
        }
    }

    /// The folder that nothing may be written into: a bundle is a closed world.
    pub fn closed_folder(&self) -> Option<&Path> {
        match self {
            Self::Bundle(bundle, _) => Some(bundle.folder()),
            Self::Packet(packet) => Some(packet.bundle().folder()),
            Self::Declaration(_) => None,
        }
    }
}
