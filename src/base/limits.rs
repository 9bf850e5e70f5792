//! The sizes and counts past which input is refused.
//!
//! They are generous for honest use and finite for everything else. `SPEC.md` lists them; a change here changes it.

/// Largest input document (plan, registry, index), in bytes.
pub const MAX_INPUT_DOCUMENT_BYTES: u64 = 256 * 1024 * 1024;
/// Largest policy document, in bytes.
pub const MAX_POLICY_BYTES: u64 = 10 * 1024 * 1024;
/// Most lists and atoms that a Seatbelt profile's text may hold.
pub const MAX_SBPL_NODES: usize = 1_000_000;
/// Deepest nesting of a Seatbelt profile's text, and of the filters that it makes.
pub const MAX_SBPL_DEPTH: usize = 128;
/// Deepest nesting of calls while a Seatbelt profile's program runs. What stands last in a procedure is no level.
pub const MAX_SBPL_CALLS: usize = 300;
/// Most work that a Seatbelt profile's program may cause: forms evaluated, parts of filters and bytes of text made.
/// Writing rules out stays below [`SBPL_WORK_PER_BYTE`], which comes on top.
pub const MAX_SBPL_WORK: u64 = 8_000_000;
/// Further work for each byte of the profile's text.
pub const SBPL_WORK_PER_BYTE: u64 = 40;
/// Deepest nesting of a JSON document.
pub const MAX_JSON_DEPTH: usize = 64;
/// Longest single string in an input document, in bytes.
pub const MAX_STRING_BYTES: usize = 1024 * 1024;
/// Most files that a bundle may hold.
pub const MAX_BUNDLE_FILES: usize = 4096;
/// Largest single file of a bundle, in bytes.
pub const MAX_BUNDLE_FILE_BYTES: u64 = 64 * 1024 * 1024 * 1024;
/// Largest document of a bundle that is kept in memory, in bytes.
pub const MAX_BUNDLE_DOCUMENT_BYTES: u64 = 64 * 1024 * 1024;
/// Largest `artifact_index.json`, in bytes.
pub const MAX_INDEX_BYTES: u64 = 8 * 1024 * 1024;
/// Most files that an archive of `collect` may hold.
pub const MAX_ARCHIVE_FILES: u64 = 10_000;
/// Most bytes that the files of such an archive may hold together.
pub const MAX_ARCHIVE_BYTES: u64 = 1024 * 1024 * 1024;
/// Longest line of a rows file, in bytes.
pub const MAX_ROW_BYTES: usize = 1024 * 1024;
/// Most rows that a plan may have in one lane.
pub const MAX_ROWS: usize = 1_000_000;
/// Most bytes that a probe child may report.
pub const MAX_REPORT_BYTES: usize = 64 * 1024;
/// Most files that the declaration of another system may name.
pub const MAX_SUBJECT_FILES: usize = 1000;
/// Largest file that such a declaration may name, in bytes; of what is larger it gives the digest.
pub const MAX_SUBJECT_FILE_BYTES: u64 = 16 * 1024 * 1024;
/// Largest total of the files that such a declaration names, in bytes.
pub const MAX_SUBJECT_BYTES: u64 = 64 * 1024 * 1024;
/// Most entries (files, folders, links) that a folder of a declaration may hold.
pub const MAX_FOLDER_ENTRIES: u64 = 1_000_000;
/// How many folders deep such a folder may go.
pub const MAX_FOLDER_DEPTH: usize = 256;
