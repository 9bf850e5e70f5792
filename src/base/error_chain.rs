//! An error with what lies behind it.

use std::error::Error;

/// An error and its causes, the nearest first.
pub fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(Some(error), |one| (*one).source())
}

/// The same in one line of text, where it becomes a part of a document.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    causes(error).map(|one| one.to_string()).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fsx::{IoContext, read_input};

    #[test]
    fn every_cause_is_there_once() {
        let missing = std::path::Path::new("/nonexistent/file");
        assert_eq!(
            error_chain(&read_input(missing, 1).unwrap_err()),
            "could not open `/nonexistent/file`: No such file or directory (os error 2)"
        );
        let plain: Result<(), _> = Err(std::io::Error::other("why")).at("do", missing);
        assert_eq!(error_chain(&plain.unwrap_err()), "could not do `/nonexistent/file`: why");
    }
}
