//! Connections that break during a call: the store repeats the call, and the caller sees one answer.

use std::thread;
use std::time::Duration;

use greentic_session_testkit::{Flow, require};

use super::line::{Cut, Length, Line, NEVER};
use super::trial::{CREATE_FRESH, OPERATIONS, Operation, Trial, text_of};
use crate::space::Space;

const WINDOW: Duration = Duration::from_secs(5);

/// Each byte of a request or reply up to here is cut at; beyond, only one in so many.
const EACH: u64 = 48;
const ONE_IN: usize = 24;

fn cuts(length: &Length) -> Vec<Cut> {
    let places = |length: u64| (0..EACH.min(length)).chain((EACH..=length).step_by(ONE_IN));
    let mut cuts = vec![
        Cut::Request(Flow::Reset),
        Cut::Reply(Flow::SwallowThenClose),
        Cut::Reply(Flow::Reset),
    ];
    let requests = (0..length.request)
        .step_by(ONE_IN)
        .chain([length.request - 1]);
    cuts.extend(requests.map(|at| Cut::Request(Flow::CutAfter(at))));
    cuts.extend(places(length.reply).map(|at| Cut::Reply(Flow::CutAfter(at))));
    cuts.push(Cut::Reply(Flow::CutAfter(length.reply - 1)));
    cuts
}

fn survives(line: &mut Line, operation: &Operation, cut: Cut, expected: &(String, String)) {
    let trial = line.trial(operation);
    cut_and_look(line, &trial, operation, cut, expected);
}

fn cut_and_look(
    line: &Line,
    trial: &Trial,
    operation: &Operation,
    cut: Cut,
    expected: &(String, String),
) {
    let case = format!("{}, {cut:?}", operation.name);
    let faults = line.proxy.faults();
    line.cut(cut);
    let answer = text_of((operation.call)(trial));
    assert_eq!(line.proxy.faults(), faults + 1, "{case}: nothing happened");
    assert_eq!(trial.look(), expected.1, "{case}");
    // A repeated clear finds nothing, so it cannot name the session.
    let cleared = operation.name == "clear" && Some(&*answer) == operation.repeated;
    assert!(answer == expected.0 || cleared, "{case}: {answer}");
    trial.clean();
}

#[test]
fn c14_a_call_whose_connection_breaks_at_any_byte_is_done_once() {
    let space = require!(Space::alone);
    let all: Vec<&Operation> = OPERATIONS.iter().chain([&CREATE_FRESH]).collect();
    thread::scope(|scope| {
        for operations in all.chunks(all.len().div_ceil(4)) {
            let space = space.another("cut");
            scope.spawn(move || {
                let mut line = Line::new(space, NEVER, WINDOW);
                for operation in operations {
                    let expected = line.undisturbed(operation);
                    let length = line.measure(operation);
                    for cut in cuts(&length) {
                        survives(&mut line, operation, cut, &expected);
                    }
                }
                line.assert_empty();
            });
        }
    });
}

/// The server's refusal of a script that it does not know.
const REFUSAL: &str = "-NOSCRIPT No matching script. Please use EVAL.\r\n";

#[test]
fn c14_a_call_whose_script_was_flushed_is_done_once() {
    let space = require!(Space::alone);
    let mut line = Line::new(space, NEVER, WINDOW);
    for operation in OPERATIONS.iter().chain([&CREATE_FRESH]) {
        let expected = line.undisturbed(operation);
        // In the refusal, and in the answer to the script's text that follows it.
        let refusal = REFUSAL.len() as u64;
        for at in [0, 1, refusal - 1, refusal, refusal + 1, refusal + 8] {
            let trial = line.trial(operation);
            let _ = line.space.command(&["SCRIPT", "FLUSH"]);
            let cut = Cut::Reply(Flow::CutAfter(at));
            cut_and_look(&line, &trial, operation, cut, &expected);
        }
    }
    line.assert_empty();
}
