//! `keyring`: makes keyrings, and changes their keys. No output contains a key.

use greentic_session::vault::Keyring;
use serde::Serialize;

use crate::args;
use crate::error::Outcome;
use crate::output::{Output, hint};

#[derive(Serialize)]
struct KeyLine<'a> {
    kind: &'static str,
    id: &'a str,
    current: bool,
}

pub fn run(out: &mut Output, args: &args::Keyring) -> Outcome {
    let (path, keyring) = match args {
        args::Keyring::New(file) => {
            let keyring = Keyring::generate()?;
            keyring.write_new(&file.path)?;
            hint(format_args!(
                "keep a copy of {} where the backups of the store are not: a lost keyring is lost data",
                file.path.display()
            ));
            return list(out, &keyring);
        }
        args::Keyring::List(file) => return list(out, &Keyring::from_file(&file.path)?),
        args::Keyring::Rotate(file) => (&file.path, Keyring::from_file(&file.path)?.rotated()?),
        args::Keyring::Add(file) => (&file.path, Keyring::from_file(&file.path)?.with_next()?),
        args::Keyring::Use(key) => {
            let keyring = Keyring::from_file(&key.path)?.with_current(&key.id)?;
            (&key.path, keyring)
        }
        args::Keyring::Remove(key) => {
            let keyring = Keyring::from_file(&key.path)?.without(&key.id)?;
            (&key.path, keyring)
        }
    };
    keyring.replace(path)?;
    hint(format_args!(
        "the copies of {} are out of date now",
        path.display()
    ));
    list(out, &keyring)
}

fn list(out: &mut Output, keyring: &Keyring) -> Outcome {
    let (roots, last) = (keyring.roots(), keyring.roots().len());
    for (number, id) in (1..).zip(roots) {
        let current = number == last;
        if out.is_json() {
            out.json(&KeyLine {
                kind: "key",
                id: &id,
                current,
            })?;
        } else {
            let mark = if current { "  current" } else { "" };
            out.line(format_args!("{id}{mark}"))?;
        }
    }
    Ok(())
}
