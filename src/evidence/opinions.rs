//! Three opinions of one row: what its author expects, what the kernel did, what the model makes of the policy; and what follows.
//!
//! Nothing here decides anything: a verdict is there before, and stays what it is. That the author is wrong, or the policy, is
//! never said of one of the two alone, because rows cannot tell what was meant.

use crate::policy::model_answer::assumptions_phrase;
use crate::record::opinions::{Conclusion, ModelOpinion, Opinions};
use crate::record::outcome::Decision;

/// The source of an answer that is what a launcher's document claims; see `record::enforcer`.
const CLAIMS: &str = "launcher_claims";

/// Puts the three together.
pub fn of(
    expected: Option<Decision>,
    why: Option<String>,
    kernel: Option<Decision>,
    model: Option<ModelOpinion>,
) -> Opinions {
    let said = model.as_ref().and_then(|model| model.decision);
    let conclusion = match (expected, kernel, said) {
        (_, None, _) => Conclusion::Undecided,
        (_, Some(kernel), Some(said)) if kernel != said => Conclusion::KernelSurprisesModel,
        (Some(expected), Some(kernel), _) if kernel == expected => Conclusion::AsExpected,
        (None, Some(_), _) => Conclusion::Unasserted,
        (Some(_), Some(_), Some(_)) => Conclusion::PolicyOrExpectation,
        (Some(_), Some(_), None) if model.is_some() => Conclusion::ModelCannotTell,
        (Some(_), Some(_), None) => Conclusion::ModelNotAsked,
    };
    let sentence = sentence(conclusion, expected, kernel, model.as_ref());
    Opinions { expected, why, kernel, model, conclusion, sentence }
}

/// The opinions as lines with a name each. `stopped`: what an undecided row stopped at; `done`: what happened, in words;
/// `advice`: what can be done about it.
pub fn lines(
    opinions: &Opinions,
    stopped: Option<&str>,
    done: &str,
    advice: Option<&str>,
) -> Vec<(&'static str, String)> {
    let because = |text: &str| if text.is_empty() { String::new() } else { format!(": {text}") };
    let mut lines = Vec::with_capacity(5);
    if let Some(expected) = opinions.expected {
        lines.push(("expected", format!("{}{}", expected.as_str(), because(opinions.why.as_deref().unwrap_or("")))));
    }
    let kernel = opinions.kernel.map_or("undecided", Decision::as_str);
    let stopped = stopped.map(|stopped| format!(" ({stopped})")).unwrap_or_default();
    lines.push(("kernel", format!("{kernel}{stopped}{}", because(done))));
    if let Some(model) = &opinions.model {
        let said = model.decision.map_or("cannot know", Decision::as_str);
        let granted = match &model.assumes[..] {
            [] => String::new(),
            // What it takes for granted is so, or does not matter, where the kernel did the same.
            _ if model.decision.is_some() && model.decision == opinions.kernel => String::new(),
            assumes => format!(" (if {})", assumptions_phrase(assumes.iter().map(String::as_str))),
        };
        lines.push(("model", format!("{said}{}{granted}", because(&model.reason))));
    }
    lines.push(("so", opinions.sentence.clone()));
    lines.extend(advice.map(|advice| ("do", advice.to_owned())));
    lines
}

/// The plain conclusion.
fn sentence(
    conclusion: Conclusion,
    expected: Option<Decision>,
    kernel: Option<Decision>,
    model: Option<&ModelOpinion>,
) -> String {
    let claimed = model.is_some_and(|model| model.source == CLAIMS);
    let policy = if claimed { "the launcher's document" } else { "the policy" };
    let said = model.and_then(|model| model.decision);
    let rule = model.and_then(rule).map(|rule| format!(" by {rule}")).unwrap_or_default();
    match (conclusion, said) {
        (Conclusion::AsExpected, Some(_)) => format!("as expected, and as {policy} says"),
        (Conclusion::AsExpected, None) => "as expected".to_owned(),
        (Conclusion::Unasserted, Some(_)) => format!("nothing was expected; as {policy} says"),
        (Conclusion::Unasserted, None) => "nothing was expected".to_owned(),
        (Conclusion::PolicyOrExpectation, _) => {
            let does = match (said, rule.is_empty()) {
                (Some(Decision::Allow), true) => "does not restrict it".to_owned(),
                (said, _) => format!("{} it{rule}", present(said)),
            };
            format!("{policy} is wrong, which {does}, or the expectation is: the kernel does what {policy} says")
        }
        (Conclusion::KernelSurprisesModel, said) => {
            let (did, says) = (past(kernel), present(said));
            let expected = if expected == kernel { ", as expected," } else { "" };
            if claimed {
                format!("the launcher does not do what its document says: it {did}{expected} what that {says}{rule}")
            } else {
                format!("the kernel surprises the model: it {did}{expected} what the policy {says}{rule}")
            }
        }
        (Conclusion::ModelCannotTell, _) if claimed => {
            "the launcher or the expectation is wrong; its document claims nothing of this".to_owned()
        }
        (Conclusion::ModelCannotTell, _) => {
            format!("{policy} or the expectation is wrong; the model cannot tell what {policy} says")
        }
        (Conclusion::ModelNotAsked, _) => {
            // Of a launcher without claims there is no other opinion, and the lane is off as well.
            let does = match kernel {
                Some(Decision::Allow) => "lets through what it should not",
                Some(Decision::Deny) | None => "denies what it should let through",
            };
            format!(
                "the sandbox {does}, or the expectation is wrong; the model was not asked, because the oracle lane is off"
            )
        }
        (Conclusion::Undecided, None) => "nothing was decided".to_owned(),
        (Conclusion::Undecided, Some(decision)) => {
            let otherwise = if expected.is_some_and(|expected| expected != decision) {
                ", which is not what is expected"
            } else {
                ""
            };
            format!("nothing was decided; {policy} {} it{rule}{otherwise}", present(said))
        }
    }
}

fn rule(model: &ModelOpinion) -> Option<String> {
    let rule = model.rule.as_deref()?;
    Some(match &model.rule_place {
        Some(place) => format!("`{rule}` ({place})"),
        None => format!("`{rule}`"),
    })
}

fn present(decision: Option<Decision>) -> &'static str {
    match decision {
        Some(Decision::Allow) => "allows",
        Some(Decision::Deny) => "denies",
        None => "leaves open",
    }
}

fn past(decision: Option<Decision>) -> &'static str {
    match decision {
        Some(Decision::Allow) => "allowed",
        Some(Decision::Deny) => "denied",
        None => "left open",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::opinions::SourcePlace;
    use Decision::{Allow, Deny};

    fn model(source: &str, decision: Option<Decision>, rule: Option<&str>) -> ModelOpinion {
        ModelOpinion {
            source: source.into(),
            decision,
            rule: rule.map(str::to_owned),
            rule_place: rule.map(|_| SourcePlace { path: "p.json".into(), line: 7, column: 5 }),
            reason: "why".into(),
            assumes: Vec::new(),
        }
    }

    fn said(expected: Decision, kernel: Option<Decision>, model: Option<ModelOpinion>) -> (Conclusion, String) {
        let opinions = of(Some(expected), None, kernel, model);
        (opinions.conclusion, opinions.sentence)
    }

    /// The whole table: what is expected, what the kernel did, what the model says, and what follows.
    #[test]
    fn every_case_has_its_conclusion() {
        use Conclusion as C;
        for expected in [Allow, Deny] {
            for kernel in [None, Some(Allow), Some(Deny)] {
                for asked in [None, Some(None), Some(Some(Allow)), Some(Some(Deny))] {
                    let wanted = match (kernel, asked) {
                        (None, _) => C::Undecided,
                        (Some(kernel), Some(Some(said))) if kernel != said => C::KernelSurprisesModel,
                        (Some(kernel), _) if kernel == expected => C::AsExpected,
                        (_, Some(Some(_))) => C::PolicyOrExpectation,
                        (_, Some(None)) => C::ModelCannotTell,
                        (_, None) => C::ModelNotAsked,
                    };
                    let found = said(expected, kernel, asked.map(|said| model("landlock_model", said, Some("/x"))));
                    assert_eq!(found.0, wanted, "{expected:?} {kernel:?} {asked:?}");
                    assert!(!found.1.is_empty() && !found.1.contains("  ") && !found.1.contains("leaves open"));
                }
            }
        }
        assert_eq!(of(None, None, Some(Allow), None).conclusion, C::Unasserted);
        let denies = Some(model("landlock_model", Some(Deny), None));
        assert_eq!(of(None, None, Some(Allow), denies).conclusion, C::KernelSurprisesModel);
    }

    #[test]
    fn a_conclusion_names_the_rule_and_its_line() {
        let landlock = |decision, rule| Some(model("landlock_model", decision, rule));
        let text = |expected, kernel, asked| said(expected, kernel, asked).1;
        assert_eq!(
            text(Deny, Some(Allow), landlock(Some(Allow), Some("/path_beneath/0"))),
            "the policy is wrong, which allows it by `/path_beneath/0` (p.json:7), or the expectation is: the kernel does what \
             the policy says"
        );
        assert_eq!(
            text(Deny, Some(Allow), landlock(Some(Allow), None)),
            "the policy is wrong, which does not restrict it, or the expectation is: the kernel does what the policy says"
        );
        assert_eq!(
            text(Deny, Some(Allow), landlock(Some(Deny), Some("/handled/fs"))),
            "the kernel surprises the model: it allowed what the policy denies by `/handled/fs` (p.json:7)"
        );
        assert_eq!(
            text(Allow, Some(Allow), landlock(Some(Deny), None)),
            "the kernel surprises the model: it allowed, as expected, what the policy denies"
        );
        assert_eq!(
            text(Deny, Some(Allow), Some(model("launcher_claims", Some(Deny), Some("/claims/2")))),
            "the launcher does not do what its document says: it allowed what that denies by `/claims/2` (p.json:7)"
        );
        assert_eq!(
            text(Allow, None, landlock(Some(Deny), None)),
            "nothing was decided; the policy denies it, which is not what is expected"
        );
        assert_eq!(text(Deny, Some(Deny), landlock(Some(Deny), None)), "as expected, and as the policy says");
    }

    #[test]
    fn what_the_model_takes_for_granted_is_said_where_it_may_matter() {
        let told = |kernel| {
            let assumes = vec!["`/usr` exists".to_owned()];
            let model = ModelOpinion { assumes, ..model("landlock_model", Some(Deny), None) };
            let opinions = of(Some(Allow), None, kernel, Some(model));
            lines(&opinions, None, "", None).into_iter().find(|(name, _)| *name == "model").unwrap().1
        };
        assert_eq!(told(Some(Deny)), "deny: why");
        assert_eq!(told(Some(Allow)), "deny: why (if `/usr` exists)");
        assert_eq!(told(None), "deny: why (if `/usr` exists)");
    }

    #[test]
    fn what_to_do_stands_last() {
        let all = lines(&of(Some(Deny), None, None, None), None, "", Some("look there"));
        assert_eq!(all.last().unwrap(), &("do", "look there".to_owned()));
    }

    #[test]
    fn conclusions_have_the_names_that_documents_write() {
        for conclusion in Conclusion::ALL {
            assert_eq!(serde_json::to_value(conclusion).unwrap(), conclusion.as_str());
        }
    }
}
