//! Calls without an answer: the caller does not know their outcome, and repeats them.

use std::thread;
use std::time::Duration;

use greentic_session::{ErrorCode, UpdateOptions};
use greentic_session_testkit::{Accept, Flow, require, wait_until};

use super::line::{Cut, Line, NEVER};
use super::trial::{CLAIM, OPERATIONS, Operation, UPDATE_AT_ONE, text_of};
use crate::space::Space;

/// The response timeout of these calls; all others end long before it.
const SOON: Duration = Duration::from_secs(2);
const WINDOW: Duration = Duration::from_secs(10);

/// How a call loses its answer, and whether it was done.
const LOSSES: [(Cut, Accept, bool); 4] = [
    (Cut::Request(Flow::Swallow), Accept::Pass, false),
    (Cut::Request(Flow::SwallowThenClose), Accept::Reset, false),
    (Cut::Reply(Flow::Swallow), Accept::Pass, true),
    (Cut::Reply(Flow::SwallowThenClose), Accept::Reset, true),
];

fn can_be_repeated(line: &mut Line, operation: &Operation, expected: &(String, String)) {
    for (cut, then, done) in LOSSES {
        let case = format!("{}, {cut:?}", operation.name);
        let trial = line.trial(operation);
        let before = trial.look();
        line.cut(cut);
        line.proxy.accepts(then);
        let error = (operation.call)(&trial).expect_err(&case);
        assert_eq!(error.code, ErrorCode::Timeout, "{case}: {error}");
        let became = if done { &expected.1 } else { &before };
        assert_eq!(trial.look(), *became, "{case}: it was done or not done");

        line.proxy.heal();
        let answer = text_of((operation.call)(&trial));
        let promised = operation.repeated.filter(|_| done).unwrap_or(&expected.0);
        assert_eq!(answer, promised, "{case}");
        assert_eq!(trial.look(), expected.1, "{case}: after the repeat");
        if operation.name != CLAIM.name {
            trial.clean();
        }
    }
    if operation.name != CLAIM.name {
        line.assert_empty();
    }
}

#[test]
fn c14_an_unanswered_call_can_be_repeated() {
    let space = require!(Space::alone);
    thread::scope(|scope| {
        for operation in &OPERATIONS {
            let space = space.another("unanswered");
            scope.spawn(move || {
                let mut line = Line::new(space, SOON, WINDOW);
                let expected = line.undisturbed(operation);
                can_be_repeated(&mut line, operation, &expected);
            });
        }
    });
}

/// No worker has the token, so only the end of the lease frees the wait.
#[test]
fn c16_a_claim_whose_answer_was_lost_ends_with_its_lease() {
    let space = require!(Space::alone);
    let mut line = Line::new(space, SOON, WINDOW);
    line.undisturbed(&CLAIM); // so that the server knows the script
    let trial = line.trial(&CLAIM);
    line.cut(Cut::Reply(Flow::Swallow));
    let error = trial.claim(SOON / 2).unwrap_err();
    assert_eq!(error.code, ErrorCode::Timeout);
    assert_eq!(trial.claim_in_the_end(), "claimed, attempt 2");
}

/// The answer is lost, another client writes, and then the store's repeat arrives.
#[test]
fn c14_a_repeated_update_after_another_write_is_no_false_conflict() {
    let space = require!(Space::alone);
    let mut line = Line::new(space, NEVER, WINDOW);
    line.undisturbed(&UPDATE_AT_ONE);
    let trial = line.trial(&UPDATE_AT_ONE);
    let (main, data) = (trial.key("main"), trial.data("newer"));
    let faults = line.proxy.faults();
    line.cut(Cut::Reply(Flow::SwallowThenClose));
    line.proxy.accepts(Accept::Reset);
    thread::scope(|scope| {
        let overtake = scope.spawn(|| {
            wait_until("the answer is lost", NEVER, || line.proxy.faults() > faults);
            let updated = line.beside.update(&main, data, UpdateOptions::new());
            assert_eq!(updated.unwrap(), 3);
            line.proxy.heal();
        });
        let error = (UPDATE_AT_ONE.call)(&trial).unwrap_err();
        assert_eq!(error.code, ErrorCode::Timeout, "{error}");
        overtake.join().unwrap();
    });
}
