//! A TCP proxy with injected faults.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::direction::{Direction, Flow};
use crate::ports::free_port;
use crate::proxied_connection::{ProxiedConnection, reset_on_close};

const POLL: Duration = Duration::from_millis(2);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const LISTEN_LIMIT: Duration = Duration::from_secs(5);

/// The treatment of new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// They are forwarded to the server.
    #[default]
    Pass,
    /// They are accepted, and neither forwarded nor answered.
    BlackHole,
    /// They are accepted and reset.
    Reset,
    /// They are refused: the port is closed.
    Refuse,
}

/// A proxy on a loopback port of its own. Requests flow to the server, replies flow back. Each
/// direction has its own fault, which can be changed at any time, also for open connections. All
/// connections end when the handle is dropped.
pub struct FaultProxy {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    upstream: SocketAddr,
    state: Mutex<ListenerState>,
    requests: Arc<Direction>,
    replies: Arc<Direction>,
    connections: AtomicU64,
    ended: AtomicBool,
}

struct ListenerState {
    accept: Accept,
    listener: Option<TcpListener>,
    held: Vec<TcpStream>,
    connections: Vec<Weak<ProxiedConnection>>,
}

impl FaultProxy {
    /// Listens, and forwards everything to `upstream`, such as `127.0.0.1:6379`.
    ///
    /// # Panics
    /// If the address is invalid or no port is free.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let upstream = upstream.parse().expect("not an address with a port");
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], free_port())));
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("an address"),
            upstream,
            state: Mutex::new(ListenerState {
                accept: Accept::Pass,
                listener: Some(listener),
                held: Vec::new(),
                connections: Vec::new(),
            }),
            requests: Arc::default(),
            replies: Arc::default(),
            connections: AtomicU64::new(0),
            ended: AtomicBool::new(false),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || shared.accept_all()
        });
        Self {
            shared,
            acceptor: Some(acceptor),
        }
    }

    /// The address of the proxy.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// `redis://127.0.0.1:port/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.shared.address)
    }

    /// Sets the treatment of requests.
    pub fn requests(&self, flow: Flow) {
        self.shared.requests.set(flow);
    }

    /// Sets the treatment of replies.
    pub fn replies(&self, flow: Flow) {
        self.shared.replies.set(flow);
    }

    /// Sets the treatment of the next requests. After the fault, requests are forwarded again.
    pub fn requests_once(&self, flow: Flow) {
        self.shared.requests.set_once(flow);
    }

    /// Sets the treatment of the next replies. After the fault, replies are forwarded again, so
    /// that a reply is lost and a repeated request succeeds.
    pub fn replies_once(&self, flow: Flow) {
        self.shared.replies.set_once(flow);
    }

    /// Sets the treatment of new connections; open ones stay.
    ///
    /// # Panics
    /// If another process took the port after [`Accept::Refuse`] closed it.
    pub fn accepts(&self, accept: Accept) {
        let mut state = self.shared.state();
        state.accept = accept;
        if accept == Accept::Refuse {
            state.listener = None;
        } else if state.listener.is_none() {
            state.listener = Some(listen(self.shared.address));
        }
    }

    /// Drops everything in both directions, and accepts new connections without answering.
    ///
    /// # Panics
    /// As [`accepts`](Self::accepts).
    pub fn black_hole(&self) {
        self.accepts(Accept::BlackHole);
        self.requests(Flow::Swallow);
        self.replies(Flow::Swallow);
    }

    /// Ends all faults. A connection that has lost bytes stays silent, and one that was accepted
    /// without being forwarded is not forwarded later: TCP loses nothing in the middle of a stream.
    ///
    /// # Panics
    /// As [`accepts`](Self::accepts).
    pub fn heal(&self) {
        self.requests(Flow::Pass);
        self.replies(Flow::Pass);
        self.accepts(Accept::Pass);
    }

    /// Lets everything pass that [`Flow::Hold`] holds.
    pub fn release(&self) {
        self.shared.requests.release();
        self.shared.replies.release();
    }

    /// Closes all open connections for their clients, not for the server: requests that are held
    /// reach it after [`release`](Self::release). New connections are accepted.
    pub fn cut_clients(&self) {
        let state = self.shared.state();
        for connection in state.connections.iter().filter_map(Weak::upgrade) {
            connection.cut_client();
        }
    }

    /// Closes all open connections; new ones are accepted.
    pub fn close_all(&self) {
        self.shared.state().close_all();
    }

    /// The number of accepted connections so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The number of request bytes that reached the server.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        self.shared.requests.bytes()
    }

    /// The number of reply bytes that reached the clients.
    #[must_use]
    pub fn reply_bytes(&self) -> u64 {
        self.shared.replies.bytes()
    }

    /// The number of connections that a fault cut, silenced or reset, in both directions.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.shared.requests.faults() + self.shared.replies.faults()
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.release();
        self.close_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, ListenerState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // Polling, because closing a listener does not wake a blocked accept.
    fn accept_all(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            if !self.accept_one() {
                sleep(POLL);
            }
        }
    }

    fn accept_one(&self) -> bool {
        let mut state = self.state();
        let Some(listener) = &state.listener else {
            return false;
        };
        let client = match listener.accept() {
            Ok((client, _)) => client,
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        };
        self.connections.fetch_add(1, Ordering::SeqCst);
        match state.accept {
            Accept::Pass => self.connect(&mut state, client),
            Accept::BlackHole => state.held.push(client),
            Accept::Reset => reset_on_close(&client),
            Accept::Refuse => {}
        }
        true
    }

    // If the server is unreachable, the connection of the client is dropped and so closed.
    fn connect(&self, state: &mut ListenerState, client: TcpStream) {
        let upstream = TcpStream::connect_timeout(&self.upstream, CONNECT_LIMIT);
        let connection = upstream.and_then(|upstream| ProxiedConnection::new(client, upstream));
        let Ok(connection) = connection.map(Arc::new) else {
            return;
        };
        let connections = &mut state.connections;
        connections.retain(|connection| connection.strong_count() > 0);
        connections.push(Arc::downgrade(&connection));
        let (there, back) = (Arc::clone(&connection), connection);
        let (requests, replies) = (Arc::clone(&self.requests), Arc::clone(&self.replies));
        thread::spawn(move || there.pump_requests(&requests));
        thread::spawn(move || back.pump_replies(&replies));
    }
}

impl ListenerState {
    fn close_all(&mut self) {
        self.held.clear();
        for connection in self.connections.drain(..).filter_map(|weak| weak.upgrade()) {
            connection.close();
        }
    }
}

/// A process that was being started when the port was closed can hold it for a moment longer.
fn listen(address: SocketAddr) -> TcpListener {
    let end = Instant::now() + LISTEN_LIMIT;
    let listener = loop {
        match TcpListener::bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < end => {
                sleep(POLL);
            }
            bound => break bound.expect("the proxy's port is taken"),
        }
    };
    listener
        .set_nonblocking(true)
        .expect("a non-blocking listener");
    listener
}
