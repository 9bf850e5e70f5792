//! The questions of a profile with everything that is made for them before the launcher starts.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::outside_objects::OutsideObject;
use super::target::OutsideTarget;
use crate::launcher::effects::{self, Snapshot, StateBefore, Twin};
use crate::launcher::listeners::LauncherListener;
use crate::launcher::said::{ChangeBounds, OutsideProcess, PathIdentity, PerformRequest};
use crate::record::action::Action;
use crate::record::driver::{Driver, Effect, TargetKind};
use crate::record::driver_witness::SuccessWitness;
use crate::record::fixture::{FixtureEntry, FixtureKind};

/// How long a connection may take inside, in milliseconds.
const CONNECT_MS: u64 = 1_000;

/// One question.
#[derive(Debug)]
pub(super) struct LauncherQuestion {
    /// The operation, resolved for outside.
    pub(super) action: Action,
    /// What its content has to hold, if the run knows.
    pub(super) expected: Option<Vec<u8>>,
    /// Where the run waits for it.
    pub(super) listener: Option<LauncherListener>,
    /// What a connection says.
    pub(super) greeting: String,
    pub(super) outsider: Option<OutsideTarget>,
    /// What else was made outside for it.
    pub(super) object: Option<OutsideObject>,
    /// What its objects were before anybody asked.
    pub(super) before: StateBefore,
    pub(super) twin: Option<Twin>,
    /// The folders and objects that it may change.
    own: Vec<(u64, u64)>,
    limit_ms: u64,
}

impl LauncherQuestion {
    /// `own_root`: the run's own folder. `expected`: see there.
    pub(super) fn new(
        action: Action,
        own_root: &str,
        expected: Option<Vec<u8>>,
        listener: Option<LauncherListener>,
        (outsider, object): (Option<OutsideTarget>, Option<OutsideObject>),
        unique: &str,
        deadline_ms: u64,
    ) -> Self {
        let own_target = action.target.starts_with(&format!("{own_root}/"));
        let changes = action.driver.info().effect == Effect::Changes;
        let twin = (own_target && changes && action.driver.file_effect().is_some())
            .then(|| Twin::beside(&action.target, unique))
            .flatten();
        let second = action.to.as_deref().filter(|_| action.driver != Driver::SymlinkCreate);
        let mut own = Vec::new();
        for path in [Some(action.target.as_str()), second].into_iter().flatten() {
            own.extend(Snapshot::take(path).map(|found| found.identity()));
            own.extend(path.rsplit_once('/').and_then(|(parent, _)| {
                use std::os::unix::fs::MetadataExt;
                let found = std::fs::metadata(if parent.is_empty() { "/" } else { parent }).ok()?;
                Some((found.dev(), found.ino()))
            }));
        }
        Self {
            before: StateBefore::of(&action),
            expected,
            listener,
            greeting: format!("sandproof-{}", uuid::Uuid::new_v4().simple()),
            outsider,
            object,
            twin,
            own,
            limit_ms: if action.driver.connects() { CONNECT_MS } else { deadline_ms },
            action,
        }
    }

    /// Whether it changes something, so that it can be done only once.
    pub(super) fn changes(&self) -> bool {
        self.action.driver.info().effect == Effect::Changes
    }

    /// Looks at its objects once more, right before it is asked: whatever came since they were made, the operation has not
    /// brought about. Gives whether the target has come since.
    pub(super) fn begin(&mut self) -> bool {
        let now = StateBefore::of(&self.action);
        let came = now.has_target() && !self.before.has_target();
        self.before = now;
        came
    }

    /// Whether its effect shows to the host.
    pub(super) fn has_effect(&self) -> bool {
        let signals = self.action.driver == Driver::SignalOutside;
        let shown = self.object.as_ref().is_some_and(OutsideObject::shows_effects);
        self.action.driver.file_effect().is_some() || self.listener.is_some() || signals || shown
    }

    /// Whether the effect is there now.
    pub(super) fn effect_is_there(&mut self, greeting: &str, nonce: i32) -> bool {
        if let Some(listener) = &mut self.listener {
            return listener.has_heard(greeting);
        }
        if let Some(outsider) = self.outsider.as_mut().filter(|_| self.action.driver == Driver::SignalOutside) {
            return outsider.has_heard(nonce);
        }
        if let Some(object) = self.object.as_mut().filter(|object| object.shows_effects()) {
            return object.was_changed();
        }
        effects::happened(&self.action, &self.before)
    }

    /// Whether the effect that is there is on what the operation was on inside.
    pub(super) fn is_own_effect(&self, seen: &PathIdentity) -> bool {
        effects::is_of(&self.action, &self.before, seen)
    }

    /// What the object holds that was made outside for it, if that can be told.
    pub(super) fn held(&self) -> Option<u64> {
        let of_process = self.outsider.as_ref().map(|outsider| outsider.held);
        of_process.or_else(|| self.object.as_ref().and_then(OutsideObject::token))
    }

    /// How long the worker may take for it, in milliseconds.
    pub(super) fn limit_ms(&self) -> u64 {
        self.limit_ms
    }

    /// The request for it. `greeting` and `nonce` are what its effect carries.
    pub(super) fn order(&self, action: Action, greeting: &str, nonce: i32, mark: &str) -> PerformRequest {
        let driver = action.driver;
        let content = matches!(driver.witness(), SuccessWitness::Content(_));
        PerformRequest {
            content: content && self.expected.is_some(),
            greeting: self.listener.as_ref().filter(|_| driver.connects()).map(|_| format!("{greeting}\n")),
            victim: self.outsider.as_ref().map(|outsider| OutsideProcess { nonce, ..outsider.victim }),
            handed_down: self.object.as_ref().and_then(OutsideObject::identity),
            ipc_id: self.object.as_ref().and_then(OutsideObject::ipc_id),
            drawn: self.object.as_ref().and_then(OutsideObject::drawn),
            pledge: ChangeBounds { own: self.own.clone(), mark: mark.to_owned() },
            ..PerformRequest::new(action, self.limit_ms)
        }
    }
}

/// The family of the socket that a driver makes, for the call that names nothing.
pub(super) fn family(action: &Action) -> i32 {
    // As Linux counts, which alone has these drivers. A filter may know one family from another.
    match (action.driver, action.driver.info().target) {
        (Driver::RawSocket, _) => libc::AF_INET,
        (Driver::NetlinkSocket, _) => 16,
        (Driver::PacketSocket, _) => 17,
        (Driver::VsockSocket, _) => 40,
        (_, TargetKind::Endpoint) if action.target.starts_with('[') => libc::AF_INET6,
        (_, TargetKind::Endpoint) => libc::AF_INET,
        _ => libc::AF_UNIX,
    }
}

/// What fixtures hold that nobody else can know: by path within the root, the text that was added.
pub(super) type Nonces = BTreeMap<String, String>;

/// The fixtures of several questions as one list, each file with a nonce in its content. `Err`: two of them cannot stand side
/// by side.
pub(super) fn merged(lists: &[&[FixtureEntry]]) -> Result<(Vec<FixtureEntry>, Nonces), String> {
    let mut entries: Vec<FixtureEntry> = Vec::new();
    let mut nonces = Nonces::new();
    let mut declared: BTreeMap<&str, &FixtureEntry> = BTreeMap::new();
    for entry in lists.iter().flat_map(|list| list.iter()) {
        match declared.insert(&entry.path, entry) {
            Some(other) if other == entry => continue,
            Some(_) => return Err(format!("the fixture `{}` is declared in two ways", entry.path)),
            None => {}
        }
        let mut made = entry.clone();
        // What is executed stays as it is.
        let script = entry.text.as_deref().is_some_and(|text| text.starts_with("#!"));
        if entry.kind == FixtureKind::File && !script {
            let nonce = uuid::Uuid::new_v4().simple().to_string();
            made.text = Some(format!("{}{nonce}\n", entry.text.as_deref().unwrap_or_default()));
            nonces.insert(entry.path.clone(), nonce);
        }
        entries.push(made);
    }
    // A folder that a list names is made before what others put into it.
    entries.sort_by(|one, other| {
        let folder = |entry: &FixtureEntry| (entry.kind == FixtureKind::Dir).then(|| entry.path.clone());
        match (folder(one), folder(other)) {
            (Some(one), Some(other)) => one.cmp(&other),
            (one, other) => other.is_some().cmp(&one.is_some()),
        }
    });
    Ok((entries, nonces))
}

/// Gives a file a time that nobody else has, in nanoseconds.
pub(super) fn mark_time(path: &str) {
    use nix::sys::stat::{UtimensatFlags, utimensat};
    use nix::sys::time::TimeSpec;
    let nanoseconds = (uuid::Uuid::new_v4().as_u128() % 999_999_937) as i64 + 1;
    let time = TimeSpec::new(1_500_000_000 + nanoseconds % 86_400, nanoseconds);
    let _ = utimensat(nix::fcntl::AT_FDCWD, path, &time, &time, UtimensatFlags::NoFollowSymlink);
}

/// Writes a file of the run's own that everybody may read.
pub(super) fn plant(path: &std::path::Path, content: &str) -> io::Result<()> {
    let mut file = std::fs::File::create(path)?;
    file.write_all(content.as_bytes())?;
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_before_what_another_question_puts_into_it() {
        let entry = |path: &str, kind| FixtureEntry::new(path, kind);
        let first = [entry("home/.docker/config.json", FixtureKind::File), entry("w/link", FixtureKind::Symlink)];
        let second = [entry("home/.docker", FixtureKind::Dir), entry("home", FixtureKind::Dir)];
        let (entries, nonces) = merged(&[&first, &second]).unwrap();
        let paths: Vec<&str> = entries.iter().map(|entry| entry.path.as_str()).collect();
        assert_eq!(paths, ["home", "home/.docker", "home/.docker/config.json", "w/link"]);
        assert_eq!(nonces.len(), 1);
    }
}
