//! Names of macOS error numbers, the same on every host. Source: `bsd/sys/errno.h` of xnu. The last one is of releases
//! after macOS 14.

/// The name of a macOS error number; `None` for 0 and unknown numbers.
pub(super) fn darwin_errno_name(number: i32) -> Option<&'static str> {
    let index = usize::try_from(number).ok()?.checked_sub(1)?;
    NAMES.get(index).copied()
}

/// By number, from 1.
#[rustfmt::skip]
const NAMES: &[&str] = &[
    "EPERM", "ENOENT", "ESRCH", "EINTR", "EIO", "ENXIO", "E2BIG", "ENOEXEC", "EBADF", "ECHILD",
    "EDEADLK", "ENOMEM", "EACCES", "EFAULT", "ENOTBLK", "EBUSY", "EEXIST", "EXDEV", "ENODEV", "ENOTDIR",
    "EISDIR", "EINVAL", "ENFILE", "EMFILE", "ENOTTY", "ETXTBSY", "EFBIG", "ENOSPC", "ESPIPE", "EROFS",
    "EMLINK", "EPIPE", "EDOM", "ERANGE", "EAGAIN", "EINPROGRESS", "EALREADY", "ENOTSOCK", "EDESTADDRREQ", "EMSGSIZE",
    "EPROTOTYPE", "ENOPROTOOPT", "EPROTONOSUPPORT", "ESOCKTNOSUPPORT", "ENOTSUP", "EPFNOSUPPORT", "EAFNOSUPPORT",
    "EADDRINUSE", "EADDRNOTAVAIL", "ENETDOWN",
    "ENETUNREACH", "ENETRESET", "ECONNABORTED", "ECONNRESET", "ENOBUFS", "EISCONN", "ENOTCONN", "ESHUTDOWN",
    "ETOOMANYREFS", "ETIMEDOUT",
    "ECONNREFUSED", "ELOOP", "ENAMETOOLONG", "EHOSTDOWN", "EHOSTUNREACH", "ENOTEMPTY", "EPROCLIM", "EUSERS", "EDQUOT",
    "ESTALE",
    "EREMOTE", "EBADRPC", "ERPCMISMATCH", "EPROGUNAVAIL", "EPROGMISMATCH", "EPROCUNAVAIL", "ENOLCK", "ENOSYS", "EFTYPE",
    "EAUTH",
    "ENEEDAUTH", "EPWROFF", "EDEVERR", "EOVERFLOW", "EBADEXEC", "EBADARCH", "ESHLIBVERS", "EBADMACHO", "ECANCELED",
    "EIDRM",
    "ENOMSG", "EILSEQ", "ENOATTR", "EBADMSG", "EMULTIHOP", "ENODATA", "ENOLINK", "ENOSR", "ENOSTR", "EPROTO",
    "ETIME", "EOPNOTSUPP", "ENOPOLICY", "ENOTRECOVERABLE", "EOWNERDEAD", "EQFULL",
    "ENOTCAPABLE",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_well_known_numbers_stand_at_their_place() {
        for (number, name) in [
            (1, "EPERM"),
            (13, "EACCES"),
            (35, "EAGAIN"),
            (45, "ENOTSUP"),
            (50, "ENETDOWN"),
            (60, "ETIMEDOUT"),
            (61, "ECONNREFUSED"),
            (66, "ENOTEMPTY"),
            (78, "ENOSYS"),
            (89, "ECANCELED"),
            (93, "ENOATTR"),
            (102, "EOPNOTSUPP"),
            (106, "EQFULL"),
            (107, "ENOTCAPABLE"),
        ] {
            assert_eq!(darwin_errno_name(number), Some(name));
        }
        assert_eq!(darwin_errno_name(0), None);
        assert_eq!(darwin_errno_name(108), None);
        assert_eq!(darwin_errno_name(-1), None);
    }
}
