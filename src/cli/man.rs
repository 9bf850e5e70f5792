//! `sandproof man`

use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::exit::{Exit, Failure, OrFail};
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

fn render(command: Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{command, visible};

    #[test]
    fn every_visible_subcommand_has_its_page_and_no_hidden_one() {
        let pages = pages(visible()).unwrap();
        let names: Vec<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names[0], "sandproof");
        let main = String::from_utf8(render(visible()).unwrap()).unwrap().replace('\\', "");
        for sub in command().get_subcommands() {
            let (name, page) = (sub.get_name(), format!("sandproof-{}", sub.get_name()));
            assert_eq!(names.contains(&&*page), !sub.is_hide_set(), "{page}");
            assert_eq!(main.contains(&page), !sub.is_hide_set(), "{name} in the main page");
        }
        for (name, page) in &pages {
            let page = String::from_utf8(page.clone()).unwrap();
            assert!(page.contains(".TH ") && page.contains("SYNOPSIS"), "{name}:\n{page}");
        }
    }
}
