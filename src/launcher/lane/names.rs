//! The other names of an object inside a launcher.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::asking::OpenQuestion;
use super::rows::LaneSurroundings;
use crate::launcher::said::{PerformRequest, WorkerRequest};
use crate::launcher::session::Setting;
use crate::policy::launcher::LauncherDocument;
use crate::record::action::Action;
use crate::record::driver::{Driver, TargetKind};
use crate::record::launcher::NameKind;

/// The most names of one object that are tried.
const MOST_NAMES: usize = 12;

/// One other name.
pub(super) struct OtherName {
    pub(super) kind: NameKind,
    pub(super) text: String,
    pub(super) action: Action,
    pub(super) folder_fd: Option<i32>,
    pub(super) fd: Option<i32>,
    /// The variable that names the proxy to be asked.
    pub(super) proxy: Option<String>,
}

/// The variables that programs look into for an HTTP or SOCKS proxy.
const PROXIES: [&str; 8] =
    ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "socks_proxy", "SOCKS_PROXY"];

/// A request that reads a file's content, for the run's own ends.
pub(super) fn reading(path: &str) -> WorkerRequest {
    let read = PerformRequest::new(Action::new(Driver::FileRead, path), 2_000);
    WorkerRequest::Do(Box::new(PerformRequest { content: true, ..read }))
}

/// Every other name of what a question is about.
pub(super) fn of(
    asking: &OpenQuestion,
    ground: &LaneSurroundings,
    setting: &Setting<'_>,
    document: &LauncherDocument,
    handed_down: &[(u64, u64)],
) -> Vec<OtherName> {
    let action = &asking.question.action;
    let mut names: Vec<OtherName> = Vec::new();
    match action.driver.info().target {
        // The folder that was handed down is the name.
        TargetKind::Path if action.driver == Driver::FileReadAtInherited => {}
        TargetKind::Path => {
            let target = action.target.as_str();
            let add = |kind, text: String, names: &mut Vec<OtherName>| {
                if text != target && !names.iter().any(|known| known.text == text) {
                    let action = renamed(action, &text);
                    names.push(OtherName { kind, text, action, folder_fd: None, fd: None, proxy: None });
                }
            };
            if let Some(inside) = setting.places.inside(document, target) {
                add(NameKind::Mapped, inside, &mut names);
            }
            let real = real(target);
            if let Some(real) = &real {
                add(NameKind::Canonical, real.clone(), &mut names);
            }
            for text in ground.names_of(real.as_deref().unwrap_or(target)) {
                add(NameKind::Mount, text, &mut names);
            }
            names.extend(by_descriptor(asking, ground, real.as_deref().unwrap_or(target), handed_down));
        }
        // Only a listener of the run's own can tell that it was reached under another address.
        TargetKind::Endpoint if asking.question.listener.is_some() => {
            let port = action.target.rsplit_once(':').map_or("", |(_, port)| port);
            for gateway in ground.gateways() {
                let text = format!("{gateway}:{port}");
                let action = Action { target: text.clone(), ..action.clone() };
                let none = OtherName { kind: NameKind::Gateway, text, action, folder_fd: None, fd: None, proxy: None };
                names.push(none);
            }
            if action.driver == Driver::TcpConnect {
                for variable in PROXIES.into_iter().filter(|name| ground.has_variable(name)) {
                    names.push(OtherName {
                        kind: NameKind::Proxy,
                        text: format!("{} by {variable}", action.target),
                        action: action.clone(),
                        folder_fd: None,
                        fd: None,
                        proxy: Some(variable.to_owned()),
                    });
                }
            }
        }
        _ => {}
    }
    names.truncate(MOST_NAMES);
    names
}

/// The path without links; for what is not there, its folder's.
fn real(path: &str) -> Option<String> {
    match Path::new(path).canonicalize() {
        Ok(real) => real.to_str().map(str::to_owned),
        Err(_) => super::outside::real_path(path),
    }
}

/// The action on another name of its target; its second path follows where it lies in the same place.
fn renamed(action: &Action, text: &str) -> Action {
    let common = action.target.bytes().rev().zip(text.bytes().rev()).take_while(|(a, b)| a == b).count();
    let (from, to) = (&action.target[..action.target.len() - common], &text[..text.len() - common]);
    let second = action.to.as_deref().map(|second| match (second.strip_prefix(from), action.driver) {
        (Some(rest), driver) if driver != Driver::SymlinkCreate => format!("{to}{rest}"),
        _ => second.to_owned(),
    });
    Action { target: text.to_owned(), to: second, ..action.clone() }
}

/// Names through descriptors that the launcher left open: of the object, and of a folder above it. What the run itself has handed
/// down for a question is no name of another one.
fn by_descriptor(
    asking: &OpenQuestion,
    ground: &LaneSurroundings,
    real: &str,
    handed_down: &[(u64, u64)],
) -> Vec<OtherName> {
    let action = &asking.question.action;
    let reads = matches!(action.driver, Driver::FileRead | Driver::FileReadAt | Driver::FileReadInherited);
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()));
    let mut names = Vec::new();
    for (fd, found) in ground.descriptors() {
        let held = (found.dev, found.ino);
        if handed_down.contains(&held) {
            continue;
        }
        for above in Path::new(real).ancestors() {
            if identity(above) != Some(held) {
                continue;
            }
            let rest = Path::new(real).strip_prefix(above).map(Path::to_path_buf).unwrap_or_default();
            if rest.as_os_str().is_empty() && reads {
                let text = format!("descriptor {fd}");
                let action = action.clone();
                names.push(OtherName {
                    kind: NameKind::Descriptor,
                    text,
                    action,
                    folder_fd: None,
                    fd: Some(*fd),
                    proxy: None,
                });
            } else if found.is_dir() && action.to.is_none() {
                let rest = rest.to_str().unwrap_or_default();
                let rest = if rest.is_empty() { "." } else { rest };
                let action = Action { target: rest.to_owned(), ..action.clone() };
                let text = format!("{rest} from descriptor {fd}");
                names.push(OtherName {
                    kind: NameKind::Descriptor,
                    text,
                    action,
                    folder_fd: Some(*fd),
                    fd: None,
                    proxy: None,
                });
            }
            break;
        }
    }
    names
}
