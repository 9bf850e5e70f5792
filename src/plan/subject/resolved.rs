//! A declaration of another system whose files were read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::super::read::InputDocument;
use super::super::schema::DocumentKind;
use crate::base::digest::Digest;
use crate::base::shared_bytes::SharedBytes;
use crate::record::identity::{SYSTEM_DECLARATION_SCHEMA, SYSTEM_DECLARATION_SCHEMA_V2};
use crate::record::open_item::OpenItem;
use crate::record::subject_digest::NamedThing;

/// An AI run: one execution, with the conversation as it was when it started.
pub const AI_RUN: &str = "ai_run";
/// A deployment: what runs are made of before there are any.
pub const DEPLOYMENT: &str = "deployment";

/// The format of a declaration's document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectFormat {
    /// [`SYSTEM_DECLARATION_SCHEMA`]
    First,
    /// [`SYSTEM_DECLARATION_SCHEMA_V2`]
    Second,
}

impl SubjectFormat {
    /// The format that a document is read in: the second, unless it says that it has the first.
    pub(super) fn of(document: &Value) -> Self {
        match document.get("schema_version").and_then(Value::as_str) {
            Some(SYSTEM_DECLARATION_SCHEMA) => Self::First,
            _ => Self::Second,
        }
    }

    /// The name of the format.
    pub fn schema(self) -> &'static str {
        match self {
            Self::First => SYSTEM_DECLARATION_SCHEMA,
            Self::Second => SYSTEM_DECLARATION_SCHEMA_V2,
        }
    }

    pub(super) fn document_kind(self) -> DocumentKind {
        match self {
            Self::First => DocumentKind::SystemDeclaration,
            Self::Second => DocumentKind::SystemDeclarationV2,
        }
    }
}

/// A declaration of another system whose files were read.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedSubject {
    /// The declaration, as it is referred to.
    pub path: String,
    /// Digest of its file.
    pub digest: Digest,
    /// [`AI_RUN`] or [`DEPLOYMENT`].
    pub kind: String,
    /// The format that its document says it has, in which it is sealed too.
    pub format: SubjectFormat,
    /// The four parts, in the order of [`crate::record::identity::DeclarationPart::ALL`], as they are sealed: with every
    /// reference replaced by what it came to.
    pub parts: [Map<String, Value>; 4],
    /// The files and folders that it names, in the order in which they stand.
    pub files: Vec<NamedInput>,
    /// Why items have no value, in the order in which they stand. Empty in the first format, where the parts say so.
    pub open: Vec<OpenReason>,
    /// The texts that stand in it and are sealed by their digest.
    pub texts: BTreeMap<Digest, String>,
    /// The documents that were read: the declaration, and the bytes of files that are not large. Empty for a plan's subject, whose
    /// documents are the plan's.
    pub documents: Vec<InputDocument>,
}

impl ResolvedSubject {
    /// Nothing yet.
    pub(super) fn empty(format: SubjectFormat) -> Self {
        Self {
            path: String::new(),
            digest: Digest::of(b""),
            kind: String::new(),
            format,
            parts: Default::default(),
            files: Vec::new(),
            open: Vec::new(),
            texts: BTreeMap::new(),
            documents: Vec::new(),
        }
    }

    /// The profile that it says it is confined by, if it names one.
    pub fn sandbox_profile(&self) -> Option<&str> {
        let [_, _, policy, _] = &self.parts;
        policy.get("sandbox")?.get("profile")?.as_str()
    }

    /// The bytes with this digest, if they are at hand: a text that stands in the document, or a file that is not large.
    pub fn content(&self, digest: &Digest) -> Option<SharedBytes> {
        if let Some(text) = self.texts.get(digest) {
            return Some(text.clone().into_bytes().into());
        }
        self.documents.iter().find(|document| document.bytes.digest() == *digest)?.bytes.held()
    }
}

/// A file or folder that a declaration names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedInput {
    /// Where it is named.
    pub pointer: String,
    /// Its path as the declaration spells it: relative to the declaration's folder, or `NAME:path`.
    pub path: String,
    /// What it is.
    pub thing: NamedThing,
    /// How large it is, in bytes; of a folder all its files together.
    pub size: u64,
    /// SHA-256 of the file's bytes; of a folder the digest of everything in it.
    pub digest: Digest,
    /// Where it lies on this host, without links; `None` for what comes from a bundle or a sealed folder.
    pub host_path: Option<PathBuf>,
}

/// An item without a value, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenReason {
    /// Which item it is, and whether there is none or nobody knows.
    pub item: OpenItem,
    /// Why it is so, as the document says. It is not part of the identity.
    pub reason: String,
}
