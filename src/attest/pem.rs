//! The blocks of a PEM file.
//!
//! Keys come in files that hold more than the key: `openssl ecparam` writes the curve's parameters before it, others write
//! comments. The first block that is not such a companion is what the file is.

/// Labels of blocks that only accompany a key.
const COMPANIONS: [&str; 1] = ["EC PARAMETERS"];

/// One block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PemBlock<'t> {
    /// What it says that it is: `PRIVATE KEY`.
    pub label: &'t str,
    /// All of it, with its first and last line.
    pub text: &'t str,
}

impl PemBlock<'_> {
    /// Whether it has the headers of the encryption that OpenSSL used before PKCS#8.
    pub fn is_encrypted_by_headers(&self) -> bool {
        self.text.lines().any(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED"))
    }
}

/// The first block of `text` that is no companion of another.
pub(super) fn first_block(text: &str) -> Option<PemBlock<'_>> {
    let mut rest = text;
    loop {
        let block = next_block(rest)?;
        if !COMPANIONS.contains(&block.label) {
            return Some(block);
        }
        let end = block.text.as_ptr() as usize - rest.as_ptr() as usize + block.text.len();
        rest = &rest[end..];
    }
}

fn next_block(text: &str) -> Option<PemBlock<'_>> {
    const BEGIN: &str = "-----BEGIN ";
    let start = text.match_indices(BEGIN).map(|(at, _)| at).find(|at| *at == 0 || text[..*at].ends_with('\n'))?;
    let block = &text[start..];
    let (label, _) = block[BEGIN.len()..].split_once("-----")?;
    if label.contains('\n') {
        return None;
    }
    let last = format!("-----END {label}-----");
    let end = block.find(&last)? + last.len();
    Some(PemBlock { label, text: &block[..end] })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----";

    #[test]
    fn companions_and_comments_are_passed_over() {
        let file =
            format!("a key\n-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n{KEY}\nafterwards\n");
        assert_eq!(first_block(&file), Some(PemBlock { label: "EC PRIVATE KEY", text: KEY }));
        assert_eq!(first_block(KEY).unwrap().text, KEY);
    }

    #[test]
    fn what_is_no_block_is_none() {
        for text in
            ["", "no key", "-----BEGIN X-----\nAAAA\n", "x -----BEGIN X-----\n-----END X-----", "-----BEGIN a\nb-----"]
        {
            assert_eq!(first_block(text), None, "{text}");
        }
    }

    #[test]
    fn old_encryption_is_seen() {
        let text = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n";
        assert!(first_block(text).unwrap().is_encrypted_by_headers());
        assert!(!first_block(KEY).unwrap().is_encrypted_by_headers());
    }
}
