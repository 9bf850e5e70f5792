//! What to say of a process that is inside somebody else's sandbox.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::record::manifest::ChannelKind;
use crate::record::status_doc::Confinement;

/// What to say before a run of this process, in one line: that it is confined, what that means for the evidence, and
/// the command to run outside. `None` if nothing confines it.
pub(super) fn remark(
    confined: &Confinement,
    channel: ChannelKind,
    folder: &Path,
    command: &[OsString],
) -> Option<String> {
    let words = confined.words();
    if words.is_empty() {
        return None;
    }
    let meaning = if channel == ChannelKind::Direct {
        "what it finds is evidence of this context and cannot be promoted"
    } else {
        "its worker is not, if the service manager can be reached from here"
    };
    let folder = quoted(folder.as_os_str().as_bytes());
    let command: Vec<String> = command.iter().map(|word| quoted(word.as_bytes())).collect();
    Some(format!(
        "note: this process is confined already ({}): {meaning}; to run outside: cd {folder} && {}",
        words.join(", "),
        command.join(" ")
    ))
}

/// A word as a shell reads it back, on one line: as it is, in single quotes, or in `$'…'` where it holds bytes that
/// cannot be printed.
fn quoted(word: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-./=:,@+%".contains(byte);
    // A leading `=` is expanded by some shells.
    if !word.is_empty() && word[0] != b'=' && word.iter().all(plain) {
        return String::from_utf8_lossy(word).into_owned();
    }
    match std::str::from_utf8(word) {
        Ok(text) if !text.chars().any(char::is_control) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let mut out = String::from("$'");
            for byte in word {
                match byte {
                    b'\'' | b'\\' => out.extend(['\\', char::from(*byte)]),
                    // Octal has a fixed width, so what follows cannot be read as a part of it.
                    0x20..0x7f => out.push(char::from(*byte)),
                    _ => out.push_str(&format!("\\{byte:03o}")),
                }
            }
            out + "'"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt;
    use std::process::Command;

    use super::*;

    fn words(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_free_process_is_told_nothing() {
        let free = Confinement { landlock_layers: Some(0), seccomp: Some(0), ..Confinement::default() };
        assert_eq!(remark(&free, ChannelKind::Direct, Path::new("/w"), &words(&["sandproof", "run"])), None);
        assert_eq!(remark(&Confinement::default(), ChannelKind::Direct, Path::new("/w"), &[]), None);
    }

    #[test]
    fn a_confined_one_is_told_in_one_line_what_to_do() {
        let confined = Confinement { landlock_layers: Some(1), no_new_privs: Some(true), ..Confinement::default() };
        let command = words(&["sandproof", "run", "--plan", "my plans/p.json"]);
        let line = remark(&confined, ChannelKind::Direct, Path::new("/w x"), &command).unwrap();
        assert!(line.contains("(1 Landlock layer, no_new_privs)"), "{line}");
        assert!(line.contains("cannot be promoted"), "{line}");
        assert!(line.ends_with("cd '/w x' && sandproof run --plan 'my plans/p.json'"), "{line}");
        let line = remark(&confined, ChannelKind::SystemdClean, Path::new("/w"), &command).unwrap();
        assert!(line.contains("its worker is not") && !line.contains("cannot be promoted"), "{line}");
        let nasty = words(&["sandproof", "a\nb\u{1b}[31m"]);
        let line = remark(&confined, ChannelKind::Direct, Path::new("/w"), &nasty).unwrap();
        assert!(!line.contains(char::is_control), "{line:?}");
    }

    /// The shell itself is asked. `$'…'` is bash's; what needs none of it is any shell's.
    #[test]
    fn a_shell_reads_every_word_back() {
        let cases: [&[u8]; 12] = [
            b"plain-word_1.2/x:y,z@+%",
            b"",
            b"two words",
            b"it's",
            b"$HOME `id` \"x\" \\ ; & | < > ( ) * ? # ~ !",
            "\u{e9}\u{2026}".as_bytes(),
            b"=x",
            b"line\nbreak'",
            b"\x01\x02\x1b[0m7",
            b"\xff\xfe1\\",
            b"-n",
            b"{a,b}",
        ];
        let bash = Path::new("/bin/bash");
        for case in cases {
            let text = quoted(case);
            assert!(!text.contains(char::is_control), "{text:?}");
            let shell = if text.starts_with('$') { bash } else { Path::new("/bin/sh") };
            if !shell.exists() {
                continue;
            }
            let output = Command::new(shell).arg("-c").arg(format!("printf '%s.' {text}")).output().unwrap();
            let wanted = [case, b"."].concat();
            assert_eq!(output.stdout, wanted, "{text} for {:?}", OsString::from_vec(case.to_vec()));
        }
    }
}
