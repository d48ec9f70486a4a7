//! One connection through a proxy.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use socket2::SockRef;

use crate::lane::{Lane, Progress, Verdict};

const PIECE: usize = 64 * 1024;

/// A client's connection and the one behind it. Each is one descriptor, never duplicated: a
/// reset is sent when the last one closes.
pub(crate) struct Link {
    client: TcpStream,
    upstream: TcpStream,
    closed: Mutex<bool>,
    closing: Condvar,
}

impl Link {
    pub(crate) fn new(client: TcpStream, upstream: TcpStream) -> io::Result<Self> {
        // The listener polls; some systems hand that down to what it accepts.
        client.set_nonblocking(false)?;
        client.set_nodelay(true)?;
        upstream.set_nodelay(true)?;
        Ok(Self {
            client,
            upstream,
            closed: Mutex::new(false),
            closing: Condvar::new(),
        })
    }

    pub(crate) fn pump_requests(&self, lane: &Lane) {
        let _ = self.pump(&self.client, &self.upstream, lane);
        self.close();
    }

    pub(crate) fn pump_replies(&self, lane: &Lane) {
        let _ = self.pump(&self.upstream, &self.client, lane);
        self.close();
    }

    /// Closes both sides and wakes whoever waits on them.
    pub(crate) fn close(&self) {
        if self.mark_closed() {
            let _ = self.client.shutdown(Shutdown::Both);
            let _ = self.upstream.shutdown(Shutdown::Both);
        }
    }

    fn reset(&self) {
        if self.mark_closed() {
            reset_on_close(&self.client);
            // Wakes the reader without sending the client a proper end.
            let _ = self.client.shutdown(Shutdown::Read);
            let _ = self.upstream.shutdown(Shutdown::Both);
        }
    }

    fn mark_closed(&self) -> bool {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        self.closing.notify_all();
        !std::mem::replace(&mut *closed, true)
    }

    fn pump(&self, mut from: &TcpStream, mut to: &TcpStream, lane: &Lane) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut progress = Progress::default();
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            let pass = match lane.judge(&mut progress, length) {
                Verdict::Pass => length,
                Verdict::Delay(time) if self.sleep(time) => length,
                Verdict::Delay(_) => return Ok(()),
                Verdict::Cut { pass } => {
                    lane.add_bytes(pass);
                    return to.write_all(&buffer[..pass]);
                }
                Verdict::Mute => return discard(from, &mut buffer),
                Verdict::Reset => {
                    self.reset();
                    return Ok(());
                }
            };
            // Counted first: whoever has the answer to a call finds all its bytes counted.
            lane.add_bytes(pass);
            to.write_all(&buffer[..pass])?;
        }
    }

    // False if the connection was closed meanwhile.
    fn sleep(&self, time: Duration) -> bool {
        let closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .closing
            .wait_timeout_while(closed, time, |closed| !*closed);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Makes the stream end with RST instead of FIN when it is closed.
pub(crate) fn reset_on_close(stream: &TcpStream) {
    let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn discard(mut from: &TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    while from.read(buffer)? > 0 {}
    Ok(())
}
