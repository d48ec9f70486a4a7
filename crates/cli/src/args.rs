//! What can be asked for. Values are checked where they are used, so that no error of the parser
//! repeats a URL's password or a user id.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the program failed, such as at writing a file
  2    wrong arguments; nothing was done
  3    no such session or store
  4    a worker holds the session, or the target has data
  5    the store is not reached, is in use, or gives no answer
  6    what is stored, or the export, cannot be read
  7    done, but the check afterwards found a difference
  10   doctor: the backend has warnings
  11   doctor: an index contradicts the sessions
  12   doctor: something cannot be read
  130  interrupted
  141  the reader of the output is gone";

/// Sees, mends, erases and moves what waits in a session store.
///
/// Data goes to stdout; progress, hints and errors go to stderr. What changes or removes sessions
/// only shows what it would do, until --yes is given.
#[derive(Parser)]
#[command(name = "greentic-session", version, after_long_help = EXIT_CODES)]
#[command(
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub common: Common,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Args, Clone)]
pub struct Common {
    /// The store: redb:///path, redis://host/db or memory: [default: a file in the data directory]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "GREENTIC_SESSION_STORE",
        hide_env_values = true
    )]
    pub store: Option<String>,
    /// Write JSON instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Count the sessions by env, tenant, flow and state, with ages and time to expiry
    Stats(Stats),
    /// List sessions
    List(List),
    /// Show one session
    Show(Show),
    /// List what waits for one user, in order of registration
    Waits(Waits),
    /// Show the stats again and again, in place
    Watch(Watch),
    /// Remove sessions with their waits
    Remove(Remove),
    /// Set the deadline of a session anew
    Extend(Extend),
    /// Take a stuck claim from its worker: the wait can be claimed again at once
    Release(Release),
    /// Erase every trace of a tenant, a team or a user
    Erase(Erase),
    /// Check the backend, and every index against the sessions
    Doctor(Doctor),
    /// Write all sessions as lines of JSON
    Export(Export),
    /// Read what `export` wrote
    Import(Import),
    /// Move all sessions from one store to another
    Migrate(Migrate),
    /// Tell the story of a paused conversation, or fill a store with samples
    Demo(Demo),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the manual page, or write one for each command
    Man(Man),
}

/// Which sessions.
#[derive(Args, Clone, Default)]
pub struct Filter {
    /// Only this env
    #[arg(long)]
    pub env: Option<String>,
    /// Only this tenant
    #[arg(long)]
    pub tenant: Option<String>,
    /// Only this team
    #[arg(long)]
    pub team: Option<String>,
    /// Only this user
    #[arg(long)]
    pub user: Option<String>,
    /// Only this flow
    #[arg(long)]
    pub flow: Option<String>,
    /// Only this state
    #[arg(long)]
    pub state: Option<State>,
    /// Only what waits, or else is there, at least this long, such as 90s, 15m, 2h30m or 7d
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<String>,
    /// Only what expires within this time
    #[arg(long, value_name = "TIME")]
    pub expires_within: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum State {
    /// It waits for an answer
    Waiting,
    /// A worker holds it
    Claimed,
    /// It does not wait
    Idle,
}

#[derive(Args)]
pub struct Stats {
    #[command(flatten)]
    pub filter: Filter,
    /// Show every tenant and flow, instead of the 20 with the most sessions
    #[arg(long)]
    pub all: bool,
}

#[derive(Args)]
pub struct List {
    #[command(flatten)]
    pub filter: Filter,
    /// Stop after about so many sessions, and say how to go on [default: list all]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Go on where a list with --limit has stopped
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// Show user ids
    #[arg(long)]
    pub reveal: bool,
}

#[derive(Args)]
pub struct Show {
    /// The session key
    pub key: String,
    /// Show the user id and the payload
    #[arg(long)]
    pub reveal: bool,
}

#[derive(Args)]
pub struct Waits {
    /// The env
    #[arg(long)]
    pub env: String,
    /// The tenant
    #[arg(long)]
    pub tenant: String,
    /// The team [default: no team, which is an owner of its own]
    #[arg(long)]
    pub team: Option<String>,
    /// The user
    #[arg(long)]
    pub user: String,
}

#[derive(Args)]
pub struct Watch {
    #[command(flatten)]
    pub filter: Filter,
    /// The time between two refreshes
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub interval: String,
    /// End after so many refreshes [default: never]
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
}

#[derive(Args)]
pub struct Remove {
    /// The session keys
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<String>,
    /// Remove them, instead of showing what would go
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args)]
pub struct Extend {
    /// The session key
    pub key: String,
    /// How long it lives from now on, such as 2h or 7d; `never` for no deadline
    #[arg(long, value_name = "TIME")]
    pub ttl: String,
    /// Set it, instead of showing what would change
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args)]
pub struct Release {
    /// The session key
    pub key: String,
    /// Take the claim, instead of showing it
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args)]
pub struct Erase {
    /// The env
    #[arg(long)]
    pub env: String,
    /// The tenant
    #[arg(long)]
    pub tenant: String,
    /// Only this team [default: all teams, and what belongs to none]
    #[arg(long)]
    pub team: Option<String>,
    /// Only this user [default: all users, and what belongs to none]
    #[arg(long)]
    pub user: Option<String>,
    /// Erase, instead of counting what would go
    #[arg(long)]
    pub yes: bool,
    /// Go on where an interrupted erasure has stopped
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// Write the receipt to this file too
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
}

#[derive(Args)]
pub struct Doctor {
    /// Repair what contradicts; no session that can be read is lost
    #[arg(long)]
    pub repair: bool,
}

#[derive(Args)]
pub struct Export {
    /// The file to write [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Compress with zstd
    #[arg(long)]
    pub zstd: bool,
}

#[derive(Args)]
pub struct Import {
    /// The file to read, compressed or not; it is checked as a whole first [default: stdin]
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,
    #[command(flatten)]
    pub merging: Merging,
}

/// What to do with a target that has data.
#[derive(Args, Clone, Copy)]
pub struct Merging {
    /// Add to what the target has; where key or scope is taken, the target's session stays
    #[arg(long)]
    pub merge: bool,
    /// With --merge: where key or scope is taken, the new session takes its place
    #[arg(long, requires = "merge")]
    pub replace: bool,
}

#[derive(Args)]
pub struct Migrate {
    /// The store to read
    #[arg(long, value_name = "URL")]
    pub from: String,
    /// The store to fill
    #[arg(long, value_name = "URL")]
    pub to: String,
    #[command(flatten)]
    pub merging: Merging,
    /// Where to keep how far it has come [default: a file in the data directory]
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
}

#[derive(Args)]
pub struct Demo {
    /// Fill the store with so many sessions instead, in env `demo`
    #[arg(long, value_name = "N")]
    pub fill: Option<u64>,
    /// With --fill: over so many tenants
    #[arg(long, value_name = "N", default_value_t = 50, requires = "fill")]
    pub tenants: u64,
    /// Leave the data of the story in the store
    #[arg(long)]
    pub keep: bool,
}

#[derive(Args)]
pub struct Completions {
    /// The shell
    pub shell: Shell,
}

#[derive(Args)]
pub struct Man {
    /// Write a page for each command into this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
