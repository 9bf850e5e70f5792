//! Whom a reader trusts: keys that he names, and OpenSSH's files of allowed signers.

use std::path::{Path, PathBuf};

use super::key_error::{KeyError, KeyFault};
use super::public_key::VerifyingKey;
use super::sshsig::NAMESPACE;
use crate::base::fsx;

/// Largest file of keys, in bytes.
const MAX_KEYS_FILE_BYTES: u64 = 1024 * 1024;

/// Keys whose signatures count, and whose each is.
#[derive(Debug, Clone, Default)]
pub struct TrustAnchors(Vec<TrustedKey>);

/// One key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    /// The key that signatures are verified with.
    pub key: VerifyingKey,
    /// Whose it is, by the word of who named it.
    pub owner: KeyOwner,
}

/// Whose a trusted key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyOwner {
    /// Nobody said; it was named by this file.
    File(PathBuf),
    /// The principals of a line of allowed signers.
    Principals(String),
}

impl TrustAnchors {
    /// Whether nobody is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every key.
    pub fn keys(&self) -> &[TrustedKey] {
        &self.0
    }

    /// Adds the public key in a file.
    ///
    /// # Errors
    /// If there is none that can be used.
    pub fn add_key(&mut self, path: &Path) -> Result<(), KeyError> {
        let key = VerifyingKey::from_text(&read(path)?);
        let key = key.map_err(|fault| KeyError::Fault { path: path.to_owned(), fault })?;
        self.0.push(TrustedKey { key, owner: KeyOwner::File(path.to_owned()) });
        Ok(())
    }

    /// Adds whoever a file of allowed signers allows to sign what this program makes, at the time `now` (seconds since 1970).
    ///
    /// Lines of certificate authorities, of keys of other kinds, for other namespaces, and whose time is not now, allow
    /// nobody.
    ///
    /// # Errors
    /// If a line is not understood: it might have been meant to forbid.
    pub fn add_allowed_signers(&mut self, path: &Path, now: f64) -> Result<(), KeyError> {
        for (n, line) in read(path)?.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = AllowedSigner::parse(line).map_err(|fault| KeyError::Line {
                path: path.to_owned(),
                line: n + 1,
                fault,
            })?;
            self.0.extend(entry.allowed(now));
        }
        Ok(())
    }

    /// Adds what is in a file of either kind.
    ///
    /// # Errors
    /// As the two above.
    pub fn add_file(&mut self, path: &Path, now: f64) -> Result<(), KeyError> {
        match VerifyingKey::from_text(&read(path)?) {
            Err(KeyFault::NoKey) => self.add_allowed_signers(path, now),
            _ => self.add_key(path),
        }
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    let bytes = fsx::read_input(path, MAX_KEYS_FILE_BYTES)?;
    String::from_utf8(bytes).map_err(|_| KeyError::Fault { path: path.to_owned(), fault: KeyFault::NoKey })
}

/// A line of allowed signers: `PRINCIPALS [OPTIONS] TYPE BASE64 [COMMENT]`.
#[derive(Debug)]
struct AllowedSigner {
    principals: String,
    authority: bool,
    namespaces: Option<Vec<String>>,
    after: Option<f64>,
    before: Option<f64>,
    /// `None`: of a kind that is not used here.
    key: Option<VerifyingKey>,
}

impl AllowedSigner {
    fn parse(line: &str) -> Result<Self, KeyFault> {
        let entry = |why: &str| KeyFault::Entry(why.to_owned());
        let words = quoted_words(line).ok_or_else(|| entry("a quotation mark is not closed"))?;
        let [principals, rest @ ..] = words.as_slice() else { return Err(entry("it is empty")) };
        let mut found = Self {
            principals: principals.clone(),
            authority: false,
            namespaces: None,
            after: None,
            before: None,
            key: None,
        };
        let (key, options) = match rest {
            [kind, data, ..] if is_key_type(kind) => ((kind, data), None),
            [options, kind, data, ..] if is_key_type(kind) => ((kind, data), Some(options)),
            _ => {
                return Err(entry(
                    "it names no key: principals, options, the type of the key and the key are expected",
                ));
            }
        };
        for option in options.map(|text| split_options(text)).unwrap_or_default() {
            found.option(&option)?;
        }
        found.key = match VerifyingKey::from_openssh(&format!("{} {}", key.0, key.1)) {
            Ok(key) => Some(key),
            Err(KeyFault::OtherKind(_)) => None,
            // OpenSSH knows kinds that the reader of keys here does not.
            Err(KeyFault::NoKey) if !matches!(key.0.as_str(), "ssh-ed25519" | "ecdsa-sha2-nistp256") => None,
            Err(fault) => return Err(fault),
        };
        Ok(found)
    }

    fn option(&mut self, option: &str) -> Result<(), KeyFault> {
        let (name, value) = match option.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (option, None),
        };
        match (name.to_ascii_lowercase().as_str(), value) {
            ("cert-authority", None) => self.authority = true,
            ("namespaces", Some(value)) => self.namespaces = Some(value.split(',').map(str::to_owned).collect()),
            ("valid-after", Some(value)) => self.after = Some(moment(value)?),
            ("valid-before", Some(value)) => self.before = Some(moment(value)?),
            _ => return Err(KeyFault::Entry(format!("the option `{name}` is not known"))),
        }
        Ok(())
    }

    /// The key that this line trusts at the time `now`, if it does.
    fn allowed(self, now: f64) -> Option<TrustedKey> {
        let for_us = |patterns: &Vec<String>| patterns.iter().any(|pattern| matches(pattern, NAMESPACE));
        // A pattern that begins with `!` forbids, wherever it stands.
        let forbidden = |patterns: &Vec<String>| {
            patterns.iter().any(|pattern| pattern.strip_prefix('!').is_some_and(|rest| matches(rest, NAMESPACE)))
        };
        let namespace = self.namespaces.as_ref().is_none_or(|patterns| for_us(patterns) && !forbidden(patterns));
        let in_time = self.after.is_none_or(|after| now >= after) && self.before.is_none_or(|before| now < before);
        let key = self.key.filter(|_| !self.authority && namespace && in_time)?;
        Some(TrustedKey { key, owner: KeyOwner::Principals(self.principals) })
    }
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-ssh-", "sk-ecdsa-", "rsa-", "webauthn-"].iter().any(|start| word.starts_with(start))
        && !word.contains(['=', ',', '"'])
}

/// Words that spaces divide, but not within quotation marks, which belong to no word.
fn quoted_words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    for c in line.chars() {
        match c {
            // Options are divided at commas later, so their quotation marks stay.
            '"' => {
                quoted = !quoted;
                word.push(c);
            }
            ' ' | '\t' if !quoted => words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty())),
            _ => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    if let Some(first) = words.first_mut() {
        *first = first.trim_matches('"').to_owned();
    }
    (!quoted).then_some(words)
}

/// Options that commas divide, but not within quotation marks, which are taken away.
fn split_options(text: &str) -> Vec<String> {
    let mut options = vec![String::new()];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => options.push(String::new()),
            _ => options.last_mut().expect("there is one").push(c),
        }
    }
    options
}

/// Whether a pattern of OpenSSH (`*` any text, `?` any character) matches.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut p, mut t) = (0, 0);
    // Where the last star stands, and how much of the text it has taken.
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(one) if *one == b'?' || *one == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match &mut star {
                None => return false,
                Some((at, taken)) => {
                    *taken += 1;
                    (p, t) = (*at + 1, *taken);
                }
            },
        }
    }
    pattern[p..].iter().all(|one| *one == b'*')
}

/// A time as OpenSSH writes it: `YYYYMMDD[HHMM[SS]]Z`. Without the Z it would be that of wherever it is read.
fn moment(text: &str) -> Result<f64, KeyFault> {
    let wrong = || {
        KeyFault::Entry(format!(
            "the time `{text}` is not of the form YYYYMMDDZ or YYYYMMDDHHMM[SS]Z; without the Z it would \
                                 depend on where it is read"
        ))
    };
    let digits = text.strip_suffix('Z').ok_or_else(wrong)?;
    let whole = match digits.len() {
        8 => format!("{digits}000000"),
        12 => format!("{digits}00"),
        14 => digits.to_owned(),
        _ => return Err(wrong()),
    };
    let time = chrono::NaiveDateTime::parse_from_str(&whole, "%Y%m%d%H%M%S").map_err(|_| wrong())?;
    Ok(time.and_utc().timestamp() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJF4EPZ2SA92aQNEk6V4NY+HCaCW3DcVQKO3YvE+rKwn";

    fn owners(text: &str) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("allowed");
        std::fs::write(&file, text).unwrap();
        let mut anchors = TrustAnchors::default();
        let now = moment("20260701120000Z").unwrap();
        anchors.add_allowed_signers(&file, now).map_err(|error| error.to_string())?;
        Ok(anchors
            .keys()
            .iter()
            .map(|key| match &key.owner {
                KeyOwner::Principals(who) => who.clone(),
                KeyOwner::File(path) => path.display().to_string(),
            })
            .collect())
    }

    #[test]
    fn a_line_allows_whom_it_names() {
        assert_eq!(owners(&format!("# who\n\nalice@x,*@y {KEY} a comment\n")).unwrap(), ["alice@x,*@y"]);
        assert_eq!(owners(&format!("\"a b\" namespaces=\"file,sand*\" {KEY}")).unwrap(), ["a b"]);
        assert_eq!(owners(&format!("a valid-after=\"20260101Z\",valid-before=20270101Z {KEY}")).unwrap(), ["a"]);
    }

    #[test]
    fn a_line_allows_nobody_else() {
        for line in [
            format!("a cert-authority {KEY}"),
            format!("a namespaces=\"file\" {KEY}"),
            format!("a namespaces=\"*,!sandproof\" {KEY}"),
            format!("a valid-before=\"20260701115959Z\" {KEY}"),
            format!("a valid-after=\"20260702Z\" {KEY}"),
            "a sk-ssh-ed25519@openssh.com AAAA".to_owned(),
        ] {
            assert_eq!(owners(&line), Ok(Vec::new()), "{line}");
        }
    }

    #[test]
    fn patterns_are_openssh_s() {
        for (pattern, text, wanted) in [
            ("sandproof", "sandproof", true),
            ("sand*", "sandproof", true),
            ("*p?o*f", "sandproof", true),
            ("*", "", true),
            ("sand", "sandproof", false),
            ("*x*", "sandproof", false),
            ("?", "", false),
        ] {
            assert_eq!(matches(pattern, text), wanted, "{pattern}");
        }
    }

    #[test]
    fn a_line_that_is_not_understood_refuses_the_file() {
        for line in [
            format!("a no-touch-required {KEY}"),
            format!("a valid-before=\"20260701\" {KEY}"),
            format!("a namespaces=\"x {KEY}"),
            "a".to_owned(),
            "a ssh-ed25519 AAAA".to_owned(),
        ] {
            let file = format!("b {KEY}\n{line}\n");
            let said = owners(&file).unwrap_err();
            assert!(said.contains("line 2"), "{line}: {said}");
        }
    }
}
