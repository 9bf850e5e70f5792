//! What has to hold of a launcher's texts, and what its placeholders stand for.

use super::{LAUNCHER_SCHEMA, LauncherDocument};

/// The placeholders of a launcher's texts, with their braces.
pub const PLACEHOLDERS: [&str; 5] = ["${workspace}", "${outside}", "${home}", "${state}", "${probe}"];
/// Where the probe's own command goes.
const PROBE: &str = "${probe}";
/// The folders that a launcher's files may be made in.
const FOR_FILES: [&str; 3] = ["${state}/", "${home}/", "${workspace}/"];

/// A fault in a launcher's document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct LauncherError {
    /// Where, as a JSON pointer.
    pub pointer: String,
    /// What is wrong, as text for people.
    pub message: String,
    /// What to do about it, as text for people.
    pub remedy: String,
}

/// What the placeholders of one start stand for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StartTexts {
    /// The folder that the sandbox is said to leave to the program.
    pub workspace: String,
    /// A folder beside it.
    pub outside: String,
    /// A home folder of the run's own.
    pub home: String,
    /// A folder for the launcher's own files.
    pub state: String,
    /// The probe's command.
    pub probe: Vec<String>,
}

impl StartTexts {
    /// A text with every placeholder replaced. The probe's command stands in it as words with spaces between.
    pub fn fill(&self, text: &str) -> String {
        let mut out = text.to_owned();
        for (placeholder, value) in PLACEHOLDERS.iter().zip([
            self.workspace.clone(),
            self.outside.clone(),
            self.home.clone(),
            self.state.clone(),
            self.probe.join(" "),
        ]) {
            if out.contains(placeholder) {
                out = out.replace(placeholder, &value);
            }
        }
        out
    }

    /// A JSON value with every placeholder in its texts replaced.
    pub fn fill_json(&self, value: &serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.fill(text)),
            Value::Array(items) => Value::Array(items.iter().map(|item| self.fill_json(item)).collect()),
            Value::Object(members) => {
                Value::Object(members.iter().map(|(key, value)| (self.fill(key), self.fill_json(value))).collect())
            }
            other => other.clone(),
        }
    }

    /// The command that starts the probe inside the launcher.
    pub fn command(&self, argv: &[String]) -> Vec<String> {
        let mut words = Vec::with_capacity(argv.len() + self.probe.len());
        for word in argv {
            if word == PROBE {
                words.extend(self.probe.iter().cloned());
            } else {
                words.push(self.fill(word));
            }
        }
        if !argv.iter().any(|word| word.contains(PROBE)) {
            words.extend(self.probe.iter().cloned());
        }
        words
    }

    /// A path as it is called inside, where the launcher's document says so: the longest entry that covers it.
    pub fn inside(&self, document: &LauncherDocument, path: &str) -> Option<String> {
        let covers = |(from, to): (&String, &String)| {
            let (from, to) = (self.fill(from), self.fill(to));
            let rest = path.strip_prefix(from.trim_end_matches('/'))?;
            (rest.is_empty() || rest.starts_with('/'))
                .then(|| (from.len(), format!("{}{rest}", to.trim_end_matches('/'))))
        };
        document.paths.iter().filter_map(covers).max_by_key(|(length, _)| *length).map(|(_, path)| path)
    }
}

impl LauncherDocument {
    /// Everything that is wrong with it beyond its types.
    pub fn faults(&self) -> Vec<LauncherError> {
        let mut faults = Vec::new();
        let mut fault = |pointer: String, message: String, remedy: &str| {
            faults.push(LauncherError { pointer, message, remedy: remedy.to_owned() });
        };
        if self.schema_version != LAUNCHER_SCHEMA {
            let message = format!("the format is `{}`, not `{LAUNCHER_SCHEMA}`", self.schema_version);
            fault("/schema_version".into(), message, "write a document of this format");
        }
        if self.argv.first().is_none_or(|program| program.is_empty()) {
            fault("/argv".into(), "the command names no program".into(), "write the program first, then its arguments");
        }
        if self.argv.iter().filter(|word| word.contains(PROBE)).count() > 1 {
            let message = "more than one word holds `${probe}`".to_owned();
            fault("/argv".into(), message, "name the probe once; a launcher that runs it twice decides nothing");
        }
        for (n, word) in self.argv.iter().enumerate() {
            check_text(word, format!("/argv/{n}"), true, &mut fault);
        }
        for (name, value) in &self.env {
            check_text(value, format!("/env/{name}"), false, &mut fault);
            if name.is_empty() || name.contains(['=', '\0']) {
                fault(format!("/env/{name}"), "this cannot be a variable's name".into(), "correct it");
            }
        }
        for (n, file) in self.files.iter().enumerate() {
            let pointer = format!("/files/{n}/path");
            check_text(&file.path, pointer.clone(), false, &mut fault);
            let below = FOR_FILES.iter().find_map(|place| file.path.strip_prefix(place));
            if below.is_none_or(|rest| rest.split('/').any(|part| matches!(part, "" | "." | ".."))) {
                let message = format!("`{}` lies in no folder of the run's own", file.path);
                fault(
                    pointer,
                    message,
                    "begin it with `${state}/`, `${home}/` or `${workspace}/`, and name plain parts",
                );
            }
            if file.text.is_some() == file.json.is_some() {
                fault(format!("/files/{n}"), "it needs exactly one of `text` and `json`".into(), "write one of them");
            }
        }
        for (from, to) in &self.paths {
            let pointer = format!("/paths/{}", from.replace('~', "~0").replace('/', "~1"));
            check_text(from, pointer.clone(), false, &mut fault);
            if !from.starts_with("${workspace}") && !from.starts_with("${outside}") && !from.starts_with('/') {
                fault(pointer.clone(), format!("`{from}` is no path outside"), "begin it with a placeholder or `/`");
            }
            if !to.starts_with('/') && !to.starts_with("${") {
                fault(pointer, format!("`{to}` is no absolute path"), "say what the same is called inside");
            }
        }
        for (n, need) in self.needs.iter().enumerate() {
            let known = matches!(need.as_str(), "ordinary_user" | "user_namespaces" | "root")
                || need.strip_prefix("program:").is_some_and(|name| !name.is_empty());
            if !known {
                let remedy = "known are `ordinary_user`, `root`, `user_namespaces` and `program:NAME`";
                fault(format!("/needs/{n}"), format!("nobody knows the need `{need}`"), remedy);
            }
        }
        if self.version.as_ref().is_some_and(|version| version.argv.first().is_none_or(String::is_empty)) {
            fault("/version/argv".into(), "the command names no program".into(), "write the program first");
        }
        if !(100..=600_000).contains(&self.start_timeout_ms) {
            let message = format!("a start limit of {} milliseconds makes no sense", self.start_timeout_ms);
            fault("/start_timeout_ms".into(), message, "write 100 to 600000 milliseconds");
        }
        faults
    }
}

fn check_text(text: &str, pointer: String, probe: bool, fault: &mut impl FnMut(String, String, &str)) {
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let end = rest[start..].find('}').map_or(rest.len(), |end| start + end + 1);
        let found = &rest[start..end];
        if !PLACEHOLDERS.contains(&found) || (found == PROBE && !probe) {
            let remedy = "known are `${workspace}`, `${outside}`, `${home}`, `${state}`, and in `argv` `${probe}`";
            fault(pointer.clone(), format!("the placeholder `{found}` does not exist here"), remedy);
        }
        rest = &rest[end..];
    }
    if text.contains('\0') {
        fault(pointer, "the text holds a NUL".into(), "remove it");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn places() -> StartTexts {
        StartTexts {
            workspace: "/w".into(),
            outside: "/o".into(),
            home: "/h".into(),
            state: "/s".into(),
            probe: words(&["/exe", "__inside", "k"]),
        }
    }

    #[test]
    fn the_probe_stands_where_it_is_named_or_at_the_end() {
        let places = places();
        let command = |argv: &[&str]| places.command(&words(argv)).join("|");
        assert_eq!(command(&["box", "--bind", "${workspace}", "--"]), "box|--bind|/w|--|/exe|__inside|k");
        assert_eq!(command(&["box", "${probe}", "end"]), "box|/exe|__inside|k|end");
        assert_eq!(command(&["script", "-c", "exec ${probe}", "x"]), "script|-c|exec /exe __inside k|x");
    }

    #[test]
    fn what_cannot_be_started_is_refused_with_its_place() {
        let mut document = LauncherDocument::of_command("x", words(&["box", "${workspace}", "--"]));
        assert_eq!(document.faults(), []);
        document.argv = words(&["", "${port}", "${probe}", "a${probe}"]);
        document.start_timeout_ms = 0;
        document.needs = words(&["program:", "luck"]);
        document.files = vec![super::super::WantedFile { path: "/etc/x".into(), text: None, json: None }];
        document.paths = [("w".to_owned(), "x".to_owned())].into();
        let mut pointers: Vec<String> = document.faults().into_iter().map(|fault| fault.pointer).collect();
        pointers.dedup();
        let wanted =
            ["/argv", "/argv/1", "/files/0/path", "/files/0", "/paths/w", "/needs/0", "/needs/1", "/start_timeout_ms"];
        assert_eq!(pointers, wanted);
    }

    #[test]
    fn the_longest_renaming_counts() {
        let mut document = LauncherDocument::of_command("x", words(&["box"]));
        document.paths =
            [("${workspace}".to_owned(), "/inside".to_owned()), ("/".to_owned(), "/host/".to_owned())].into();
        let places = places();
        assert_eq!(places.inside(&document, "/w/f").as_deref(), Some("/inside/f"));
        assert_eq!(places.inside(&document, "/wide").as_deref(), Some("/host/wide"));
    }
}
