//! Input and output of exports, compressed or not. The first bytes of an input show whether it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, StdinLock, StdoutLock, Write};
use std::path::Path;

use crate::error::{Failure, Outcome};

const ZSTD_MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
/// The default of zstd.
const LEVEL: i32 = 3;

/// The source of an export.
pub enum Input {
    File(BufReader<File>),
    Stdin(StdinLock<'static>),
}

impl Input {
    pub fn open(path: Option<&Path>) -> Outcome<Self> {
        match path {
            None => Ok(Self::Stdin(io::stdin().lock())),
            Some(path) => {
                let file =
                    File::open(path).map_err(|error| Failure::file(path.display(), &error))?;
                Ok(Self::File(BufReader::new(file)))
            }
        }
    }

    /// The size of the file; `None` if unknown.
    pub fn size(&self) -> Option<u64> {
        match self {
            Self::File(file) => file.get_ref().metadata().ok().map(|file| file.len()),
            Self::Stdin(_) => None,
        }
    }

    /// The decompressed lines. `seen` is called with the number of bytes read from the file.
    pub fn lines(self, seen: impl FnMut(u64) + 'static) -> Outcome<Box<dyn BufRead>> {
        let source: Box<dyn BufRead> = match self {
            Self::File(file) => Box::new(file),
            Self::Stdin(stdin) => Box::new(stdin),
        };
        let mut source = Counting { source, seen };
        let start = source
            .fill_buf()
            .map_err(|error| Failure::file("the export", &error))?;
        if !start.starts_with(&ZSTD_MAGIC) {
            return Ok(Box::new(source));
        }
        let decoder = zstd::Decoder::with_buffer(source);
        let decoder = decoder.map_err(|error| Failure::file("the export", &error))?;
        Ok(Box::new(BufReader::new(decoder)))
    }
}

struct Counting<F> {
    source: Box<dyn BufRead>,
    seen: F,
}

impl<F: FnMut(u64)> Read for Counting<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        (self.seen)(read as u64);
        Ok(read)
    }
}

impl<F: FnMut(u64)> BufRead for Counting<F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.source.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        (self.seen)(amount as u64);
        self.source.consume(amount);
    }
}

/// The destination of an export.
pub enum Sink<W: Write> {
    Plain(W),
    Zstd(zstd::Encoder<'static, W>),
}

impl Sink<BufWriter<StdoutLock<'static>>> {
    pub fn stdout(compressed: bool) -> Outcome<Self> {
        Self::new(BufWriter::new(io::stdout().lock()), compressed)
    }
}

impl<W: Write> Sink<W> {
    pub fn new(sink: W, compressed: bool) -> Outcome<Self> {
        match compressed {
            false => Ok(Self::Plain(sink)),
            true => Ok(Self::Zstd(zstd::Encoder::new(sink, LEVEL)?)),
        }
    }

    /// Writes the rest.
    pub fn finish(self) -> Outcome<W> {
        let mut sink = match self {
            Self::Plain(sink) => sink,
            Self::Zstd(encoder) => encoder.finish()?,
        };
        sink.flush()?;
        Ok(sink)
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(buffer),
            Self::Zstd(encoder) => encoder.write(buffer),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            Self::Zstd(encoder) => encoder.flush(),
        }
    }
}
