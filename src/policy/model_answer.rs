//! The answer of a model, whichever kind of policy it evaluates.

use serde::Serialize;

use crate::record::outcome::Decision;

/// What the model says about one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelAnswer {
    /// The decision; `None` if the model cannot know.
    pub decision: Option<Decision>,
    /// What decides. In a Landlock policy a JSON pointer into the document: the rule that grants, or the list of handled
    /// rights. In a Seatbelt profile where the rule begins, as `LINE:COLUMN`. `None` for what no policy restricts or
    /// every policy refuses, and without a decision.
    pub rule: Option<String>,
    /// What the operation needs and where that is looked up: rights under Landlock, checked operations under Seatbelt.
    pub needs: Vec<Need>,
    /// Why, in words; without a decision, what is missing.
    pub reason: String,
    /// What the answer takes for granted.
    pub assumes: Vec<String>,
}

/// Something that an operation needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The right's name in a Landlock policy, the operation's name in a Seatbelt profile.
    pub right: &'static str,
    /// What it is looked up on.
    pub on: String,
}

/// What is said of a host path that an answer takes for granted, behind its name.
const HOST_PATH: [&str; 2] = [
    " exists on the host and is reached without crossing a symbolic link",
    " exist on the host and are reached without crossing a symbolic link",
];

/// That a host path is what it looks like, as answers take it for granted.
pub fn host_assumption(path: &str) -> String {
    format!("`{path}`{}", HOST_PATH[0])
}

/// The path of such an assumption.
pub fn assumed_host_path(assumption: &str) -> Option<&str> {
    assumption.strip_suffix(HOST_PATH[0])?.strip_prefix('`')?.strip_suffix('`')
}

/// What an answer takes for granted, as one phrase: what is the same of several paths is said of all of them at once.
pub fn assumptions_phrase<'a>(assumes: impl IntoIterator<Item = &'a str>) -> String {
    let (paths, others): (Vec<&str>, Vec<&str>) =
        assumes.into_iter().partition(|text| assumed_host_path(text).is_some());
    let named: Vec<String> =
        paths.iter().filter_map(|text| assumed_host_path(text)).map(|it| format!("`{it}`")).collect();
    let together = match &named[..] {
        [] => None,
        [one] => Some(format!("{one}{}", HOST_PATH[0])),
        [first @ .., last] => Some(format!("{} and {last}{}", first.join(", "), HOST_PATH[1])),
    };
    together.into_iter().chain(others.into_iter().map(str::to_owned)).collect::<Vec<_>>().join(", and ")
}

impl ModelAnswer {
    /// Whether the answer is a decision that takes nothing for granted.
    pub fn is_certain(&self) -> bool {
        self.decision.is_some() && self.assumes.is_empty()
    }

    /// An answer that is none.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self { decision: None, rule: None, needs: Vec::new(), reason: reason.into(), assumes: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_of_several_paths_is_said_once() {
        let paths = ["/usr", "/lib", "/etc"].map(host_assumption);
        assert_eq!(assumed_host_path(&paths[0]), Some("/usr"));
        let phrase = |some: &[&String]| assumptions_phrase(some.iter().map(|text| text.as_str()));
        assert_eq!(phrase(&[]), "");
        assert_eq!(phrase(&[&paths[0]]), paths[0]);
        let other = "`/x` is a program that the user may execute".to_owned();
        assert_eq!(assumed_host_path(&other), None);
        assert_eq!(
            phrase(&[&paths[0], &other, &paths[1], &paths[2]]),
            "`/usr`, `/lib` and `/etc` exist on the host and are reached without crossing a symbolic link, and `/x` is a \
             program that the user may execute"
        );
    }
}
