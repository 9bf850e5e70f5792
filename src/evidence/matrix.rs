//! `expected_matrix.generated.json` and its byte copy: what was expected, from the inputs alone.

use std::io;

use super::ArtifactSink;
use super::artifact_writer::ArtifactWriter;
use super::error::DeriveError;
use super::row_facts::Context;
use crate::base::json_out::{ArrayOut, ObjectOut};
use crate::plan::ResolvedPlan;
use crate::record::layout::{EXPECTED_MATRIX, EXPECTED_MATRIX_GENERATED};
use crate::record::matrix::MatrixProbe;

/// Writes the matrix under both names.
pub(super) fn write<S: ArtifactSink>(context: &Context<'_>, sink: &mut S) -> Result<(), DeriveError> {
    for name in [EXPECTED_MATRIX_GENERATED, EXPECTED_MATRIX] {
        write_one(context.plan, context.world_id, sink, name)?;
    }
    Ok(())
}

/// The matrix of a plan that was not run, as a run under the world `world_id` would write it.
pub fn expected_matrix(plan: &ResolvedPlan, world_id: &str) -> Vec<u8> {
    /// Keeps the one artifact.
    #[derive(Default)]
    struct Memory(Vec<u8>);

    impl ArtifactSink for Memory {
        type Out = Vec<u8>;

        fn create(&mut self, _: &str) -> io::Result<Vec<u8>> {
            Ok(Vec::new())
        }

        fn finish(&mut self, _: &str, out: Vec<u8>) -> io::Result<()> {
            self.0 = out;
            Ok(())
        }
    }

    let mut memory = Memory::default();
    write_one(plan, world_id, &mut memory, EXPECTED_MATRIX).expect("memory takes everything");
    memory.0
}

fn write_one<S: ArtifactSink>(
    plan: &ResolvedPlan,
    world_id: &str,
    sink: &mut S,
    name: &'static str,
) -> Result<(), DeriveError> {
    let mut artifact = ArtifactWriter::create(sink, name)?;
    let (top, mut profiles) = artifact.put(|out| {
        let mut top = ObjectOut::open(out, 0);
        top.member(out, "world_id", world_id)?;
        top.key(out, "profiles");
        let profiles = ObjectOut::open(out, top.value_level());
        Ok((top, profiles))
    })?;
    for profile in &plan.profiles {
        let (entry, mut list) = artifact.put(|out| {
            profiles.key(out, profile.id.as_str());
            let mut entry = ObjectOut::open(out, profiles.value_level());
            entry.member(out, "blob", &profile.policy.path)?;
            entry.member(out, "mode", profile.entry.mode.as_str())?;
            entry.member(out, "family", &profile.entry.family)?;
            entry.member(out, "semantic_group", &profile.entry.semantic_group)?;
            entry.key(out, "probes");
            let list = ArrayOut::open(out, entry.value_level());
            Ok((entry, list))
        })?;
        for probe in &profile.probes {
            let declared = &*probe.entry;
            let row = MatrixProbe {
                name: declared.name(),
                operation: &declared.operation,
                target: &declared.target,
                expected: declared.expected,
                mechanism: &declared.mechanism,
                errno: &declared.errno,
                name_alone: declared.name_alone,
                expectation_id: probe.expectation_id.as_str(),
                mode: filled(declared.mode.as_deref()),
                driver: filled(declared.driver.as_deref()),
                syscall: filled(declared.syscall.as_deref()),
                attr_payload: filled(declared.attr_payload.as_deref()),
                anchor_ctx_id: filled(declared.anchor_ctx_id.as_deref()),
                filter_name: filled(declared.filter_name.as_deref()),
                filter_type: declared.filter_type,
            };
            artifact.put(|out| list.push(out, &row))?;
        }
        artifact.put(|out| {
            list.close(out);
            entry.close(out);
            Ok(())
        })?;
    }
    artifact.put(|out| {
        profiles.close(out);
        top.close(out);
        Ok(())
    })?;
    artifact.finish(sink)
}

/// A text with something in it: the contract carries these keys only then.
fn filled(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
