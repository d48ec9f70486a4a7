//! `import`: reads an export into a store.

use std::cell::{Cell, OnceCell};
use std::io::BufRead;
use std::path::Path;
use std::rc::Rc;

use greentic_session::admin::{ExportRecord, ImportMode};
use greentic_session::audit::Act;
use greentic_session::vault::Encryption;
use serde::Serialize;

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::output::{Output, Progress, hint, words};
use crate::store::{Location, Store};
use crate::trail::Trail;
use crate::transfer::{
    ExportReader, Importer, Input, LineSealer, PAGE, PAGE_BYTES, Tally, described, require_empty,
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
        encryption: location.encryption(),
    };
    let can_be_read_twice = source.is_regular_file()?;
    let stand_in = location.stand_in()?;
    let target = Target {
        location,
        trail,
        args,
        stand_in,
        store: OnceCell::new(),
    };
    if !target.location.is_absent() {
        let _opened = target.store()?;
    }
    if can_be_read_twice {
        let checked = source.read("checking", |line| target.check(&line));
        checked.map_err(|failure| partial(failure, &Tally::default()))?;
    }
    let tally = import(&target, &source)?;
    report(out, args.dry_run, tally)
}

/// The store that is filled. One that does not exist is created when there is something to import, so
/// that an import that fails before leaves no empty store.
struct Target<'a> {
    location: Location,
    trail: &'a Trail,
    args: &'a args::Import,
    /// An empty store that accepts and refuses what the target does.
    stand_in: Store,
    store: OnceCell<Store>,
}

impl Target<'_> {
    fn store(&self) -> Outcome<&Store> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = match self.args.dry_run && self.location.is_absent() {
            true => self.stand_in.clone(),
            false => self.location.clone().open_or_create()?,
        };
        require_empty(&store, self.args.merging)?;
        Ok(self.store.get_or_init(|| store))
    }

    fn importer(&self) -> Outcome<Importer<'_>> {
        let store = self.store()?;
        if self.args.dry_run {
            return Ok(Importer::new(store, self.args.merging).dry_run());
        }
        let record = self.trail.record(Act::Import, &store.name, |entry| entry);
        record.map(|()| Importer::new(store, self.args.merging))
    }

    /// Checks a record as its import would, without the store.
    fn check(&self, line: &Line) -> Outcome {
        let import = |record| self.stand_in.blocking.import(record, ImportMode::DryRun);
        let refused = |error: greentic_session::GreenticError| {
            let (number, reason) = (line.number, error.message);
            Failure::new(Exit::Damaged, format!("line {number}: {reason}"))
        };
        let checked = import(line.record.clone());
        checked.map(|_outcome| ()).map_err(refused)
    }
}

/// Imports in pages of bounded size.
fn import(target: &Target<'_>, source: &Source<'_>) -> Outcome<Tally> {
    let is_dry = target.args.dry_run;
    let label = if is_dry { "comparing" } else { "importing" };
    let mut tally = Tally::default();
    let mut importer = None;
    let mut page_of = |records| {
        let importer = match &mut importer {
            Some(importer) => importer,
            none => none.insert(target.importer()?),
        };
        importer.page(records, &mut tally)
    };
    let (mut page, mut bytes) = (Vec::with_capacity(PAGE), 0);
    let imported = source.read(label, |line| {
        if target.store.get().is_none() {
            target.check(&line)?;
        }
        page.push(line.record);
        bytes += line.bytes;
        if page.len() < PAGE && bytes < PAGE_BYTES {
            return Ok(());
        }
        bytes = 0;
        page_of(std::mem::take(&mut page))
    });
    let imported = imported.and_then(|()| page_of(page));
    match imported {
        Ok(()) => Ok(tally),
        Err(failure) if is_dry => Err(failure),
        Err(failure) => Err(partial(failure, &tally)),
    }
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
    /// How the target is encrypted: with the same keys sealed records are opened.
    encryption: Option<Encryption>,
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
        let mut reader = {
            let sealer = self.encryption.as_ref().map(LineSealer::new);
            ExportReader::begin(lines, self.max_payload, sealer.transpose()?)?
        };
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
