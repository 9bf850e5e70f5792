//! `sandproof report`

use std::collections::HashSet;
use std::io::{self, BufWriter, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, ValueEnum};

use super::diff_runs;
use super::exit::{Exit, Failure, OrFail};
use super::failures::review_failure;
use super::out::{Destination, output_failure};
use super::ui::Ui;
use super::validate_bundle;
use crate::base::fsx::{IoContext, folder_of};
use crate::bundle::{self, ArtifactError, Bundle, Verified};
use crate::diff;
use crate::record::run_diff::ComparisonShown;
use crate::review::ReviewError;
use crate::review::report::matrix::{self, MatrixForm};
use crate::review::report::{self, Format, ReportCounts};

/// Show a bundle in a format that other tools read.
///
/// The bundle is verified first. A row that decided nothing is an error in every format, never a pass; one that by design only
/// asks, and was answered as expected, is skipped. The exit code is that of the run: 1 with mismatches, 8 if something
/// stayed undecided.
#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// The bundle, as with `--bundle`.
    #[arg(value_name = "BUNDLE", conflicts_with = "bundle", required_unless_present = "bundle")]
    plain_bundles: Vec<PathBuf>,
    /// The bundle's folder, or an output root whose LATEST leads to it. Several with the formats of the matrix.
    #[arg(long, value_name = "DIR")]
    bundle: Vec<PathBuf>,
    /// Format of the report.
    #[arg(long, value_enum)]
    format: FormatName,
    /// Write the report to this file, as a whole, instead of standard output; `-` is standard output too.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Show as well what changed since this bundle. For `html` and `markdown`.
    #[arg(long, value_name = "OLD")]
    against: Option<PathBuf>,
}

impl ReportArgs {
    /// The bundles, however they were named.
    fn bundles(&self) -> &[PathBuf] {
        if self.bundle.is_empty() { &self.plain_bundles } else { &self.bundle }
    }
}

/// A report that a run makes of its own bundle: `FORMAT:FILE`.
#[derive(Debug, Clone)]
pub(super) struct WantedReport {
    format: FormatName,
    file: PathBuf,
}

impl FromStr for WantedReport {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text.split_once(':').ok_or("write FORMAT:FILE")?;
        let format = FormatName::from_str(format, false).map_err(|_| {
            let known: Vec<String> = FormatName::value_variants()
                .iter()
                .filter_map(|one| Some(one.to_possible_value()?.get_name().to_owned()))
                .collect();
            format!("`{format}` is no format; known are {}", known.join(", "))
        })?;
        match file {
            "" => Err("the file has no name".to_owned()),
            "-" => Err("standard output holds what the run itself says; name a file".to_owned()),
            file => Ok(Self { format, file: file.into() }),
        }
    }
}

/// Whether reports can be written where they are wanted, as far as that is known before.
pub(super) fn check_wanted(wanted: &[WantedReport]) -> Result<(), Failure> {
    let mut taken = HashSet::new();
    for WantedReport { file, .. } in wanted {
        if let Destination::Place(place) = Destination::of(file)?
            && let Some(path) = place.file()
        {
            let folder = folder_of(path).canonicalize().at("write to", file).map_err(output_failure)?;
            if !taken.insert(folder.join(path.file_name().unwrap_or_default())) {
                let text = format!("two reports are to be written to `{}`", file.display());
                return Err(Failure::new(Exit::Usage, text).hint("name a file of its own for each"));
            }
        }
    }
    Ok(())
}

/// Makes the reports that a run was asked for, of its committed bundle.
pub(super) fn make_wanted(wanted: &[WantedReport], folder: &Path, ui: &mut Ui) -> Result<(), Failure> {
    if wanted.is_empty() {
        return Ok(());
    }
    let bundles = [bundle::verify(folder).map_err(|refused| Failure::new(Exit::BundleInvalid, refused))?];
    for WantedReport { format, file } in wanted {
        produce(&bundles, format.input(None), None, Some(Destination::of(file)?), ui)?;
        ui.remark(format!("wrote {}", file.display()));
    }
    Ok(())
}

/// The formats, as typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    /// JUnit's XML: a case for each row.
    Junit,
    /// Test Anything Protocol, version 13.
    Tap,
    /// SARIF 2.1.0: a result for each row that is not as expected.
    Sarif,
    /// Markdown, for a pull request.
    Markdown,
    /// One HTML page that loads nothing.
    Html,
    /// Questions by launchers or other policies, of one bundle or several, for people: as wide as the terminal.
    Matrix,
    /// The same in Markdown.
    MatrixMarkdown,
    /// The same as one HTML page that loads nothing.
    MatrixHtml,
    /// The same as JSON (schema `matrix`).
    MatrixJson,
}

/// What a report is made of.
#[derive(Debug, Clone, Copy)]
enum ReportInput {
    /// Of one bundle.
    One(Format),
    /// Of any number of them.
    Matrix(MatrixForm),
}

impl FormatName {
    /// `width`: how many columns the terminal has, if it is one that the report goes to.
    fn input(self, width: Option<usize>) -> ReportInput {
        match self {
            Self::Junit => ReportInput::One(Format::Junit),
            Self::Tap => ReportInput::One(Format::Tap),
            Self::Sarif => ReportInput::One(Format::Sarif),
            Self::Markdown => ReportInput::One(Format::Markdown),
            Self::Html => ReportInput::One(Format::Html),
            Self::Matrix => ReportInput::Matrix(MatrixForm::Text(width)),
            Self::MatrixMarkdown => ReportInput::Matrix(MatrixForm::Markdown),
            Self::MatrixHtml => ReportInput::Matrix(MatrixForm::Html),
            Self::MatrixJson => ReportInput::Matrix(MatrixForm::Json),
        }
    }
}

/// Nothing was executed.
#[derive(Debug, thiserror::Error)]
#[error("no scenario rows in `{bundles}`: there is nothing to report")]
struct NothingRan {
    bundles: String,
}

/// Reports.
pub(super) fn run(args: &ReportArgs, ui: &mut Ui) -> Result<Exit, Failure> {
    if args.against.is_some() && !matches!(args.format, FormatName::Html | FormatName::Markdown) {
        return Err(Failure::new(Exit::Usage, "`--against` is for the formats `html` and `markdown`".to_owned())
            .hint("`sandproof diff-runs` compares two bundles for programs"));
    }
    let destination = args.out.as_deref().map(Destination::of).transpose()?;
    let to_stdout = matches!(destination, Some(Destination::Stdout));
    let input = args.format.input(if args.out.is_none() { ui.width() } else { None });
    if matches!(input, ReportInput::One(_)) && args.bundles().len() > 1 {
        return Err(Failure::new(Exit::Usage, "this format is of one bundle alone".to_owned())
            .hint("the formats `matrix`, `matrix-markdown`, `matrix-html` and `matrix-json` join several"));
    }
    let mut bundles = Vec::new();
    for bundle in args.bundles() {
        match bundle::verify(bundle) {
            Ok(bundle) => bundles.push(bundle),
            Err(refused) => return validate_bundle::report(&refused, false, ui),
        }
    }
    let against = match (&args.against, args.bundles().first()) {
        (Some(old), Some(bundle)) => Some(changes(old, bundle)?),
        _ => None,
    };
    let counts = produce(&bundles, input, against.as_ref(), destination, ui)?;
    if let Some(out) = args.out.as_deref().filter(|_| !to_stdout) {
        ui.remark(format!("wrote {}", out.display()));
    }
    Ok(match counts {
        ReportCounts { rows: 0, .. } => Exit::NothingRan,
        counts if counts.unknown() + counts.unneeded > 0 => Exit::Mismatch,
        ReportCounts { undecided: 1.., .. } | ReportCounts { matched: 0, unasserted: 0, .. } => Exit::Undecided,
        _ => Exit::Done,
    })
}

/// What changed from one bundle to another.
fn changes(old: &Path, new: &Path) -> Result<ComparisonShown, Failure> {
    let side = |path: &Path| diff::open(path).map_err(diff_runs::failure);
    let compared = diff::compare(&side(old)?, &side(new)?).map_err(diff_runs::failure)?;
    Ok(diff::shown(&compared))
}

/// Writes one report to where it is wanted, or to standard output.
fn produce(
    bundles: &[Verified<Bundle>],
    input: ReportInput,
    against: Option<&ComparisonShown>,
    destination: Option<Destination>,
    ui: &mut Ui,
) -> Result<ReportCounts, Failure> {
    let output = match destination {
        None | Some(Destination::Stdout) => None,
        Some(Destination::Place(place)) => Some(place.open().map_err(output_failure)?),
    };
    match output {
        Some(mut output) if !output.is_stream() => {
            let counts = write(bundles, input, against, &mut output)?;
            output.finish().map_err(output_failure)?;
            Ok(counts)
        }
        output => {
            // Nothing is shown before the last byte that it was made from proved to be the verified one.
            let mut waiting = BufWriter::new(tempfile::tempfile().or_fail(Exit::Fault)?);
            let counts = write(bundles, input, against, &mut waiting)?;
            let mut file = waiting.into_inner().map_err(io::IntoInnerError::into_error).or_fail(Exit::Fault)?;
            file.rewind().or_fail(Exit::Fault)?;
            match output {
                Some(mut output) => {
                    io::copy(&mut file, &mut output).or_fail(Exit::Fault)?;
                    output.finish().map_err(output_failure)?;
                }
                None => copy(&mut file, ui)?,
            }
            Ok(counts)
        }
    }
}

fn write(
    bundles: &[Verified<Bundle>],
    input: ReportInput,
    against: Option<&ComparisonShown>,
    out: &mut dyn Write,
) -> Result<ReportCounts, Failure> {
    let written = match input {
        ReportInput::Matrix(form) => matrix::gather(bundles).and_then(|matrix| {
            matrix::write(&matrix, form, out).map_err(ReviewError::Output)?;
            Ok(matrix.counts())
        }),
        ReportInput::One(format) => bundles
            .first()
            .map_or(Ok(ReportCounts::default()), |bundle| report::write_against(bundle, format, against, out)),
    };
    written.map_err(|error| match error {
        ReviewError::Artifact(ArtifactError::Absent { .. }) => {
            let folders = bundles.iter().map(|bundle| bundle.folder().display().to_string()).collect::<Vec<_>>();
            Failure::new(Exit::NothingRan, NothingRan { bundles: folders.join("`, `") })
        }
        ReviewError::Output(error) => Failure::new(Exit::Fault, error),
        error => review_failure(error),
    })
}

/// Reports are UTF-8 texts of any length; a block may end within a character.
fn copy(file: &mut impl Read, ui: &mut Ui) -> Result<(), Failure> {
    let mut block = vec![0; 64 * 1024];
    while !ui.is_lost() {
        match file.read(&mut block).or_fail(Exit::Fault)? {
            0 => return Ok(()),
            n => ui.bytes(&block[..n]),
        }
    }
    Ok(())
}
