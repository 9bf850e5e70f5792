//! A probe's action as a question to the model.

use super::{DeclaredTree, SbplQuestion};
use crate::record::action::Action;
use crate::record::driver::Driver;
use crate::record::driver_sets::linux_drivers;
use crate::record::fixture::FixtureEntry;

/// What a probe asks the kernel.
///
/// `operation` and `filter` are the probe's own words, which only a query of the policy needs: every other driver makes
/// a call that is known. An error says why the model has nothing to say.
pub fn question(
    action: &Action,
    operation: &str,
    filter: Option<&str>,
    fixtures: &[FixtureEntry],
) -> Result<SbplQuestion, String> {
    use Driver as D;
    let driver = action.driver;
    // The operation and the system call that stand for the driver; without a call, the operation's usual one.
    let (operation, syscall) = match driver {
        D::FileRead => ("file-read-data", Some("open")),
        D::FileWrite | D::FileOpenTruncate | D::FileTruncateFd => ("file-write-data", Some("open")),
        D::FileReadWrite => ("file-write-data", Some("open_rw")),
        D::FileReadAt => ("file-read-data", Some("openat")),
        D::FileWriteAt => ("file-write-data", Some("openat")),
        D::FileReadRootrel => ("file-read-data", Some("openat_rootrel")),
        D::FileWriteRootrel => ("file-write-data", Some("openat_rootrel")),
        D::FileCreate => ("file-write-create", Some("creat")),
        D::FileUnlink => ("file-write-unlink", Some("unlink")),
        D::FileRename => ("file-write-unlink", Some("rename")),
        D::FileLink => ("file-link", Some("link")),
        D::FileClone => ("file-clone", Some("clonefile")),
        D::FileTruncate => ("file-write-data", Some("truncate")),
        D::SymlinkCreate => ("file-write-create", Some("symlink")),
        D::DirCreate => ("file-write-create", Some("mkdir")),
        D::DirRemove => ("file-write-unlink", Some("rmdir")),
        D::DirList => ("file-read-data", Some("opendir")),
        D::FifoCreate => ("file-write-create", Some("mkfifo")),
        D::FileStat => ("file-read-metadata", Some("stat")),
        D::FileLstat => ("file-read-metadata", Some("lstat")),
        D::FileFstat => ("file-read-metadata", Some("fstat")),
        D::FileGetattrlist => ("file-read-metadata", Some("getattrlist")),
        D::FileSetattrlist => (operation, Some("setattrlist")),
        D::FileAccess => ("file-test-existence", Some("access")),
        D::FileReadlink => ("file-read-metadata", Some("readlink")),
        D::FileSearch => ("file-search", Some("searchfs")),
        D::FileChmod => ("file-write-mode", Some("chmod")),
        D::FileFchmod => ("file-write-mode", Some("fchmod")),
        D::FileChown => ("file-write-owner", Some("chown")),
        D::FileLchown => ("file-write-owner", Some("lchown")),
        D::FileFchown => ("file-write-owner", Some("fchown")),
        D::FileFchownat => ("file-write-owner", Some("fchownat")),
        D::FileUtimes => ("file-write-times", Some("utimes")),
        D::FileFutimes => ("file-write-times", Some("futimes")),
        D::FileLutimes => ("file-write-times", Some("lutimes")),
        D::XattrGet => ("file-read-xattr", Some("getxattr")),
        D::XattrList => ("file-read-xattr", Some("listxattr")),
        D::XattrSet => ("file-write-xattr", Some("setxattr")),
        D::FileMapExecutable => ("file-map-executable", Some("mmap")),
        D::FileIoctl => ("file-ioctl", Some("ioctl")),
        D::Exec => ("process-exec*", None),
        D::ProcessFork => ("process-fork", None),
        D::ProcessInfo => ("process-info-pidinfo", None),
        D::SignalSelf | D::SignalSameSandbox | D::SignalOutside => ("signal", None),
        D::TcpConnect | D::UdpSend | D::UnixConnect => ("network-outbound", None),
        D::TcpBind | D::UdpBind | D::UnixBind => ("network-bind", None),
        D::TcpAccept | D::TcpListenUnbound => ("network-inbound", None),
        D::MachLookup | D::MachLookupLocal | D::XpcLookup => ("mach-lookup", None),
        D::MachRegister => ("mach-register", None),
        D::IokitOpenService | D::IokitOpenUserClient => ("iokit-open-service", None),
        D::SysctlRead => ("sysctl-read", None),
        D::DarwinNotificationPost => ("darwin-notification-post", None),
        D::DistributedNotificationPost => ("distributed-notification-post", None),
        D::PosixShm => ("ipc-posix-shm-write-create", None),
        D::PosixSem => ("ipc-posix-sem-create", None),
        D::PseudoTty => ("pseudo-tty", None),
        D::SystemSocket => ("system-socket", None),
        D::PreferenceRead => ("user-preference-read", None),
        D::PolicyQuery => (operation, None),
        D::FileReadInherited | D::FileTruncateInherited => {
            return Err(
                "whether a descriptor that was opened before the profile was applied is looked at again is not \
                        known"
                    .into(),
            );
        }
        D::EnvironmentRead => return Err("no profile is asked when a process reads its own environment".into()),
        D::ApplyOnly => return Err("the driver attempts nothing after the profile was applied".into()),
        linux_drivers!() => {
            return Err(format!("the driver `{}` is not made for macOS", driver.info().name));
        }
    };
    let target = match driver {
        D::SignalSelf => "self".to_owned(),
        D::SignalSameSandbox => "same-sandbox".to_owned(),
        D::SignalOutside => "others".to_owned(),
        D::SystemSocket => "AF_SYSTEM".to_owned(),
        D::TcpConnect | D::TcpBind | D::TcpAccept => format!("tcp:{}", action.target),
        D::UdpBind | D::UdpSend => format!("udp:{}", action.target),
        // The kernel picks address and port.
        D::TcpListenUnbound => "tcp:*:*".to_owned(),
        _ => action.target.clone(),
    };
    let mut question = SbplQuestion::new(operation, target);
    question.syscall = syscall.map(str::to_owned);
    question.to = action.to.clone();
    question.tree = DeclaredTree::of_fixtures(fixtures);
    match driver {
        D::XattrGet | D::XattrSet => {
            question.facts.extend(action.name.iter().map(|name| ("xattr".to_owned(), name.clone())));
        }
        D::XpcLookup => question.filter = Some("xpc-service-name".to_owned()),
        // A lookup is one of the global name, whatever name the probe's query is about.
        D::PolicyQuery => question.filter = filter.map(str::to_owned),
        _ => {}
    }
    Ok(question)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::sbpl::SbplPolicy;
    use crate::policy::sbpl::model::evaluate;

    /// Under a profile that says something about everything, every driver of macOS that attempts something has an
    /// answer.
    #[test]
    fn the_model_knows_every_driver_of_macos() {
        let policy = SbplPolicy::new(
            "(version 1)(deny default)(deny iokit* process-info* signal file-ioctl file-map-executable)\
             (deny mach-lookup (xpc-service-name-prefix \"\"))",
            Default::default(),
        )
        .unwrap();
        let silent =
            [Driver::ApplyOnly, Driver::EnvironmentRead, Driver::FileReadInherited, Driver::FileTruncateInherited];
        for driver in Driver::ALL.iter().copied() {
            let action = Action::new(driver, "/private/etc/hosts");
            let question = question(&action, "sysctl-read", None, &[]);
            let speaks = driver.info().platforms.macos() && !silent.contains(&driver);
            assert_eq!(question.is_ok(), speaks, "{driver:?}");
            let Ok(mut question) = question else { continue };
            question.tree = DeclaredTree::default();
            if question.syscall.as_deref().is_some_and(|call| ["creat", "mkdir", "mkfifo", "symlink"].contains(&call)) {
                question.target = "/private/tmp/new".into();
            }
            let answer = evaluate(policy.rules(), &question);
            assert_eq!(answer.decision.map(|decision| decision.as_str()), Some("deny"), "{driver:?}: {answer:?}");
        }
    }

    #[test]
    fn a_query_is_about_the_probe_s_own_words() {
        let action = Action::new(Driver::PolicyQuery, "a.b");
        let asked = question(&action, "user-preference-read", Some("preference-domain"), &[]).unwrap();
        assert_eq!(
            (asked.operation.as_str(), asked.filter.as_deref()),
            ("user-preference-read", Some("preference-domain"))
        );
        // What is attempted is a lookup by the global name, whatever the query is about.
        let action = Action::new(Driver::MachLookupLocal, "a.b");
        assert_eq!(question(&action, "mach-lookup", Some("local-name"), &[]).unwrap().filter, None);
    }
}
