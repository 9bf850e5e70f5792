//! Starting and ending processes.
