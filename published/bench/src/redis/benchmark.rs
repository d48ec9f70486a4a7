//! `redis-benchmark`, with the commands that the store sends.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use greentic_session_testkit::RedisServer;

use crate::system::{Failure, Program};

/// The program with one command, the same in each of its calls.
pub struct RedisBenchmark {
    port: u16,
    words: Vec<Vec<u8>>,
    /// The rate of the last run, from which the number of calls of the next run is computed.
    rate: AtomicU64,
}

const FIRST_GUESS: u64 = 20_000;

impl RedisBenchmark {
    pub fn new(server: &RedisServer, words: Vec<Vec<u8>>) -> Self {
        Self {
            port: server.port(),
            words,
            rate: AtomicU64::new(FIRST_GUESS),
        }
    }

    /// Returns true if the program is installed.
    pub fn is_installed() -> bool {
        let path = env::var_os("PATH").unwrap_or_default();
        env::split_paths(&path).any(|directory| directory.join("redis-benchmark").is_file())
    }
}

impl Program for RedisBenchmark {
    fn run(&self, callers: usize, time: Duration) -> Result<(u64, f64), Failure> {
        let rate = self.rate.load(Ordering::Relaxed) as f64;
        let requests = ((rate * time.as_secs_f64()) as u64).max(200);
        let (port, callers, count) = (
            self.port.to_string(),
            callers.to_string(),
            requests.to_string(),
        );
        let options = [
            "-p",
            &port,
            "-c",
            &callers,
            "-n",
            &count,
            "-r",
            "1000000000",
            "--csv",
        ];
        let mut command = Command::new("redis-benchmark");
        command
            .args(options)
            .args(self.words.iter().map(|word| text(word)));
        let output = command.output()?;
        let answer = String::from_utf8_lossy(&output.stdout);
        // In the last line, the first cell is the command, which may contain commas.
        let cells: Vec<_> = answer
            .lines()
            .last()
            .unwrap_or_default()
            .rsplit(',')
            .collect();
        let rate = cells
            .get(6)
            .and_then(|cell| cell.trim_matches('"').parse::<f64>().ok());
        let trouble = || {
            format!(
                "redis-benchmark: {answer}{}",
                String::from_utf8_lossy(&output.stderr)
            )
        };
        let rate = rate
            .filter(|_| output.status.success())
            .ok_or_else(trouble)?;
        self.rate.store(rate as u64, Ordering::Relaxed);
        Ok((requests, rate))
    }
}

// The arguments are text.
fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(word).into_owned()
}

/// Returns the command that a call sends: the last one that the server received.
///
/// An operation id, which must differ in each call, is replaced by the counter of redis-benchmark.
pub fn recorded(
    server: &RedisServer,
    call: impl FnOnce() -> Result<(), Failure>,
) -> Result<Vec<Vec<u8>>, Failure> {
    const END: &str = "end-of-the-record";
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    stream.write_all(b"MONITOR\r\n")?;
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line)?;
    call()?;
    let _pong = server.command(&["PING", END]);
    let mut last = None;
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Err("the server closed MONITOR".into());
        }
        if line.contains(END) {
            break;
        }
        // MONITOR marks the commands of a script.
        if !line.contains(" lua] ") {
            last = Some(words(&line));
        }
    }
    let mut words = last
        .filter(|words| !words.is_empty())
        .ok_or("the call sent nothing")?;
    words
        .iter_mut()
        .skip(1)
        .filter(|word| is_operation(word))
        .for_each(|word| {
            word.truncate(20);
            word.extend_from_slice(b"__rand_int__");
        });
    Ok(words)
}

fn is_operation(word: &[u8]) -> bool {
    word.len() == 32 && word.iter().all(u8::is_ascii_hexdigit)
}

// `+12.3 [0 127.0.0.1:5] "GET" "a\"b\x00"`
fn words(line: &str) -> Vec<Vec<u8>> {
    let mut words = Vec::new();
    let mut bytes = line.bytes().skip_while(|byte| *byte != b']');
    while bytes.any(|byte| byte == b'"') {
        let mut word = Vec::new();
        loop {
            match bytes.next() {
                None | Some(b'"') => break,
                Some(b'\\') => word.extend(escaped(&mut bytes)),
                Some(byte) => word.push(byte),
            }
        }
        words.push(word);
    }
    words
}

fn escaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    Some(match bytes.next()? {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'x' => {
            let mut digit = || (bytes.next()? as char).to_digit(16);
            u8::try_from(digit()? * 16 + digit()?).ok()?
        }
        other => other,
    })
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn a_line_of_the_monitor_is_read_back() {
        let line = r#"+1.5 [0 127.0.0.1:5] "SET" "a\"b" "\x00\xff\\n\n" """#;
        let expected: Vec<Vec<u8>> = vec![
            b"SET".into(),
            b"a\"b".into(),
            b"\x00\xff\\n\n".into(),
            b"".into(),
        ];
        assert_eq!(words(line), expected);
    }
}
