//! The host: what is observed of it, and which world it is.
