//! `export`: writes all sessions as lines of JSON.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use crate::args;
use crate::error::{Exit, Failure, Outcome};
use crate::interrupt;
use crate::output::{Output, Progress, hint, words};
use crate::store::Store;
use crate::transfer::{ExportWriter, Footer, PAGE, Sink};

pub fn run(out: &mut Output, store: &Store, args: &args::Export) -> Outcome {
    let footer = match &args.output {
        None => {
            let (sink, footer) = write(store, Sink::stdout(args.zstd)?)?;
            sink.finish()?;
            footer
        }
        Some(path) => to_file(store, path, args.zstd)?,
    };
    // An export on stdout has the counts in its last line.
    if out.is_json() && args.output.is_some() {
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

/// Writes another file and renames it, so that the file is never a partial export.
fn to_file(store: &Store, path: &Path, compressed: bool) -> Outcome<Footer> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let fresh = Path::new(&name);
    let written = file(fresh).and_then(|file| {
        let (sink, footer) = write(store, Sink::new(BufWriter::new(file), compressed)?)?;
        let file = sink.finish()?;
        file.get_ref().sync_all()?;
        std::fs::rename(fresh, path).map_err(|error| Failure::file(path.display(), &error))?;
        Ok(footer)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(fresh);
    }
    written
}

/// Creates a file that only its owner can read.
fn file(path: &Path) -> Outcome<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
        .open(path)
        .map_err(|error| Failure::file(path.display(), &error))
}

fn write<W: Write>(store: &Store, sink: Sink<W>) -> Outcome<(Sink<W>, Footer)> {
    let mut progress = Progress::walking("exporting");
    let mut writer = ExportWriter::begin(sink)?;
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
