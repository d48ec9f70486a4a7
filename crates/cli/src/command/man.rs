//! `man`: the manual pages.

use clap::CommandFactory;

use crate::args::{self, Cli};
use crate::command::completions::print;
use crate::error::{Failure, Outcome};
use crate::output::{Output, hint};

pub fn run(out: &mut Output, args: &args::Man) -> Outcome {
    let command = Cli::command();
    let Some(directory) = &args.dir else {
        let mut page = Vec::new();
        clap_mangen::Man::new(command).render(&mut page)?;
        return print(out, &page);
    };
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory));
    written.map_err(|error| Failure::file(directory.display(), &error))?;
    hint(format_args!("the pages are in {}", directory.display()));
    Ok(())
}
