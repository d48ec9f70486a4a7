//! A small RESP2 client, with which tests read keys without the library.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::reply::Reply;

const LIMIT: Duration = Duration::from_secs(10);

/// One connection to a server.
pub struct RespClient {
    stream: BufReader<TcpStream>,
}

impl RespClient {
    /// Connects, logs in and selects the database.
    ///
    /// # Errors
    /// If the server cannot be reached or refuses the login.
    pub fn connect(to: &Endpoint) -> io::Result<Self> {
        let stream = TcpStream::connect((to.host.as_str(), to.port))?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        stream.set_nodelay(true)?;
        let mut client = Self {
            stream: BufReader::new(stream),
        };
        if let Some(password) = &to.password {
            let user = to.username.as_deref().unwrap_or("default");
            client.must(&["AUTH", user, password])?;
        }
        if to.database != 0 {
            client.must(&["SELECT", &to.database.to_string()])?;
        }
        Ok(client)
    }

    fn must(&mut self, command: &[&str]) -> io::Result<()> {
        match self.command(command)? {
            Reply::Error(text) => Err(io::Error::other(text)),
            _ => Ok(()),
        }
    }

    /// Sends one command and reads its reply. An error of the server is a reply.
    ///
    /// # Errors
    /// If the connection fails, the server is silent for ten seconds, or the reply is not RESP2.
    pub fn command(&mut self, arguments: &[impl AsRef<[u8]>]) -> io::Result<Reply> {
        let mut request = format!("*{}\r\n", arguments.len()).into_bytes();
        for argument in arguments.iter().map(AsRef::as_ref) {
            request.extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
            request.extend_from_slice(argument);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        self.reply()
    }

    fn reply(&mut self) -> io::Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let Some(line) = line.strip_suffix("\r\n") else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        let Some((kind, rest)) = line.split_at_checked(1) else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        match kind {
            "+" => Ok(Reply::Status(rest.to_owned())),
            "-" => Ok(Reply::Error(rest.to_owned())),
            ":" => number(rest).map(Reply::Int),
            "$" => self.bulk(number(rest)?),
            "*" => self.array(number(rest)?),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn bulk(&mut self, length: i64) -> io::Result<Reply> {
        let Ok(length) = usize::try_from(length) else {
            return Ok(Reply::Nil);
        };
        let mut bytes = vec![0; length + 2];
        self.stream.read_exact(&mut bytes)?;
        bytes.truncate(length);
        Ok(Reply::Bulk(bytes))
    }

    fn array(&mut self, length: i64) -> io::Result<Reply> {
        let Ok(length) = usize::try_from(length) else {
            return Ok(Reply::Nil);
        };
        let items: io::Result<Vec<_>> = (0..length).map(|_| self.reply()).collect();
        items.map(Reply::Array)
    }
}

fn number(text: &str) -> io::Result<i64> {
    text.parse().map_err(io::Error::other)
}
