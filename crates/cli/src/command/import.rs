//! `import`: reads an export into a store.

use std::cell::Cell;
use std::io::BufRead;
use std::path::Path;
use std::rc::Rc;

use serde::Serialize;

use crate::args;
use crate::error::{Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, Progress, words};
use crate::store::Store;
use crate::transfer::{ExportReader, Importer, Input, PAGE, Tally, described, require_empty};

#[derive(Serialize)]
struct Report {
    kind: &'static str,
    #[serde(flatten)]
    tally: Tally,
}

pub fn run(out: &mut Output, store: &Store, args: &args::Import) -> Outcome {
    let input = args.input.as_deref();
    drop(Input::open(input)?);
    require_empty(store, args.merging)?;
    if let Some(path) = input {
        let checked = read(Some(path), "checking", |_| Ok(()));
        checked.map_err(|failure| partial(failure, &Tally::default()))?;
    }
    let importer = Importer::new(store, args.merging);
    let mut tally = Tally::default();
    let mut page = Vec::with_capacity(PAGE);
    let imported = read(input, "importing", |record| {
        page.push(record);
        if page.len() < PAGE {
            return Ok(());
        }
        importer.page(std::mem::take(&mut page), &mut tally)
    });
    let imported = imported.and_then(|()| importer.page(page, &mut tally));
    imported.map_err(|failure| partial(failure, &tally))?;
    if out.is_json() {
        return out.json(&Report {
            kind: "import",
            tally,
        });
    }
    out.line(format_args!("{}", described(&tally)))
}

/// Adds to a failure how much was imported.
fn partial(failure: Failure, tally: &Tally) -> Failure {
    if *tally == Tally::default() {
        return failure.with("nothing was imported");
    }
    let imported = words::counted(tally.imported, "session");
    failure.with(&format!(
        "{imported} imported before that; import again with --merge"
    ))
}

type Record = greentic_session::admin::ExportRecord;

/// Reads an export to its end, and shows the progress.
fn read(
    path: Option<&Path>,
    label: &'static str,
    mut take: impl FnMut(Record) -> Outcome,
) -> Outcome {
    let input = Input::open(path)?;
    let mut progress = match input.size() {
        Some(size) => Progress::reading(label, size),
        None => Progress::counting(label, None),
    };
    let is_sized = input.size().is_some();
    let bytes = Rc::new(Cell::new(0));
    let seen = Rc::clone(&bytes);
    let lines: Box<dyn BufRead> = input.lines(move |more| seen.set(seen.get() + more))?;
    let mut reader = ExportReader::begin(lines)?;
    while let Some(record) = reader.next_record()? {
        interrupt::check(|| format!("at line {}", reader.line_number()))?;
        take(record)?;
        match is_sized {
            true => progress.set(bytes.get()),
            false => progress.add(1),
        }
    }
    Ok(())
}
