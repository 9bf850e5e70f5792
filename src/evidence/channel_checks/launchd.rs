//! What launchd says that it puts into a job's environment, from the blocks of `launchctl print` in its account.

use crate::record::channel_witness::{
    LAUNCHD_DEFAULT_ENVIRONMENT, LAUNCHD_ENVIRONMENT, LAUNCHD_INHERITED_ENVIRONMENT, ManagerAccount,
};

/// The names that launchd sets of its own accord, beside those of the job's definition: what stands under `environment` or
/// `default environment`. What it passes on from the domain is not its own: `launchctl setenv` stands there, so a name that
/// is under `inherited environment` too does not count.
///
/// A block that is there twice says nothing: a value with line ends in it could have made one of them. Neither does one
/// with a line that is no variable.
pub(super) fn sets(account: Option<&ManagerAccount>) -> Vec<&str> {
    let Some(account) = account else { return Vec::new() };
    let blocks = |wanted: &'static str| account.raw.iter().filter(move |(key, _)| key == wanted);
    // Here one line is enough, whatever the others are.
    let handed_on: Vec<&str> = blocks(LAUNCHD_INHERITED_ENVIRONMENT)
        .flat_map(|(_, lines)| lines.lines())
        .filter_map(|line| Some(line.split_once(" => ")?.0))
        .collect();
    [LAUNCHD_ENVIRONMENT, LAUNCHD_DEFAULT_ENVIRONMENT]
        .into_iter()
        .filter_map(|wanted| {
            let mut found = blocks(wanted);
            let (_, lines) = found.next()?;
            found.next().is_none().then_some(())?;
            lines.lines().map(|line| Some(line.split_once(" => ")?.0)).collect::<Option<Vec<&str>>>()
        })
        .flatten()
        .filter(|name| !handed_on.contains(name))
        .collect()
}
