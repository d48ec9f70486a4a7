//! The health of the servers, with warnings for the operator.

use std::time::{Duration, Instant};

use redis::Value;

use super::client::Client;
use super::client::topology::Route;
use super::config::RedisConfig;
use super::permissions::refusals;
use super::script::reply::unexpected;
use super::transport::info::{Info, text_of};
use crate::error::SessionResult;
use crate::session::{Health, HealthWarning};

/// The difference of clocks from which the operator is warned. Calls on a cluster tolerate more,
/// with the default timeouts.
const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(2);
/// The share of `maxmemory` in use from which the operator is warned.
const MEMORY_LIMIT: f64 = 0.9;

/// Asks the server, or each master of a cluster. Version and role are those of the first that
/// answers, the round trip is the longest, and warnings name their node. On a cluster the clocks
/// are compared.
///
/// # Errors
/// `Unavailable` or `Timeout` if no server answers.
pub async fn health(client: &Client, config: &RedisConfig) -> SessionResult<Health> {
    let masters = client.masters().await?.routes;
    let (mut whole, mut failure): (Option<Health>, _) = (None, None);
    let (mut warnings, mut operator_warnings) = (Vec::new(), Vec::new());
    let mut clocks = Vec::new();
    let begun = Instant::now();
    for route in &masters {
        match health_of(client, route, config).await {
            Ok((mut health, time)) => {
                clocks.extend(time.map(|time| time.saturating_sub(begun.elapsed())));
                let named = |warning| named(route, warning);
                warnings.extend(health.warnings.drain(..).map(named));
                operator_warnings.extend(health.operator_warnings.drain(..).map(named));
                let whole = whole.get_or_insert_with(|| health.clone());
                whole.round_trip = whole.round_trip.max(health.round_trip);
            }
            Err(error) => {
                let warning = HealthWarning::new("unreachable", error.message.clone());
                warnings.push(named(route, warning));
                failure = Some(error);
            }
        }
    }
    warnings.extend(clock_warning(&clocks));
    match (whole, failure) {
        (Some(whole), _) => Ok(Health {
            warnings,
            operator_warnings,
            ..whole
        }),
        (None, failure) => Err(failure.unwrap_or_else(unexpected)),
    }
}

/// Warns if clocks, all read at one moment, differ.
fn clock_warning(clocks: &[Duration]) -> Option<HealthWarning> {
    let (first, last) = (clocks.iter().min()?, clocks.iter().max()?);
    let between = last.saturating_sub(*first);
    (between > MAX_CLOCK_DIFFERENCE).then(|| {
        let message = format!(
            "the clocks of the masters differ by {} s; set them by one source",
            between.as_secs()
        );
        HealthWarning::new("clocks_differ", message)
    })
}

fn named(route: &Route, warning: HealthWarning) -> HealthWarning {
    let message = match route {
        Route::Master => warning.message,
        Route::Node(node) | Route::AskTarget(node) => format!("{node}: {}", warning.message),
    };
    HealthWarning::new(warning.code, message)
}

/// The health of one server, and its time. Asks for INFO and for the permissions of the user, and for
/// the save points if the server does not write an append-only file.
async fn health_of(
    client: &Client,
    route: &Route,
    config: &RedisConfig,
) -> SessionResult<(Health, Option<Duration>)> {
    let started = Instant::now();
    let reply = client.command_at(route, redis::cmd("INFO")).await?;
    let mut health = Health::new("redis", started.elapsed());
    let text = text_of(&reply.value).unwrap_or_default();
    let info = Info::parse(&text);
    health.version = info.version();
    health.role = info.get("role").map(str::to_owned);
    health.warnings = warnings_of(&info);
    if info.get("aof_enabled") == Some("0") && !saves_snapshots(client, route).await {
        health.warnings.push(HealthWarning::new(
            "no_persistence",
            "the server loses all data in a restart; switch on appendonly or save points",
        ));
    }
    let refusals = refusals(client, route, config).await?;
    health.warnings.extend(refusals.of_programs);
    health.operator_warnings.extend(refusals.of_operators);
    Ok((health, info.time()))
}

/// Whether save points are set; true if the server does not answer CONFIG.
async fn saves_snapshots(client: &Client, route: &Route) -> bool {
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("save");
    let Ok(reply) = client.command_at(route, command).await else {
        return true;
    };
    match reply.value {
        Value::Map(pairs) => pairs
            .iter()
            .all(|(_, value)| text_of(value).is_none_or(|save| !save.is_empty())),
        Value::Array(items) => items
            .get(1)
            .and_then(text_of)
            .is_none_or(|save| !save.is_empty()),
        _ => true,
    }
}

fn warnings_of(info: &Info) -> Vec<HealthWarning> {
    let found = [
        old_version(info),
        replica(info),
        eviction(info),
        memory(info),
    ];
    found.into_iter().flatten().collect()
}

fn old_version(info: &Info) -> Option<HealthWarning> {
    let version = info.get("redis_version")?;
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0u32));
    let release = (parts.next()?, parts.next()?);
    (release < (6, 2)).then(|| {
        let message = format!("the server is version {version}; the store needs 6.2 or later");
        HealthWarning::new("old_version", message)
    })
}

fn replica(info: &Info) -> Option<HealthWarning> {
    (info.get("role") == Some("slave")).then(|| {
        HealthWarning::new(
            "replica",
            "the server is a replica and takes no writes; connect to its master",
        )
    })
}

fn eviction(info: &Info) -> Option<HealthWarning> {
    let policy = info.get("maxmemory_policy")?;
    (policy != "noeviction").then(|| {
        let message = format!(
            "the server may drop sessions when memory is short (maxmemory-policy {policy}); \
             set it to noeviction"
        );
        HealthWarning::new("eviction_policy", message)
    })
}

fn memory(info: &Info) -> Option<HealthWarning> {
    let limit = info.number("maxmemory").filter(|limit| *limit > 0.0)?;
    let share = info.number("used_memory")? / limit;
    (share > MEMORY_LIMIT).then(|| {
        let percent = (share * 100.0).round();
        let message = format!("{percent} % of maxmemory are in use; writes will be refused");
        HealthWarning::new("memory_short", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(text: &str) -> Vec<&'static str> {
        let warnings = warnings_of(&Info::parse(text));
        warnings.iter().map(|warning| warning.code).collect()
    }

    #[test]
    fn a_well_configured_server_has_no_warnings() {
        let info = "# Server\r\nredis_version:7.2.4\r\nrole:master\r\n\
                    maxmemory:0\r\nmaxmemory_policy:noeviction\r\nused_memory:5\r\n";
        assert!(codes(info).is_empty());
        assert_eq!(Info::parse(info).version().as_deref(), Some("redis 7.2.4"));
    }

    #[test]
    fn each_problem_has_its_warning() {
        assert_eq!(codes("redis_version:6.0.9"), ["old_version"]);
        assert_eq!(codes("role:slave"), ["replica"]);
        assert_eq!(codes("maxmemory_policy:allkeys-lru"), ["eviction_policy"]);
        assert_eq!(codes("maxmemory:100\nused_memory:91"), ["memory_short"]);
        assert!(codes("maxmemory:100\nused_memory:90").is_empty());
    }

    #[test]
    fn different_clocks_are_a_warning() {
        let time = Info::parse("server_time_usec:1700000000000000").time();
        assert_eq!(time, Some(Duration::from_secs(1_700_000_000)));
        let at = |seconds: &[u64]| {
            let clocks: Vec<_> = seconds.iter().copied().map(Duration::from_secs).collect();
            clock_warning(&clocks).map(|warning| warning.message)
        };
        assert_eq!(at(&[]), None);
        assert_eq!(at(&[5]), None);
        assert_eq!(at(&[7, 5]), None);
        assert!(at(&[7, 5, 65]).unwrap().contains("60 s"));
    }

    #[test]
    fn valkey_reports_its_own_version() {
        let info = Info::parse("redis_version:7.2.4\nserver_name:valkey\nvalkey_version:8.1.0");
        assert_eq!(info.version().as_deref(), Some("valkey 8.1.0"));
        assert!(old_version(&info).is_none());
    }
}
