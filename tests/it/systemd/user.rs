//! An ordinary user's own manager.
