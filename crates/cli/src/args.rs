//! The command line arguments. Commands check their values themselves, so that no error of the
//! parser repeats the password of a URL or a user id.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    the program failed, for example to write a file
  2    wrong arguments; nothing was done
  3    no such session, store or file
  4    a worker holds the session, it takes no such timeout, or the target has data
  5    the store cannot be reached, is in use, or does not answer
  6    the stored data or the export cannot be read
  7    done, but the check afterwards found a difference
  10   doctor: the backend has warnings
  11   doctor: an index contradicts the sessions
  12   doctor: something cannot be read
  130  interrupted
  141  the reader of the output is gone (nothing is printed)";

/// Lists, repairs, erases and migrates the sessions of a store.
///
/// Data goes to stdout; progress, hints and errors go to stderr. Commands that change or remove
/// sessions only show what they would do, unless --yes is given.
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
    /// The store: redb:///path, redis://host/db, memory:, or a name in the file of --config [env:
    /// GREENTIC_SESSION_STORE] [default: a file in the data directory]
    #[arg(long, global = true, value_name = "STORE")]
    pub store: Option<String>,
    /// A file in TOML or JSON with the store and its settings, or with several under names [env:
    /// GREENTIC_SESSION_CONFIG]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The keyring with which the store is sealed, instead of the setting `keyring` of the store
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GREENTIC_SESSION_KEYRING"
    )]
    pub keyring: Option<PathBuf>,
    /// A directory with a key of each tenant, wrapped with the keyring, instead of the setting `shelf` of the store;
    /// keep no backup of it beside those of the store
    #[arg(long, global = true, value_name = "DIR")]
    pub shelf: Option<PathBuf>,
    /// Write JSON instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// Append a line to this file before sessions are erased, removed, released, revealed, exported or
    /// imported; if that fails, nothing is done
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GREENTIC_SESSION_AUDIT"
    )]
    pub audit: Option<PathBuf>,
    /// Who acts, for the audit [default: the system user]
    #[arg(long, global = true, value_name = "NAME")]
    pub actor: Option<String>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Count the sessions by env, tenant, flow and state, with ages, times to expiry and timeouts
    Stats(Stats),
    /// List sessions
    List(List),
    /// Show one session
    Show(Show),
    /// List the waits of one user, in order of registration
    Waits(Waits),
    /// List the waits with a timeout, those that are late first
    Due(Due),
    /// Show the stats and refresh them in place
    Watch(Watch),
    /// Remove sessions with their waits: those of some keys, or all that filters select
    Remove(Remove),
    /// Set a new deadline for sessions
    Extend(Extend),
    /// Set, move or take away the timeouts of waits
    Timeout(Timeout),
    /// Take stuck claims from their workers, so that the waits can be claimed at once
    Release(Release),
    /// Erase everything of a tenant, a team or a user
    Erase(Erase),
    /// Check the backend, and every index against the sessions
    Doctor(Doctor),
    /// Count the sessions and replies by the key that they are sealed with, and seal them anew
    Reseal(Reseal),
    /// Make keyrings, and change their keys
    #[command(subcommand)]
    Keyring(Keyring),
    /// Write all sessions as lines of JSON
    Export(Export),
    /// Read an export
    Import(Import),
    /// Copy all sessions from one store to another
    Migrate(Migrate),
    /// Play a paused conversation, or create sample sessions
    Demo(Demo),
    /// Print a completion script for a shell
    Completions(Completions),
    /// Print the manual page, or write one for each command
    Man(Man),
}

/// Whose sessions.
#[derive(Args, Clone, Default)]
pub struct Owner {
    /// Only this env
    #[arg(long, allow_negative_numbers = true)]
    pub env: Option<String>,
    /// Only this tenant
    #[arg(long, allow_negative_numbers = true)]
    pub tenant: Option<String>,
    /// Only this team
    #[arg(long, allow_negative_numbers = true)]
    pub team: Option<String>,
    /// Only this user
    #[arg(long, allow_negative_numbers = true)]
    pub user: Option<String>,
}

/// A selection of sessions.
#[derive(Args, Clone, Default)]
pub struct Filter {
    #[command(flatten)]
    pub owner: Owner,
    /// Only session keys that begin like this
    #[arg(long, value_name = "TEXT", allow_negative_numbers = true)]
    pub key_prefix: Option<String>,
    /// Only this flow
    #[arg(long, allow_negative_numbers = true)]
    pub flow: Option<String>,
    /// Only flows that are paused at this node
    #[arg(long, allow_negative_numbers = true)]
    pub node: Option<String>,
    /// Only sessions that wait on this conversation, without a thread, reply or correlation
    #[arg(long, allow_negative_numbers = true)]
    pub conversation: Option<String>,
    /// Only sessions whose claim this holder has, such as a pod
    #[arg(long, allow_negative_numbers = true)]
    pub holder: Option<String>,
    /// Only this state
    #[arg(long)]
    pub state: Option<State>,
    /// Only sessions that wait, or else exist, at least this long, such as 90s, 15m, 2h30m or 7d
    #[arg(long, value_name = "TIME")]
    pub older_than: Option<String>,
    /// Only sessions that expire within this time
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

/// An order of sessions.
#[derive(Clone, Copy, ValueEnum)]
pub enum Sort {
    /// The oldest first
    Age,
    /// Those that expire soonest first
    Expires,
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
    /// Stop after about this many sessions, and print how to continue [default: list all]
    #[arg(long, value_name = "N")]
    pub limit: Option<u64>,
    /// Continue where a list with --limit has stopped
    #[arg(long, value_name = "CURSOR", conflicts_with = "sort")]
    pub after: Option<String>,
    /// Show the oldest, or those that expire soonest, first; with --limit these alone. The list is
    /// kept in memory [default: the order of the store]
    #[arg(long)]
    pub sort: Option<Sort>,
    /// Show user ids
    #[arg(long)]
    pub reveal: bool,
}

#[derive(Args)]
pub struct Show {
    /// The session key
    #[arg(allow_negative_numbers = true)]
    pub key: String,
    #[command(flatten)]
    pub owner: Owner,
    /// Show the user id and the payload
    #[arg(long)]
    pub reveal: bool,
}

#[derive(Args)]
pub struct Waits {
    /// The env
    #[arg(long, allow_negative_numbers = true)]
    pub env: String,
    /// The tenant
    #[arg(long, allow_negative_numbers = true)]
    pub tenant: String,
    /// The team [default: sessions without a team]
    #[arg(long, allow_negative_numbers = true)]
    pub team: Option<String>,
    /// The user
    #[arg(long, allow_negative_numbers = true)]
    pub user: String,
}

#[derive(Args)]
pub struct Due {
    #[command(flatten)]
    pub filter: Filter,
    /// Only timeouts that come within this time, such as 1h; 0s for those that have come
    #[arg(long, value_name = "TIME")]
    pub within: Option<String>,
    /// Show the first so many
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub limit: usize,
}

#[derive(Args)]
pub struct Watch {
    #[command(flatten)]
    pub filter: Filter,
    /// The time between two refreshes
    #[arg(long, value_name = "TIME", default_value = "2s")]
    pub interval: String,
    /// Stop after this many refreshes [default: never]
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
}

/// The sessions to change.
#[derive(Args, Clone)]
pub struct Chosen {
    /// The session keys [default: every session that matches the filters]
    #[arg(value_name = "KEY", allow_negative_numbers = true)]
    pub keys: Vec<String>,
    #[command(flatten)]
    pub filter: Filter,
    /// Without keys: continue where an interrupted run has stopped
    #[arg(long, value_name = "CURSOR", conflicts_with = "keys")]
    pub after: Option<String>,
    /// Change them, instead of showing what would change
    #[arg(long)]
    pub yes: bool,
}

#[derive(Args)]
pub struct Remove {
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Args)]
pub struct Extend {
    #[command(flatten)]
    pub chosen: Chosen,
    /// The time from now to the deadline, such as 2h or 7d; `never` for no deadline
    #[arg(long, value_name = "TIME")]
    pub ttl: String,
}

#[derive(Args)]
pub struct Timeout {
    #[command(flatten)]
    pub chosen: Chosen,
    #[command(flatten)]
    pub kind: TimeoutKind,
}

/// The new timeout.
#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct TimeoutKind {
    /// Make the waits due after this time, such as 2h or 7d; they go on taking answers
    #[arg(long, value_name = "TIME")]
    pub remind: Option<String>,
    /// Take the waits from their scopes after this time, and make them due
    #[arg(long, value_name = "TIME")]
    pub close: Option<String>,
    /// Take the timeouts away
    #[arg(long)]
    pub none: bool,
}

#[derive(Args)]
pub struct Release {
    #[command(flatten)]
    pub chosen: Chosen,
}

#[derive(Args)]
pub struct Erase {
    /// The env
    #[arg(long, allow_negative_numbers = true)]
    pub env: String,
    /// The tenant
    #[arg(long, allow_negative_numbers = true)]
    pub tenant: String,
    /// Only this team [default: all teams, and sessions without a team]
    #[arg(long, allow_negative_numbers = true)]
    pub team: Option<String>,
    /// Only this user [default: all users, and sessions without a user]
    #[arg(long, allow_negative_numbers = true)]
    pub user: Option<String>,
    /// Erase, instead of counting what would be erased
    #[arg(long)]
    pub yes: bool,
    /// Continue where an interrupted erasure has stopped
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
    /// Also write the receipt to this file, from the beginning on: after a run that was killed, the
    /// next one with the same file says what both erased
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Name the user in the receipt by an HMAC with the secret in this file, 32 bytes or more [default: the receipt
    /// does not tell which user it was]
    #[arg(long, value_name = "FILE")]
    pub receipt_key: Option<PathBuf>,
    /// When everything of a tenant is erased: also destroy its keys, so that no copy of its data can be read
    #[arg(long, conflicts_with_all = ["team", "user"])]
    pub shred: bool,
    /// Sign the finished receipt with this Ed25519 private key (PKCS#8 PEM), into a file beside it whose
    /// name ends in `.sig`
    #[arg(long, value_name = "FILE", requires = "receipt")]
    pub sign_key: Option<PathBuf>,
}

#[derive(Args)]
pub struct Doctor {
    /// Repair contradictions; no readable session is removed
    #[arg(long)]
    pub repair: bool,
    /// Set aside what cannot be read, and repair: it is kept, and no other call meets it
    #[arg(long, conflicts_with = "repair")]
    pub quarantine: bool,
    /// A second copy of the keyring: it is compared with the one of the store
    #[arg(long, value_name = "FILE")]
    pub keyring_copy: Option<PathBuf>,
    /// Delete what was set aside
    #[arg(long, conflicts_with_all = ["repair", "quarantine"])]
    pub discard: bool,
}

#[derive(Args)]
pub struct Reseal {
    /// Store in clear what is sealed
    #[arg(long)]
    pub clear: bool,
    /// Rewrite, instead of counting
    #[arg(long)]
    pub yes: bool,
    /// Continue where an interrupted run has stopped
    #[arg(long, value_name = "CURSOR")]
    pub after: Option<String>,
}

/// What to do with a keyring.
#[derive(Subcommand)]
pub enum Keyring {
    /// Make a keyring with one random key
    New(KeyringFile),
    /// Add a random key, which is current at once: for a store that one process uses
    Rotate(KeyringFile),
    /// Add a random key that is not current yet: give the keyring to all processes, and then `use` the key
    Add(KeyringFile),
    /// Make a key the current one
    Use(KeyringKey),
    /// Take a key out; what is sealed with it cannot be read any more
    Remove(KeyringKey),
    /// List the ids of the keys, the current one last
    List(KeyringFile),
}

#[derive(Args)]
pub struct KeyringFile {
    /// The file of the keyring
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
}

#[derive(Args)]
pub struct KeyringKey {
    /// The file of the keyring
    #[arg(value_name = "FILE")]
    pub path: PathBuf,
    /// The id of the key, as `list` shows it
    #[arg(value_name = "ID")]
    pub id: String,
}

#[derive(Args)]
pub struct Export {
    /// The file, pipe or device to write; `-` for stdout [default: stdout]
    #[arg(long, short, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Compress with zstd
    #[arg(long)]
    pub zstd: bool,
    /// Seal each record with the key of its tenant; `import` needs the same keys
    #[arg(long)]
    pub sealed: bool,
}

#[derive(Args)]
pub struct Import {
    /// The file to read, compressed or not; the whole file is checked first. `-` for stdin [default:
    /// stdin]
    #[arg(value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Check everything and count what would be imported; store nothing
    #[arg(long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub merging: Merging,
}

/// The treatment of a target that has data.
#[derive(Args, Clone, Copy)]
pub struct Merging {
    /// Add to the target; if key or scope is taken, the target's session stays
    #[arg(long)]
    pub merge: bool,
    /// With --merge: if key or scope is taken, the new session replaces the target's
    #[arg(long, requires = "merge")]
    pub replace: bool,
}

#[derive(Args)]
pub struct Migrate {
    /// The store to read
    #[arg(long, value_name = "STORE")]
    pub from: String,
    /// The store to fill
    #[arg(long, value_name = "STORE")]
    pub to: String,
    #[command(flatten)]
    pub merging: Merging,
    /// The file for the checkpoint [default: a file in the data directory]
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
}

#[derive(Args)]
pub struct Demo {
    /// Create this many sample sessions instead, in env `demo`
    #[arg(long, value_name = "N")]
    pub fill: Option<u64>,
    /// With --fill: in this many tenants
    #[arg(long, value_name = "N", default_value_t = 50, requires = "fill")]
    pub tenants: u64,
    /// Leave the data of the conversation in the store
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
