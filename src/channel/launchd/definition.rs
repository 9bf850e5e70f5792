//! The job definition: a property list (launchd.plist(5)).

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::base::fsx::FileError;
use crate::base::printable::excerpt;
use crate::channel::job::ManagedJob;

/// How long launchd waits between SIGTERM and SIGKILL.
pub(super) const EXIT_TIMEOUT: Duration = Duration::from_secs(5);
/// The worker's file mode creation mask, 0022; launchd reads the number as decimal.
const UMASK: u32 = 0o022;

/// A job that cannot be described to launchd.
#[derive(Debug, thiserror::Error)]
pub enum DefinitionError {
    /// A text that a property list cannot carry, or that would be ambiguous in what launchctl prints.
    #[error("{member} cannot be `{}`: {reason}", excerpt(text, 200))]
    Text {
        /// The member of the definition.
        member: &'static str,
        /// What it was to be.
        text: String,
        /// Why it cannot stand in a property list, in words.
        reason: &'static str,
    },
    /// It could not be encoded.
    #[error("could not encode the job definition")]
    Encode(#[source] plist::Error),
    /// It could not be written.
    #[error(transparent)]
    Write(#[from] FileError),
}

/// The document. `KeepAlive` and `LaunchOnlyOnce` are left out on purpose: the one would start the worker again, the
/// other may make launchd forget the job, and with it how it ended, as soon as it ends.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct JobDefinition<'j> {
    label: &'j str,
    program_arguments: &'j [String],
    run_at_load: bool,
    environment_variables: BTreeMap<&'j str, &'j str>,
    working_directory: &'j str,
    standard_out_path: &'j str,
    standard_error_path: &'j str,
    process_type: &'static str,
    exit_time_out: u64,
    umask: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_load_to_session_type: Option<&'j [String]>,
}

/// Writes the definition as an XML property list.
///
/// # Errors
/// If it cannot carry one of the texts.
pub(super) fn encode(job: &ManagedJob<'_>, session_types: Option<&[String]>) -> Result<Vec<u8>, DefinitionError> {
    check_label(job.unit)?;
    let Some(program) = job.argv.first() else {
        return Err(refuse("ProgramArguments", "", "there is no program"));
    };
    if !program.starts_with('/') {
        return Err(refuse("ProgramArguments", program, "the program's path is not absolute"));
    }
    for word in job.argv {
        check_text("ProgramArguments", word)?;
    }
    let mut environment_variables = BTreeMap::new();
    for (name, value) in job.environment {
        if name.is_empty() || name.contains('=') {
            return Err(refuse("EnvironmentVariables", name, "no variable can have that name"));
        }
        check_text("EnvironmentVariables", name)?;
        check_text("EnvironmentVariables", value)?;
        if environment_variables.insert(name.as_str(), value.as_str()).is_some() {
            return Err(refuse("EnvironmentVariables", name, "it is listed twice"));
        }
    }
    let document = JobDefinition {
        label: job.unit,
        program_arguments: job.argv,
        run_at_load: true,
        environment_variables,
        working_directory: path_text("WorkingDirectory", job.folder)?,
        standard_out_path: path_text("StandardOutPath", job.stdout)?,
        standard_error_path: path_text("StandardErrorPath", job.stderr)?,
        process_type: "Standard",
        exit_time_out: EXIT_TIMEOUT.as_secs(),
        umask: UMASK,
        limit_load_to_session_type: session_types,
    };
    let mut bytes = Vec::new();
    plist::to_writer_xml(&mut bytes, &document).map_err(DefinitionError::Encode)?;
    Ok(bytes)
}

/// A label is a file name and stands in targets (`DOMAIN/LABEL`) and in log predicates, so its alphabet is narrow.
fn check_label(label: &str) -> Result<(), DefinitionError> {
    if label.is_empty() || label.starts_with(['.', '-']) || label.len() > 200 {
        return Err(refuse("Label", label, "a label is a plain file name of at most 200 bytes"));
    }
    if !label.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
        return Err(refuse("Label", label, "it may hold only ASCII letters, digits, `.`, `-` and `_`"));
    }
    Ok(())
}

/// XML has no control characters but tab and line ends, and a line end in an argument could pass for a line of what
/// `launchctl print` says of the job itself.
fn check_text(member: &'static str, text: &str) -> Result<(), DefinitionError> {
    if text.chars().any(|c| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}' | '\u{2028}' | '\u{2029}')) {
        return Err(refuse(member, text, "it holds a control character"));
    }
    Ok(())
}

fn path_text<'p>(member: &'static str, path: &'p Path) -> Result<&'p str, DefinitionError> {
    let Some(text) = path.to_str() else {
        return Err(refuse(member, &path.to_string_lossy(), "a property list carries text only, and it is none"));
    };
    if !path.is_absolute() {
        return Err(refuse(member, text, "it is not absolute"));
    }
    check_text(member, text)?;
    Ok(text)
}

fn refuse(member: &'static str, text: &str, reason: &'static str) -> DefinitionError {
    DefinitionError::Text { member, text: text.to_string(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_string()).collect()
    }

    fn encoded(argv: &[&str], environment: &[(&str, &str)], label: &str) -> Result<Vec<u8>, DefinitionError> {
        let environment: Vec<(String, String)> =
            environment.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
        let job = ManagedJob {
            unit: label,
            argv: &words(argv),
            environment: &environment,
            folder: Path::new("/private/tmp/stage <&>"),
            stdout: Path::new("/private/tmp/stage <&>/out.txt"),
            stderr: Path::new("/private/tmp/stage <&>/err.txt"),
            limit: Duration::from_secs(60),
        };
        encode(&job, None)
    }

    #[test]
    fn the_definition_says_exactly_this() {
        let argv = words(&["/stage/sandproof", "__worker", "a <b> & \"c\"", "", "ü"]);
        let environment = [("SANDPROOF_JOB_NONCE".to_string(), "n".to_string()), ("PATH".into(), "/bin".into())];
        let job = ManagedJob {
            unit: "sandproof.runtime.r-1",
            argv: &argv,
            environment: &environment,
            folder: Path::new("/stage"),
            stdout: Path::new("/stage/out.txt"),
            stderr: Path::new("/stage/err.txt"),
            limit: Duration::from_secs(60),
        };
        for session_types in [None, Some(words(&["Background"]))] {
            let bytes = encode(&job, session_types.as_deref()).unwrap();
            let read = plist::Value::from_reader_xml(bytes.as_slice()).unwrap();
            let read = read.as_dictionary().unwrap();
            let text = |key: &str| read[key].as_string().unwrap();
            let list = |key: &str| -> Vec<String> {
                read[key].as_array().unwrap().iter().map(|word| word.as_string().unwrap().to_string()).collect()
            };
            let mut keys: Vec<&str> = read.keys().map(String::as_str).collect();
            keys.sort_unstable();
            let mut wanted = vec![
                "EnvironmentVariables",
                "ExitTimeOut",
                "Label",
                "ProcessType",
                "ProgramArguments",
                "RunAtLoad",
                "StandardErrorPath",
                "StandardOutPath",
                "Umask",
                "WorkingDirectory",
            ];
            if let Some(types) = &session_types {
                wanted.insert(3, "LimitLoadToSessionType");
                assert_eq!(&list("LimitLoadToSessionType"), types);
            }
            assert_eq!(keys, wanted);
            assert_eq!(text("Label"), "sandproof.runtime.r-1");
            assert_eq!(list("ProgramArguments"), argv);
            assert_eq!(read["RunAtLoad"].as_boolean(), Some(true));
            let variables = read["EnvironmentVariables"].as_dictionary().unwrap();
            assert_eq!(variables.len(), 2);
            assert_eq!(variables["SANDPROOF_JOB_NONCE"].as_string(), Some("n"));
            assert_eq!(variables["PATH"].as_string(), Some("/bin"));
            assert_eq!(text("WorkingDirectory"), "/stage");
            assert_eq!(text("StandardOutPath"), "/stage/out.txt");
            assert_eq!(text("StandardErrorPath"), "/stage/err.txt");
            assert_eq!(text("ProcessType"), "Standard");
            assert_eq!(read["ExitTimeOut"].as_signed_integer(), Some(5));
            assert_eq!(read["Umask"].as_signed_integer(), Some(18));
        }
    }

    #[test]
    fn what_launchd_would_misread_is_refused() {
        type Case<'c> = (&'c [&'c str], &'c [(&'c str, &'c str)], &'c str, &'c str);
        let cases: [Case<'_>; 11] = [
            (&[], &[], "l", "ProgramArguments"),
            (&["sandproof"], &[], "l", "ProgramArguments"),
            (&["/s", "a\nstate = not running"], &[], "l", "ProgramArguments"),
            (&["/s", "\u{1}"], &[], "l", "ProgramArguments"),
            (&["/s"], &[("A=B", "")], "l", "EnvironmentVariables"),
            (&["/s"], &[("", "")], "l", "EnvironmentVariables"),
            (&["/s"], &[("A", "x\0")], "l", "EnvironmentVariables"),
            (&["/s"], &[("A", "1"), ("A", "2")], "l", "EnvironmentVariables"),
            (&["/s"], &[], "", "Label"),
            (&["/s"], &[], "a/b", "Label"),
            (&["/s"], &[], "a\" OR 1", "Label"),
        ];
        for (argv, environment, label, wanted) in cases {
            match encoded(argv, environment, label) {
                Err(DefinitionError::Text { member, .. }) => assert_eq!(member, wanted),
                other => panic!("{argv:?} {environment:?} {label:?}: {other:?}"),
            }
        }
        assert!(encoded(&["/s"], &[("A", "1")], "l").is_ok());
    }
}
