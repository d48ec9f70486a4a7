//! The metrics that the adapters record.

/// A metric. `docs/telemetry.md` lists all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Metric {
    /// How long calls take, by backend, verb and outcome.
    CallDuration,
    /// Claims by backend and outcome.
    Claims,
    /// The attempts of claims of waits and starts, by backend.
    ClaimAttempt,
    /// Claims that a worker lost before it ended them, by backend and how.
    LeasesLost,
    /// Commits that were refused, by backend and reason.
    CommitsRefused,
    /// Timeouts whose turns were handed out, by backend.
    Timeouts,
    /// What the store removed after its expiry, by backend.
    Swept,
    /// Requests that were made again, by backend.
    StorageRepeated,
    /// Connections that were opened after one was lost, by backend.
    StorageReconnects,
    /// Requests that a node of a Cluster redirected, by backend.
    StorageRedirected,
    /// How long requests to the server and commits of the file take.
    OperationDuration,
    /// The operations in one commit of the durable store.
    DurableBatch,
    /// The operations that wait for the next commit of the durable store.
    DurableQueue,
}

/// How a metric is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// It only increases.
    Counter,
    /// The last value counts.
    Gauge,
    /// Values are counted in buckets.
    Histogram,
}

impl Metric {
    /// All metrics.
    pub const ALL: &'static [Self] = &[
        Self::CallDuration,
        Self::Claims,
        Self::ClaimAttempt,
        Self::LeasesLost,
        Self::CommitsRefused,
        Self::Timeouts,
        Self::Swept,
        Self::StorageRepeated,
        Self::StorageReconnects,
        Self::StorageRedirected,
        Self::OperationDuration,
        Self::DurableBatch,
        Self::DurableQueue,
    ];

    /// Returns the name. Prometheus turns its dots to underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CallDuration => "greentic.session.call.duration",
            Self::Claims => "greentic.session.claims",
            Self::ClaimAttempt => "greentic.session.claim.attempt",
            Self::LeasesLost => "greentic.session.leases.lost",
            Self::CommitsRefused => "greentic.session.commits.refused",
            Self::Timeouts => "greentic.session.timeouts",
            Self::Swept => "greentic.session.swept",
            Self::StorageRepeated => "greentic.session.storage.repeated",
            Self::StorageReconnects => "greentic.session.storage.reconnects",
            Self::StorageRedirected => "greentic.session.storage.redirected",
            Self::OperationDuration => "db.client.operation.duration",
            Self::DurableBatch => "greentic.session.durable.batch",
            Self::DurableQueue => "greentic.session.durable.queue",
        }
    }

    /// Returns how it is recorded.
    #[must_use]
    pub const fn kind(self) -> Kind {
        match self {
            Self::CallDuration
            | Self::ClaimAttempt
            | Self::OperationDuration
            | Self::DurableBatch => Kind::Histogram,
            Self::DurableQueue => Kind::Gauge,
            Self::Claims
            | Self::LeasesLost
            | Self::CommitsRefused
            | Self::Timeouts
            | Self::Swept
            | Self::StorageRepeated
            | Self::StorageReconnects
            | Self::StorageRedirected => Kind::Counter,
        }
    }

    /// Returns the unit in the notation of UCUM: `s`, or `1` and an annotation in braces.
    #[must_use]
    pub const fn unit(self) -> &'static str {
        match self {
            Self::CallDuration | Self::OperationDuration => "s",
            Self::Claims | Self::ClaimAttempt | Self::LeasesLost => "{claim}",
            Self::CommitsRefused => "{commit}",
            Self::Timeouts => "{turn}",
            Self::Swept => "{session}",
            Self::StorageRepeated | Self::StorageRedirected => "{request}",
            Self::StorageReconnects => "{connection}",
            Self::DurableBatch | Self::DurableQueue => "{operation}",
        }
    }

    /// Returns what it counts, in a sentence.
    #[must_use]
    pub const fn description(self) -> &'static str {
        match self {
            Self::CallDuration => "How long calls of the session store take.",
            Self::Claims => "Claims of waits and starts.",
            Self::ClaimAttempt => "The number of the claim since its wait was parked.",
            Self::LeasesLost => "Claims that a worker lost before it ended them.",
            Self::CommitsRefused => "Commits that were refused.",
            Self::Timeouts => "Timeouts whose turns were handed out.",
            Self::Swept => "Sessions, messages and start claims removed after their expiry.",
            Self::StorageRepeated => "Requests that were made again after a failure.",
            Self::StorageReconnects => "Connections that were opened after one was lost.",
            Self::StorageRedirected => "Requests that a node of a cluster redirected.",
            Self::OperationDuration => "How long requests and commits take.",
            Self::DurableBatch => "The operations in one commit.",
            Self::DurableQueue => "The operations that wait for the next commit.",
        }
    }

    /// Returns the bounds of its buckets, for an exporter that takes them; none for what is no
    /// histogram.
    #[must_use]
    pub const fn bounds(self) -> &'static [f64] {
        match self {
            Self::CallDuration | Self::OperationDuration => &[
                1e-6, 1e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 1e-1, 5e-1, 1.0,
                5.0, 10.0,
            ],
            Self::ClaimAttempt => &[1.0, 2.0, 3.0, 5.0, 10.0],
            Self::DurableBatch => &[1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 256.0, 1024.0],
            _ => &[],
        }
    }
}
