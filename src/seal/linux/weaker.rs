//! The weaker ways, which have to be asked for: without namespaces, in a copy of the inputs, under Landlock and a filter of system
//! calls; or under nothing.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::unistd::chdir;

use super::filter;
use super::message::{FailedStep, FirstReport, PlacedItem, send};
use super::opened::OpenedItem;
use super::outputs;
use super::placing::{ListingAlone, Placing, place};
use super::root::StepContext;
use super::second_layer::LayerReach;
use super::started::{CommandBounds, FirstTask, StartedCommand, failed, found_command, place_all};
use crate::base::folder::{FolderError, LeavingLinks, digest_file, digest_opened};
use crate::record::system_ending::{DriftedItem, HeldBy};
use crate::sys::linux::process::{block_signal, kill, wait};
use crate::sys::linux::sealing;
use crate::sys::linux::sole::Sole;

/// The copies of inputs, what may be written, and what is kept, in the folder for results.
const COPIES: &str = "inputs";
const SCRATCH: &str = "scratch";
const KEPT: &str = "outputs";
/// Devices that a program takes for granted.
const DEVICES: [&str; 5] = ["/dev/full", "/dev/null", "/dev/random", "/dev/urandom", "/dev/zero"];

/// Where temporary files of the command go.
pub(super) fn scratch(results: &Path) -> PathBuf {
    results.join(SCRATCH)
}

/// Does all of it, in a process of its own.
pub(super) fn run(sole: &Sole, task: &FirstTask<'_>, is_confined: bool) -> i32 {
    let report = match perform(sole, task, is_confined) {
        Ok(Some(report)) | Err(report) => report,
        Ok(None) => return 1,
    };
    i32::from(send(&mut &*task.report, &report).is_err())
}

fn perform(sole: &Sole, task: &FirstTask<'_>, is_confined: bool) -> Result<Option<FirstReport>, FirstReport> {
    let confinement = |failure| failed(FailedStep::Confinement, failure);
    let errno = io::Error::from_raw_os_error;
    sealing::end_with_parent().map_err(errno).step("stay with", "the supervisor").map_err(confinement)?;
    sealing::adopt_orphans().map_err(errno).step("adopt", "orphans").map_err(confinement)?;
    block_signal(libc::SIGCHLD).map_err(errno).step("block", "a signal").map_err(confinement)?;
    for name in [COPIES, SCRATCH, KEPT] {
        fs::create_dir(task.results.join(name)).step("make", name).map_err(confinement)?;
    }
    chdir(&task.results.join(COPIES)).step("enter", COPIES).map_err(confinement)?;
    fs::create_dir("in").step("make", "in").map_err(confinement)?;
    let mut placing = Placing { copy_left: u64::MAX, user: task.user, bound: Vec::new() };
    let items = place_all(task, &mut placing, place_weaker)?;
    chdir("in").step("enter", "in").map_err(confinement)?;
    let (path, file, script, executable) = found_command(task)?;
    let filters = if is_confined { filter::programs(false, !task.connections.is_empty()) } else { Ok(Vec::new()) };
    let filters = filters.step("filter system calls of", "the command").map_err(confinement)?;
    let rules = rules(task);
    let bounds = CommandBounds { filters: &filters, landlock: (is_confined && task.landlock).then_some(&*rules) };
    let report = FirstReport::Ready {
        items: items.clone(),
        seen: None,
        executable,
        executable_path: path.to_string_lossy().into_owned(),
    };
    let started = StartedCommand::start(sole, task, &report, file.as_fd(), script.as_ref(), bounds)?;
    let Some(started) = started else { return Ok(None) };
    let end = started.until_end(None);
    end_orphans();
    let drift = drifted(&task.items.items, &items);
    let _ = fs::remove_dir_all(task.results.join(SCRATCH));
    let out = outputs::in_place(&task.results.join(KEPT)).map(Box::new);
    Ok(Some(FirstReport::Ended { end, drift, opened: None, out }))
}

/// Inputs are copied, files of the runtime stay where they are and are digested again at the end.
fn place_weaker(placing: &mut Placing, one: &OpenedItem) -> Result<PlacedItem, FolderError> {
    if !one.item.is_runtime {
        return place(placing, one);
    }
    let mut listing = ListingAlone::default();
    let (digest, bytes, files, executable) = digest_of(one, &mut listing)?;
    let held = HeldBy { pointer: one.item.pointer.clone(), checked: files, ..HeldBy::default() };
    Ok(PlacedItem { digest, is_folder: one.is_folder, executable, bytes, held, listed: listing.0 })
}

/// The digest of an item where it is, how many bytes and files it has, and whether it may be executed.
fn digest_of(
    one: &OpenedItem,
    listing: &mut ListingAlone,
) -> Result<(crate::base::digest::Digest, u64, u64, bool), FolderError> {
    if one.is_folder {
        let found = digest_opened(&one.opened, &one.real, LeavingLinks::CountedAsText, listing)?;
        return Ok((found.digest, found.bytes, found.files, false));
    }
    let at = |source| crate::base::fsx::FileError { action: "read", path: one.real.clone(), source };
    let mut file = one.opened.try_clone().map(File::from).map_err(at)?;
    io::Seek::rewind(&mut file).map_err(at)?;
    let (digest, bytes, executable) = digest_file(&file, None).map_err(at)?;
    Ok((digest, bytes, 1, executable))
}

/// What of the runtime is another than it was.
fn drifted(items: &[OpenedItem], placed: &[PlacedItem]) -> Vec<DriftedItem> {
    let runtime = items.iter().zip(placed).filter(|(one, _)| one.item.is_runtime);
    let other = runtime.filter(|(one, before)| {
        digest_of(one, &mut ListingAlone::default()).ok().map(|(digest, ..)| digest) != Some(before.digest)
    });
    let drift = |(one, _): (&OpenedItem, &PlacedItem)| DriftedItem {
        pointer: one.item.pointer.clone(),
        path: one.real.to_string_lossy().into_owned(),
        how: "other_bytes".to_owned(),
    };
    other.map(drift).collect()
}

/// What Landlock leaves: what is declared, the copies, and two folders to write to. `/proc` it cannot reduce.
fn rules(task: &FirstTask<'_>) -> Vec<(PathBuf, LayerReach)> {
    let runtime = task.items.items.iter().filter(|one| one.item.is_runtime);
    let mut rules: Vec<_> = runtime.map(|one| (one.real.clone(), LayerReach::Read)).collect();
    rules.push((task.results.join(COPIES), LayerReach::Read));
    rules.push((PathBuf::from("/proc"), LayerReach::Process));
    rules.extend(DEVICES.map(|device| (PathBuf::from(device), LayerReach::Device)));
    rules.extend([SCRATCH, KEPT].map(|name| (task.results.join(name), LayerReach::Write)));
    rules
}

/// Ends what the command has left behind: each comes to this process when its parent is gone.
fn end_orphans() {
    let list = format!("/proc/self/task/{}/children", std::process::id());
    loop {
        let children = fs::read_to_string(&list).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|number| number.parse().ok()) {
            let _ = kill(child, libc::SIGKILL);
        }
        if wait(-1, 0).is_err() {
            return;
        }
    }
}
