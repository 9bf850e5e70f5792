//! What questions name, as the one who asks means it: paths and addresses.

use std::path::{Path, PathBuf};

use crate::base::printable::excerpt;

/// Where a question is asked: what `~` stands for, and the folder that relative paths begin in.
#[derive(Debug, Clone)]
pub struct Asker {
    /// The asker's home; `None` if it is not known.
    pub home: Option<PathBuf>,
    /// The folder that relative paths begin in; absolute.
    pub folder: PathBuf,
}

/// What is wrong with what stands behind a verb.
pub(super) struct VerbFault {
    pub(super) message: String,
    pub(super) remedy: String,
}

impl VerbFault {
    pub(super) fn new(message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { message: message.into(), remedy: remedy.into() }
    }
}

/// Whether a path is one of the folders that `ask` makes, or in one.
pub(super) fn is_own(path: &str) -> bool {
    ["${workspace}", "${outside}", "${home}"]
        .iter()
        .any(|folder| path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}

/// The path of a fixture below the root.
pub(super) fn within(path: &str) -> Option<String> {
    let rest = path.strip_prefix("${")?;
    let (folder, rest) = rest.split_once('}')?;
    let name = rest.strip_prefix('/').filter(|name| !name.is_empty())?;
    Some(format!("{folder}/{name}"))
}

impl Asker {
    /// A path that is not the run's own cannot be changed.
    pub(super) fn own(&self, what: &str) -> Result<String, VerbFault> {
        let path = self.path(what)?;
        if is_own(&path) && within(&path).is_some() {
            return Ok(path);
        }
        Err(VerbFault::new(
            format!("`{}` is not a fixture, and what exists is never changed", excerpt(what, 80)),
            "ask it of `${workspace}/NAME` or `${outside}/NAME` (in single quotes: within double ones a shell fills them in), or ask \
             `write` of a folder",
        ))
    }

    /// A path, absolute or of a fixture.
    pub(super) fn path(&self, what: &str) -> Result<String, VerbFault> {
        if what.is_empty() {
            return Err(VerbFault::new("it needs a path", "write it behind the verb"));
        }
        if what.starts_with("${") {
            return if is_own(what) && !what.split('/').any(|part| part == "..") {
                Ok(what.trim_end_matches('/').to_owned())
            } else {
                let message = format!("`{}` begins with no folder that is made for questions", excerpt(what, 80));
                Err(VerbFault::new(
                    message,
                    "these are `${workspace}`, `${outside}` and `${home}`, and `..` leads out of them",
                ))
            };
        }
        let spelled = match what.strip_prefix('~') {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                let home = self.home.as_ref().ok_or_else(|| {
                    VerbFault::new("`~` cannot be expanded: HOME is not set", "set it, or write the whole path")
                })?;
                PathBuf::from(format!("{}{rest}", home.display()))
            }
            _ => self.folder.join(what),
        };
        let absolute =
            std::path::absolute(&spelled).map_err(|error| VerbFault::new(error.to_string(), "write the whole path"))?;
        // Dots mean what the file system means by them; a link at the end stays what it is.
        let cleaned = match (absolute.parent().map(Path::canonicalize), absolute.file_name()) {
            (Some(Ok(parent)), Some(name)) => parent.join(name),
            _ => absolute.canonicalize().unwrap_or(absolute),
        };
        let text =
            cleaned.to_str().ok_or_else(|| VerbFault::new("the path is not UTF-8", "name it by a link that is"))?;
        if text.contains("${") {
            let message = format!("`{}` holds a placeholder that is not at its beginning", excerpt(text, 80));
            return Err(VerbFault::new(message, "begin with it, or leave it out"));
        }
        Ok(text.to_owned())
    }
}

/// An address: numeric, or with a port that `ask` picks.
pub(super) fn endpoint(what: &str) -> Result<String, VerbFault> {
    let needs = || VerbFault::new("it needs HOST:PORT", "write a numeric address, such as `127.0.0.1:${port}`");
    let (host, port) = what.rsplit_once(':').ok_or_else(needs)?;
    let known = host.parse::<std::net::Ipv4Addr>().is_ok()
        || host
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|v6| v6.parse::<std::net::Ipv6Addr>().is_ok());
    if !known {
        let message = format!("`{}` is not a numeric address, and names are not looked up", excerpt(host, 80));
        return Err(VerbFault::new(message, "write the address, an IPv6 one in brackets"));
    }
    match port {
        "${port}" => Ok(format!("{host}:${{port.own}}")),
        port if port.parse::<u16>().is_ok_and(|number| number.to_string() == port && number > 0) => Ok(what.to_owned()),
        port => {
            let message = format!("`{}` is not a port", excerpt(port, 80));
            Err(VerbFault::new(message, "write a number, or `${port}` for one that is picked, with a listener on it"))
        }
    }
}
