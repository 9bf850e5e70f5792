//! The loop of the probe server: one request after another, one probe at a time. How a job becomes a process is left to a
//! [`ProbeStarter`]: one forks, the other starts this program afresh.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read, Write};

use super::protocol::{Job, PolicyUse, Reply, ZygoteRequest, read_frame, write_reply};
use crate::policy::Enforceable;
use crate::record::ending::Ending;

/// The server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A step of its own preparation failed.
    #[error("the probe server could not {step}")]
    Prepare {
        /// The step, in words that follow "could not".
        step: &'static str,
        /// The underlying error.
        #[source]
        source: io::Error,
    },
    /// A frame could not be read, or makes no sense.
    #[error("the probe server could not read a request from descriptor 0, which has to be its control socket")]
    Request(#[source] io::Error),
    /// An answer could not be written.
    #[error("the probe server could not write a reply")]
    Reply(#[source] io::Error),
    /// A job names a policy that was never sent.
    #[error("job {seq} names the policy {key}, which was not sent")]
    UnknownPolicy {
        /// Number of the job, counted from 0.
        seq: u64,
        /// The key that it names.
        key: u32,
    },
}

/// Makes probe processes.
pub(super) trait ProbeStarter {
    /// Does one job, and waits for its end. The answer is `None` if nobody waits for one any more; one whose ending is
    /// [`Ending::Lost`] says that the probe may still run, and this process has to end, because such a probe ends with it. So
    /// it has after one that is [`Reply::spent`].
    fn run(&mut self, job: &Job<Enforceable>) -> Option<Reply>;
}

/// Serves jobs until the control socket is closed, nobody waits for an answer, a probe was lost, or one has spent this process.
pub(super) fn serve(
    incoming: impl Read,
    mut outgoing: impl Write,
    starter: &mut impl ProbeStarter,
) -> Result<(), ServeError> {
    let mut incoming = BufReader::with_capacity(64 * 1024, incoming);
    let mut scratch = Vec::new();
    let mut policies = BTreeMap::new();
    while let Some(request) =
        read_frame::<ZygoteRequest<'_>>(&mut incoming, &mut scratch).map_err(ServeError::Request)?
    {
        match request {
            ZygoteRequest::Policy { key, policy } => {
                policies.insert(key, policy.into_owned());
            }
            ZygoteRequest::Run(job) => {
                let job = resolved(job.into_owned(), &policies)?;
                let Some(reply) = starter.run(&job) else { return Ok(()) };
                write_reply(&mut outgoing, &mut scratch, &reply).map_err(ServeError::Reply)?;
                if reply.spent || matches!(reply.ending, Ending::Lost { .. }) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// The job with its policy in the place of a key.
fn resolved(job: Job<PolicyUse>, policies: &BTreeMap<u32, Enforceable>) -> Result<Job<Enforceable>, ServeError> {
    let seq = job.seq;
    job.try_map_policy(|used| {
        let policy = policies.get(&used.key).ok_or(ServeError::UnknownPolicy { seq, key: used.key })?;
        Ok(used.resolve(policy))
    })
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use super::super::protocol::{read_reply, write_frame};
    use super::*;
    use crate::record::action::{Action, ActionScope};
    use crate::record::driver::Driver;

    /// Answers each job with what stands for it, and notes the policies.
    #[derive(Default)]
    struct Scripted {
        endings: Vec<Option<Ending>>,
        policies: Vec<Option<Enforceable>>,
    }

    impl ProbeStarter for Scripted {
        fn run(&mut self, job: &Job<Enforceable>) -> Option<Reply> {
            self.policies.push(job.policy.clone());
            let ending = self.endings.remove(0)?;
            Some(Reply { ending, ..Reply::to(job.seq) })
        }
    }

    /// A profile whose one parameter has this text.
    fn sbpl(text: &str) -> Enforceable {
        Enforceable::Sbpl { text: "(version 1)".into(), parameters: [("ROOT".into(), text.into())].into() }
    }

    fn policy(key: u32, text: &str) -> ZygoteRequest<'static> {
        ZygoteRequest::Policy { key, policy: Cow::Owned(sbpl(text)) }
    }

    fn job(seq: u64, key: Option<u32>) -> ZygoteRequest<'static> {
        let policy = key.map(|key| PolicyUse { key, texts: vec![("${root}".into(), format!("/r{seq}"))] });
        let action = Action::new(Driver::FileRead, "/a");
        ZygoteRequest::Run(Cow::Owned(Job {
            seq,
            action,
            scope: ActionScope::default(),
            policy,
            check: None,
            deadline_ms: 5,
        }))
    }

    /// The numbers of the jobs that were answered, and how the server ended.
    fn exchange(requests: &[ZygoteRequest<'_>], starter: &mut Scripted) -> (Vec<u64>, Result<(), ServeError>) {
        let (mut sent, mut answers, mut scratch) = (Vec::new(), Vec::new(), Vec::new());
        for request in requests {
            write_frame(&mut sent, &mut scratch, request).unwrap();
        }
        let ended = serve(&sent[..], &mut answers, starter);
        let mut rest = &answers[..];
        let replies = std::iter::from_fn(|| read_reply(&mut rest, &mut scratch).unwrap());
        (replies.map(|reply| reply.seq).collect(), ended)
    }

    fn exited() -> Option<Ending> {
        Some(Ending::Exited { code: 0 })
    }

    #[test]
    fn a_job_gets_the_last_policy_of_its_key_with_its_own_texts() {
        let mut starter = Scripted { endings: vec![exited(), exited(), exited()], ..Default::default() };
        let requests = [policy(1, "a${root}"), job(1, Some(1)), policy(1, "b${root}"), job(2, Some(1)), job(3, None)];
        let (answered, ended) = exchange(&requests, &mut starter);
        assert!(ended.is_ok(), "{ended:?}");
        assert_eq!(answered, [1, 2, 3]);
        assert_eq!(starter.policies, [Some(sbpl("a/r1")), Some(sbpl("b/r2")), None]);
    }

    #[test]
    fn a_policy_that_was_not_sent_is_an_error_and_no_probe_starts() {
        let mut starter = Scripted::default();
        let (answered, ended) = exchange(&[policy(1, "a"), job(7, Some(2))], &mut starter);
        assert!(matches!(ended, Err(ServeError::UnknownPolicy { seq: 7, key: 2 })), "{ended:?}");
        assert!(answered.is_empty() && starter.policies.is_empty());
    }

    #[test]
    fn nothing_is_served_after_a_lost_probe_or_for_nobody() {
        let lost = Some(Ending::Lost { reason: "why".into() });
        for (second, answered) in [(lost, vec![1, 2]), (None, vec![1])] {
            let mut starter = Scripted { endings: vec![exited(), second], ..Default::default() };
            let (replies, ended) = exchange(&[job(1, None), job(2, None), job(3, None)], &mut starter);
            assert!(ended.is_ok(), "{ended:?}");
            assert_eq!((replies, starter.policies.len()), (answered, 2));
        }
    }

    #[test]
    fn a_request_that_is_cut_off_is_an_error() {
        let mut sent = Vec::new();
        write_frame(&mut sent, &mut Vec::new(), &job(1, None)).unwrap();
        let ended = serve(&sent[..sent.len() - 1], Vec::new(), &mut Scripted::default());
        assert!(matches!(ended, Err(ServeError::Request(_))), "{ended:?}");
    }
}
