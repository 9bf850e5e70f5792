mod append;
mod evaluation;
mod gates;
mod hostile;
mod refusals;
mod round_trip;
mod system_style;

use std::collections::BTreeMap;

use super::rules::{Filter, PathFilter, Rule};
use super::{SbplError, SbplPolicy};

/// Reads a profile without parameters.
fn read(text: &str) -> SbplPolicy {
    given(text, &[])
}

/// Reads a profile with parameters.
fn given(text: &str, parameters: &[(&str, &str)]) -> SbplPolicy {
    SbplPolicy::new(text, pairs(parameters)).unwrap_or_else(|error| panic!("{error}"))
}

/// The refusal of a profile.
fn refused(text: &str) -> SbplError {
    SbplPolicy::new(text, BTreeMap::new()).expect_err(text)
}

fn pairs(parameters: &[(&str, &str)]) -> BTreeMap<String, String> {
    parameters.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// Its rules, version and default aside.
fn rules(body: &str) -> Vec<Rule> {
    given(&format!("(version 1)(deny default)\n{body}"), &[]).rules().rules[1..].to_vec()
}

/// The filters of its only rule.
fn filters(body: &str) -> Vec<Filter> {
    let rules = rules(body);
    assert_eq!(rules.len(), 1, "{rules:?}");
    rules[0].filters.clone()
}

fn literal(path: &str) -> Filter {
    Filter::Path(PathFilter::Literal(path.to_owned()))
}

fn subpath(path: &str) -> Filter {
    Filter::Path(PathFilter::Subpath(path.to_owned()))
}
