//! `import`: reads an export into a store.

use std::cell::Cell;
use std::io::BufRead;
use std::path::Path;
use std::rc::Rc;

use greentic_session::admin::{ExportRecord, ImportMode};
use greentic_session::audit::Act;
use serde::Serialize;

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::output::{Output, Progress, hint, words};
use crate::store::{Location, Store};
use crate::trail::Trail;
use crate::transfer::{
    ExportReader, Importer, Input, PAGE, PAGE_BYTES, Tally, described, require_empty,
};

#[derive(Serialize)]
struct Report {
    kind: &'static str,
    dry_run: bool,
    #[serde(flatten)]
    tally: Tally,
}

pub fn run(out: &mut Output, location: Location, trail: &Trail, args: &args::Import) -> Outcome {
    let input = args.input.as_deref().filter(|path| *path != Path::new("-"));
    let source = Source {
        path: input,
        max_payload: location.max_payload_bytes(),
    };
    let can_be_read_twice = source.is_regular_file()?;
    let stand_in = location.stand_in()?;
    let store = match args.dry_run && location.is_absent() {
        true => stand_in.clone(),
        false => location.open_or_create()?,
    };
    require_empty(&store, args.merging)?;
    if can_be_read_twice {
        let checked = source.read("checking", |line| check(&stand_in, line));
        checked.map_err(|failure| partial(failure, &Tally::default()))?;
    }
    if !args.dry_run {
        trail.record(Act::Import, &store.name, |entry| entry)?;
    }
    let mut importer = Importer::new(&store, args.merging);
    if args.dry_run {
        importer = importer.dry_run();
    }
    let tally = import(&importer, &source, args.dry_run)?;
    report(out, args.dry_run, tally)
}

/// Imports in pages of bounded size.
fn import(importer: &Importer<'_>, source: &Source<'_>, is_dry: bool) -> Outcome<Tally> {
    let label = if is_dry { "comparing" } else { "importing" };
    let mut tally = Tally::default();
    let (mut page, mut bytes) = (Vec::with_capacity(PAGE), 0);
    let imported = source.read(label, |line| {
        page.push(line.record);
        bytes += line.bytes;
        if page.len() < PAGE && bytes < PAGE_BYTES {
            return Ok(());
        }
        bytes = 0;
        importer.page(std::mem::take(&mut page), &mut tally)
    });
    let imported = imported.and_then(|()| importer.page(page, &mut tally));
    match imported {
        Ok(()) => Ok(tally),
        Err(failure) if is_dry => Err(failure),
        Err(failure) => Err(partial(failure, &tally)),
    }
}

/// Checks a record as its import would, without the store.
fn check(stand_in: &Store, line: Line) -> Outcome {
    let checked = stand_in.blocking.import(line.record, ImportMode::DryRun);
    let refused = |error: greentic_session::GreenticError| {
        let (number, reason) = (line.number, error.message);
        Failure::new(Exit::Damaged, format!("line {number}: {reason}"))
    };
    checked.map(|_outcome| ()).map_err(refused)
}

fn report(out: &mut Output, dry_run: bool, tally: Tally) -> Outcome {
    if out.is_json() {
        let kind = "import";
        return out.json(&Report {
            kind,
            dry_run,
            tally,
        });
    }
    let done = if dry_run {
        "would be imported"
    } else {
        "imported"
    };
    out.line(format_args!("{}", described(&tally, done)))?;
    out.flush()?;
    if dry_run {
        hint(format_args!("dry run: nothing was changed"));
    }
    Ok(())
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

/// A record, and the line that it was read from.
struct Line {
    record: ExportRecord,
    number: u64,
    bytes: usize,
}

/// The export.
struct Source<'a> {
    /// `None` for stdin.
    path: Option<&'a Path>,
    max_payload: usize,
}

impl Source<'_> {
    /// Pipes can be read once only.
    fn is_regular_file(&self) -> Outcome<bool> {
        let Some(path) = self.path else {
            return Ok(false);
        };
        let found = std::fs::metadata(path);
        let found = found.map_err(|error| Failure::file(path.display(), &error))?;
        Ok(found.is_file())
    }

    /// Reads the export to its end, and shows the progress.
    fn read(&self, label: &'static str, mut take: impl FnMut(Line) -> Outcome) -> Outcome {
        let input = Input::open(self.path)?;
        let size = input.size().filter(|size| *size > 0);
        let mut progress = match size {
            Some(size) => Progress::reading(label, size),
            None => Progress::counting(label, None),
        };
        let bytes = Rc::new(Cell::new(0));
        let seen = Rc::clone(&bytes);
        let lines: Box<dyn BufRead> = input.lines(move |more| seen.set(seen.get() + more))?;
        let mut reader = ExportReader::begin(lines, self.max_payload)?;
        while let Some(record) = reader.next_record()? {
            let number = reader.line_number();
            take(Line {
                record,
                number,
                bytes: reader.line_bytes(),
            })?;
            match size {
                Some(_) => progress.set(bytes.get()),
                None => progress.add(1),
            }
        }
        Ok(())
    }
}
