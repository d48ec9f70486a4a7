//! Child processes that end with this one.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use crate::binaries::on_path;

struct Request {
    command: Command,
    answer: Sender<io::Result<Child>>,
}

/// Starts `command` from a thread that lives as long as this process.
///
/// The kernel sends the parent-death signal when the *thread* that started the child ends, and
/// a test's thread ends with its test.
pub(crate) fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<Sender<Request>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, requests) = channel::<Request>();
        thread::spawn(move || {
            for mut request in requests {
                let _ = request.answer.send(request.command.spawn());
            }
        });
        sender
    });
    let (answer, result) = channel();
    spawner
        .send(Request { command, answer })
        .map_err(io::Error::other)?;
    result.recv().map_err(io::Error::other)?
}

/// A command for `program` that the kernel kills when this process dies.
///
/// Requesting that signal directly requires unsafe code, so `setpriv` of util-linux requests it.
/// Without `setpriv` only a dropped handle ends the child. `setpriv` becomes the program by exec,
/// so that the id of the child is that of the program.
pub(crate) fn tied_to_us(program: &Path) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    if !*SETPRIV.get_or_init(setpriv_works) {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).arg(program);
    command
}

// Some builds of setpriv lack the option.
fn setpriv_works() -> bool {
    on_path("setpriv").is_some()
        && Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
}
