//! What is compared: a bundle, a promotion packet, or a declaration.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::DiffError;
use super::text_lines::TextSource;
use crate::base::error_chain::error_chain;
use crate::base::fsx;
use crate::base::json;
use crate::base::threads;
use crate::bundle::sealed_run::{self, SealedRun};
use crate::bundle::{self, Bundle, Verified, sealed_folder};
use crate::identity;
use crate::plan::subject::{NamedRoots, SYSTEM_DECLARATION_SCHEMAS, read_declaration_file_with};
use crate::promote;
use crate::record::identity::{Declaration, PartDigests};
use crate::record::layout;
use crate::record::packet::{PROMOTION_PACKET_SCHEMA, PromotionPacket};
use crate::record::run_diff::{Side, SourceKind};

/// Largest packet or declaration that is read, in bytes.
const MAX_DOCUMENT_BYTES: u64 = 64 * 1024 * 1024;

/// One of the two things that are compared, as far as it can be relied on.
#[derive(Debug)]
pub struct ComparedSide {
    pub(super) side: Side,
    pub(super) declaration: Option<Declaration>,
    pub(super) parts: Option<PartDigests>,
    pub(super) bundle: Option<Verified<Bundle>>,
    /// Of a sealed command: its ending and its outputs.
    pub(super) sealed: Option<SealedRun>,
    /// Where the bytes are whose digests the declaration gives.
    pub(super) contents: TextSource,
}

impl ComparedSide {
    /// Its bundle; `None` for a declaration, and for a packet whose bundle is not at hand.
    pub fn bundle(&self) -> Option<&Verified<Bundle>> {
        self.bundle.as_ref()
    }
}

/// Opens both sides at the same time: a bundle is verified by more than one processor, and never keeps two busy to the end.
pub fn open_both(a: &Path, b: &Path, roots: &NamedRoots) -> [Result<ComparedSide, DiffError>; 2] {
    let (b, a) = threads::both(|| open_with(b, roots), || open_with(a, roots));
    [a, b]
}

/// Opens the thing at `path`. A bundle is verified; a packet is too if its bundle can be found.
pub fn open(path: &Path) -> Result<ComparedSide, DiffError> {
    open_with(path, &NamedRoots::new())
}

/// The same, with folders that paths of an unsealed declaration can begin at.
///
/// # Errors
/// As [`open`].
pub fn open_with(path: &Path, roots: &NamedRoots) -> Result<ComparedSide, DiffError> {
    let given = path.display().to_string();
    let sealed_in = sealed_folder::declaration_in(path);
    if path.is_dir() && sealed_in.is_none() {
        return open_bundle(path, given);
    }
    if sealed_in.is_some() && path.join(sealed_run::ENDING).exists() {
        return open_sealed_run(path, given);
    }
    let bytes = fsx::read_input(sealed_in.as_deref().unwrap_or(path), MAX_DOCUMENT_BYTES).map_err(DiffError::Read)?;
    let refuse = |reason: String| DiffError::Document { file: given.clone(), reason };
    let value = json::parse(&bytes).map_err(|error| refuse(format!("it is not acceptable JSON: {error}")))?;
    let schema = value.get("schema_version").and_then(Value::as_str).unwrap_or_default();
    if schema == PROMOTION_PACKET_SCHEMA {
        if bundle::reference::is_reference_packet(&value) {
            let manifest = value.get("run_manifest").and_then(Value::as_str).unwrap_or_default();
            return Err(refuse(bundle::reference::describe_packet(&places(path, manifest, None))));
        }
        if value.get("unverified").is_some() {
            return Err(refuse(
                "it says itself that its bundle does not verify, so nothing can be compared with it".into(),
            ));
        }
        let packet = json::from_value(value).map_err(|error| refuse(format!("as a packet: {error}")))?;
        return open_packet(path, given, &packet);
    }
    if value.get("digests").is_some() && value.get("identity").is_some() {
        let declaration = sealed(value).map_err(refuse)?;
        let contents = sealed_in.map_or(TextSource::Nowhere, |_| TextSource::folder(path));
        return Ok(ComparedSide { contents, ..of_declaration(given, declaration) });
    }
    if SYSTEM_DECLARATION_SCHEMAS.contains(&schema) {
        return declare(path, given, roots);
    }
    Err(refuse("it is neither a bundle's folder, nor a promotion packet, nor a declaration".into()))
}

/// Opens what `identity seal` left of a command that ended.
fn open_sealed_run(path: &Path, given: String) -> Result<ComparedSide, DiffError> {
    let run = SealedRun::open(path)
        .map_err(|error| DiffError::Document { file: given.clone(), reason: error_chain(&error) })?;
    let mut opened = of_declaration(given, run.declaration.clone());
    opened.side.source = SourceKind::Sealed;
    Ok(ComparedSide { contents: TextSource::folder(path), sealed: Some(run), ..opened })
}

/// Declares what somebody describes of another system, with every file that the description names.
fn declare(path: &Path, given: String, roots: &NamedRoots) -> Result<ComparedSide, DiffError> {
    let subject = read_declaration_file_with(path, roots.clone()).map_err(|error| DiffError::Load(Box::new(error)))?;
    let declaration = identity::external::declare(&subject)
        .map_err(|error| DiffError::Document { file: given.clone(), reason: error.to_string() })?;
    let contents = TextSource::of(&subject);
    Ok(ComparedSide { contents, ..of_declaration(given, declaration) })
}

/// Puts a declaration on a side of its own.
pub fn of_declaration(given: String, declaration: Declaration) -> ComparedSide {
    let side = Side {
        given,
        source: SourceKind::Declaration,
        run_id: None,
        world_id: None,
        kind: Some(declaration.kind.clone()),
        identity: Some(declaration.identity),
        not_verified: Vec::new(),
    };
    ComparedSide {
        side,
        parts: Some(declaration.digests),
        declaration: Some(declaration),
        bundle: None,
        sealed: None,
        contents: TextSource::Nowhere,
    }
}

/// Puts a verified bundle on a side of its own.
pub fn of_bundle(given: String, bundle: Verified<Bundle>) -> ComparedSide {
    let declaration = bundle.identity().cloned();
    let side = Side {
        given,
        source: SourceKind::Bundle,
        run_id: Some(bundle.index().run_id.to_string()),
        world_id: Some(bundle.index().world_id.to_string()),
        kind: declaration.as_ref().map(|declaration| declaration.kind.clone()),
        identity: declaration.as_ref().map(|declaration| declaration.identity),
        not_verified: Vec::new(),
    };
    ComparedSide {
        side,
        parts: declaration.as_ref().map(|one| one.digests),
        declaration,
        bundle: Some(bundle),
        sealed: None,
        contents: TextSource::Nowhere,
    }
}

fn open_bundle(path: &Path, given: String) -> Result<ComparedSide, DiffError> {
    let bundle = bundle::verify(path).map_err(|refused| DiffError::Refused(Box::new(refused)))?;
    Ok(of_bundle(given, bundle))
}

/// A declaration whose digests are those of its own parts.
fn sealed(value: Value) -> Result<Declaration, String> {
    let declaration: Declaration = json::from_value(value).map_err(|error| format!("as a declaration: {error}"))?;
    match identity::check(&declaration).first() {
        Some(flaw) => Err(format!("`{}`: {flaw}", flaw.pointer())),
        None => Ok(declaration),
    }
}

fn open_packet(path: &Path, given: String, packet: &PromotionPacket) -> Result<ComparedSide, DiffError> {
    let refuse = |reason: String| DiffError::Document { file: given.clone(), reason };
    let Some(folder) = bundle_of(path, packet) else {
        let why = "its bundle was not found beside it nor where its pointers lead, so nothing that it says of the run was verified";
        let side = Side {
            source: SourceKind::Packet,
            run_id: Some(packet.run_id.to_string()),
            world_id: Some(packet.world_id.to_string()),
            kind: packet.identity.map(|_| crate::record::identity::RUN_KIND.to_owned()),
            identity: packet.identity,
            not_verified: vec![why.to_owned()],
            given,
        };
        return Ok(ComparedSide {
            side,
            declaration: None,
            parts: packet.identity_parts,
            bundle: None,
            sealed: None,
            contents: TextSource::Nowhere,
        });
    };
    let found = bundle::verify(&folder).map_err(|refused| DiffError::Refused(Box::new(refused)))?;
    if found.index_sha256() != packet.index_sha256 {
        return Err(refuse(format!(
            "it is of the bundle with the index {}; the one in `{}` has {}",
            packet.index_sha256,
            folder.display(),
            found.index_sha256()
        )));
    }
    let expected = promote::packet::make(&found, &promote::evaluate(&found));
    if expected != *packet {
        let (said, given) = (serde_json::to_value(packet), serde_json::to_value(&expected));
        let differing = said.ok().zip(given.ok()).map(|(said, given)| identity::differences("", &said, &given));
        let pointer = differing.and_then(|all| all.into_iter().next()).map(|one| one.pointer).unwrap_or_default();
        return Err(refuse(format!("`{pointer}` is not what its bundle gives")));
    }
    let mut opened = of_bundle(given, found);
    opened.side.source = SourceKind::Packet;
    Ok(opened)
}

/// The folder of a packet's bundle, if it is found.
fn bundle_of(path: &Path, packet: &PromotionPacket) -> Option<PathBuf> {
    let mut places = places(path, &packet.run_manifest, Some(packet.run_id.as_str())).into_iter();
    places.find(|place| place.join(layout::ARTIFACT_INDEX).is_file())
}

/// Where a packet's bundle may lie: where its pointer to the manifest leads from its own folder or one above, or from the
/// current one, or beside it.
fn places(path: &Path, manifest: &str, run_id: Option<&str>) -> Vec<PathBuf> {
    let (Some(root), Ok(own)) = (Path::new(manifest).parent(), std::fs::canonicalize(path)) else { return Vec::new() };
    let above = own.ancestors().skip(1);
    let pointed = above.clone().map(|folder| folder.join(root)).chain([root.to_owned()]);
    let name = run_id.map(std::ffi::OsStr::new).or_else(|| root.file_name());
    let beside = above.take(1).filter_map(|folder| Some(folder.join(name?)));
    pointed.chain(beside).collect()
}
