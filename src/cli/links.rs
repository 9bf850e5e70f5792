//! `sandproof links`

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand};
use serde::Serialize;

use super::exit::{Exit, Failure};
use super::failures::review_failure;
use super::key_values::KeyValues;
use super::out::Destination;
use super::table;
use super::ui::Ui;
use super::validate_bundle;
use crate::record::links::{LinkedExpectation, LinkedPacket, LinkedProfile, RuntimeLinks};
use crate::review::links::{self, NamedDocument};
use crate::review::{OpenedPacket, ReviewError, Vocabulary};

/// Tie profiles and expectations to the packets that evidence them.
#[derive(Debug, Args)]
pub(super) struct LinksArgs {
    #[command(subcommand)]
    command: LinksCommand,
}

#[derive(Debug, Subcommand)]
enum LinksCommand {
    Build(BuildArgs),
    Profiles(LinksListArgs),
    Expectations(ExpectationsArgs),
    Resolve(ResolveArgs),
}

/// Make the links of one or more packets, each verified with its bundle.
#[derive(Debug, Args)]
struct BuildArgs {
    /// A promotion packet. May be given several times.
    #[arg(long, value_name = "FILE", required = true)]
    packet: Vec<PathBuf>,
    /// Write the links to this file; `-` is standard output. Without it they are only shown.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Another mapping document to name, `op_runtime_summary=FILE` for instance. May be given several times.
    #[arg(long, value_name = "KEY=FILE")]
    link: Vec<String>,
    /// Numbers of operations: a document with `ops[]` of `name` and `id`. Without it no operation has a number.
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// What the pointers of packets are relative to. Default: the checkout or workspace around each packet.
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Also link what may not be promoted.
    #[arg(long)]
    allow_nonpromotable: bool,
    /// Print the links themselves.
    #[arg(long)]
    json: bool,
}

/// List the linked profiles.
#[derive(Debug, Args)]
struct LinksListArgs {
    /// The links, as `links build` wrote them.
    #[arg(long, value_name = "FILE")]
    links: PathBuf,
    /// Print the profiles as JSON.
    #[arg(long)]
    json: bool,
}

/// List the linked expectations.
#[derive(Debug, Args)]
struct ExpectationsArgs {
    /// The links, as `links build` wrote them.
    #[arg(long, value_name = "FILE")]
    links: PathBuf,
    /// Print the expectations as JSON.
    #[arg(long)]
    json: bool,
}

/// Follow one profile or expectation to its packets.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["profile", "expectation"]))]
struct ResolveArgs {
    /// The links, as `links build` wrote them.
    #[arg(long, value_name = "FILE")]
    links: PathBuf,
    /// Id of the profile.
    #[arg(long, value_name = "ID")]
    profile: Option<String>,
    /// Id of the expectation.
    #[arg(long, value_name = "ID")]
    expectation: Option<String>,
    /// Print what was found as JSON.
    #[arg(long)]
    json: bool,
}

/// `links resolve --json`
#[derive(Debug, Serialize)]
struct ResolvedLinks<'a> {
    expectation: Option<&'a LinkedExpectation>,
    profile: &'a LinkedProfile,
    packets: Vec<&'a LinkedPacket>,
}

/// Does what the command says.
pub(super) fn run(args: &LinksArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    match &args.command {
        LinksCommand::Build(args) => build(args, ui),
        LinksCommand::Profiles(args) => profiles(args, ui),
        LinksCommand::Expectations(args) => expectations(args, ui),
        LinksCommand::Resolve(args) => resolve(args, ui),
    }
}

fn build(args: &BuildArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let destination = args.out.as_deref().map(Destination::of).transpose()?;
    let links = match make(args) {
        Ok(links) => links,
        Err(ReviewError::Refused(refused)) => return validate_bundle::report(&refused, args.json, ui),
        Err(error) => return Err(review_failure(error)),
    };
    if let Some(destination) = destination
        && destination.put(&links::to_bytes(&links), ui)?
    {
        return Ok(Exit::Done);
    }
    if args.json {
        ui.json(&links);
        return Ok(Exit::Done);
    }
    let mut sheet = KeyValues::default();
    sheet.line("world", links.meta.world_id.as_str());
    sheet.list("packets", links.packets.keys().map(String::as_str));
    sheet.line("profiles", &links.profiles.len().to_string());
    sheet.line("expected", &format!("{} expectations", links.expectations.len()));
    sheet.maybe("wrote", args.out.as_ref().map(|out| out.display().to_string()).as_deref());
    ui.out(&sheet.render());
    Ok(Exit::Done)
}

fn make(args: &BuildArgs) -> Result<RuntimeLinks, ReviewError> {
    let vocabulary = args.vocab.as_deref().map(Vocabulary::load).transpose()?.unwrap_or_default();
    let mut documents = Vec::new();
    for text in &args.link {
        let (key, file) = text.split_once('=').unwrap_or((text, ""));
        documents.push(NamedDocument::read(key, file.as_ref())?);
    }
    let mut packets = Vec::new();
    for file in &args.packet {
        let packet = OpenedPacket::open(file, args.root.as_deref())?;
        if !args.allow_nonpromotable {
            packet.require_promotable()?;
        }
        packets.push(packet);
    }
    links::build(&packets, &documents, &vocabulary)
}

fn profiles(args: &LinksListArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let links = links::load(&args.links).map_err(review_failure)?;
    if args.json {
        ui.answer_with("linked_profiles", "profiles", &links.profiles.values().collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = links
        .profiles
        .values()
        .map(|profile| {
            vec![
                profile.profile_id.clone(),
                profile.expectation_ids.len().to_string(),
                profile.observed_expectation_ids.len().to_string(),
                profile.source_packets.len().to_string(),
                profile.profile_path.clone(),
            ]
        })
        .collect();
    ui.out(&table::fitted(&["PROFILE", "EXPECTED", "OBSERVED", "PACKETS", "POLICY"], &rows, ui.width()));
    Ok(Exit::Done)
}

fn expectations(args: &ExpectationsArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let links = links::load(&args.links).map_err(review_failure)?;
    if args.json {
        ui.answer_with("linked_expectations", "expectations", &links.expectations.values().collect::<Vec<_>>());
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = links
        .expectations
        .values()
        .map(|one| {
            vec![
                one.expectation_id.clone(),
                one.expected.as_str().to_owned(),
                one.operation.clone(),
                one.profile_id.clone(),
                one.source_packets.len().to_string(),
            ]
        })
        .collect();
    ui.out(&table::fitted(&["EXPECTATION", "EXPECTED", "OPERATION", "PROFILE", "PACKETS"], &rows, ui.width()));
    Ok(Exit::Done)
}

fn resolve(args: &ResolveArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    let links = links::load(&args.links).map_err(review_failure)?;
    let expectation =
        args.expectation.as_deref().map(|id| links.resolve_expectation(id)).transpose().map_err(review_failure)?;
    let profile = expectation.map(|one| one.profile_id.as_str()).or(args.profile.as_deref()).unwrap_or_default();
    let profile = links.resolve_profile(profile).map_err(review_failure)?;
    let sources = expectation.map_or(&profile.source_packets, |one| &one.source_packets);
    let packets = sources.iter().filter_map(|path| links.packets.get(path)).collect();
    if args.json {
        ui.answer("link_resolution", &ResolvedLinks { expectation, profile, packets });
        return Ok(Exit::Done);
    }
    let mut sheet = KeyValues::default();
    if let Some(one) = expectation {
        sheet.line("id", &one.expectation_id);
        sheet.line("operation", &one.operation);
        sheet.line("target", &one.target);
        sheet.line("expected", one.expected.as_str());
    }
    sheet.line("profile", &profile.profile_id);
    sheet.line("policy", &profile.profile_path);
    sheet.maybe("sha256", profile.profile_source.sha256.map(|digest| digest.to_string()).as_deref());
    if expectation.is_none() {
        sheet.list("expected", profile.expectation_ids.iter().map(String::as_str));
    }
    sheet.list("packets", sources.iter().map(String::as_str));
    let bundles: Vec<&str> = packets.iter().map(|packet| packet.output_root.as_str()).collect();
    sheet.list("bundles", bundles.into_iter());
    ui.out(&sheet.render());
    Ok(Exit::Done)
}
