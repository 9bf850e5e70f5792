//! A probe's action as a question to the model.

use super::{Question, Tree};
use crate::record::action::Action;
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
) -> Result<Question, String> {
    let driver = action.driver.info().name;
    // The operation and the system call that stand for the driver; without a call, the operation's usual one.
    let (operation, syscall) = match driver {
        "file_read" => ("file-read-data", Some("open")),
        "file_write" | "file_open_truncate" | "file_truncate_fd" => ("file-write-data", Some("open")),
        "file_read_write" => ("file-write-data", Some("open_rw")),
        "file_read_at" => ("file-read-data", Some("openat")),
        "file_write_at" => ("file-write-data", Some("openat")),
        "file_read_rootrel" => ("file-read-data", Some("openat_rootrel")),
        "file_write_rootrel" => ("file-write-data", Some("openat_rootrel")),
        "file_create" => ("file-write-create", Some("creat")),
        "file_unlink" => ("file-write-unlink", Some("unlink")),
        "file_rename" => ("file-write-unlink", Some("rename")),
        "file_link" => ("file-link", Some("link")),
        "file_clone" => ("file-clone", Some("clonefile")),
        "file_truncate" => ("file-write-data", Some("truncate")),
        "symlink_create" => ("file-write-create", Some("symlink")),
        "dir_create" => ("file-write-create", Some("mkdir")),
        "dir_remove" => ("file-write-unlink", Some("rmdir")),
        "dir_list" => ("file-read-data", Some("opendir")),
        "fifo_create" => ("file-write-create", Some("mkfifo")),
        "file_stat" => ("file-read-metadata", Some("stat")),
        "file_lstat" => ("file-read-metadata", Some("lstat")),
        "file_fstat" => ("file-read-metadata", Some("fstat")),
        "file_getattrlist" => ("file-read-metadata", Some("getattrlist")),
        "file_setattrlist" => (operation, Some("setattrlist")),
        "file_access" => ("file-test-existence", Some("access")),
        "file_readlink" => ("file-read-metadata", Some("readlink")),
        "file_search" => ("file-search", Some("searchfs")),
        "file_chmod" => ("file-write-mode", Some("chmod")),
        "file_fchmod" => ("file-write-mode", Some("fchmod")),
        "file_chown" => ("file-write-owner", Some("chown")),
        "file_lchown" => ("file-write-owner", Some("lchown")),
        "file_fchown" => ("file-write-owner", Some("fchown")),
        "file_fchownat" => ("file-write-owner", Some("fchownat")),
        "file_utimes" => ("file-write-times", Some("utimes")),
        "file_futimes" => ("file-write-times", Some("futimes")),
        "file_lutimes" => ("file-write-times", Some("lutimes")),
        "xattr_get" => ("file-read-xattr", Some("getxattr")),
        "xattr_list" => ("file-read-xattr", Some("listxattr")),
        "xattr_set" => ("file-write-xattr", Some("setxattr")),
        "file_map_executable" => ("file-map-executable", Some("mmap")),
        "file_ioctl" => ("file-ioctl", Some("ioctl")),
        "exec" => ("process-exec*", None),
        "process_fork" => ("process-fork", None),
        "process_info" => ("process-info-pidinfo", None),
        "signal_self" | "signal_same_sandbox" | "signal_outside" => ("signal", None),
        "tcp_connect" | "udp_send" | "unix_connect" => ("network-outbound", None),
        "tcp_bind" | "udp_bind" | "unix_bind" => ("network-bind", None),
        "tcp_accept" | "tcp_listen_unbound" => ("network-inbound", None),
        "mach_lookup" | "mach_lookup_local" | "xpc_lookup" => ("mach-lookup", None),
        "mach_register" => ("mach-register", None),
        "iokit_open_service" | "iokit_open_user_client" => ("iokit-open-service", None),
        "sysctl_read" => ("sysctl-read", None),
        "darwin_notification_post" => ("darwin-notification-post", None),
        "distributed_notification_post" => ("distributed-notification-post", None),
        "posix_shm" => ("ipc-posix-shm-write-create", None),
        "posix_sem" => ("ipc-posix-sem-create", None),
        "pseudo_tty" => ("pseudo-tty", None),
        "system_socket" => ("system-socket", None),
        "preference_read" => ("user-preference-read", None),
        "policy_query" => (operation, None),
        "file_read_inherited" | "file_truncate_inherited" => {
            return Err(
                "whether a descriptor that was opened before the profile was applied is looked at again is not \
                        known"
                    .into(),
            );
        }
        "apply_only" => return Err("the driver attempts nothing after the profile was applied".into()),
        _ => return Err(format!("the driver `{driver}` is not made for macOS")),
    };
    let target = match driver {
        "signal_self" => "self".to_owned(),
        "signal_same_sandbox" => "same-sandbox".to_owned(),
        "signal_outside" => "others".to_owned(),
        "system_socket" => "AF_SYSTEM".to_owned(),
        "tcp_connect" | "tcp_bind" | "tcp_accept" => format!("tcp:{}", action.target),
        "udp_bind" | "udp_send" => format!("udp:{}", action.target),
        // The kernel picks address and port.
        "tcp_listen_unbound" => "tcp:*:*".to_owned(),
        _ => action.target.clone(),
    };
    let mut question = Question::new(operation, target);
    question.syscall = syscall.map(str::to_owned);
    question.to = action.to.clone();
    question.tree = Tree::of_fixtures(fixtures);
    match driver {
        "xattr_get" | "xattr_set" => {
            question.facts.extend(action.name.iter().map(|name| ("xattr".to_owned(), name.clone())));
        }
        "xpc_lookup" => question.filter = Some("xpc-service-name".to_owned()),
        // A lookup is one of the global name, whatever name the probe's query is about.
        "policy_query" => question.filter = filter.map(str::to_owned),
        _ => {}
    }
    Ok(question)
}
