//! The parsing of the arguments.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use crate::args::Cli;
use crate::error::Failure;
use crate::output::hint;

/// Parses the arguments. Prints the help, the version or an error otherwise.
pub fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Cli, ExitCode> {
    Cli::try_parse_from(arguments).map_err(|error| match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => shown(&error),
        _ => reported(&error),
    })
}

fn shown(error: &clap::Error) -> ExitCode {
    match error.print() {
        Ok(()) => ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1)),
        Err(error) => Failure::from(error).report(),
    }
}

/// Prints the error of the parser without the usage and the hint to the help. What it adds to the
/// error, such as the possible values, follows on lines of its own.
fn reported(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    let lines = text.lines().map(str::trim);
    let lines =
        lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let mut lines = lines.filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    let code = Failure::usage(line.trim_start_matches("error: ")).report();
    for line in lines {
        hint(format_args!("  {line}"));
    }
    code
}
