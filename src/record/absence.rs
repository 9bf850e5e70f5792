//! Why an element of a run's declaration has no value: the closed list of reasons (SPEC.md, section 8.2).

use serde_json::Value;

macro_rules! reasons {
    ($($variant:ident = $code:literal, $words:literal;)*) => {
        /// A reason.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Absence {
            $(#[doc = $words] $variant,)*
        }

        impl Absence {
            /// Every one, sorted by code.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that declarations have for it.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$variant => $code,)*
                }
            }

            /// The same in words, as it stands in declarations of the first format.
            pub fn words(self) -> &'static str {
                match self {
                    $(Self::$variant => $words,)*
                }
            }
        }
    };
}

reasons! {
    AskedInVain = "asked_in_vain", "it was asked, and said nothing within ten seconds";
    BuiltFromChanged = "built_from_changed", "built from a changed copy";
    BuiltFromUnknown = "built_from_unknown", "built from neither a git clone nor an archive that names its commit";
    ChosenByWorker = "chosen_by_worker", "this process can make fixtures in no candidate folder; the worker chooses one";
    DrawnAnew = "drawn_anew", "a fresh value for each attempt";
    DryRunNoFixtures = "dry_run_no_fixtures", "a dry run makes no fixtures";
    DryRunStartsNothing = "dry_run_starts_nothing", "a dry run starts nothing";
    FoundByWorker = "found_by_worker", "the worker finds it out; its manifest and `channel_witness.json` say it";
    HasPlaceholders = "has_placeholders", "the question holds placeholders, which stand for nothing before a start";
    LaunchersNotHere = "launchers_not_here", "no launcher is started on this system";
    MeasuredByWorker = "measured_by_worker", "the worker measures them";
    NoConsent = "no_consent", "it is not started without consent";
    NoLandlock = "no_landlock", "this kernel has no Landlock, or it is off";
    NoLocale = "no_locale", "the environment asks for none";
    NoManager = "no_manager", "no service manager starts the worker";
    NoNormalText = "no_normal_text", "the value is no text in Unicode normal form C; its digest stands under `environment`";
    NoPreflight = "no_preflight", "the plan names no `apply_preflight_profile`";
    NoProgram = "no_program", "it is no program: no regular file, or not executable";
    NoQuestion = "no_question", "its document does not say how to ask it";
    NoSubject = "no_subject", "the plan names no subject";
    NoSuchFact = "no_such_fact", "this system has no such fact";
    NoSuchProgram = "no_such_program", "no such program was found";
    NoTemplate = "no_template", "the plan names no template that it was built from";
    NoWait = "no_wait", "this mode does not wait";
    NoWorldId = "no_world_id", "the facts of this host give no world id";
    NoZone = "no_zone", "`TZ` is not set, and `/etc/localtime` is no link that names a zone";
    NotDeclared = "not_declared", "it was not declared";
    NotDivided = "not_divided", "the plan is not divided";
    NotFoundOut = "not_found_out", "it could not be found out";
    NotListedInJob = "not_listed_in_job", "the job does not list it";
    NotObserved = "not_observed", "it could not be observed by the declaring process";
    NotSet = "not_set", "not set";
    SetByManager = "set_by_manager", "the service manager sets it; `channel_witness.json` says what the worker found";
    Unreadable = "unreadable", "it cannot be read";
    WorldUnknown = "world_unknown", "nothing is known of that world";
}

impl Absence {
    /// The reason of that code.
    pub fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

/// Calls `see` with every element in `value` that is stated to be absent: its JSON pointer below `at`, and its members.
pub fn each_absent<'v>(value: &'v Value, at: &str, see: &mut impl FnMut(&str, &'v serde_json::Map<String, Value>)) {
    match value {
        Value::Object(members) if members.get("absent").is_some_and(Value::is_string) => see(at, members),
        Value::Object(members) => members.iter().for_each(|(name, member)| {
            let name = crate::base::canon::pointer_part(name);
            each_absent(member, &format!("{at}/{name}"), see);
        }),
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| each_absent(item, &format!("{at}/{n}"), see));
        }
        _ => {}
    }
}

/// Puts words in the place of codes, as declarations of the first format have them.
pub fn in_words(value: &mut Value) {
    match value {
        Value::Object(members) => {
            let known = members.get("absent").and_then(Value::as_str).and_then(Absence::of_code);
            match known {
                Some(reason) => drop(members.insert("absent".to_owned(), reason.words().into())),
                None => members.values_mut().for_each(in_words),
            }
        }
        Value::Array(items) => items.iter_mut().for_each(in_words),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn codes_are_sorted_and_the_schema_has_the_same() {
        let codes: Vec<&str> = Absence::ALL.iter().map(|reason| reason.code()).collect();
        assert!(codes.is_sorted_by(|a, b| a < b), "{codes:?}");
        let part = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/parts/absence.json"));
        let part: Value = serde_json::from_str(part).unwrap();
        assert_eq!(part["enum"], json!(codes));
        for reason in Absence::ALL {
            assert_eq!(Absence::of_code(reason.code()), Some(*reason));
            // So no code is taken for words, and no words for a code.
            assert!(reason.words().contains(' ') && !reason.code().contains(' '));
        }
    }

    #[test]
    fn every_code_stands_in_the_specification_with_its_words() {
        let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/SPEC.md"));
        for reason in Absence::ALL {
            let row = format!("| `{}` |", reason.code());
            assert!(page.contains(&row), "no row {row}");
        }
    }

    #[test]
    fn words_take_the_place_of_codes_wherever_they_stand() {
        let mut value =
            json!({"a": {"absent": "not_set"}, "b": [{"absent": "no_zone"}], "c": {"absent": "some words"}});
        let mut found = Vec::new();
        each_absent(&value, "/x", &mut |at, members| found.push((at.to_owned(), members["absent"].clone())));
        assert_eq!(found[1], ("/x/b/0".to_owned(), json!("no_zone")));
        assert_eq!(found.len(), 3);
        in_words(&mut value);
        assert_eq!(value["a"], json!({"absent": "not set"}));
        assert_eq!(value["b"][0]["absent"], Absence::NoZone.words());
        assert_eq!(value["c"], json!({"absent": "some words"}));
    }
}
