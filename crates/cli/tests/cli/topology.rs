//! Stores on servers with TLS, and on a Cluster.

use greentic_session_testkit::{RedisCluster, RedisServer, TlsFiles, own_servers, require};

use crate::fixture::Fixture;

/// Migrates to a store and back, and looks up a session in between.
fn moves(url: &str) {
    let (source, back) = (Fixture::durable(), Fixture::durable());
    source.run(&["demo", "--fill", "300"]).ends_with(0);
    source.populate();
    for (from, to) in [(&source.url[..], url), (url, &back.url[..])] {
        let migrate = ["migrate", "--from", from, "--to", to, "--json"];
        let report = source.run_bare(&migrate).ends_with(0).json();
        assert_eq!(
            (&report["imported"], &report["verified"]),
            (&305.into(), &true.into())
        );
    }
    let show = ["--store", url, "show", "claimed-1", "--json"];
    let shown = source.run_bare(&show).ends_with(0).json();
    assert_eq!(shown["key"], "claimed-1");
    let unknown = ["--store", url, "show", "nobody"];
    source.run_bare(&unknown).ends_with(3).reports_one_line();
    let erase = [
        "--store",
        url,
        "erase",
        "--env=dev",
        "--tenant=globex",
        "--yes",
    ];
    source.run_bare(&erase).ends_with(0);
    let stats = ["--store", url, "stats", "--json"];
    let stats = source.run_bare(&stats).ends_with(0).json();
    assert_eq!(stats["total"]["sessions"], 303);
}

#[test]
fn sessions_move_to_a_server_with_tls_and_back() {
    require!(own_servers);
    let files = TlsFiles::one();
    let server = RedisServer::builder()
        .tls(files.clone())
        .config("tls-auth-clients", "yes")
        .start();
    moves(&format!(
        "{}?tls_ca={}&tls_cert={}&tls_key={}",
        server.tls_url(),
        files.authority.display(),
        files.certificate.display(),
        files.key.display()
    ));
}

#[test]
fn sessions_move_to_a_cluster_and_back() {
    require!(own_servers);
    let cluster = RedisCluster::start();
    let seeds: Vec<_> = cluster.nodes().iter().map(RedisServer::address).collect();
    moves(&format!("redis-cluster://{}", seeds[..3].join(",")));
}
