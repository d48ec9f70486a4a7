//! Verification of the stored data (C23): finds contradictions between keys, and repairs them.

use greentic_types::SessionKey;

use super::names::{self, NamePage, RedisKey};
use crate::admin::{Finding, FindingKind, ScanCursor, VerifyMode, VerifyPage};
use crate::backend::redis::client::fan_out::fan_out;
use crate::backend::redis::config::namespace::KINDS;
use crate::backend::redis::dispatch::Dispatcher;
use crate::backend::redis::script::arguments;
use crate::backend::redis::script::keys::Keys;
use crate::backend::redis::script::reply::Answer;
use crate::backend::redis::script::status::Status;
use crate::backend::redis::script::wire::OwnerCall;
use crate::error::SessionResult;

/// How many names one script checks. Few, because other calls wait behind it.
const BATCH_SIZE: usize = 50;

/// The next page of a verification.
pub async fn next_page(
    dispatcher: &Dispatcher,
    mode: VerifyMode,
    after: Option<&ScanCursor>,
    limit: usize,
) -> SessionResult<VerifyPage> {
    let layout = &dispatcher.layout;
    let page = names::next_page(dispatcher, &layout.pattern_of_all(), after, limit).await?;
    let NamePage {
        names,
        due,
        pointers,
        progress,
        next,
        now: _,
    } = page;
    let mut findings = layout.check_pointers(mode, &pointers).await?;
    let sessions = names.iter().filter(|name| name.kind == "session");
    let sessions = sessions.map(|name| (name.keys.clone(), SessionKey::new(&*name.subject)));
    let sessions: Vec<_> = sessions.collect();
    findings.extend(layout.check_sessions(mode, &sessions).await?);
    let owners = names::by_owner(&names).map(|names| check_owner(dispatcher, mode, names));
    findings.extend(fan_out(owners.collect()).await?.into_iter().flatten());
    for keys in &due {
        findings.extend(check_due(dispatcher, mode, keys).await?);
    }
    Ok(VerifyPage {
        checked: (names.len() + due.len() + pointers.len()) as u64,
        findings,
        progress,
        next,
    })
}

/// Checks names that one script can read.
async fn check_owner(
    dispatcher: &Dispatcher,
    mode: VerifyMode,
    names: &[RedisKey],
) -> SessionResult<Vec<Finding>> {
    let (mut findings, mut rest, mut cursor) = (Vec::new(), names, String::new());
    while let Some(first) = rest.first() {
        let batch = rest.get(..BATCH_SIZE).unwrap_or(rest);
        let mut answer = check_batch(dispatcher, mode, first, batch, &cursor).await?;
        findings.extend(findings_of(&first.keys, &mut answer)?);
        let done = usize::try_from(answer.number()?).unwrap_or(usize::MAX);
        rest = rest.get(done..).unwrap_or_default();
        cursor = answer.text()?;
    }
    Ok(findings)
}

/// Checks a due index, in pages.
async fn check_due(
    dispatcher: &Dispatcher,
    mode: VerifyMode,
    keys: &Keys,
) -> SessionResult<Vec<Finding>> {
    let (mut findings, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let arguments = arguments::CheckDue {
            repair: matches!(mode, VerifyMode::Repair | VerifyMode::Quarantine),
            cursor: &cursor,
        };
        let call = OwnerCall::new(keys, keys.due(), arguments);
        let mut answer = dispatcher.answer(call).await?;
        findings.extend(findings_of(keys, &mut answer)?);
        cursor = answer.text()?;
        if cursor == "0" {
            return Ok(findings);
        }
    }
}

/// Checks the next names and entries. The answer has the findings, how many names are done, and the cursor with
/// which the next one is gone on with.
async fn check_batch(
    dispatcher: &Dispatcher,
    mode: VerifyMode,
    first: &RedisKey,
    names: &[RedisKey],
    cursor: &str,
) -> SessionResult<Answer> {
    let entries = names.iter().map(|name| (name.kind, &*name.subject));
    let arguments = arguments::Check {
        mode: match mode {
            VerifyMode::Check => "check",
            VerifyMode::Repair => "repair",
            VerifyMode::Quarantine => "quarantine",
            VerifyMode::Discard => "discard",
        },
        cursor,
        entries: entries.collect(),
    };
    let name = first.keys.session(&SessionKey::new(&*first.subject));
    let call = OwnerCall::new(&first.keys, name, arguments);
    dispatcher.answer(call).await
}

fn findings_of(keys: &Keys, answer: &mut Answer) -> SessionResult<Vec<Finding>> {
    let findings = answer.values()?.into_iter();
    findings
        .map(|value| match Answer::read(keys.clone(), value) {
            Ok(mut answer) => finding(&mut answer),
            Err(error) => Ok(Finding::new(
                FindingKind::Unreadable,
                "keys",
                None,
                error.message,
            )),
        })
        .collect()
}

fn finding(answer: &mut Answer) -> SessionResult<Finding> {
    let kind = match answer.status {
        Status::Dangling => FindingKind::Dangling,
        Status::Missing => FindingKind::Missing,
        Status::Orphan => FindingKind::Orphan,
        Status::Quarantined => FindingKind::Quarantined,
        _ => return answer.unexpected(),
    };
    let (place, key) = (answer.text()?, answer.text()?);
    let kinds = KINDS.iter().chain(&["due"]);
    let place = kinds.copied().find(|kind| *kind == place);
    let key = (!key.is_empty()).then(|| SessionKey::new(key));
    let mut finding = Finding::new(kind, place.unwrap_or("keys"), key, answer.text()?);
    finding.repaired = answer.number()? == 1;
    Ok(finding)
}
