//! How the verification of a declaration ends.

use std::path::PathBuf;

use crate::base::canon::CanonError;
use crate::base::fsx::FileError;
use crate::base::json::JsonError;
use crate::bundle::finding::BundleFinding;
use crate::identity::Discrepancy;
use crate::plan::LoadError;
use crate::record::identity::Declaration;

/// A declaration cannot be judged at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyIdentityError {
    /// There is no bundle.
    #[error("{0}")]
    NoBundle(BundleFinding),
    /// The declaration cannot be read.
    #[error("there is no declaration to read")]
    Read(#[source] FileError),
    /// It is no acceptable JSON.
    #[error("`{}` is not acceptable JSON", path.display())]
    Json {
        /// The file, as it was named.
        path: PathBuf,
        /// Where the text is not acceptable JSON, and why.
        #[source]
        source: JsonError,
    },
    /// It is no declaration.
    #[error("`{}` does not have the shape of a declaration", path.display())]
    Shape {
        /// The file, as it was named.
        path: PathBuf,
        /// Where the document has another shape than expected.
        #[source]
        source: serde_json::Error,
    },
    /// The bundle has no manifest that could be read.
    #[error("the bundle `{}` has no manifest that can be read", folder.display())]
    NoManifest {
        /// The folder, as it was named.
        folder: PathBuf,
    },
    /// The sources cannot be resolved.
    #[error("the plan cannot be resolved from the sources")]
    Sources(#[source] Box<LoadError>),
    /// It describes another system and is not sealed.
    #[error(
        "`{}` describes another system and is not sealed, so there is no identity in it; `identity declare --from` seals it",
        path.display()
    )]
    NotSealed {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// It is in a format that nothing here computes again.
    #[error("`{}` is a declaration in the format `{format}`, which this program does not know", path.display())]
    Format {
        /// The file, as it was named.
        path: PathBuf,
        /// What it says of its format.
        format: String,
    },
    /// It is of another system, and the document that it was sealed from is needed.
    #[error(
        "`{}` is the sealed declaration of another system (`{kind}`): it is computed again from the document that it was \
         sealed from; give that with `--from DOC`, or the folder that it lies in with `--against DIR`",
        path.display()
    )]
    NeedsDocument {
        /// The file, as it was named.
        path: PathBuf,
        /// What is declared.
        kind: String,
    },
    /// In the folder is no document that gives the identity, and not one alone that it could be compared with.
    #[error(
        "{} in `{}` gives the identity of this declaration (`{kind}`); name the one that it was sealed from with `--from DOC`",
        none_of(found), folder.display()
    )]
    NoSuchDocument {
        /// The folder, as it was named.
        folder: PathBuf,
        /// What is declared.
        kind: String,
        /// Which documents describe a system of that kind.
        found: Vec<String>,
    },
    /// A document of another system was given, and the declaration is a run's.
    #[error(
        "`{}` is the declaration of a run, which has no document that it was sealed from; `--against DIR` compares it with its \
         plan and documents in a workspace",
        path.display()
    )]
    OfRun {
        /// The file, as it was named.
        path: PathBuf,
    },
    /// The folder with the document of another system cannot be listed.
    #[error(transparent)]
    Folder(FileError),
    /// The document has no canonical form.
    #[error(transparent)]
    Canon(#[from] CanonError),
    /// The document of another system is incomplete or wrong.
    #[error(transparent)]
    Document(Box<LoadError>),
}

/// `none of `a.json`, `b.json``
fn none_of(found: &[String]) -> String {
    let names: Vec<String> = found.iter().take(10).map(|name| format!("`{name}`")).collect();
    let more =
        if found.len() > names.len() { format!(" and {} more", found.len() - names.len()) } else { String::new() };
    if names.is_empty() { "no document".to_owned() } else { format!("none of {}{more}", names.join(", ")) }
}

/// A declaration and everything in which it is not what it was compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct IdentityComparison {
    /// The declaration that was compared.
    pub declaration: Declaration,
    /// Where it differs; empty if nowhere.
    pub discrepancies: Vec<Discrepancy>,
    /// The document that it was compared with, if it is of another system.
    pub document: Option<PathBuf>,
}
