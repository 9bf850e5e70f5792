//! What a call that went through inside a launcher is worth.

use super::cover::{Cover, CoverKind, OperatedObject};
use crate::record::driver::Driver;
use crate::record::driver_witness::SuccessWitness;
use crate::record::launcher::{ContentSeen, LauncherRecord, NameTrial, OperationOutcome, WorkerAnswer};
use crate::record::outcome::FailureKind;

/// What one asking shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedSuccess {
    /// It was on the host's object, or on one with what the host's holds.
    Allow(Option<OperatedObject>),
    /// It went through, on something else.
    Diverted,
    /// It went through, and brought nothing about.
    Emulated,
    /// It went through, and nobody can say on what.
    Unclear(FailureKind, &'static str),
    /// It did not go through.
    Failed,
}

/// What one asking of a question shows.
pub(super) fn of(driver: Driver, record: &LauncherRecord, asked: &NameTrial) -> AskedSuccess {
    let answer = &asked.answer;
    if answer.outcome != OperationOutcome::Done {
        return AskedSuccess::Failed;
    }
    let covers = Cover::of(driver, &record.around).covers;
    match driver.witness() {
        SuccessWitness::Content(_) | SuccessWitness::Token => match answer.content {
            Some(ContentSeen::Nonce) => AskedSuccess::Allow(answer.same_object.map(object)),
            Some(ContentSeen::Other) if host_unchanged(record) => AskedSuccess::Diverted,
            Some(ContentSeen::Other) => AskedSuccess::Unclear(
                FailureKind::Noise,
                "other content was read, and the host's own was not seen to be still there",
            ),
            Some(ContentSeen::Unmarked) | None => by_object(answer, covers),
        },
        SuccessWitness::Metadata | SuccessWitness::Object => by_object(answer, covers),
        SuccessWitness::File(_)
        | SuccessWitness::Connection(_)
        | SuccessWitness::Datagram(_)
        | SuccessWitness::Terminal
        | SuccessWitness::Signal => by_effect(driver, asked, covers),
        SuccessWitness::Consequence => by_consequence(driver, answer, covers),
        SuccessWitness::Nothing => AskedSuccess::Unclear(
            FailureKind::ProbeInconclusive,
            "the call went through, and nothing is defined that would show what it brought about",
        ),
    }
}

fn object(same: bool) -> OperatedObject {
    if same { OperatedObject::Same } else { OperatedObject::Other }
}

/// Whether the host's object still held what the run had put there, after everything else.
fn host_unchanged(record: &LauncherRecord) -> bool {
    record
        .after
        .as_ref()
        .is_some_and(|after| after.outcome == OperationOutcome::Done && after.content == Some(ContentSeen::Nonce))
}

/// What cannot be told by content is told by which object it was.
fn by_object(answer: &WorkerAnswer, covers: Option<bool>) -> AskedSuccess {
    match (answer.content, answer.same_object, covers) {
        (Some(ContentSeen::Nonce), same, _) => AskedSuccess::Allow(same.map(object)),
        (_, Some(true), _) => AskedSuccess::Allow(Some(OperatedObject::Same)),
        (_, _, Some(true)) => AskedSuccess::Diverted,
        _ => AskedSuccess::Unclear(
            FailureKind::ObjectUnproved,
            "the call went through, and on which object is not known",
        ),
    }
}

/// An effect counts if the host saw it on its own object.
fn by_effect(driver: Driver, asked: &NameTrial, covers: Option<bool>) -> AskedSuccess {
    let Some(effect) = &asked.effect else { return without_witness(driver, &asked.answer, covers) };
    match (effect.when, effect.twin_intact) {
        (Some(_), Some(false)) => AskedSuccess::Unclear(
            FailureKind::Noise,
            "the effect was seen, and also on an object that nobody had asked about",
        ),
        // Where the operation was on something else than the host's object, somebody else may have done the same there.
        (Some(_), _) if effect.own == Some(false) && covers != Some(false) => AskedSuccess::Unclear(
            FailureKind::Noise,
            "the effect was seen, and nothing shows that it was this operation's and not the launcher's own doing",
        ),
        (Some(_), _) => AskedSuccess::Allow(Some(OperatedObject::Same)),
        (None, _) if effect.barrier == Some(false) => AskedSuccess::Unclear(
            FailureKind::EffectNotSeen,
            "the effect was not seen, and neither was the host's own of the same kind",
        ),
        (None, _) if covers == Some(true) => AskedSuccess::Diverted,
        (None, _) => AskedSuccess::Unclear(
            FailureKind::EffectNotSeen,
            "the call went through, its effect was not seen, and nothing covers its object",
        ),
    }
}

/// Where somebody else listens, the host cannot look. A connection stands only if whoever is there has accepted it, and who is
/// there is the host's own if nothing stands between.
fn without_witness(driver: Driver, answer: &WorkerAnswer, covers: Option<bool>) -> AskedSuccess {
    let path = CoverKind::of(driver) == CoverKind::Path;
    match (answer.consequence, covers) {
        (Some(false), _) => AskedSuccess::Emulated,
        (Some(true), Some(false)) => AskedSuccess::Allow(Some(OperatedObject::Same)),
        (Some(true), Some(true)) if path => AskedSuccess::Diverted,
        _ => {
            AskedSuccess::Unclear(FailureKind::EffectNotSeen, "the call went through, and nobody looked for its effect")
        }
    }
}

/// A call without an effect on others counts by what it brings about for its own process.
fn by_consequence(driver: Driver, answer: &WorkerAnswer, covers: Option<bool>) -> AskedSuccess {
    let unproved =
        AskedSuccess::Unclear(FailureKind::ObjectUnproved, "it went through, and on which object is not known");
    match answer.consequence {
        None => AskedSuccess::Unclear(
            FailureKind::EffectNotSeen,
            "it went through, and nobody looked what it brought about",
        ),
        Some(false) => AskedSuccess::Emulated,
        // What has an address or a number may be another one of the same.
        Some(true) => match (CoverKind::of(driver), answer.same_object, covers) {
            (CoverKind::Nothing, _, _) => AskedSuccess::Allow(None),
            (_, Some(true), _) => AskedSuccess::Allow(Some(OperatedObject::Same)),
            (_, _, Some(true)) => AskedSuccess::Diverted,
            (CoverKind::Address, None, Some(false)) => AskedSuccess::Allow(Some(OperatedObject::Same)),
            _ => unproved,
        },
    }
}
