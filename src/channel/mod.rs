//! How a worker process is started.
