//! What only the system itself can say of a process.

/// What it says.
pub(super) struct SystemView {
    pub(super) no_new_privs: bool,
    /// `None`: there are no filters of system calls.
    pub(super) seccomp_mode: Option<u32>,
    pub(super) makes_sockets: bool,
    pub(super) net_cookie: Option<u64>,
    /// `None`: there is no Seatbelt.
    pub(super) seatbelt: Option<bool>,
}
