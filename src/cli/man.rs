//! `sandproof man`

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::exit::{Exit, Failure, OrFail};
use super::help;
use super::out::output_failure;
use super::ui::Ui;
use crate::base::fsx;
use crate::base::output::OutputPlace;

/// Print the manual page, or write a page for each command.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write `sandproof.1` and a page for each command into this folder, which is made if it is missing. Pages of the
    /// same name are replaced.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Prints the main page, or writes all of them, made from `command`: the definitions that parse the command line.
pub(super) fn run(args: &ManArgs, command: Command, ui: &mut Ui) -> Result<Exit, Failure> {
    let Some(out) = &args.out else {
        let page = render(command).or_fail(Exit::Fault)?;
        ui.bytes(&page);
        return Ok(Exit::Done);
    };
    fsx::create_dir_all(out).map_err(output_failure)?;
    for (name, page) in pages(command).or_fail(Exit::Fault)? {
        let file: &Path = &out.join(format!("{name}.1"));
        OutputPlace::of(file).and_then(|place| place.write(&page)).map_err(output_failure)?;
        ui.line(format!("wrote {}", file.display()));
    }
    Ok(Exit::Done)
}

/// Every page by name: the program's, and one for each visible command, `sandproof-links-build` for one inside another.
fn pages(command: Command) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut root = command.disable_help_subcommand(true);
    root.build();
    let mut pages = Vec::new();
    collect(&root, &mut pages)?;
    Ok(pages)
}

fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    pages.push((name, render(command.clone())?));
    command.get_subcommands().filter(|sub| !sub.is_hide_set()).try_for_each(|sub| collect(sub, pages))
}

/// The variables that change what the program does.
const VARIABLES: [(&str, &str); 5] = [
    ("NO_COLOR", "If it is there: no colour, unless --color says otherwise."),
    ("CLICOLOR_FORCE", "If it is there: colour also where no terminal is, unless --color says otherwise."),
    ("TERM", "`dumb`: no colour."),
    ("SANDBOX_LORE_RUN_ID", "The id of a run whose command line gives none."),
    ("TMPDIR", "Where fixtures are made if /dev/shm does not serve."),
];

/// The places that the program knows by name.
const PLACES: [(&str, &str); 3] = [
    (
        "out/",
        "The output root of a run, in the folder that the plan's paths are relative to: a folder for each bundle.",
    ),
    ("out/LATEST", "The name of the last bundle that was committed."),
    ("registries/index.json", "What makes a folder a workspace: the registries that plans may name."),
];

/// One page. The program's version stands at its foot, and no date: the same sources give the same page.
fn render(command: Command) -> std::io::Result<Vec<u8>> {
    let whole = command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned();
    // The display name joins with hyphens what is typed with spaces; no command's own name has been split by that.
    let path = command.get_bin_name().and_then(|name| name.strip_prefix("sandproof ")).unwrap_or_default().to_owned();
    let is_main = whole == "sandproof";
    let says_more = command.get_after_long_help().is_some();
    let man = Man::new(command);
    let mut page = Vec::new();
    // Written here, since the library leaves an empty date out, and what follows is taken for it.
    let version = crate::base::VERSION;
    writeln!(page, ".TH {} 1 \"\" \"sandproof {version}\" \"sandproof\"", whole.to_uppercase())?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if is_main {
        man.render_subcommands_section(&mut page)?;
    }
    if says_more {
        man.render_extra_section(&mut page)?;
    }
    let mut more = Roff::new();
    let exits = if is_main { Exit::ALL.to_vec() } else { help::exits(&path) };
    section(&mut more, "EXIT STATUS", exits.iter().map(|exit| (exit.code().to_string(), exit.meaning().to_owned())));
    if is_main {
        let texts = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        section(&mut more, "ENVIRONMENT", VARIABLES.iter().map(texts));
        section(&mut more, "FILES", PLACES.iter().map(texts));
    }
    let examples = if is_main { help::examples("run") } else { help::examples(&path) };
    section(&mut more, "EXAMPLES", examples.iter().map(|(typed, does)| ((*typed).to_owned(), format!("{does}."))));
    more.to_writer(&mut page)?;
    // An empty line means nothing to the formatter, and is complained about.
    let text = String::from_utf8_lossy(&page)
        .lines()
        .filter(|line| *line != ".br")
        .fold(String::new(), |text, line| text + line.trim_end() + "\n");
    Ok(text.into_bytes())
}

/// A section of names with what each means; nothing if there is none.
fn section(page: &mut Roff, title: &str, entries: impl Iterator<Item = (String, String)>) {
    for (n, (name, text)) in entries.enumerate() {
        if n == 0 {
            page.control("SH", [title]);
        }
        page.control("TP", []);
        page.text([bold(name)]);
        page.text([roman(text)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{command, without_examples};

    #[test]
    fn every_visible_subcommand_has_its_page_and_no_hidden_one() {
        let pages = pages(without_examples()).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "sandproof");
        let main = String::from_utf8(render(without_examples()).unwrap()).unwrap().replace('\\', "");
        for sub in command().get_subcommands() {
            let (name, page) = (sub.get_name(), format!("sandproof-{}", sub.get_name()));
            assert_eq!(names.contains(&&*page), !sub.is_hide_set(), "{page}");
            assert_eq!(main.contains(&page), !sub.is_hide_set(), "{name} in the main page");
        }
        for (name, page) in &pages {
            let page = String::from_utf8(page.clone()).unwrap();
            assert!(page.contains(".TH ") && page.contains("SYNOPSIS"), "{name}:\n{page}");
            let groups = ["sandproof-identity", "sandproof-links", "sandproof-policy"].contains(&name.as_str());
            for section in ["EXIT STATUS", "EXAMPLES"] {
                assert_eq!(page.contains(section), !groups, "{name}: {section}");
            }
        }
    }
}
