//! The run: where execution meets writing.
