//! `export`: writes all sessions as lines of JSON.

use std::io::{BufWriter, Write};
use std::path::Path;

use greentic_session::audit::Act;

use crate::args;
use crate::destination::Destination;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, Progress, hint, words};
use crate::store::Store;
use crate::trail::Trail;
use crate::transfer::{ExportWriter, Footer, LineSealer, PAGE, Sink};

pub fn run(out: &mut Output, store: &Store, trail: &Trail, args: &args::Export) -> Outcome {
    let sealer = || match (&store.encryption, args.sealed) {
        (_, false) => Ok(None),
        (Some(encryption), true) => Ok(Some(LineSealer::new(encryption)?)),
        (None, true) => Err(Failure::usage(
            "--sealed needs the keys of the store: --keyring",
        )),
    };
    let sealer = sealer()?;
    trail.record(Act::Export, &store.name, |entry| entry)?;
    let file = args
        .output
        .as_deref()
        .filter(|path| *path != Path::new("-"));
    let footer = match file {
        None => {
            let (sink, footer) = write(store, Sink::stdout(args.zstd)?, sealer)?;
            sink.finish()?;
            footer
        }
        Some(path) => to_file(store, path, args.zstd, sealer)?,
    };
    // An export on stdout has the counts in its last line.
    if out.is_json() && file.is_some() {
        out.json(&footer)?;
    }
    let sessions = words::counted(footer.sessions, "session");
    let messages = words::counted(footer.message_ids, "message id");
    hint(format_args!("{sessions} and {messages} exported"));
    if footer.unreadable > 0 {
        let unreadable = words::counted(footer.unreadable, "session");
        let message = format!("{unreadable} cannot be read and not exported; see doctor");
        return Err(Failure::new(Exit::Damaged, message));
    }
    Ok(())
}

/// A file is never a partial export.
fn to_file(
    store: &Store,
    path: &Path,
    compressed: bool,
    sealer: Option<LineSealer>,
) -> Outcome<Footer> {
    let file = BufWriter::new(Destination::open(path)?);
    let (sink, footer) = write(store, Sink::new(file, compressed)?, sealer)?;
    let file = sink.finish()?.into_inner();
    let file = file.map_err(|error| Failure::file(path.display(), error.error()))?;
    file.finish()?;
    Ok(footer)
}

fn write<W: Write>(
    store: &Store,
    sink: Sink<W>,
    sealer: Option<LineSealer>,
) -> Outcome<(Sink<W>, Footer)> {
    let mut progress = Progress::walking("exporting");
    let mut writer = ExportWriter::begin(sink, sealer)?;
    let mut after = None;
    loop {
        interrupt::check(|| "the export is not complete".to_owned())?;
        let page = store.blocking.export(after.as_ref(), PAGE)?;
        for record in &page.records {
            writer.record(record)?;
        }
        writer.missed(page.unreadable.len() as u64);
        progress.walk(page.progress, page.records.len() as u64);
        match page.next {
            Some(next) => after = Some(next),
            None => return writer.finish(),
        }
    }
}
