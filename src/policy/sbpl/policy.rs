//! A profile as a checked value.

use std::collections::{BTreeMap, BTreeSet};

use super::error::SbplError;
use super::eval::{Remark, evaluate};
use super::gate::{ApplyGate, scan};
use super::imports::Imports;
use super::parse::parse;
use super::rules::{LineColumn, SbplRules};
use crate::base::digest::Digest;

/// A profile: its text, what it was given, and the rules that its program makes. Only a text that can be read becomes
/// one, so whoever holds it can rely on both.
#[derive(Debug, Clone, PartialEq)]
pub struct SbplPolicy {
    text: String,
    parameters: BTreeMap<String, String>,
    imports: Imports,
    rules: SbplRules,
    remarks: Vec<Remark>,
    asked: BTreeSet<String>,
    /// The line that the first appended rule begins at; 0 without any.
    appended_from: u32,
}

impl SbplPolicy {
    /// Reads a profile that gets these parameters.
    ///
    /// # Errors
    /// The first fault of the text, or of the program in it.
    pub fn new(text: impl Into<String>, parameters: BTreeMap<String, String>) -> Result<Self, SbplError> {
        Self::with_imports(text, parameters, Imports::default())
    }

    /// The same for a profile whose imported files are known.
    ///
    /// # Errors
    /// The first fault of the text, of an imported one, or of the program in them.
    pub fn with_imports(
        text: impl Into<String>,
        parameters: BTreeMap<String, String>,
        imports: Imports,
    ) -> Result<Self, SbplError> {
        let text = text.into();
        let evaluation = evaluate(&parse(&text)?, &text, &parameters, &imports)?;
        Ok(Self {
            text,
            parameters,
            imports,
            rules: evaluation.rules,
            remarks: evaluation.remarks,
            asked: evaluation.asked,
            appended_from: 0,
        })
    }

    /// The profile with `rules` after its text, each on a line of its own, as they are applied.
    ///
    /// # Errors
    /// The first fault; see [`AppendError`].
    pub fn with_rules<S: AsRef<str>>(&self, rules: &[S]) -> Result<Self, AppendError> {
        self.with_rules_and(rules, Imports::default())
    }

    /// The same where the rules import further files.
    ///
    /// # Errors
    /// The first fault; see [`AppendError`].
    pub fn with_rules_and<S: AsRef<str>>(&self, rules: &[S], more: Imports) -> Result<Self, AppendError> {
        if rules.is_empty() {
            return Ok(self.clone());
        }
        let text = appended(&self.text, rules);
        let first_line = line_after(&self.text);
        match Self::with_imports(text, self.parameters.clone(), self.imports.clone().and(more)) {
            Ok(policy) => Ok(Self { appended_from: first_line, ..policy }),
            Err(error) => Err(AppendError::locate(error, first_line, rules)),
        }
    }

    /// The text, as it is applied.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The parameters that it is applied with.
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.parameters
    }

    /// The imported files that were read.
    pub fn imports(&self) -> &Imports {
        &self.imports
    }

    /// The text that `place` is in: the profile's own, or that of an imported file.
    pub fn text_at(&self, place: LineColumn) -> &str {
        place.file.map_or(&self.text, |file| self.imports.text(file))
    }

    /// The rules that the profile's text comes to.
    pub fn rules(&self) -> &SbplRules {
        &self.rules
    }

    /// What is doubtful about it.
    pub fn remarks(&self) -> &[Remark] {
        &self.remarks
    }

    /// Parameters that it has and never asks for.
    pub fn unused_parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.keys().map(String::as_str).filter(|key| !self.asked.contains(*key))
    }

    /// What is known to keep it from being applied.
    pub fn gates(&self) -> Vec<ApplyGate> {
        scan(&self.rules)
    }

    /// Digest of [`Self::text`].
    pub fn digest(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// Whether `place` is in a rule that was appended.
    pub fn is_appended(&self, place: LineColumn) -> bool {
        self.appended_from != 0 && place.file.is_none() && place.line >= self.appended_from
    }
}

/// Why rules cannot be appended to a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendError {
    /// The rule that is at fault, by its place in the list. `None`: the profile itself.
    pub rule: Option<usize>,
    /// The fault. Within a rule, its place counts from the rule's own beginning.
    pub error: Box<SbplError>,
}

impl AppendError {
    /// Finds the rule that an error in the whole text is about.
    fn locate<S: AsRef<str>>(mut error: SbplError, first_line: u32, rules: &[S]) -> Self {
        let mut line = first_line;
        for (n, rule) in rules.iter().enumerate() {
            let next = line + lines_of(rule.as_ref());
            if error.place.file.is_none() && (line..next).contains(&error.place.line) {
                error.place.line -= line - 1;
                return Self { rule: Some(n), error: Box::new(error) };
            }
            line = next;
        }
        Self { rule: None, error: Box::new(error) }
    }
}

/// `text` and then each of `rules` on lines of its own.
fn appended<S: AsRef<str>>(text: &str, rules: &[S]) -> String {
    let mut out = text.to_owned();
    if !out.is_empty() && !out.ends_with('\n') {
        out.push('\n');
    }
    for rule in rules {
        out.push_str(rule.as_ref());
        out.push('\n');
    }
    out
}

/// The line on which something appended to `text` begins.
fn line_after(text: &str) -> u32 {
    let breaks = text.matches('\n').count() as u32;
    if text.is_empty() || text.ends_with('\n') { breaks + 1 } else { breaks + 2 }
}

/// How many lines a rule takes when it is appended.
fn lines_of(rule: &str) -> u32 {
    rule.matches('\n').count() as u32 + 1
}
