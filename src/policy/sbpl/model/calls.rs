//! Which checks the kernel makes for one operation: its whole system call, in order.
//!
//! Sources: bsd/vfs/vfs_syscalls.c, vfs_lookup.c, vfs_xattr.c, bsd/kern/{kern_sig,uipc_syscalls,uipc_usrreq}.c and
//! iokit/Kernel/IOUserClient.cpp of xnu, where the `mac_*_check_*` hooks are called.

use super::host::HostTable;
use super::object::{CheckFact, CheckObject, CheckSocket, Process};
use super::path::{PathWalk, WalkPurpose};
use super::question::SbplQuestion;
use crate::policy::operations::{OPERATIONS, canonical, covers};

/// One check.
#[derive(Debug, Clone)]
pub(super) struct CallCheck {
    /// The operation that is checked.
    pub operation: &'static str,
    /// What it is checked on.
    pub object: CheckObject,
}

/// The checks of an operation.
#[derive(Debug, Clone, Default)]
pub(super) struct CallChecks {
    /// In the order in which they are made.
    pub list: Vec<CallCheck>,
    /// For a group that no single call asks for: where each member's checks begin. All members have to agree.
    pub members: Vec<usize>,
    /// What is taken for granted.
    pub assumes: Vec<String>,
}

/// The checks that `question` leads to. An error says why they are not known.
pub(super) fn checks(question: &SbplQuestion) -> Result<CallChecks, String> {
    let asked = canonical(&question.operation)
        .ok_or_else(|| format!("`{}` is no operation of the vocabulary", question.operation))?;
    let mut plan = Plan { question, checks: CallChecks::default() };
    plan.operation(asked)?;
    Ok(plan.checks)
}

struct Plan<'q> {
    question: &'q SbplQuestion,
    checks: CallChecks,
}

impl Plan<'_> {
    fn operation(&mut self, asked: &'static str) -> Result<(), String> {
        if let Some(call) = self.question.syscall.as_deref() {
            return self.call(call, asked);
        }
        let target = self.question.target.as_str();
        match asked {
            // Opened for reading, or for writing: what asks for these groups.
            "file-read*" => self.reach("file-read-data", target, WalkPurpose::Follow),
            "file-write*" => self.reach("file-write-data", target, WalkPurpose::Follow),
            "file-read-metadata" | "file-read-xattr" | "file-write-xattr" | "file-write-unlink" => {
                self.reach(asked, target, WalkPurpose::Keep)
            }
            "file-write-create" | "file-mknod" => self.reach(asked, target, WalkPurpose::Make),
            "file-link" | "file-clone" => {
                self.reach(asked, target, WalkPurpose::Follow)?;
                self.second_path("file-write-create")
            }
            "fs-rename" => {
                self.reach(asked, target, WalkPurpose::Keep)?;
                self.second_path("file-write-create")
            }
            "iokit-open*" | "iokit-open-service" => self.open_service(),
            "iokit-open-user-client" if HostTable::get().user_client(target).is_some() => self.open_service(),
            "default" => self.single(asked, CheckObject { shown: target.to_owned(), ..CheckObject::default() }),
            "file-search" => self.search(),
            _ if is_on_path(asked) => self.reach(asked, target, WalkPurpose::Follow),
            // A group that no one call asks for: whatever it covers has to be answered alike.
            _ if asked.ends_with('*') && !matches!(asked, "process-exec*") => {
                for member in OPERATIONS.into_iter().filter(|member| !member.ends_with('*') && covers(asked, member)) {
                    self.checks.members.push(self.checks.list.len());
                    self.leaf(member)?;
                }
                Ok(())
            }
            _ => self.leaf(asked),
        }
    }

    /// An operation that is no group and is not asked for by way of a call of its own.
    fn leaf(&mut self, operation: &'static str) -> Result<(), String> {
        if operation == "file-search" {
            return self.search();
        }
        if is_on_path(operation) {
            return self.reach(operation, &self.question.target, WalkPurpose::Follow);
        }
        if operation.starts_with("network-") {
            return self.network(operation);
        }
        let target = self.question.target.clone();
        let mut object = CheckObject { shown: target.clone(), ..CheckObject::default() };
        if is_on_process(operation) {
            object.process = Process::read(&target);
        } else if let Some(filter) = self.question.filter.as_deref().or_else(|| usual_filter(operation)) {
            object.named.extend(not_these(operation, filter));
            object.named.insert(key(filter).to_owned(), CheckFact::Is(target));
        }
        self.single(operation, object)
    }

    /// A system call by its name. The operation that is asked about is the last of its checks.
    fn call(&mut self, call: &str, asked: &'static str) -> Result<(), String> {
        let target = self.question.target.as_str();
        let data = if asked.starts_with("file-write") { "file-write-data" } else { "file-read-data" };
        let leaf = |usual: &'static str| if asked.ends_with('*') { usual } else { asked };
        match call {
            // `openat` against `/`, which was opened before the profile was applied, walks as `open` does.
            "open" | "openat_rootrel" => self.reach(leaf(data), target, WalkPurpose::Follow),
            // The folder is opened under the profile, then the file within it.
            "openat" | "fchownat" => {
                let operation = if call == "openat" { leaf(data) } else { leaf("file-write-owner") };
                let (folder, _) = target.rsplit_once('/').ok_or_else(|| format!("`{target}` is a relative path"))?;
                self.reach("file-read-data", if folder.is_empty() { "/" } else { folder }, WalkPurpose::Follow)?;
                let opened = self.checks.list.last().and_then(|check| check.object.path.clone()).unwrap_or_default();
                let leaf_path = format!("{}/{}", opened.trim_end_matches('/'), &target[folder.len() + 1..]);
                self.reach(operation, &leaf_path, WalkPurpose::Follow)
            }
            "open_rw" => {
                self.reach("file-read-data", target, WalkPurpose::Follow)?;
                let opened = self.checks.list.last().map(|check| check.object.clone()).unwrap_or_default();
                self.single("file-write-data", opened)
            }
            // The descriptor was opened before the profile was applied, so nothing on the way is checked.
            "ioctl" | "mmap" => {
                let walk = self.question.tree.walk(target, WalkPurpose::Follow)?;
                self.checks.assumes.extend(walk.assumes.iter().cloned());
                let object = self.file(walk);
                self.single(asked, object)
            }
            "opendir" => self.reach("file-read-data", target, WalkPurpose::Follow),
            "truncate" => self.reach("file-write-data", target, WalkPurpose::Follow),
            "lstat" | "readlink" | "getattrlist" => self.reach("file-read-metadata", target, WalkPurpose::Keep),
            "stat" => self.reach("file-read-metadata", target, WalkPurpose::Follow),
            "access" => self.reach(leaf("file-test-existence"), target, WalkPurpose::Follow),
            "fstat" => self.opened_then("file-read-metadata"),
            "fchmod" => self.opened_then("file-write-mode"),
            "futimes" => self.opened_then("file-write-times"),
            "fchown" => self.opened_then("file-write-owner"),
            "chmod" => self.reach("file-write-mode", target, WalkPurpose::Follow),
            "utimes" => self.reach("file-write-times", target, WalkPurpose::Follow),
            "lutimes" => self.reach("file-write-times", target, WalkPurpose::Keep),
            "chown" => self.reach("file-write-owner", target, WalkPurpose::Follow),
            "lchown" => self.reach("file-write-owner", target, WalkPurpose::Keep),
            "chflags" => self.reach("file-write-flags", target, WalkPurpose::Follow),
            "setattrlist" => {
                // Which attributes it sets decides which operation is checked; a probe that calls it says only its own.
                self.checks.assumes.push(format!("`setattrlist` is checked as `{asked}`"));
                self.reach(leaf("file-write-times"), target, WalkPurpose::Follow)
            }
            "getxattr" | "listxattr" => self.reach("file-read-xattr", target, WalkPurpose::Keep),
            "setxattr" => self.reach("file-write-xattr", target, WalkPurpose::Keep),
            "creat" | "mkdir" | "mkfifo" | "symlink" => self.reach("file-write-create", target, WalkPurpose::Make),
            "unlink" | "rmdir" => self.reach("file-write-unlink", target, WalkPurpose::Keep),
            "rename" => {
                self.reach("file-write-unlink", target, WalkPurpose::Keep)?;
                self.second_path("file-write-create")
            }
            "link" => {
                self.reach("file-link", target, WalkPurpose::Follow)?;
                self.second_path("file-write-create")
            }
            "clonefile" => {
                self.reach("file-clone", target, WalkPurpose::Follow)?;
                self.second_path("file-write-create")
            }
            "searchfs" => self.search(),
            other => Err(format!("which checks the system call `{other}` leads to is not known here")),
        }
    }

    /// The file is opened for reading, and the call works on the descriptor.
    fn opened_then(&mut self, operation: &'static str) -> Result<(), String> {
        let target = self.question.target.as_str();
        self.reach("file-read-data", target, WalkPurpose::Follow)?;
        let opened = self.checks.list.last().map(|check| check.object.clone()).unwrap_or_default();
        self.single(operation, opened)
    }

    /// A search goes through the catalogue of the whole volume: the call moves on to the volume's root before it is checked
    /// (bsd/vfs/vfs_syscalls.c), so what a filter on a path or a file is compared with is not the target, and which root that
    /// is depends on how the system's volumes are joined.
    fn search(&mut self) -> Result<(), String> {
        self.reach("file-search", &self.question.target, WalkPurpose::Follow)?;
        let reached = self.checks.list.pop().map(|check| check.object.shown).unwrap_or_default();
        self.single("file-search", CheckObject { shown: format!("the volume of {reached}"), ..CheckObject::default() })
    }

    fn second_path(&mut self, operation: &'static str) -> Result<(), String> {
        match self.question.to.as_deref() {
            Some(to) => self.reach(operation, to, WalkPurpose::Make),
            None => {
                self.checks.assumes.push(format!("`{operation}` is allowed on the second path, which was not given"));
                Ok(())
            }
        }
    }

    /// A check on what a path leads to, with the checks of the links on the way.
    fn reach(&mut self, operation: &'static str, path: &str, last: WalkPurpose) -> Result<(), String> {
        let walk = self.question.tree.walk(path, last)?;
        for link in &walk.crossed {
            let mut object = CheckObject { shown: link.clone(), path: Some(link.clone()), ..CheckObject::default() };
            object.named.insert("vnode-type".into(), CheckFact::Is("SYMLINK".into()));
            self.single("file-read-metadata", object)?;
        }
        self.checks.assumes.extend(walk.assumes.iter().cloned());
        let object = self.file(walk);
        self.single(operation, object)
    }

    fn file(&self, walk: PathWalk) -> CheckObject {
        let mut object = CheckObject { shown: walk.place.clone(), path: Some(walk.place), ..CheckObject::default() };
        if let Some(node) = walk.node {
            object.named.insert("vnode-type".into(), CheckFact::Is(node.kind.vnode_type().into()));
            object.mode = node.mode;
        }
        object
    }

    fn network(&mut self, operation: &'static str) -> Result<(), String> {
        let target = self.question.target.as_str();
        if target.starts_with('/') || target.starts_with("${root}") {
            let binds = operation == "network-bind";
            self.reach(operation, target, if binds { WalkPurpose::Make } else { WalkPurpose::Follow })?;
            let Some(check) = self.checks.list.last_mut() else { return Ok(()) };
            check.object.socket = Some(CheckSocket::Unix);
            if binds {
                // The socket's node is made in the file system (`unp_bind`, bsd/kern/uipc_usrreq.c of xnu).
                let node = CheckObject { socket: None, ..check.object.clone() };
                self.single("file-write-create", node)?;
            }
            return Ok(());
        }
        let socket = CheckSocket::read(target, operation != "network-outbound");
        self.single(operation, CheckObject { shown: target.to_owned(), socket, ..CheckObject::default() })
    }

    /// `IOServiceOpen`: the service is asked for, then its user client is opened.
    fn open_service(&mut self) -> Result<(), String> {
        let class = self.question.target.clone();
        let named = |text: String| [("iokit-registry-entry-class".to_owned(), CheckFact::Is(text))].into();
        self.single(
            "iokit-open-service",
            CheckObject { shown: class.clone(), named: named(class.clone()), ..CheckObject::default() },
        )?;
        let given = self.question.facts.get("iokit-user-client-class").map(String::as_str);
        let client = given.or_else(|| HostTable::get().user_client(&class)).map(str::to_owned);
        let shown = client.clone().unwrap_or_else(|| format!("the user client of {class}"));
        let named = client.map(named).unwrap_or_default();
        self.single(
            "iokit-open-user-client",
            CheckObject { shown, named, service_class: Some(class), ..CheckObject::default() },
        )
    }

    fn single(&mut self, operation: &'static str, mut object: CheckObject) -> Result<(), String> {
        for (filter, value) in &self.question.facts {
            let is_link = object.named.get("vnode-type") == Some(&CheckFact::Is("SYMLINK".into()));
            match filter.as_str() {
                // Facts are about the target, not about the links on the way to it.
                _ if is_link => {}
                "file-mode" => {
                    let bits = u32::from_str_radix(value.trim_start_matches("#o"), 8);
                    object.mode = Some(bits.map_err(|_| format!("`{value}` is no octal number"))?);
                }
                "iokit-user-client-class" | "extension" | "entitlement" | "home" => {}
                "target" => object.process = Process::read(value).or(object.process),
                name => drop(object.named.insert(name.to_owned(), CheckFact::Is(value.clone()))),
            }
        }
        self.checks.list.push(CallCheck { operation, object });
        Ok(())
    }
}

/// Whether an operation is checked on a path.
fn is_on_path(operation: &str) -> bool {
    operation.starts_with("file") || operation.starts_with("process-exec") || operation.starts_with("fs-")
}

/// Whether an operation is checked on a process.
fn is_on_process(operation: &str) -> bool {
    ["signal", "process-info", "process-codesigning", "process-legacy-codesigning", "mach-task", "mach-priv-task-port"]
        .iter()
        .any(|begin| operation.starts_with(begin))
        && !operation.starts_with("mach-task-special-port")
}

/// The filter that a target is, if nothing else is said.
pub fn usual_filter(operation: &str) -> Option<&'static str> {
    Some(match operation {
        "mach-lookup" | "mach-register" | "mach-cross-domain-lookup" => "global-name",
        "sysctl-read" | "sysctl-write" => "sysctl-name",
        "darwin-notification-post" | "distributed-notification-post" => "notification-name",
        "user-preference-read" | "user-preference-write" | "managed-preference-read" => "preference-domain",
        "authorization-right-obtain" => "right-name",
        "appleevent-send" => "appleevent-destination",
        "iokit-open-service" => "iokit-registry-entry-class",
        "iokit-open-user-client" => "iokit-user-client-class",
        "iokit-get-properties" | "iokit-set-properties" => "iokit-property",
        "nvram-get" | "nvram-set" | "nvram-delete" => "nvram-variable",
        "system-info" => "info-type",
        "system-kext-load" | "system-kext-unload" | "system-kext-query" => "kext-bundle-id",
        "system-socket" => "socket-domain",
        "system-fcntl" => "fcntl-command",
        "system-fsctl" => "fsctl-command",
        "system-mac-syscall" => "mac-policy-name",
        "syscall-unix" => "syscall-number",
        "syscall-mach" => "machtrap-number",
        "syscall-mig" => "kernel-mig-routine",
        "boot-arg-set" => "boot-arg",
        "mach-task-special-port-get" | "mach-task-special-port-set" => "task-special-port",
        "mach-host-special-port-set" => "host-special-port",
        "socket-option-get" | "socket-option-set" => "socket-option-name",
        "storage-class-map" => "storage-class",
        _ if operation.starts_with("ipc-posix-s") => "ipc-posix-name",
        _ => return None,
    })
}

/// The facts that a check certainly lacks, given which one it has: a service is looked up by one kind of name.
fn not_these(operation: &str, filter: &str) -> Vec<(String, CheckFact)> {
    const NAMES: [&str; 3] = ["global-name", "local-name", "xpc-service-name"];
    if !operation.starts_with("mach-") || !NAMES.contains(&filter) {
        return Vec::new();
    }
    NAMES.iter().filter(|name| **name != filter).map(|name| ((*name).to_owned(), CheckFact::Absent)).collect()
}

/// The name under which a filter's fact is kept.
fn key(filter: &str) -> &str {
    if filter == "iokit-user-client-class" { "iokit-registry-entry-class" } else { filter }
}
