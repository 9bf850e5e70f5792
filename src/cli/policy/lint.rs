//! `sandproof policy lint`

use clap::Args;

use super::super::color;
use super::super::exit::{Exit, Failure};
use super::super::policy_source::OnePolicyArgs;
use super::super::ui::Ui;
use crate::base::printable::Lines;
use crate::record::policy_review::{POLICY_LINT_SCHEMA, PolicyFinding, PolicyLint, Weight};
use crate::review::policy::landlock_lint::PathState;
use crate::review::policy::lint;

/// Look for what in a policy does not do what it seems to say.
///
/// Rules that can never match or never decide, a denial that a narrower rule comes before, paths through a link, what the
/// system would refuse to apply. Exit codes: 0 without warnings, 1 with errors or warnings, 3 if the policy cannot be read.
#[derive(Debug, Args)]
pub(super) struct LintArgs {
    #[command(flatten)]
    one: OnePolicyArgs,
}

/// Lints.
pub(super) fn run(args: &LintArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let source = args.one.find()?;
    let mut findings: Vec<PolicyFinding> = lint(&source.asked.policy.value, &look)
        .into_iter()
        .map(|found| PolicyFinding {
            severity: found.weight,
            kind: found.kind,
            rule: source.rule(&found.at),
            message: found.message,
            remedy: found.remedy,
        })
        .collect();
    let place = |finding: &PolicyFinding| finding.rule.as_ref().map_or((0, 0), |rule| (rule.line, rule.column));
    findings.sort_by_key(|finding| (place(finding), finding.severity));
    findings.dedup();
    let count = |weight| findings.iter().filter(|finding| finding.severity == weight).count();
    let (errors, warnings, remarks) = (count(Weight::Error), count(Weight::Warning), count(Weight::Remark));
    let report = PolicyLint {
        schema_version: POLICY_LINT_SCHEMA,
        policy: source.described(),
        ok: errors == 0,
        errors,
        warnings,
        findings,
    };
    if args.one.json {
        ui.json(&report);
    } else {
        let mut lines = Lines::default();
        for finding in &report.findings {
            let style = match finding.severity {
                Weight::Error => color::BAD,
                Weight::Warning => color::DOUBTFUL,
                Weight::Remark => color::HELPFUL,
            };
            let word = color::on_stdout(style, finding.severity.as_str());
            let place = match &finding.rule {
                Some(rule) => format!("{}:{}:{}", rule.file, rule.line, rule.column),
                None => report.policy.file.clone(),
            };
            lines.marked(&word, format!("[{}] {place}: {}", finding.kind.as_str(), finding.message));
            if let Some(rule) = finding.rule.as_ref().filter(|rule| !rule.text.is_empty()) {
                lines.line(format!("  {}", rule.text));
            }
            if !finding.remedy.is_empty() {
                lines.marked(&format!("  {} ", color::on_stdout(color::HELPFUL, "help:")), &finding.remedy);
            }
        }
        lines.line(format!("policy: {errors} errors, {warnings} warnings, {remarks} remarks"));
        ui.out(&lines);
    }
    Ok(if errors + warnings == 0 { Exit::Done } else { Exit::Mismatch })
}

/// What stands at a path of this host, where it is one that enforces such policies.
fn look(path: &str) -> PathState {
    if !cfg!(target_os = "linux") {
        return PathState::Unknown;
    }
    match std::fs::canonicalize(path) {
        Ok(real) if real.as_os_str() != path.trim_end_matches('/') && path != "/" => {
            PathState::Elsewhere(real.display().to_string())
        }
        Ok(real) if real.is_dir() => PathState::Folder,
        Ok(_) => PathState::NoFolder,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => PathState::Nothing,
        Err(_) => PathState::Unknown,
    }
}
