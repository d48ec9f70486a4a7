//! Input and output of exports, compressed or not. The first bytes of an input show whether it is.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Cursor, Read, StdinLock, StdoutLock, Write};
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
        decompressed(Counting { source, seen })
    }
}

/// The lines of an export, compressed or not.
fn decompressed(mut source: impl BufRead + 'static) -> Outcome<Box<dyn BufRead>> {
    // The first read of a pipe may return less than that.
    let mut start = Vec::new();
    let magic = ZSTD_MAGIC.len() as u64;
    let read = source.by_ref().take(magic).read_to_end(&mut start);
    read.map_err(|error| Failure::file("the export", &error))?;
    let is_compressed = start == ZSTD_MAGIC;
    let source = Cursor::new(start).chain(source);
    if !is_compressed {
        return Ok(Box::new(source));
    }
    let decoder = zstd::Decoder::with_buffer(source);
    let decoder = decoder.map_err(|error| Failure::file("the export", &error))?;
    Ok(Box::new(BufReader::new(decoder)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compressed_export_is_recognised_however_short_the_reads_are() {
        let text = "one line\nand another\n";
        let compressed = zstd::encode_all(text.as_bytes(), LEVEL).unwrap();
        for export in [text.as_bytes().to_vec(), compressed, b"(".to_vec()] {
            for capacity in [1, 3, 4096] {
                let source = BufReader::with_capacity(capacity, Cursor::new(export.clone()));
                let mut read = String::new();
                decompressed(source)
                    .unwrap()
                    .read_to_string(&mut read)
                    .unwrap();
                assert_eq!(read, if export == b"(" { "(" } else { text });
            }
        }
    }
}
