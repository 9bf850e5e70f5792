//! Putting a policy in force in the calling process.
