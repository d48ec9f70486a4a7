//! A TCP proxy that misbehaves on request.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::{self, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::lane::{Flow, Lane};
use crate::link::{Link, reset_on_close};
use crate::ports::free_port;

const POLL: Duration = Duration::from_millis(2);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
const LISTEN_LIMIT: Duration = Duration::from_secs(5);

/// What happens to new connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// They are passed on to the server behind.
    #[default]
    Pass,
    /// They are accepted, never passed on and never answered.
    BlackHole,
    /// They are accepted and reset.
    Reset,
    /// Nobody listens.
    Refuse,
}

/// A proxy on a loopback port of its own. Requests flow to the server behind, replies flow
/// back; each direction has its own fault, changed at any time and for connections already
/// open too. All connections end when the handle is dropped.
pub struct FaultProxy {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    address: SocketAddr,
    upstream: SocketAddr,
    door: Mutex<Door>,
    requests: Arc<Lane>,
    replies: Arc<Lane>,
    connections: AtomicU64,
    ended: AtomicBool,
}

struct Door {
    accept: Accept,
    listener: Option<TcpListener>,
    held: Vec<TcpStream>,
    links: Vec<Weak<Link>>,
}

impl FaultProxy {
    /// Listens, and passes everything on to `upstream`, such as `127.0.0.1:6379`.
    ///
    /// # Panics
    /// If the address is none or no port is free.
    #[must_use]
    pub fn start(upstream: &str) -> Self {
        let upstream = upstream.parse().expect("not an address with a port");
        let listener = listen(SocketAddr::from(([127, 0, 0, 1], free_port())));
        let shared = Arc::new(Shared {
            address: listener.local_addr().expect("an address"),
            upstream,
            door: Mutex::new(Door {
                accept: Accept::Pass,
                listener: Some(listener),
                held: Vec::new(),
                links: Vec::new(),
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

    /// Where the proxy listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// `redis://127.0.0.1:port/`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}/", self.shared.address)
    }

    /// What happens to requests from here on.
    pub fn requests(&self, flow: Flow) {
        self.shared.requests.set(flow);
    }

    /// What happens to replies from here on.
    pub fn replies(&self, flow: Flow) {
        self.shared.replies.set(flow);
    }

    /// What happens to the next requests: once it has happened, requests pass again.
    pub fn requests_once(&self, flow: Flow) {
        self.shared.requests.set_once(flow);
    }

    /// What happens to the next replies: once it has happened, replies pass again. So a reply
    /// is lost and a repeated request succeeds.
    pub fn replies_once(&self, flow: Flow) {
        self.shared.replies.set_once(flow);
    }

    /// What happens to new connections from here on; open ones stay.
    ///
    /// # Panics
    /// If the port was given up by [`Accept::Refuse`] and somebody else took it.
    pub fn accepts(&self, accept: Accept) {
        let mut door = self.shared.door();
        door.accept = accept;
        if accept == Accept::Refuse {
            door.listener = None;
        } else if door.listener.is_none() {
            door.listener = Some(listen(self.shared.address));
        }
    }

    /// Swallows everything in both directions, and accepts new connections without ever
    /// answering.
    ///
    /// # Panics
    /// As [`accepts`](Self::accepts).
    pub fn black_hole(&self) {
        self.accepts(Accept::BlackHole);
        self.requests(Flow::Swallow);
        self.replies(Flow::Swallow);
    }

    /// Ends all faults. A connection that has lost bytes stays silent, and one that was
    /// accepted into a black hole stays there: TCP loses nothing in the middle of a stream.
    ///
    /// # Panics
    /// As [`accepts`](Self::accepts).
    pub fn heal(&self) {
        self.requests(Flow::Pass);
        self.replies(Flow::Pass);
        self.accepts(Accept::Pass);
    }

    /// Closes all open connections; new ones are welcome.
    pub fn close_all(&self) {
        self.shared.door().close_all();
    }

    /// How many connections were accepted so far.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// How many bytes of requests reached the server behind.
    #[must_use]
    pub fn request_bytes(&self) -> u64 {
        self.shared.requests.bytes()
    }

    /// How many bytes of replies reached the clients.
    #[must_use]
    pub fn reply_bytes(&self) -> u64 {
        self.shared.replies.bytes()
    }

    /// How often a connection was cut, silenced or reset by a flow, in both directions.
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
        self.close_all();
    }
}

impl Shared {
    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    // It polls, because a blocked accept cannot be woken by closing the listener.
    fn accept_all(&self) {
        while !self.ended.load(Ordering::SeqCst) {
            if !self.accept_one() {
                sleep(POLL);
            }
        }
    }

    fn accept_one(&self) -> bool {
        let mut door = self.door();
        let Some(listener) = &door.listener else {
            return false;
        };
        let client = match listener.accept() {
            Ok((client, _)) => client,
            Err(error) => return error.kind() != ErrorKind::WouldBlock,
        };
        self.connections.fetch_add(1, Ordering::SeqCst);
        match door.accept {
            Accept::Pass => self.connect(&mut door, client),
            Accept::BlackHole => door.held.push(client),
            Accept::Reset => reset_on_close(&client),
            Accept::Refuse => {}
        }
        true
    }

    // A client whose server is unreachable is dropped, and so closed.
    fn connect(&self, door: &mut Door, client: TcpStream) {
        let upstream = TcpStream::connect_timeout(&self.upstream, CONNECT_LIMIT);
        let link = upstream.and_then(|upstream| Link::new(client, upstream));
        let Ok(link) = link.map(Arc::new) else { return };
        door.links.retain(|link| link.strong_count() > 0);
        door.links.push(Arc::downgrade(&link));
        let (there, back) = (Arc::clone(&link), link);
        let (requests, replies) = (Arc::clone(&self.requests), Arc::clone(&self.replies));
        thread::spawn(move || there.pump_requests(&requests));
        thread::spawn(move || back.pump_replies(&replies));
    }
}

impl Door {
    fn close_all(&mut self) {
        self.held.clear();
        for link in self.links.drain(..).filter_map(|link| link.upgrade()) {
            link.close();
        }
    }
}

/// A process that was being started when the port was given up holds it for a moment longer.
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
