//! What a process has from the one that started it: its environment and its open descriptors.

use std::os::fd::{AsRawFd, IntoRawFd};

use super::made::Preparation;
use super::trace::Trace;
use crate::sys::linux::path;
use crate::sys::linux::process::pipe;
use crate::sys::linux::sole::Sole;

/// What stands before the sixteen digits of a token in a variable. Of a variable with another value only the length is noted.
const MARK: &str = "sandproof-";

/// Puts a variable with the token into the environment.
pub fn make_variable(made: &mut Preparation, sole: &Sole, name: &str) -> Result<(), i32> {
    let token = made.draw()?;
    sole.set_environment(name, &format!("{MARK}{token:016x}"))
}

/// Looks for a variable in the environment. That it is not there is said as `ENOENT`.
#[expect(clippy::disallowed_methods, reason = "a variable that was handed down is the question")]
pub fn variable(trace: &mut Trace, made: &Preparation, name: &str) -> Option<()> {
    let found = if name.is_empty() || name.contains(['=', '\0']) { None } else { std::env::var_os(name) };
    let length = found.as_ref().map(|value| value.len() as i64).ok_or(libc::ENOENT);
    trace.operate("getenv", length)?;
    let digits = found.as_deref().and_then(|value| value.to_str()).and_then(|value| value.strip_prefix(MARK));
    let token = digits.filter(|digits| digits.len() == 16).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    made.compare(trace, token)
}

/// Opens a pipe that holds the token, and keeps the end that is read from.
pub fn make_descriptor(made: &mut Preparation) -> Result<(), i32> {
    let token = made.draw()?;
    let (reading, writing) = pipe()?;
    path::write(writing.as_raw_fd(), &token.to_ne_bytes())?;
    path::close(writing)?;
    made.fd = reading.into_raw_fd();
    Ok(())
}

/// Reads eight bytes from a descriptor that was open before.
pub fn descriptor(trace: &mut Trace, made: &Preparation) -> Option<()> {
    let mut bytes = [0; 8];
    let count = trace.operate("read", path::read(made.fd, &mut bytes))?;
    made.compare(trace, (count == 8).then(|| u64::from_ne_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::detail_name::DetailName;
    use crate::record::report::OperationReport;

    fn found(name: &str, token: Option<u64>) -> OperationReport {
        let mut trace = Trace::new();
        variable(&mut trace, &Preparation { token, ..Preparation::default() }, name);
        trace.finish()
    }

    #[test]
    fn of_a_variable_that_is_not_the_probes_own_only_the_length_is_told() {
        let path = found("PATH", Some(1));
        assert_eq!(path.calls[0].ret, std::env::var_os("PATH").unwrap().len() as i64);
        assert_eq!(path.details, [(DetailName::Confirmed, 0)]);
        assert_eq!(found("PATH", None).details, []);
        for name in ["", "A=B", "SANDPROOF_NOT_THERE", "NUL\0"] {
            assert_eq!(found(name, None).calls[0].errno, libc::ENOENT, "{name:?}");
        }
    }
}
