//! The parent of a run that belongs to a group: the group's own run, below which MLflow's pages show it.
//!
//! In: the start record of a run. Out: the id of its parent on the same server, found or made. Runs of a group may be sent at
//! the same time, by one process or by several, and by whoever sends the group's own folder: the first that needs the parent
//! makes it, and the others read its id in the ledger of the group's folder (`Delivery::begin`).

use super::delivery::{Delivery, DeliveryError};
use super::journal;
use super::target::Target;
use pupila_run::{Group, RunFolder, StartRecord};
use std::path::PathBuf;

impl Delivery {
    /// The id of the parent run, found or made; none where the run stands alone, or was moved without its group's folder.
    pub(super) fn parent(&self, start: &StartRecord) -> Result<Option<String>, DeliveryError> {
        let Some((folder, of_group)) = start.group.as_ref().and_then(|group| self.group(group)) else {
            return Ok(None);
        };
        // What the recipe names is this run and its model.
        let target = Target { run_name: None, register: None, alias: None, ..self.client.target().clone() };
        // Not its delivery, which somebody may hold as long as the group lasts: its lines are not sent here.
        let mut parent = Delivery::read(&folder, target)?;
        if parent.begin(&of_group)? {
            // So that it says what it is long before its own folder is sent, which tells all of this once more.
            parent.describe(&of_group, None)?;
        }
        Ok(parent.ledger.run_id)
    }

    /// The group's folder, and what was known when the group began.
    fn group(&self, group: &Group) -> Option<(PathBuf, StartRecord)> {
        let folder = self.folder.join(&group.folder);
        // A record that names its own folder would make the run its own parent.
        let is_own = folder.canonicalize().ok()? == self.folder.canonicalize().ok()?;
        let start = journal::start(&folder.join(RunFolder::METRICS)).ok().flatten();
        start.filter(|_| !is_own).map(|start| (folder, start))
    }
}
