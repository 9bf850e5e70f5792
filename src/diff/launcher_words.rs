//! Which words of a launcher's command differ, for people: two digests say nothing of a flag.

use serde_json::Value;

use crate::bundle::{Bundle, Verified};
use crate::record::layout;
use crate::record::sources::InputSources;

/// The most characters that are told of one change.
const MOST: usize = 240;
/// The most words of a command that are compared one by one.
const MOST_WORDS: usize = 400;

/// What the commands of two launcher documents of that path have apart. `None`: it is no launcher's on both sides, or the words
/// are the same, or too much differs to be read.
pub(super) fn between(path: &str, a: &Verified<Bundle>, b: &Verified<Bundle>) -> Option<String> {
    told(&words(path, a)?, &words(path, b)?)
}

/// The words of the launcher whose document had that path.
fn words(path: &str, bundle: &Verified<Bundle>) -> Option<Vec<String>> {
    let sources: InputSources =
        bundle.read_artifact(layout::INPUT_SOURCES, |reader| serde_json::from_reader(reader)).ok()?;
    let file = sources.documents.into_iter().find(|document| document.path == path)?.file;
    let document: Value = bundle.read_artifact(file.as_str(), |reader| serde_json::from_reader(reader)).ok()?;
    document.get("argv")?.as_array()?.iter().map(|word| word.as_str().map(str::to_owned)).collect()
}

fn told(a: &[String], b: &[String]) -> Option<String> {
    if a == b || a.len().max(b.len()) > MOST_WORDS {
        return None;
    }
    let common = common(a, b);
    let runs = |words: &[String], places: Vec<usize>| {
        let mut runs: Vec<Vec<&str>> = Vec::new();
        let mut last = None;
        for (n, word) in words.iter().enumerate() {
            if places.contains(&n) {
                continue;
            }
            match runs.last_mut().filter(|_| last == n.checked_sub(1)) {
                Some(run) => run.push(word),
                None => runs.push(vec![word]),
            }
            last = Some(n);
        }
        runs.into_iter().map(|run| format!("`{}`", run.join(" "))).collect::<Vec<_>>().join(", ")
    };
    let gone = runs(a, common.iter().map(|(place, _)| *place).collect());
    let new = runs(b, common.iter().map(|(_, place)| *place).collect());
    let text = match (gone.is_empty(), new.is_empty()) {
        (false, true) => format!("B is without {gone}"),
        (true, _) => format!("B has {new} more"),
        (false, false) => format!("A has {gone}, B has {new}"),
    };
    (text.chars().count() <= MOST).then_some(text)
}

/// The places of a longest common subsequence, in both.
fn common(a: &[String], b: &[String]) -> Vec<(usize, usize)> {
    let mut longest = vec![vec![0_u32; b.len() + 1]; a.len() + 1];
    for n in (0..a.len()).rev() {
        for m in (0..b.len()).rev() {
            longest[n][m] = match a[n] == b[m] {
                true => longest[n + 1][m + 1] + 1,
                false => longest[n + 1][m].max(longest[n][m + 1]),
            };
        }
    }
    let (mut n, mut m) = (0, 0);
    let mut common = Vec::new();
    while n < a.len() && m < b.len() {
        if a[n] == b[m] {
            common.push((n, m));
            (n, m) = (n + 1, m + 1);
        } else if longest[n + 1][m] >= longest[n][m + 1] {
            n += 1;
        } else {
            m += 1;
        }
    }
    common
}

#[cfg(test)]
mod tests {

    #[test]
    fn flags_that_differ_are_told_in_the_order_of_the_command() {
        let told = |a: &str, b: &str| {
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            super::told(&words(a), &words(b))
        };
        let whole = "bwrap --ro-bind / / --dev /dev --unshare-net --new-session --";
        assert_eq!(told(whole, whole), None);
        assert_eq!(
            told(whole, "bwrap --ro-bind / / --dev /dev --new-session --").unwrap(),
            "B is without `--unshare-net`"
        );
        assert_eq!(
            told(whole, "bwrap --bind / / --dev /dev --unshare-net --new-session --clearenv --").unwrap(),
            "A has `--ro-bind`, B has `--bind`, `--clearenv`"
        );
        assert_eq!(told("env", "env -i A=1").unwrap(), "B has `-i A=1` more");
        assert_eq!(told("env", &"x ".repeat(300)), None, "nobody would read it");
    }
}
