//! A comparison in words; what the texts for people and for pull requests share.

pub(super) use crate::base::printable::printable;
use crate::record::open_word::OpenWord;
use crate::record::opinions::Opinions;
use crate::record::outcome::Decision;
use crate::record::run_diff::{
    Change, Comparability, Declarations, DifferingItem, Explanation, ExplanationGrade, Flip, FlipOpinions,
    InnerDifference, InnerDifferences, LaneDiff, OutputComparison, RowInput, RowVerdict, RunDiff, ShownValue,
};

/// How many rows that differ a text lists. JSON lists more.
pub(super) const MAX_PRINTED: usize = 50;
/// How much of a digest is enough for people.
const SHORT_DIGEST: usize = 12;

/// `1 row`, `2 rows`
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// The first answer: are both the same?
pub(super) fn headline(diff: &RunDiff) -> String {
    let declared = declared(&diff.declarations, &diff.changes);
    if let Some(outputs) = &diff.outputs {
        let differ = match outputs.differing {
            0 => format!("{} alike", counted(outputs.same, "output")),
            1 => "1 output differs".to_owned(),
            n => format!("{n} outputs differ"),
        };
        return format!("{declared}; {differ}");
    }
    let verdicts = match (&diff.verdicts.not_compared, diff.verdicts.differing) {
        (Some(why), _) => format!("verdicts not compared: {why}"),
        (None, 0) => "no verdict differs".to_owned(),
        (None, 1) => "1 row differs".to_owned(),
        (None, n) => format!("{n} rows differ"),
    };
    format!("{declared}; {verdicts}")
}

/// The declarations in one clause.
fn declared(declarations: &Declarations, changes: &[Change]) -> String {
    let neither = declarations.stated_by_neither.len() as u64;
    let run_only = declarations.stated_by_run_only.len() as u64;
    let unknown = declarations.unknown_on_both.len() as u64;
    let accepted = if declarations.absent_accepted { ", which is accepted" } else { "" };
    match (declarations.compared, declarations.materially_equal, declarations.identical) {
        (_, Some(true), _) if run_only > 0 => {
            let items = counted(run_only, "item");
            let unknown = if unknown > 0 { format!(", {unknown} unknown to both") } else { String::new() };
            format!("equal in what both state; {items} stated by the run only, {neither} by neither{unknown}{accepted}")
        }
        (_, Some(true), _) if neither > 0 => {
            format!("equal as far as declared; {} stated by neither{accepted}", counted(neither, "item"))
        }
        (_, Some(true), _) if unknown > 0 => {
            format!("not known to differ; unknown on both sides: {}{accepted}", counted(unknown, "item"))
        }
        (_, Some(true), Some(false)) if !declarations.left_to_run.is_empty() => {
            let left = counted(declarations.left_to_run.len() as u64, "item");
            format!("the run is as the deployment states; {left} left to the run")
        }
        (Comparability::Not, ..) => "the declarations cannot be compared".to_owned(),
        (_, Some(true), Some(true)) => "both declare the same".to_owned(),
        (_, Some(true), _) => "both declare materially the same".to_owned(),
        (Comparability::Items, ..) => format!("the declarations differ in {}", counted(changes.len() as u64, "change")),
        (Comparability::Parts, ..) => "the declarations differ; in what is not known without both bundles".to_owned(),
    }
}

/// A value, short.
pub(super) fn value(shown: Option<&ShownValue>) -> String {
    match shown {
        None => "absent".to_owned(),
        Some(ShownValue::Digest(digest)) => format!("a long value with digest {}", short(&digest.to_string())),
        Some(ShownValue::Value(serde_json::Value::String(text))) if is_digest(text) => short(text),
        Some(ShownValue::Value(value)) if referred(value).is_some() => {
            format!("sha256:{}", short(referred(value).unwrap_or_default()))
        }
        Some(ShownValue::Value(value)) if OpenWord::of(value).is_some() => {
            OpenWord::of(value).map_or("", OpenWord::as_str).replace('_', " ")
        }
        Some(ShownValue::Value(value)) if number(value).is_some() => {
            printable(number(value).unwrap_or_default()).into_owned()
        }
        Some(ShownValue::Value(value)) if value.get("absent").is_some_and(serde_json::Value::is_string) => {
            format!("absent ({})", printable(value["absent"].as_str().unwrap_or_default()))
        }
        Some(ShownValue::Value(value)) => printable(&value.to_string()).into_owned(),
    }
}

/// The digest that another system's declaration gives in place of a content, or as a text.
fn referred(value: &serde_json::Value) -> Option<&str> {
    let text = match value {
        serde_json::Value::Object(members) if members.len() == 1 => {
            members.get("digest").or_else(|| members.get("folder"))?.as_str()?
        }
        other => other.as_str()?,
    };
    text.strip_prefix("sha256:").filter(|digits| is_digest(digits))
}

/// The text of a number that has no canonical form.
fn number(value: &serde_json::Value) -> Option<&str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get("number")?.as_str()
}

fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The beginning of a digest.
pub(super) fn short(digest: &str) -> String {
    format!("{}\u{2026}", &digest[..digest.len().min(SHORT_DIGEST)])
}

/// `OLD -> NEW`
pub(super) fn change_of(item: &DifferingItem) -> String {
    format!("{} -> {}", value(item.a.as_ref()), value(item.b.as_ref()))
}

/// A lane's numbers.
pub(super) fn lane(lane: &LaneDiff) -> String {
    let (a, b) = match (lane.a_rows, lane.b_rows) {
        (Some(a), Some(b)) => (a, b),
        (Some(a), None) => return format!("only A has this lane: {}", counted(a, "row")),
        (None, Some(b)) => return format!("only B has this lane: {}", counted(b, "row")),
        (None, None) => return "neither has this lane".to_owned(),
    };
    let rows = if a == b { counted(a, "row") } else { format!("{a} and {b} rows") };
    let kinds = lane.kinds.iter().map(|(kind, n)| format!(", {n} {}", kind.as_str().replace('_', " ")));
    let kinds: String = kinds.collect();
    let transitions: Vec<String> = lane.transitions.iter().map(|(what, n)| format!("{what}: {n}")).collect();
    let transitions = if transitions.is_empty() { String::new() } else { format!(" ({})", transitions.join(", ")) };
    format!("{rows}, {} the same{kinds}{transitions}", lane.same)
}

/// A verdict, short: `deny (EACCES; expected allow)`.
pub(super) fn verdict(verdict: Option<&RowVerdict>) -> String {
    let Some(verdict) = verdict else { return "no such row".to_owned() };
    let because = verdict.because.as_deref().map(|text| printable(text).into_owned());
    let expected = verdict.expected.map(|expected| format!("expected {}", expected.as_str()));
    let details: Vec<String> = because.into_iter().chain(expected).collect();
    let details = if details.is_empty() { String::new() } else { format!(" ({})", details.join("; ")) };
    let how = verdict.mechanism.map(|mechanism| format!(" {}", mechanism.as_str())).unwrap_or_default();
    format!("{}{how}{details}", verdict.actual.as_str())
}

/// What is said of a row, each with who says it: why it is expected, the model with its rule's place, what follows. What is
/// expected, and what the kernel did, stand in the verdict.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SaidOfBoth {
    /// What is said of both sides alike, but for what follows.
    pub(super) both: Vec<(&'static str, String)>,
    /// The rest, of one side and the other.
    pub(super) each: [Vec<(&'static str, String)>; 2],
}

impl SaidOfBoth {
    pub(super) fn of(opinions: &FlipOpinions) -> Self {
        let [mut a, mut b] = [&opinions.a, &opinions.b].map(|one| lines(one.as_ref()));
        let is_shared = |line: &(&str, String), others: &[(&str, String)]| line.0 != "so" && others.contains(line);
        let both: Vec<_> = a.iter().filter(|line| is_shared(line, &b)).cloned().collect();
        a.retain(|line| !both.contains(line));
        b.retain(|line| !both.contains(line));
        Self { both, each: [a, b] }
    }
}

fn lines(opinions: Option<&Opinions>) -> Vec<(&'static str, String)> {
    let Some(opinions) = opinions else { return Vec::new() };
    let model = opinions.model.as_ref().map(|model| {
        let said = model.decision.map_or("cannot know", Decision::as_str);
        let place = model.rule_place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
        format!("{said}{place}: {}", model.reason)
    });
    let why = opinions.why.clone().map(|why| ("why", why));
    let lines = [why, model.map(|model| ("model", model)), Some(("so", opinions.sentence.clone()))];
    lines.into_iter().flatten().map(|(who, text)| (who, printable(&text).into_owned())).collect()
}

/// An output, short.
pub(super) fn output(value: Option<&serde_json::Value>) -> String {
    let Some(value) = value else { return "absent".to_owned() };
    let text = |name: &str| value.get(name).and_then(serde_json::Value::as_str);
    let number = |name: &str| value.get(name).and_then(serde_json::Value::as_i64);
    if let Some(digest) = text("digest") {
        let executable = if value.get("executable").is_some() { ", executable" } else { "" };
        let bytes = counted(number("bytes").unwrap_or_default().unsigned_abs(), "byte");
        return format!("sha256:{} ({bytes}{executable})", short(digest.strip_prefix("sha256:").unwrap_or(digest)));
    }
    if let Some(link) = text("link") {
        return format!("a link to `{}`", printable(link));
    }
    if let Some(why) = text("refused") {
        return format!("not taken ({})", printable(why));
    }
    match (number("code"), number("signal")) {
        (Some(code), _) => format!("exited with {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => printable(value.as_str().unwrap_or_default()).into_owned(),
    }
}

/// A place within a file or folder: `app.json /temperature: 0.1 -> 0.2`.
pub(super) fn inner(one: &InnerDifference) -> String {
    let file = one.file.as_ref().map(|file| format!("`{}`", printable(file)));
    let pointer = one
        .pointer
        .as_ref()
        .map(|pointer| if pointer.is_empty() { "as a whole".into() } else { printable(pointer).into_owned() });
    let there = one.b_pointer.as_ref().map(|there| format!("(in B {})", printable(there)));
    let place: Vec<String> = [file, pointer, there].into_iter().flatten().collect();
    let shown = if one.a.is_none() && one.b.is_none() {
        String::new()
    } else {
        format!(": {} -> {}", self::value(one.a.as_ref()), self::value(one.b.as_ref()))
    };
    format!("{}{shown}", place.join(" "))
}

/// How many places within a file or folder are not printed; `None`: all are.
pub(super) fn more_places(found: &InnerDifferences) -> Option<String> {
    let more = found.within.len().saturating_sub(MAX_PRINTED) as u64 + found.within_unlisted;
    (more > 0).then(|| format!("and {}", counted(more, "more place")))
}

/// The changes that an explanation names, in words.
fn candidates(explanation: &Explanation, changes: &[Change]) -> String {
    let names: Vec<String> = explanation
        .candidates
        .iter()
        .map(|id| changes.iter().find(|change| change.id == *id).map_or(id.as_str(), |change| &change.what))
        .map(|name| printable(name).into_owned())
        .collect();
    names.join("; ")
}

/// What can be said of an output that differs.
pub(super) fn output_explanation(outputs: &OutputComparison, explanation: &Explanation, changes: &[Change]) -> String {
    let names = candidates(explanation, changes);
    match explanation.finding {
        ExplanationGrade::OnlyDifference => format!("the only declared difference: {names}"),
        ExplanationGrade::Candidates | ExplanationGrade::NoneReaches => {
            format!("could be explained by any of: {names}")
        }
        ExplanationGrade::NothingDeclared => format!(
            "same declaration, different output: evidence of what it does not hold: {}",
            printable(&outputs.not_held.join(", "))
        ),
        ExplanationGrade::Unknown => {
            "what was read may have changed meanwhile (drift), so nothing can be said".to_owned()
        }
    }
}

/// A row's name: its id, and what tells it apart from its like.
pub(super) fn row(flip: &Flip) -> String {
    let aspect = if flip.aspect.is_empty() { String::new() } else { format!(" [{}]", flip.aspect) };
    printable(&format!("{}{aspect}", flip.id)).into_owned()
}

/// What can be said of a row that differs. Never more than the data supports.
pub(super) fn explanation(flip: &Flip, changes: &[Change]) -> String {
    let names = candidates(&flip.explanation, changes);
    let mut text = match flip.explanation.finding {
        ExplanationGrade::OnlyDifference => format!("the only declared difference that can reach it: {names}"),
        ExplanationGrade::Candidates if flip.explanation.candidates.len() == 1 => {
            format!("could be explained by {names}; what else was declared differently does not reach this row")
        }
        ExplanationGrade::Candidates => format!("could be explained by any of: {names}"),
        ExplanationGrade::NoneReaches => {
            "nothing that was declared differently reaches this row: evidence of nondeterminism, \
                                   or of an influence that is not declared"
                .to_owned()
        }
        ExplanationGrade::NothingDeclared => {
            "same declaration, different verdict: evidence of nondeterminism, or of an \
                                       influence that is not declared"
                .to_owned()
        }
        ExplanationGrade::Unknown => "the declarations could not be compared item by item".to_owned(),
    };
    // That the policy is another one is said by the change's own name.
    let what: Vec<&str> =
        flip.resolved_differently.iter().filter(|one| **one != RowInput::Policy).map(|one| one.as_str()).collect();
    if !what.is_empty() {
        text.push_str(&format!(" (resolved differently for this row: {})", what.join(", ")));
    }
    if flip.baseline_differs {
        text.push_str("; its baseline verdict differs too");
    }
    text
}
