//! What is run where no plan is named: one's own in this folder, else the first one to try on this system; and plans that this
//! program carries.

use std::path::{Path, PathBuf};

use super::exit::Failure;
use super::failures::load_failure;
use super::scratch::ScratchFolder;
use super::ui::Ui;
use crate::plan::QUESTIONS_FILE;
use crate::plan::template::{self, PLAN_FILE};

/// Its id, which is also that of the template that this program carries.
pub(super) const FIRST_TEMPLATE: &str = if cfg!(target_os = "macos") { "sonoma-runtime-checks" } else { "quickstart" };

/// A plan that was found, or made for this command alone.
#[derive(Debug)]
pub(super) struct FirstPlan {
    /// The plan's file.
    pub(super) file: PathBuf,
    /// The folder that it was made in, which goes with this; `None`: it lies in the workspace around.
    made: Option<ScratchFolder>,
}

impl FirstPlan {
    /// One's own in this folder, as `init` and `plan-build` write it, else the first to try of a checkout, else the one that this
    /// program carries, made in a folder of its own; says which.
    pub(super) fn find(ui: &mut Ui) -> Result<Self, Failure> {
        let first = format!("plans/{FIRST_TEMPLATE}/{PLAN_FILE}");
        let mut candidates = [QUESTIONS_FILE, PLAN_FILE, &first].into_iter().map(PathBuf::from);
        if let Some(here) = candidates.find(|path| path.is_file()) {
            ui.remark(format!("no plan is named: running `{}`", here.display()));
            return Ok(Self { file: here, made: None });
        }
        let carried = Self::carried(FIRST_TEMPLATE)?;
        ui.remark(format!(
            "no plan is named: running `{FIRST_TEMPLATE}`, which this program carries (`sandproof plan-build --template \
             {FIRST_TEMPLATE} --out {FIRST_TEMPLATE}` writes it down; `sandproof init` begins one of your own)"
        ));
        Ok(carried)
    }

    /// One that this program carries, made in a folder of its own.
    pub(super) fn carried(id: &str) -> Result<Self, Failure> {
        let set = template::by_id(id).and_then(|it| it.build(&template::carried_policy)).map_err(load_failure)?;
        let folder = ScratchFolder::new("plan")?;
        set.files().try_for_each(|(path, content)| folder.write(path, content))?;
        Ok(Self { file: folder.path().join(PLAN_FILE), made: Some(folder) })
    }

    /// Where its bundles go if no place is named: beside a plan of a workspace that is the workspace's to say, else here.
    pub(super) fn out(&self) -> Option<PathBuf> {
        self.made.as_ref().map(|_| Path::new("out").to_owned())
    }
}
