//! A case as a document that can be sent, and back.

use super::case::DriftCase;
use super::judge::DriftJudgement;
use crate::base::json;
use crate::policy::landlock::document::{Handled, LayerDocument, NetPort, PathBeneath};
use crate::policy::landlock::{LandlockPolicy, PolicyDocument};
use crate::record::drift::{DRIFT_CASE_SCHEMA, KeptCase};

/// Why a file is no case.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It is not acceptable JSON.
    #[error("not acceptable JSON: {0}")]
    Json(String),
    /// It has not the shape of a case.
    #[error("no case of a comparison: {0}")]
    Shape(#[from] serde_json::Error),
    /// It is of another format.
    #[error("its format is `{0}`, and not `{DRIFT_CASE_SCHEMA}`")]
    Format(String),
    /// Its policy is none.
    #[error("its policy is refused at `{0}`")]
    Policy(String),
}

/// A judged case as it is kept. `on`: the kernel's release and ABI.
pub fn kept(seed: u64, number: u64, on: (&str, i32), case: &DriftCase, judged: &DriftJudgement) -> KeptCase {
    KeptCase {
        schema_version: DRIFT_CASE_SCHEMA.to_owned(),
        seed,
        number,
        kernel: on.0.to_owned(),
        landlock_abi: on.1,
        policy: serde_json::to_value(document(&case.policy)).expect("a policy document is made of JSON values"),
        fixtures: case.fixtures.clone(),
        action: case.action.clone(),
        model: judged.model.decision,
        reason: judged.model.reason.clone(),
        without: judged.without,
        under: judged.under,
    }
}

/// Reads a kept case.
///
/// # Errors
/// See [`CaseError`].
pub fn read(bytes: &[u8]) -> Result<(KeptCase, DriftCase), CaseError> {
    let value = json::parse(bytes).map_err(|error| CaseError::Json(error.to_string()))?;
    let kept: KeptCase = json::from_value(value)?;
    if kept.schema_version != DRIFT_CASE_SCHEMA {
        return Err(CaseError::Format(kept.schema_version));
    }
    let document: PolicyDocument = json::from_value(kept.policy.clone())?;
    let policy = LandlockPolicy::compile(&document).map_err(|errors| {
        let pointers: Vec<String> = errors.into_iter().map(|error| error.pointer).collect();
        CaseError::Policy(pointers.join(", "))
    })?;
    let case = DriftCase { policy, fixtures: kept.fixtures.clone(), action: kept.action.clone() };
    Ok((kept, case))
}

fn document(policy: &LandlockPolicy) -> PolicyDocument {
    let layers = policy.layers.iter().map(|layer| LayerDocument {
        handled: Handled { fs: layer.handled_fs, net: layer.handled_net, scope: layer.scoped },
        path_beneath: (layer.path_beneath.iter())
            .map(|rule| PathBeneath { path: rule.path.clone(), allow: rule.allow })
            .collect(),
        net_port: layer.net_port.iter().map(|rule| NetPort { port: rule.port.clone(), allow: rule.allow }).collect(),
    });
    PolicyDocument {
        schema_version: "sandproof.landlock_policy.v1".to_owned(),
        description: None,
        abi: policy.abi,
        tsync: policy.tsync,
        layers: layers.collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::case::CaseKind;
    use crate::drift::dice::Dice;
    use crate::policy::landlock::evaluate;
    use crate::record::drift::KernelOutcome;

    #[test]
    fn a_kept_case_reads_back_as_itself() {
        for number in 0..50 {
            for kind in CaseKind::ALL {
                let case = kind.roll(&mut Dice::new(11, number), 7);
                let judged = DriftJudgement {
                    model: evaluate(&case.policy, &case.action, &case.fixtures),
                    without: KernelOutcome::Done,
                    under: KernelOutcome::Failed { errno: 13 },
                    agree: false,
                };
                let kept = kept(11, number, ("6.18.1", 7), &case, &judged);
                let bytes = serde_json::to_vec(&kept).unwrap();
                let (read_kept, read_case) = read(&bytes).unwrap();
                assert_eq!((read_kept, read_case), (kept, case));
            }
        }
        assert!(matches!(read(b"{"), Err(CaseError::Json(_))));
        assert!(matches!(read(b"{}"), Err(CaseError::Shape(_))));
    }
}
