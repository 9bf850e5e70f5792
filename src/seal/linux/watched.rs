//! Which declared items the command opened, as inotify tells. The first process watches; the command cannot reach it.

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// Watches on files and folders, each of which tells once.
#[derive(Debug)]
pub(super) struct Watches {
    inotify: Inotify,
    /// The items that a watch stands for.
    items: BTreeMap<i32, Vec<usize>>,
    opened: Vec<bool>,
    /// Whether everything could be watched, and nothing was lost.
    complete: bool,
}

impl Watches {
    /// Watches nothing yet of so many items. `None`: this host has no room for it.
    pub(super) fn new(items: usize) -> Option<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK).ok()?;
        Some(Self { inotify, items: BTreeMap::new(), opened: vec![false; items], complete: true })
    }

    /// Watches the file at a path, or the folder with all below it.
    pub(super) fn add(&mut self, item: usize, path: &Path) {
        let watch = self.inotify.add_watch(path, AddWatchFlags::IN_OPEN | AddWatchFlags::IN_ONESHOT);
        match watch {
            Ok(watch) => self.items.entry(WatchDescriptor::as_raw(watch)).or_default().push(item),
            Err(_) => self.complete = false,
        }
        if !fs::symlink_metadata(path).is_ok_and(|facts| facts.is_dir()) {
            return;
        }
        for entry in fs::read_dir(path).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                self.add(item, &entry.path());
            }
        }
    }

    /// What becomes readable when something was opened.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Takes what was told up to now.
    pub(super) fn drain(&mut self) {
        while let Ok(events) = self.inotify.read_events() {
            if events.is_empty() {
                return;
            }
            for event in events {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    self.complete = false;
                }
                if event.mask.contains(AddWatchFlags::IN_OPEN) {
                    for item in self.items.get(&event.wd.as_raw()).into_iter().flatten() {
                        self.opened[*item] = true;
                    }
                }
            }
        }
    }

    /// Which items were opened. `None`: that is not known of all.
    pub(super) fn into_opened(mut self) -> Option<Vec<bool>> {
        self.drain();
        self.complete.then_some(self.opened)
    }
}
