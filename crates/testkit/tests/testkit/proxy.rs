//! The fault proxy in front of an echo server.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use greentic_session_testkit::{Accept, FaultProxy, Flow, wait_until};

const LIMIT: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_millis(200);

fn echo_server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || echo(&stream.unwrap()));
        }
    });
    address
}

fn echo(mut stream: &TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(length) = stream.read(&mut buffer)
        && length > 0
        && stream.write_all(&buffer[..length]).is_ok()
    {}
}

fn connect(proxy: &FaultProxy) -> TcpStream {
    let stream = TcpStream::connect(proxy.address()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
}

fn proxy() -> FaultProxy {
    FaultProxy::start(&echo_server())
}

fn says(mut stream: &TcpStream, text: &str) {
    stream.write_all(text.as_bytes()).unwrap();
}

fn hears(mut stream: &TcpStream, text: &str) {
    let mut buffer = vec![0; text.len()];
    stream.read_exact(&mut buffer).unwrap();
    assert_eq!(buffer, text.as_bytes());
}

fn is_passed(stream: &TcpStream) {
    says(stream, "ping");
    hears(stream, "ping");
}

fn hears_the_end(mut stream: &TcpStream) {
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
}

fn hears_a_reset(mut stream: &TcpStream) {
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

fn hears_nothing(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(SILENCE)).unwrap();
    let error = stream.read(&mut [0; 16]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    stream.set_read_timeout(Some(LIMIT)).unwrap();
}

#[test]
fn passes_and_counts() {
    let proxy = proxy();
    let (one, two) = (connect(&proxy), connect(&proxy));
    is_passed(&one);
    is_passed(&two);
    assert_eq!(proxy.connections(), 2);
    wait_until("all bytes are counted", LIMIT, || {
        (proxy.request_bytes(), proxy.reply_bytes()) == (8, 8)
    });
    assert_eq!(proxy.faults(), 0);
}

#[test]
fn cuts_in_the_middle_of_a_reply() {
    let proxy = proxy();
    let stream = connect(&proxy);
    is_passed(&stream);
    proxy.replies(Flow::CutAfter(3));
    says(&stream, "hello");
    hears(&stream, "hel");
    hears_the_end(&stream);
    assert_eq!(proxy.faults(), 1);
    assert_eq!(proxy.request_bytes(), 9);
}

#[test]
fn counts_a_cut_over_several_pieces() {
    let proxy = proxy();
    let stream = connect(&proxy);
    proxy.replies(Flow::CutAfter(6));
    is_passed(&stream);
    says(&stream, "hello");
    hears(&stream, "he");
    hears_the_end(&stream);
}

#[test]
fn loses_one_reply_after_the_request_arrived() {
    let proxy = proxy();
    let stream = connect(&proxy);
    is_passed(&stream);
    proxy.replies_once(Flow::SwallowThenClose);
    says(&stream, "hello");
    hears_the_end(&stream);
    assert_eq!(proxy.request_bytes(), 9);
    assert_eq!(proxy.reply_bytes(), 4);
    is_passed(&connect(&proxy));
    assert_eq!(proxy.faults(), 1);
}

#[test]
fn loses_a_request() {
    let proxy = proxy();
    let stream = connect(&proxy);
    proxy.requests_once(Flow::SwallowThenClose);
    says(&stream, "hello");
    hears_the_end(&stream);
    assert_eq!(proxy.request_bytes(), 0);
}

#[test]
fn keeps_a_connection_that_lost_bytes_silent_for_good() {
    let proxy = proxy();
    let stream = connect(&proxy);
    proxy.replies(Flow::Swallow);
    says(&stream, "hello");
    wait_until("the reply is lost", LIMIT, || proxy.faults() == 1);
    proxy.heal();
    says(&stream, "hello");
    hears_nothing(&stream);
    is_passed(&connect(&proxy));
}

#[test]
fn resets_open_connections() {
    let proxy = proxy();
    let stream = connect(&proxy);
    is_passed(&stream);
    proxy.replies(Flow::Reset);
    says(&stream, "hello");
    hears_a_reset(&stream);
}

#[test]
fn delays_and_loses_nothing() {
    let proxy = proxy();
    proxy.requests(Flow::Delay(Duration::from_millis(5)));
    proxy.replies(Flow::Delay(Duration::from_millis(5)));
    let stream = connect(&proxy);
    is_passed(&stream);
    is_passed(&stream);
    assert_eq!(proxy.faults(), 0);
}

#[test]
fn a_long_delay_ends_with_the_proxy() {
    let proxy = proxy();
    let stream = connect(&proxy);
    proxy.replies(Flow::Delay(LIMIT * 100));
    says(&stream, "hello");
    wait_until("the request arrived", LIMIT, || proxy.request_bytes() == 5);
    hears_nothing(&stream);
    drop(proxy);
    hears_the_end(&stream);
}

#[test]
fn accepts_into_a_black_hole() {
    let proxy = proxy();
    let open = connect(&proxy);
    is_passed(&open);
    proxy.black_hole();
    let new = connect(&proxy);
    says(&new, "hello");
    hears_nothing(&new);
    says(&open, "hello");
    hears_nothing(&open);
    wait_until("both are counted", LIMIT, || proxy.connections() == 2);
    proxy.close_all();
    hears_the_end(&open);
    proxy.heal();
    is_passed(&connect(&proxy));
}

#[test]
fn resets_new_connections_and_leaves_open_ones() {
    let proxy = proxy();
    let open = connect(&proxy);
    is_passed(&open);
    proxy.accepts(Accept::Reset);
    hears_a_reset(&connect(&proxy));
    is_passed(&open);
}

#[test]
fn refuses_new_connections_and_takes_them_again() {
    let proxy = proxy();
    let open = connect(&proxy);
    is_passed(&open);
    proxy.accepts(Accept::Refuse);
    let error = TcpStream::connect(proxy.address()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    is_passed(&open);
    proxy.heal();
    is_passed(&connect(&proxy));
}

#[test]
fn closes_all_and_takes_new_ones() {
    let proxy = proxy();
    let stream = connect(&proxy);
    is_passed(&stream);
    proxy.close_all();
    hears_the_end(&stream);
    is_passed(&connect(&proxy));
}

#[test]
fn drops_a_client_whose_server_is_gone() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let proxy = FaultProxy::start(&address);
    hears_the_end(&connect(&proxy));
}

#[test]
fn held_pieces_reach_the_server_later_also_after_the_client_has_gone() {
    let proxy = proxy();
    let (held, other) = (connect(&proxy), connect(&proxy));
    is_passed(&held);
    is_passed(&other);
    proxy.requests_once(Flow::Hold(&["wa", "it"]));
    says(&held, "wait");
    wait_until("the piece is held", LIMIT, || proxy.faults() == 1);
    is_passed(&other);
    proxy.release();
    hears(&held, "wait");

    proxy.requests_once(Flow::Hold(&["again"]));
    says(&held, "again");
    wait_until("the piece is held", LIMIT, || proxy.faults() == 2);
    proxy.cut_clients();
    hears_the_end(&held);
    let bytes = proxy.request_bytes();
    proxy.release();
    wait_until("the piece is sent", LIMIT, || {
        proxy.request_bytes() == bytes + 5
    });
}
