//! Questions in plain words.

use std::path::Path;

use serde_json::{Value, json};

use super::QuestionError;
use super::asker::{Asker, VerbFault, endpoint, is_own, within};
use super::verbs::{NOTHING, VERBS, is_verb};
use super::words::{self, LineWord};
use crate::base::printable::excerpt;
use crate::base::suggest::hint_for;
use crate::record::driver::{Driver, TargetKind};
use crate::record::launcher::{Mechanism, Names};
use crate::record::outcome::{Decision, Expectation};

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskQuestion {
    place: usize,
    /// As it was asked, without its comment.
    pub text: String,
    /// Why it is asked: its comment.
    pub why: Option<String>,
    /// The verb and what stands behind it, as words.
    words: Vec<String>,
    /// `None`: it is only answered.
    pub expected: Option<Decision>,
    /// How a denial has to come about. Empty: in whatever way.
    pub mechanism: Vec<Mechanism>,
    /// The error numbers, by name, with one of which a denial has to come. Empty: with whichever.
    pub errno: Vec<String>,
    /// Whether the name as spelled is meant alone.
    pub name_alone: bool,
    driver: Driver,
    target: String,
    to: Option<String>,
    argv: Vec<String>,
    fixtures: Vec<(String, &'static str)>,
    listener: Option<(&'static str, String)>,
}

impl AskQuestion {
    /// Reads a question: one line in words. What stands behind a `#` is why it is asked.
    ///
    /// # Errors
    /// What is wrong with it, and where in the line.
    pub fn read(place: usize, text: &str, asker: &Asker) -> Result<Self, QuestionError> {
        let line = words::split(text)?;
        let mut words = line.words;
        let at = |n: usize| words.get(n).map_or(1, |word: &LineWord| word.column);
        // `deny( a, b )` is one thing, whatever blanks there are in it.
        let (expected, demands, taken) = expectation(&words).map_err(|message| {
            QuestionError::new(at(0), message, "write `allow`, `deny`, or one of them with demands: `deny(hidden)`")
        })?;
        let (demands_at, verb_at, what_at) = (at(0), at(taken), at(taken + 1));
        words.drain(..taken);
        let mut question = Self {
            place,
            text: line.written.trim().to_owned(),
            why: line.comment.map(str::to_owned),
            words: words.iter().map(|word| word.text.clone()).collect(),
            expected,
            mechanism: Vec::new(),
            errno: Vec::new(),
            name_alone: false,
            driver: Driver::FileRead,
            target: String::new(),
            to: None,
            argv: Vec::new(),
            fixtures: Vec::new(),
            listener: None,
        };
        if expected.is_some() {
            let demanded = question.demand(&demands);
            demanded.map_err(|message| QuestionError::new(demands_at, message, "remove it, or correct it"))?;
        }
        let Some((verb, arguments)) = words.split_first() else {
            let message = "there is no verb";
            return Err(QuestionError::new(
                1,
                message,
                "write what is done and on what, such as `deny read /etc/shadow`",
            ));
        };
        if !is_verb(&verb.text) {
            let remedy = hint_for(&verb.text, VERBS.iter().copied(), "`sandproof ask --help` lists the verbs");
            let message = format!("`{}` is not a verb", excerpt(&verb.text, 80));
            return Err(QuestionError::new(verb_at, message, remedy));
        }
        let arguments: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
        let mut draft = Draft { asker, question };
        draft.of_verb(&verb.text, &arguments).map_err(|fault| {
            QuestionError::new(if arguments.is_empty() { verb_at } else { what_at }, fault.message, fault.remedy)
        })?;
        Ok(draft.question)
    }

    /// What stands in brackets behind `allow` or `deny`.
    fn demand(&mut self, demands: &str) -> Result<(), String> {
        for demand in demands.split(',').map(str::trim).filter(|demand| !demand.is_empty()) {
            let mechanism = Mechanism::ALL.iter().find(|mechanism| mechanism.as_str() == demand);
            let is_errno =
                demand.starts_with('E') && demand.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            match (demand, mechanism) {
                ("by-name", _) => self.name_alone = true,
                (_, Some(_)) if self.expected != Some(Decision::Deny) => {
                    return Err(format!("only a denial is `{demand}`"));
                }
                (_, Some(mechanism)) if !self.mechanism.contains(mechanism) => self.mechanism.push(*mechanism),
                (_, Some(_)) => {}
                _ if is_errno && self.expected != Some(Decision::Deny) => {
                    return Err(format!("only a denial is `{demand}`"));
                }
                _ if is_errno && self.errno.iter().any(|known| known == demand) => {}
                _ if is_errno => self.errno.push(demand.to_owned()),
                _ => {
                    let known: Vec<&str> = Mechanism::ALL.iter().map(|mechanism| mechanism.as_str()).collect();
                    return Err(format!(
                        "`{demand}` is none of {}, by-name, and no error number such as EROFS",
                        known.join(", ")
                    ));
                }
            }
        }
        Ok(())
    }

    /// The names of its object that it is about.
    pub fn names(&self) -> Names {
        if self.name_alone { Names::Spelled } else { Names::All }
    }

    /// The question without its expectation, as a file's lines are compared.
    #[cfg(test)]
    fn subject(&self) -> String {
        words::joined(self.words.iter().map(String::as_str))
    }

    /// The word that says what is done, such as `read`.
    pub fn verb(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// What performs it.
    pub fn driver(&self) -> Driver {
        self.driver
    }

    /// The id of its probe.
    pub fn id(&self) -> String {
        format!("q{:03}", self.place + 1)
    }

    /// Whether a program of the host is executed.
    pub fn executes(&self) -> bool {
        self.driver == Driver::Exec
    }

    /// The probe that asks it.
    pub fn probe(&self) -> Value {
        let info = self.driver.info();
        let operation = info.operations[0];
        let fixtures: Vec<Value> =
            self.fixtures.iter().map(|(path, kind)| json!({ "path": path, "kind": kind })).collect();
        let mut probe = json!({
            "probe_id": self.id(), "name": self.id(), "operation": operation, "target": self.target,
            "driver": info.name,
            "expected": self.expected.map_or(Expectation::Any, Expectation::from).as_str(),
            "why": self.why.as_ref().unwrap_or(&self.text),
        });
        if !fixtures.is_empty() {
            probe["fixtures"] = json!(fixtures);
        }
        if self.driver.mounts() {
            probe["capabilities_required"] = json!(["mount_namespace"]);
        }
        if let Some(to) = &self.to {
            probe["to"] = json!(to);
        }
        if !self.argv.is_empty() {
            probe["argv"] = json!(self.argv);
        }
        if !self.mechanism.is_empty() {
            probe["mechanism"] = json!(self.mechanism);
        }
        if !self.errno.is_empty() {
            probe["errno"] = json!(self.errno);
        }
        if self.name_alone {
            probe["name_alone"] = json!(true);
        }
        if let Some((kind, address)) = &self.listener {
            probe["listener"] = json!({ "kind": kind, "address": address });
        }
        probe
    }
}

/// A question that is being read.
struct Draft<'a> {
    asker: &'a Asker,
    question: AskQuestion,
}

impl Draft<'_> {
    /// Reads what stands behind a verb.
    fn of_verb(&mut self, verb: &str, words: &[&str]) -> Result<(), VerbFault> {
        let one = || match words {
            [] => Ok(""),
            [one] => Ok(*one),
            _ => Err(VerbFault::new(
                format!("`{verb}` takes one thing, and {} stand there", words.len()),
                "put a name with spaces into quotes",
            )),
        };
        let two = || match words {
            [a, b] => Ok((*a, *b)),
            _ => Err(VerbFault::new(
                format!("`{verb}` takes two things, and there are {}", words.len()),
                "write both; put a name with spaces into quotes",
            )),
        };
        let needed = |what: &str| VerbFault::new(format!("`{verb}` needs {what}"), "write it behind the verb");
        match verb {
            "read" => self.read_or_list(one()?)?,
            "list" => self.on(Driver::DirList, one()?, Some("dir"))?,
            "stat" => self.on(Driver::FileStat, one()?, Some("file"))?,
            "readlink" => self.on(Driver::FileReadlink, one()?, None)?,
            "write" => self.write(one()?)?,
            "create" => self.changing(Driver::FileCreate, one()?, None)?,
            "mkdir" => self.changing(Driver::DirCreate, one()?, None)?,
            "delete" => self.changing(Driver::FileUnlink, one()?, Some("file"))?,
            "rmdir" => self.changing(Driver::DirRemove, one()?, Some("dir"))?,
            "chmod" => self.changing(Driver::FileChmod, one()?, Some("file"))?,
            "rename" | "link" => {
                let (a, b) = two()?;
                let driver = if verb == "rename" { Driver::FileRename } else { Driver::FileLink };
                self.changing(driver, a, Some("file"))?;
                let to = self.asker.own(b)?;
                self.folder_of(&to);
                self.question.to = Some(to);
            }
            "symlink" => {
                let (path, text) = two()?;
                self.changing(Driver::SymlinkCreate, path, None)?;
                self.question.to = Some(text.to_owned());
            }
            "exec" => {
                let (program, arguments) = words.split_first().ok_or_else(|| needed("a program"))?;
                self.on(Driver::Exec, program, Some("program"))?;
                if !arguments.is_empty() {
                    self.question.argv = words.iter().map(|word| (*word).to_owned()).collect();
                }
            }
            "dirfd" => self.on(Driver::FileReadAtInherited, one()?, Some("file"))?,
            "chdir" => self.on(Driver::Chdir, one()?, Some("dir"))?,
            "statfs" => self.on(Driver::FileStatfs, one()?, Some("file"))?,
            "watch" => self.on(Driver::InotifyWatch, one()?, Some("file"))?,
            "mmap" => self.on(Driver::FileMapExecutable, one()?, Some("file"))?,
            "lock" => self.changing(Driver::FileLock, one()?, Some("file"))?,
            "chown" => self.changing(Driver::FileChown, one()?, Some("file"))?,
            "mount" => self.changing(Driver::MountTmpfs, one()?, Some("dir"))?,
            "pivot" => self.changing(Driver::PivotRoot, one()?, Some("dir"))?,
            "chroot" => self.on(Driver::Chroot, one()?, Some("dir"))?,
            "mptcp" => self.address(Driver::MptcpConnect, one()?, "tcp")?,
            "fastopen" => self.address(Driver::TcpFastOpen, one()?, "tcp")?,
            "env" => {
                let name = one()?;
                if name.is_empty() || name.contains(['=', '$', ' ']) {
                    return Err(needed("a variable's name"));
                }
                self.question.driver = Driver::EnvironmentRead;
                self.question.target = name.to_owned();
            }
            "connect" => self.address(Driver::TcpConnect, one()?, "tcp")?,
            "udp" => self.address(Driver::UdpSend, one()?, "udp")?,
            "bind" => {
                let what = one()?;
                self.question.driver = Driver::TcpBind;
                let what = if what.contains(':') { what.to_owned() } else { format!("127.0.0.1:{what}") };
                self.question.target = endpoint(&what)?;
            }
            "unix" => {
                self.on(Driver::UnixConnect, one()?, None)?;
                if is_own(&self.question.target) {
                    self.question.listener = Some(("unix", self.question.target.clone()));
                }
            }
            "abstract" => {
                let name = Some(one()?).filter(|name| !name.is_empty()).ok_or_else(|| needed("a name"))?;
                self.question.driver = Driver::AbstractConnect;
                self.question.target = if name == "${name}" { "${name.own}" } else { name }.to_owned();
                if name == "${name}" {
                    self.question.listener = Some(("abstract", self.question.target.clone()));
                }
            }
            _ => {
                let driver = NOTHING.iter().find(|(name, _)| *name == verb).map(|(_, driver)| *driver);
                self.nothing(verb, driver.expect("every other verb stands alone"), words)?;
            }
        }
        Ok(())
    }

    fn nothing(&mut self, verb: &str, driver: Driver, words: &[&str]) -> Result<(), VerbFault> {
        self.question.driver = driver;
        let other = driver.info().target == TargetKind::OutsideProcess;
        self.question.target = if other { "outside" } else { "self" }.to_owned();
        match words {
            [] => Ok(()),
            [first, ..] => {
                let message = format!("`{verb}` stands alone, and `{}` stands behind it", excerpt(first, 80));
                Err(VerbFault::new(message, "remove it"))
            }
        }
    }

    fn read_or_list(&mut self, what: &str) -> Result<(), VerbFault> {
        let path = self.asker.path(what)?;
        let folder = matches!(path.as_str(), "${workspace}" | "${outside}" | "${home}")
            || (!is_own(&path) && Path::new(&path).is_dir());
        self.on(if folder { Driver::DirList } else { Driver::FileRead }, what, Some("file"))
    }

    /// An operation that changes nothing of what exists.
    fn on(&mut self, driver: Driver, what: &str, fixture: Option<&'static str>) -> Result<(), VerbFault> {
        self.question.driver = driver;
        self.question.target = self.asker.path(what)?;
        self.made_before(fixture);
        Ok(())
    }

    /// What the target has to be before the question: a fixture of that kind, or else a folder in which it may be made.
    fn made_before(&mut self, fixture: Option<&'static str>) {
        match fixture {
            Some(kind) => self.question.fixtures.extend(within(&self.question.target).map(|path| (path, kind))),
            None => self.folder_of(&self.question.target.clone()),
        }
    }

    /// The folder of a path of the run's own, where it is none that every start has.
    fn folder_of(&mut self, path: &str) {
        let folder = within(path).and_then(|path| Some(path.rsplit_once('/')?.0.to_owned()));
        self.question.fixtures.extend(folder.filter(|folder| folder.contains('/')).map(|folder| (folder, "dir")));
    }

    /// An operation that changes its target, which has to be a fixture.
    fn changing(&mut self, driver: Driver, what: &str, fixture: Option<&'static str>) -> Result<(), VerbFault> {
        self.question.driver = driver;
        self.question.target = self.asker.own(what)?;
        self.made_before(fixture);
        Ok(())
    }

    fn write(&mut self, what: &str) -> Result<(), VerbFault> {
        let path = self.asker.path(what)?;
        if matches!(path.as_str(), "${workspace}" | "${outside}" | "${home}") {
            return self.changing(Driver::FileCreate, &format!("{path}/sandproof-new-{}", self.question.place), None);
        }
        if is_own(&path) {
            return self.changing(Driver::FileWrite, &path, Some("file"));
        }
        if Path::new(&path).is_dir() {
            self.question.driver = Driver::FileCreate;
            self.question.target = format!("{}/${{name.new}}", path.trim_end_matches('/'));
            return Ok(());
        }
        self.question.driver = Driver::FileOpenWrite;
        self.question.target = path;
        Ok(())
    }

    fn address(&mut self, driver: Driver, what: &str, kind: &'static str) -> Result<(), VerbFault> {
        self.question.driver = driver;
        self.question.target = endpoint(what)?;
        if self.question.target.contains("${port.") {
            self.question.listener = Some((kind, self.question.target.clone()));
        }
        Ok(())
    }
}

/// Reads `allow` or `deny`, and what stands in brackets behind it; and how many words that takes.
pub(super) fn expectation(words: &[LineWord]) -> Result<(Option<Decision>, String, usize), String> {
    let Some(first) = words.first() else { return Ok((None, String::new(), 0)) };
    for decision in [Decision::Allow, Decision::Deny] {
        let Some(behind) = first.text.strip_prefix(decision.as_str()) else { continue };
        if behind.is_empty() {
            return Ok((Some(decision), String::new(), 1));
        }
        let Some(behind) = behind.strip_prefix('(') else { continue };
        // There may be blanks within the brackets.
        let mut demands = String::new();
        for (n, word) in words.iter().enumerate() {
            let text = if n == 0 { behind } else { word.text.as_str() };
            match text.split_once(')') {
                None => demands.push_str(text),
                Some((text, "")) => return Ok((Some(decision), demands + text, n + 1)),
                Some((_, more)) => return Err(format!("`{}` stands at the bracket's end", excerpt(more, 80))),
            }
        }
        return Err("the bracket is not closed".to_owned());
    }
    Ok((None, String::new(), 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> AskQuestion {
        AskQuestion::read(0, text, &Asker { home: None, folder: "/".into() })
            .unwrap_or_else(|reason| panic!("{text}: {reason}"))
    }

    #[test]
    fn verbs_become_operations_on_what_may_be_touched() {
        for (text, driver, target) in [
            ("deny read ${outside}/secret", Driver::FileRead, "${outside}/secret"),
            ("allow write ${workspace}/f", Driver::FileWrite, "${workspace}/f"),
            ("allow write ${workspace}", Driver::FileCreate, "${workspace}/sandproof-new-0"),
            ("write /etc/passwd", Driver::FileOpenWrite, "/etc/passwd"),
            ("write /", Driver::FileCreate, "/${name.new}"),
            ("read /", Driver::DirList, "/"),
            ("deny connect 127.0.0.1:8080", Driver::TcpConnect, "127.0.0.1:8080"),
            ("deny connect [::1]:${port}", Driver::TcpConnect, "[::1]:${port.own}"),
            ("bind 8080", Driver::TcpBind, "127.0.0.1:8080"),
            ("signal", Driver::SignalOutside, "outside"),
            ("exec /etc/program a b", Driver::Exec, "/etc/program"),
        ] {
            let question = read(text);
            assert_eq!((question.driver, question.target.as_str()), (driver, target), "{text}");
        }
        assert_eq!(read("read /x").expected, None);
        assert_eq!(read("deny read /x").expected, Some(Decision::Deny));
        assert_eq!(read("deny rename ${workspace}/a ${workspace}/b").to.as_deref(), Some("${workspace}/b"));
        assert!(read("deny connect 127.0.0.1:${port}").listener.is_some());
        let own = read("deny abstract ${name}");
        assert_eq!((own.target.as_str(), own.listener), ("${name.own}", Some(("abstract", "${name.own}".to_owned()))));
        assert!(read("deny abstract /run/x").listener.is_none(), "whoever has that name listens");
        assert_eq!(read("read ${workspace}/a").fixtures, [("workspace/a".to_owned(), "file")]);
        assert_eq!(read("create ${workspace}/a").fixtures, []);
        let folder = |path: &str| vec![(path.to_owned(), "dir")];
        assert_eq!(read("create ${outside}/secret/new").fixtures, folder("outside/secret"), "or nobody could make it");
        assert_eq!(read("unix ${outside}/a/b/s").fixtures, folder("outside/a/b"));
    }

    #[test]
    fn what_cannot_be_asked_says_why() {
        for text in [
            "",
            "deny",
            "deny fly /x",
            "read",
            "create /etc/x",
            "delete /etc/passwd",
            "rename ${workspace}/a /etc/b",
            "connect localhost:1",
            "connect 127.0.0.1:0",
            "connect 127.0.0.1",
            "read ${state}/x",
            "read ${workspace}/../x",
            "fork x",
            "rename ${workspace}/a",
        ] {
            assert!(AskQuestion::read(0, text, &Asker { home: None, folder: "/".into() }).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_says_where_and_what_to_do() {
        for (text, column, wanted) in [
            ("deny flie /x", 6, "is not a verb"),
            ("deny raed /x", 6, "did you mean `read`?"),
            ("deny read /a b", 11, "put a name with spaces into quotes"),
            ("deny create /etc/x", 13, "is not a fixture"),
            ("deny(gone) read /x", 1, "none of refused"),
            ("deny rename ${workspace}/a", 13, "`rename` takes two things"),
            ("read", 1, "it needs a path"),
            ("deny fork x", 11, "`x` stands behind it"),
        ] {
            let error = AskQuestion::read(0, text, &Asker { home: None, folder: "/".into() }).unwrap_err();
            assert_eq!(error.column, column, "{text}");
            assert!(format!("{error}; {}", error.remedy).contains(wanted), "{text}: {error:?}");
        }
    }

    #[test]
    fn every_verb_is_one_that_can_be_read() {
        let asker = Asker { home: None, folder: "/".into() };
        for verb in VERBS {
            let known = ["", " ${workspace}/a", " ${workspace}/a ${workspace}/b", " 127.0.0.1:${port}", " NAME"];
            assert!(known.iter().any(|rest| AskQuestion::read(0, &format!("{verb}{rest}"), &asker).is_ok()), "{verb}");
        }
        assert!(NOTHING.iter().all(|(verb, _)| is_verb(verb)));
        let deny = read("deny( hidden, refused ) read '/a b' # a comment");
        assert_eq!((deny.mechanism.len(), deny.why.as_deref()), (2, Some("a comment")));
        assert_eq!((deny.target.as_str(), deny.subject().as_str()), ("/a b", "read \"/a b\""));
    }

    proptest! {
        #[test]
        fn a_printed_question_is_itself(path in "/[^\u{0}-\u{1f}\u{7f}-\u{9f}$/]{1,20}", verb in "(read|list|stat|chdir)") {
            let asker = Asker { home: None, folder: "/".into() };
            let question = AskQuestion::read(0, &format!("{verb} {}", words::quoted(&path)), &asker).unwrap();
            let again = AskQuestion::read(0, &question.subject(), &asker).unwrap();
            prop_assert_eq!(again.subject(), question.subject());
            prop_assert_eq!((again.target, again.driver), (question.target, question.driver));
        }
    }
}
