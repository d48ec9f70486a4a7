//! The performance goals, compared with the results of a run.

use crate::args::Suite;
use crate::durable::FSYNC;
use crate::memory::{CLONES, MAP, OURS, OURS_ASYNC, OURS_WORKER};
use crate::redis::{PLAIN_GET, PLAIN_SET, RAW, RAW_APART, SAME_SCRIPT, TOWER};
use crate::row::Row;
use crate::system::Label;
use crate::table::shown;

/// A goal with the measured value.
pub struct Goal {
    pub text: &'static str,
    bound: Bound,
    measured: Option<f64>,
    /// The value of the plain limit by the same measure.
    limit: Option<f64>,
}

enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};

/// The head of the table in Markdown.
pub const HEAD: &str = "| goal | wanted | measured | plain limit | |\n|---|---|---|---|---|";

impl Goal {
    fn beside(self, limit: Option<f64>) -> Self {
        Self { limit, ..self }
    }

    /// A row of the table in Markdown.
    pub fn line(&self) -> String {
        let (words, bound) = match self.bound {
            AtLeast(bound) => ("at least", bound),
            AtMost(bound) => ("at most", bound),
        };
        let verdict = match (self.measured, &self.bound) {
            (None, _) => "not measured",
            (Some(measured), AtLeast(bound)) if measured >= *bound => "met",
            (Some(measured), AtMost(bound)) if measured <= *bound => "met",
            _ => "**missed**",
        };
        format!(
            "| {} | {words} {} | {} | {} | {verdict} |",
            self.text,
            shown(Some(bound)),
            shown(self.measured),
            shown(self.limit)
        )
    }
}

/// All goals, measured against these rows.
pub fn of(rows: &[Row]) -> Vec<Goal> {
    let find = |suite: Suite, case: &str, label: Label, callers: usize| {
        rows.iter().find(|row| {
            row.suite == suite && row.case == case && row.system == label && row.callers == callers
        })
    };
    let memory = |case, label, callers| find(Suite::Memory, case, label, callers);
    let redis = |case, label, callers| find(Suite::Redis, case, label, callers);
    let durable = |case, label, callers| find(Suite::Durable, case, label, callers);
    let over = |one: Option<&Row>, other: Option<&Row>| one?.over(other?);
    let server =
        |one: Option<&Row>, other: Option<&Row>| Some(one?.server_cpu_us? / other?.server_cpu_us?);
    let p99 =
        |one: Option<&Row>, other: Option<&Row>| Some(one?.latency?.p99 / other?.latency?.p99);
    let to_published = |row: Option<&Row>| row?.ratio_to_published;
    let bytes = |label| {
        rows.iter()
            .find(|row| row.system == label && row.bytes_per_session.is_some())?
            .bytes_per_session
    };

    let goal = |text, bound, measured| Goal {
        text,
        bound,
        measured,
        limit: None,
    };
    let (get, turn, shared) = ("get/2KB/10k", "turn/2KB/10k", "get_shared/2KB/10k");
    let (redis_get, redis_wait, redis_turn) = ("get/2KB/1k", "register_wait/2KB/1k", "turn/2KB/1k");
    let grown = |few: &'static str, many: &'static str, label| {
        over(memory(few, label, 1), memory(many, label, 1))
    };
    let (few_gets, many_gets) = ("get/0.5KB/1k", "get/0.5KB/1M");
    let claimed = "claimed_turn/2KB/1k";
    let handled = "claimed_turn/2KB/10k";
    vec![
        goal(
            "memory: get_session over a hash map, 1 caller",
            AtLeast(0.95),
            over(memory(get, OURS, 1), memory(get, MAP, 1)),
        ),
        goal(
            "memory: create and remove over published, 1 caller",
            AtLeast(1.2),
            to_published(memory("create_remove/2KB/10k", OURS, 1)),
        ),
        goal(
            "memory: get_session, 2 callers over 1",
            AtLeast(1.8),
            over(memory(get, OURS, 2), memory(get, OURS, 1)),
        )
        .beside(over(memory(get, CLONES, 2), memory(get, CLONES, 1))),
        goal(
            "memory: shared reads per second, 1 caller",
            AtLeast(5e6),
            memory(shared, OURS, 1).and_then(|row| row.ops_per_s),
        ),
        goal(
            "memory: turn over published, 1 caller",
            AtLeast(2.5),
            to_published(memory(turn, OURS, 1)),
        )
        .beside(to_published(memory(turn, CLONES, 1))),
        goal(
            "memory: turn over published, 4 callers",
            AtLeast(4.0),
            to_published(memory(turn, OURS, 4)),
        )
        .beside(to_published(memory(turn, CLONES, 4))),
        goal(
            "memory: claimed turn over turn, 1 caller",
            AtLeast(0.7),
            over(memory(handled, OURS, 1), memory(turn, OURS, 1)),
        ),
        goal(
            "memory: bytes per waiting session beyond the data's own",
            AtMost(400.0),
            bytes(OURS).zip(bytes(CLONES)).map(|(all, own)| all - own),
        ),
        goal(
            "memory: time of get, 1M sessions over 1k",
            AtMost(2.0),
            grown(few_gets, many_gets, OURS),
        )
        .beside(grown(few_gets, many_gets, CLONES)),
        goal(
            "memory: time of turn, 1M sessions over 1k",
            AtMost(2.0),
            grown("turn/0.5KB/1k", "turn/0.5KB/1M", OURS),
        ),
        goal(
            "memory: time of Worker::handle over claim and commit by hand, 1 caller, async",
            AtMost(1.3),
            over(
                memory(handled, OURS_ASYNC, 1),
                memory(handled, OURS_WORKER, 1),
            ),
        ),
        goal(
            "Redis: turn over published, 64 callers, blocking",
            AtLeast(5.0),
            to_published(redis(redis_turn, OURS, 64)),
        ),
        goal(
            "Redis: turn over published, 64 callers, async",
            AtLeast(5.0),
            to_published(redis(redis_turn, OURS_ASYNC, 64)),
        ),
        goal(
            "Redis: time of register_wait over a raw SET with its I/O apart, 1 caller, async",
            AtMost(1.25),
            over(
                redis(redis_wait, RAW_APART, 1),
                redis(redis_wait, OURS_ASYNC, 1),
            ),
        )
        .beside(over(
            redis(redis_wait, RAW_APART, 1),
            redis(redis_wait, RAW, 1),
        )),
        goal(
            "Redis: time of register_wait over a raw SET with its I/O apart, 1 caller, blocking",
            AtMost(1.5),
            over(redis(redis_wait, RAW_APART, 1), redis(redis_wait, OURS, 1)),
        )
        .beside(over(
            redis(redis_wait, RAW_APART, 1),
            redis(redis_wait, RAW, 1),
        )),
        goal(
            "Redis: get over tower-sessions, 64 callers, async",
            AtLeast(1.0),
            over(
                redis(redis_get, OURS_ASYNC, 64),
                redis(redis_get, TOWER, 64),
            ),
        ),
        goal(
            "Redis: get_session over tower-sessions, 64 callers, blocking",
            AtLeast(0.9),
            over(redis(redis_get, OURS, 64), redis(redis_get, TOWER, 64)),
        ),
        goal(
            "Redis: the server's CPU for get over GET, redis-benchmark, 64 callers",
            AtMost(1.5),
            server(
                redis(redis_get, OURS_ASYNC, 64),
                redis(redis_get, PLAIN_GET, 64),
            ),
        ),
        goal(
            "Redis: get_session over redis-benchmark with the same command, 64 callers, async",
            AtLeast(0.8),
            over(
                redis(redis_get, OURS_ASYNC, 64),
                redis(redis_get, SAME_SCRIPT, 64),
            ),
        ),
        goal(
            "Redis: register_wait over redis-benchmark with the same script, 64 callers, async",
            AtLeast(0.8),
            over(
                redis(redis_wait, OURS_ASYNC, 64),
                redis(redis_wait, SAME_SCRIPT, 64),
            ),
        ),
        goal(
            "Redis: the server's CPU for register_wait over SET, redis-benchmark, 64 callers",
            AtMost(2.7),
            server(
                redis(redis_wait, SAME_SCRIPT, 64),
                redis(redis_wait, PLAIN_SET, 64),
            ),
        ),
        goal(
            "Redis: the server's CPU for get_session over GET, redis-benchmark, 64 callers",
            AtMost(1.4),
            server(
                redis(redis_get, SAME_SCRIPT, 64),
                redis(redis_get, PLAIN_GET, 64),
            ),
        ),
        goal(
            "Redis: claimed turn in raw SET round trips with their I/O apart, 1 caller, async",
            AtMost(2.2),
            over(redis(claimed, RAW_APART, 1), redis(claimed, OURS_ASYNC, 1)),
        ),
        goal(
            "Redis: time of the server's script for a park with a timeout over one without",
            AtMost(1.1),
            server(
                redis("timeout_park/remind", OURS, 1),
                redis("timeout_park/none", OURS, 1),
            ),
        ),
        goal(
            "Redis: time of a poll that finds nothing over a PING",
            AtMost(1.3),
            over(
                redis("due_idle/ping", OURS, 1),
                redis("due_idle/poll", OURS, 1),
            ),
        ),
        goal(
            "Redis: server time of a poll that takes 16 turns over 16 single claims",
            AtMost(1.0),
            server(
                redis("due_page/16/page", OURS, 1),
                redis("due_page/16/single", OURS, 1),
            ),
        ),
        goal(
            "Redis: p99 of a neighbour's claim while 100,000 timeouts come at once, over its p99 alone",
            AtMost(2.0),
            p99(
                redis("due_burst/100k/neighbour", OURS, 1),
                redis("due_burst/100k/neighbour_alone", OURS, 1),
            ),
        ),
        goal(
            "durable: register_wait over an fsync, 1 caller",
            AtLeast(0.7),
            over(durable(redis_wait, OURS, 1), durable(redis_wait, FSYNC, 1)),
        ),
        goal(
            "durable: claimed turn over an fsync, 1 caller",
            AtLeast(0.33),
            over(durable(claimed, OURS, 1), durable(claimed, FSYNC, 1)),
        ),
    ]
}

/// The rate of the disk for sequential synced writes.
pub fn fsyncs_per_s(rows: &[Row]) -> Option<f64> {
    rows.iter()
        .find(|row| row.system == FSYNC && row.callers == 1)?
        .ops_per_s
}
