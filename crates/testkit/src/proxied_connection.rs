//! One connection through a proxy.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use socket2::SockRef;

use crate::direction::{Direction, Progress, Treatment};

const PIECE: usize = 64 * 1024;

/// The connection of a client and the one to the server. Each is one descriptor, never duplicated,
/// because a reset is sent when the last one closes.
pub(crate) struct ProxiedConnection {
    client: TcpStream,
    upstream: TcpStream,
    closed: Mutex<bool>,
    closing: Condvar,
}

impl ProxiedConnection {
    pub(crate) fn new(client: TcpStream, upstream: TcpStream) -> io::Result<Self> {
        // On some systems accepted connections inherit the non-blocking mode of the listener.
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

    pub(crate) fn pump_requests(&self, direction: &Direction) {
        let _ = self.pump(&self.client, &self.upstream, direction);
        self.close();
    }

    pub(crate) fn pump_replies(&self, direction: &Direction) {
        let _ = self.pump(&self.upstream, &self.client, direction);
        self.close();
    }

    /// Closes both sides and wakes the threads that wait on them.
    pub(crate) fn close(&self) {
        if self.mark_closed() {
            let _ = self.client.shutdown(Shutdown::Both);
            let _ = self.upstream.shutdown(Shutdown::Both);
        }
    }

    /// Closes the side of the client. Held requests still reach the server later.
    pub(crate) fn cut_client(&self) {
        let _ = self.client.shutdown(Shutdown::Both);
    }

    fn reset(&self) {
        if self.mark_closed() {
            reset_on_close(&self.client);
            // Wakes the reader without sending FIN to the client.
            let _ = self.client.shutdown(Shutdown::Read);
            let _ = self.upstream.shutdown(Shutdown::Both);
        }
    }

    fn mark_closed(&self) -> bool {
        let mut closed = self.closed.lock().unwrap_or_else(PoisonError::into_inner);
        self.closing.notify_all();
        !std::mem::replace(&mut *closed, true)
    }

    fn pump(
        &self,
        mut from: &TcpStream,
        mut to: &TcpStream,
        direction: &Direction,
    ) -> io::Result<()> {
        let mut buffer = vec![0; PIECE];
        let mut progress = Progress::default();
        loop {
            let length = from.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            let pass = match direction.treat(&mut progress, &buffer[..length]) {
                Treatment::Pass => length,
                Treatment::Delay(time) if self.sleep(time) => length,
                Treatment::Delay(_) => return Ok(()),
                Treatment::Cut { pass } => {
                    direction.add_bytes(pass);
                    return to.write_all(&buffer[..pass]);
                }
                Treatment::Hold { release } => {
                    direction.wait_for_release(release);
                    length
                }
                Treatment::Mute => return discard(from, &mut buffer),
                Treatment::Reset => {
                    self.reset();
                    return Ok(());
                }
            };
            // Counted first, so that a caller with a reply finds all its bytes counted.
            direction.add_bytes(pass);
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
