//! Errors as one line of text, where they become a part of a document.

use std::error::Error;

/// An error and its causes, in one line.
pub fn error_chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
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
