//! Whatever a record holds, it has an outcome, and that outcome keeps what it promises.

use proptest::prelude::*;

use super::tests::{asked, filtered, masked, record};
use super::*;
use crate::record::launcher::{ContentSeen, EffectSeen, EffectTime, EmptyCall, WorkerAnswer};

fn any_outcome() -> impl Strategy<Value = OperationOutcome> {
    prop_oneof![
        Just(OperationOutcome::Done),
        Just(OperationOutcome::NoAnswer),
        Just(OperationOutcome::Withheld),
        (any::<u8>(), any::<bool>()).prop_map(|(errno, prepares)| OperationOutcome::Failed {
            call: "openat".into(),
            errno: i32::from(errno),
            prepares
        }),
        (any::<u8>(), any::<bool>(), any::<bool>(), any::<Option<bool>>()).prop_map(
            |(signal, twice, nop_lives, box_control_lives)| OperationOutcome::Died {
                signal: i32::from(signal),
                twice,
                nop_lives,
                box_control_lives
            }
        ),
    ]
}

fn any_answer() -> impl Strategy<Value = WorkerAnswer> {
    let content = prop_oneof![
        Just(None),
        Just(Some(ContentSeen::Nonce)),
        Just(Some(ContentSeen::Other)),
        Just(Some(ContentSeen::Unmarked))
    ];
    (any_outcome(), content, any::<Option<bool>>(), any::<Option<bool>>(), any::<u32>()).prop_map(
        |(outcome, content, same_object, consequence, time)| WorkerAnswer {
            outcome,
            content,
            same_object,
            consequence,
            duration_us: time.into(),
        },
    )
}

prop_compose! {
    fn any_record()(
        answers in proptest::collection::vec(any_answer(), 0..4),
        effects in proptest::collection::vec(any::<(Option<bool>, Option<bool>)>(), 4),
        before in proptest::option::of(any_answer()),
        after in proptest::option::of(any_answer()),
        masked_ in any::<bool>(), net in any::<bool>(), filter in any::<bool>(),
        again in proptest::option::of(any_outcome()),
        neighbour in any::<Option<bool>>(), world_changed in any::<bool>(), linked in any::<bool>(),
        empty in any::<Option<(u8, u8)>>(), same_credentials in any::<bool>(),
    ) -> LauncherRecord {
        let asks = answers.into_iter().zip(effects).map(|(answer, (seen, twin_intact))| {
            let when = seen.and_then(|seen| seen.then_some(EffectTime::AtOnce));
            NameTrial { effect: seen.map(|_| EffectSeen { when, twin_intact, barrier: None, own: None }), again: again.clone(), ..asked(answer) }
        }).collect();
        let mut row = record(asks);
        (row.before, row.after, row.neighbour, row.world_changed) = (before, after, neighbour, world_changed);
        if masked_ { row = masked(row); }
        if filter { row = filtered(row); }
        if net { row.around.net = Some(["1".into(), "2".into()]); }
        if !linked { row.start.link = None; }
        row.around.same_credentials = same_credentials;
        row.empty_call = empty.map(|(inside, outside)| EmptyCall {
            call: "openat".into(), inside: inside.into(), outside: outside.into(),
        });
        row
    }
}

proptest! {
    #[test]
    fn every_record_has_an_outcome_that_keeps_its_promises(row in any_record(), n in 0..Driver::ALL.len()) {
        let driver = Driver::ALL[n];
        let judgement = judge(driver, &row, Names::All);
        match judgement.shown {
            QuestionOutcome::Allow => {
                let asked = &row.asked[judgement.name.expect("an allowed question names what was allowed")];
                prop_assert_eq!(&asked.answer.outcome, &OperationOutcome::Done);
                prop_assert!(row.start.link.is_some());
            }
            QuestionOutcome::Deny { mechanism: Mechanism::Hidden, .. } => {
                prop_assert!(judgement.covered_by.is_some() && !row.world_changed);
                prop_assert_eq!(&row.after.as_ref().unwrap().outcome, &OperationOutcome::Done);
                prop_assert!(row.asked.iter().all(|asked| asked.answer.content != Some(ContentSeen::Nonce)
                    || asked.answer.outcome != OperationOutcome::Done || success::of(driver, &row, asked) == AskedSuccess::Diverted));
            }
            QuestionOutcome::Deny { mechanism: Mechanism::Diverted, .. } => {
                // A FIFO in the object's place is never opened, so that nothing was done there; the cover alone tells.
                if row.asked[0].answer.outcome == OperationOutcome::Withheld {
                    prop_assert!(judgement.covered_by.is_some());
                    prop_assert_eq!(&row.after.as_ref().unwrap().outcome, &OperationOutcome::Done);
                } else {
                    prop_assert_eq!(&row.asked[0].answer.outcome, &OperationOutcome::Done);
                }
                prop_assert!(!row.world_changed || judgement.via.as_deref() == Some("emulated"));
            }
            QuestionOutcome::Deny { mechanism: Mechanism::Refused, errno } => prop_assert!(errno.is_some()),
            QuestionOutcome::Deny { .. } => prop_assert!(row.asked[0].answer.outcome != OperationOutcome::Done),
            QuestionOutcome::Undecided { .. } => {}
        }
        if row.start.link.is_none() || row.asked.is_empty() {
            prop_assert!(judgement.shown.decision().is_none());
        }
    }
}
