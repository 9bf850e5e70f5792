//! Why nothing was sealed, or why what was sealed did not come to its end.

use std::io;
use std::path::PathBuf;

use crate::base::canon::CanonError;
use crate::base::folder::FolderError;
use crate::base::fsx::FileError;

/// A command that was not sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The document asks for what cannot be.
    #[error("`{pointer}`: {found}; {remedy}")]
    Request {
        /// JSON pointer into the document.
        pointer: String,
        /// What was found.
        found: String,
        /// What to write instead.
        remedy: &'static str,
    },
    /// What is named cannot be opened.
    #[error("`{pointer}`: could not open `{}`", path.display())]
    Open {
        /// JSON pointer into the document.
        pointer: String,
        /// Where it was looked for.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: io::Error,
    },
    /// A program without which the command's file cannot be executed.
    #[error(
        "`{}` is executed by `{}`, which the document does not declare; add it to /runtime/other/read",
        program.display(),
        interpreter.display()
    )]
    Interpreter {
        /// The declared program.
        program: PathBuf,
        /// What it names as its interpreter.
        interpreter: PathBuf,
    },
    /// The folder for results cannot be that.
    #[error("`{}` {why}; name a folder that does not exist yet, outside of what is declared", path.display())]
    Out {
        /// As it was named.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The host does not let a process have namespaces of its own, or lacks something else that is needed.
    #[error("this host does not let the command be confined: {step}")]
    Unavailable {
        /// What was tried, and what the operating system said.
        step: String,
    },
    /// What the document's own digest is of has changed before it was sealed.
    #[error("`{pointer}`: `{}` changed while it was read; seal again when nothing writes to it", path.display())]
    Changed {
        /// JSON pointer into the document.
        pointer: String,
        /// Where it lies.
        path: PathBuf,
    },
    /// Building the sealed root failed.
    #[error("could not {step} `{about}` of the sealed root: {why}")]
    Root {
        /// What was tried.
        step: String,
        /// The path inside, or the item.
        about: String,
        /// What the operating system said, or what is wrong.
        why: String,
    },
    /// The command is not there, inside.
    #[error(
        "the command `{command}` is not among what is declared ({why}); declare its file in /runtime/other/read, or name an input \
         by its path relative to the document"
    )]
    Command {
        /// The command's first word.
        command: String,
        /// What the operating system said.
        why: String,
    },
    /// A folder that cannot be declared.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A result that could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A fact that has no canonical form.
    #[error("the declaration has no canonical form")]
    Canon(#[from] CanonError),
    /// The process that builds the root, or waits for the command, ended without saying why.
    #[error("the process that seals ended early: {0}")]
    Lost(String),
    /// Another system.
    #[cfg(not(target_os = "linux"))]
    #[error(
        "commands are sealed on Linux alone; on this system `identity declare` says what a run is made of, and confines nothing"
    )]
    OtherSystem,
}

impl SealError {
    /// That the document asks for what cannot be.
    pub fn request(pointer: impl Into<String>, found: String, remedy: &'static str) -> Self {
        Self::Request { pointer: pointer.into(), found, remedy }
    }
}
