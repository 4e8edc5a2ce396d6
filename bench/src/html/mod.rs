//! A report as one page that needs nothing else: for each kind of figures one function that makes
//! sections of what `--json` prints.

mod figures;
mod chart;
mod engine;
mod forward;
mod joins;
mod load;
mod page;
mod rooms;

use anyhow::{Context, Result, ensure};
use page::Section;
pub(crate) use page::escape;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Makes sections of one kind of figures.
type Show = fn(&Value) -> Vec<Section>;

/// By the name that the kind has in a report, in the page's order. A kind without a function is shown
/// as plain tables.
const KINDS: [(&str, Show); 9] = [
    ("forward", forward::show),
    ("rooms", rooms::show),
    ("load", load::show),
    ("workers", engine::workers),
    ("join", joins::join),
    ("sockets", joins::sockets),
    ("setup", engine::setup),
    ("memory", engine::memory),
    ("steps", engine::steps),
];

/// An error if there is no such folder, before anything is measured for the page.
pub(crate) fn check(path: &Path) -> Result<()> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    ensure!(folder.is_dir() && !path.is_dir(), "{} cannot be a file", path.display());
    Ok(())
}

/// `report`: the object that `--json` prints.
pub(crate) fn write(path: &Path, report: &Value) -> Result<()> {
    fs::write(path, page(report)).with_context(|| path.display().to_string())
}

fn page(report: &Value) -> String {
    let mut sections = Vec::new();
    for (name, show) in KINDS {
        sections.extend(report.get(name).into_iter().flat_map(show));
    }
    for (name, figures) in report.as_object().into_iter().flatten() {
        if name != "machine" && KINDS.iter().all(|(kind, _)| kind != name) {
            sections.push(page::plain(name, figures));
        }
    }
    page::render(&sections, report.get("machine").unwrap_or(&Value::Null))
}

#[cfg(test)]
mod tests;
