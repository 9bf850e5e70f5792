//! Calls with arguments that name nothing: who answers them has not looked at what a question is about.

use std::time::Duration;

use super::asking::OpenQuestion;
use super::engine::{Engine, RequestResult};
use super::question;
use crate::launcher::said::{WorkerMessage, WorkerRequest};
use crate::launcher::session::Session;
use crate::record::driver::Driver;
use crate::record::launcher::{EmptyCall, OperationOutcome};

/// For what failed: the same call with arguments that name nothing, inside and outside; and whether a program is visible. What a
/// filter answers to a call hangs on no question, so each call is made once.
pub(super) fn ask(engine: &mut Engine<'_>, outside: &mut Session, askings: &mut [OpenQuestion]) {
    let mut calls: Vec<(String, i32)> = Vec::new();
    let mut calling: Vec<(usize, usize)> = Vec::new();
    let mut looking: Vec<usize> = Vec::new();
    for (n, asking) in askings.iter().enumerate() {
        let Some(OperationOutcome::Failed { call, .. }) =
            asking.record.asked.first().map(|asked| &asked.answer.outcome)
        else {
            continue;
        };
        if asking.record.fault.is_some() {
            continue;
        }
        let empty = (call.clone(), question::family(&asking.question.action));
        let place = calls.iter().position(|known| *known == empty).unwrap_or_else(|| {
            calls.push(empty);
            calls.len() - 1
        });
        calling.push((n, place));
        if asking.question.action.driver == Driver::Exec {
            looking.push(n);
        }
    }
    let empty = |(call, family): &(String, i32)| WorkerRequest::Empty { call: call.clone(), family: *family };
    let look = |n: &usize| WorkerRequest::Look { path: askings[*n].question.action.target.clone() };
    let requests: Vec<(WorkerRequest, u64)> =
        calls.iter().map(empty).chain(looking.iter().map(look)).map(|request| (request, 2_000)).collect();
    if requests.is_empty() {
        return;
    }
    let mut gots = engine.ask_ahead(&requests);
    let looked = gots.split_off(calls.len());
    let outside_requests: Vec<(WorkerRequest, Duration)> =
        calls.iter().map(|call| (empty(call), Duration::from_secs(3))).collect();
    let answers: Vec<Option<EmptyCall>> = calls
        .into_iter()
        .zip(gots)
        .zip(outside.ask_each(&outside_requests, |_| true))
        .map(|(((call, _), inside), there)| match (inside, there) {
            // A call that neither of them knows tells nothing.
            (RequestResult::Said(WorkerMessage::Empty(-1)), WorkerMessage::Empty(-1)) => None,
            (RequestResult::Said(WorkerMessage::Empty(inside)), WorkerMessage::Empty(outside)) => {
                Some(EmptyCall { call, inside, outside })
            }
            _ => None,
        })
        .collect();
    for (n, place) in calling {
        askings[n].record.empty_call = answers.get(place).cloned().flatten();
    }
    for (n, looked) in looking.into_iter().zip(looked) {
        if let RequestResult::Said(WorkerMessage::Looked(looked)) = looked {
            askings[n].record.around.visible = Some(looked.is_ok());
        }
    }
}
