//! `--root NAME=DIR`: folders that paths of a system's document can begin at.

use std::path::PathBuf;

use clap::Args;

use crate::cli::exit::{Exit, Failure};
use crate::plan::subject::{NamedRoots, is_root_name};

/// The option, for every command that reads such a document.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct NamedRootArgs {
    /// A folder that paths of the document can begin at, as `NAME:path`; may be repeated.
    #[arg(long = "root", value_name = "NAME=DIR", value_parser = parse)]
    roots: Vec<(String, PathBuf)>,
}

impl NamedRootArgs {
    /// The folders by name.
    ///
    /// # Errors
    /// If a name is given twice.
    pub(in crate::cli) fn named(&self) -> Result<NamedRoots, Failure> {
        let mut roots = NamedRoots::new();
        for (name, folder) in &self.roots {
            if roots.insert(name.clone(), folder.clone()).is_some() {
                return Err(Failure::new(Exit::Usage, RootTwice { name: name.clone() }));
            }
        }
        Ok(roots)
    }
}

/// A folder's name that stands twice.
#[derive(Debug, thiserror::Error)]
#[error("--root names the folder `{name}` twice; give each a name of its own")]
struct RootTwice {
    name: String,
}

fn parse(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, folder)) if is_root_name(name) && !folder.is_empty() => Ok((name.to_owned(), folder.into())),
        _ => Err("write NAME=DIR; a name begins with a letter and holds letters, digits, `_`, `.` and `-`".to_owned()),
    }
}
