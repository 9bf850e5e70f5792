//! Services of the system: Mach, XPC, IOKit, notifications, preferences, shared memory, semaphores, terminals.

use std::ffi::CStr;
use std::time::Duration;

use super::OperationSteps;
use super::functions::RuntimeFunctions;
use crate::record::detail_name::DetailName;
use crate::sys::Ret;
use crate::sys::darwin::calls;

/// What `preference_read` notes where the preference has no value: there is no code that says why.
const NO_VALUE: i32 = 1;

/// The one call of a driver whose functions were found before.
pub(super) fn call(steps: &mut OperationSteps, tools: &RuntimeFunctions, target: &CStr, name: &CStr) -> Option<()> {
    match tools {
        RuntimeFunctions::Bootstrap(bootstrap) => steps.operate_code("bootstrap_look_up", bootstrap.look_up(target)),
        RuntimeFunctions::Register(bootstrap, port) => {
            steps.operate_code("bootstrap_register", bootstrap.register(target, *port))
        }
        RuntimeFunctions::Xpc(xpc) => {
            steps.operate_code("xpc_connection_send_message_with_reply_sync", xpc.ask(target))
        }
        RuntimeFunctions::Service(io_kit, service) => steps.operate_code("IOServiceOpen", io_kit.open(*service)),
        RuntimeFunctions::Notifier(notifier) => steps.operate_code("notify_post", notifier.post(target)),
        RuntimeFunctions::CoreFoundation(foundation) if name.is_empty() => {
            let posted = if foundation.post(target) { Ok(0) } else { Err(libc::ENOMEM) };
            steps.operate("CFNotificationCenterPostNotification", posted).map(|_| ())
        }
        RuntimeFunctions::CoreFoundation(foundation) => {
            let code = if foundation.has_preference(name, target) { 0 } else { NO_VALUE };
            steps.operate_code("CFPreferencesCopyValue", code)
        }
        RuntimeFunctions::None => steps.prepare("resolve", Err(libc::ENOSYS)).map(|_| ()),
    }
}

/// Tries to make something of a name that nobody has. Another row of the run may have it for a moment.
fn make_own(make: impl Fn() -> Ret) -> Ret {
    let mut made = make();
    for _ in 0..50 {
        if made != Err(libc::EEXIST) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
        made = make();
    }
    made
}

/// Makes a shared memory object, and removes it.
pub(super) fn shared_memory(steps: &mut OperationSteps, name: &CStr) -> Option<()> {
    steps.operate("shm_open", make_own(|| calls::shm_create(name)))?;
    let removed = calls::shm_unlink(name);
    steps.detail(DetailName::UnlinkErrno, i64::from(removed.err().unwrap_or(0)));
    Some(())
}

/// Makes a semaphore, and removes it.
pub(super) fn semaphore(steps: &mut OperationSteps, name: &CStr) -> Option<()> {
    steps.operate("sem_open", make_own(|| calls::sem_create(name)))?;
    let removed = calls::sem_unlink(name);
    steps.detail(DetailName::UnlinkErrno, i64::from(removed.err().unwrap_or(0)));
    Some(())
}

/// Makes a pseudo terminal. Opening `/dev/ptmx` is an operation on a file, so it only prepares.
pub(super) fn terminal(steps: &mut OperationSteps) -> Option<()> {
    let fd = steps.prepare("posix_openpt", calls::open_terminal())? as i32;
    steps.operate("grantpt", calls::grantpt(fd))?;
    steps.operate("unlockpt", calls::unlockpt(fd)).map(|_| ())
}
