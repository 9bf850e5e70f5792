//! The drivers in action: each makes the system calls of one operation.
