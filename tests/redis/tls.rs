//! Servers that speak TLS, and users that an access list knows.

use greentic_session::store::SessionStore;
use greentic_session::{ErrorCode, Pem, RedisConfig, RedisSessionStore, SessionKey};
use greentic_session_testkit::{RedisServer, TlsFiles, own_servers, require};

use crate::topology::with_certificates;

fn ask(config: RedisConfig) -> Result<(), String> {
    let store = RedisSessionStore::new(config).unwrap();
    let answer = store.get_session(&SessionKey::new("any"));
    answer
        .map(|found| assert_eq!(found, None))
        .map_err(|error| {
            assert_eq!(error.code, ErrorCode::Unavailable, "{error}");
            error.message
        })
}

#[track_caller]
fn ensure_said(config: RedisConfig, advice: &str) {
    let reason = ask(config).unwrap_err();
    assert!(reason.contains(advice), "{reason}");
}

#[test]
fn c17_certificate_errors_are_reported() {
    require!(own_servers);
    let (files, others) = (TlsFiles::one(), TlsFiles::another());
    let server = RedisServer::builder()
        .tls(files.clone())
        .config("tls-auth-clients", "yes")
        .start();
    let config = || RedisConfig::from_url(&server.tls_url()).unwrap();
    let trusting = || config().tls_authority(files.authority.clone());

    assert_eq!(ask(with_certificates(config(), files.clone())), Ok(()));
    let text = std::fs::read(&files.authority).unwrap();
    let from_text = with_certificates(config(), files.clone()).tls_authority(Pem::Text(text));
    assert_eq!(ask(from_text), Ok(()));

    ensure_said(config(), "tls_ca");
    ensure_said(with_certificates(config(), others.clone()), "tls_ca");
    ensure_said(trusting(), "tls_cert and tls_key");
    let foreign = trusting().tls_identity(others.certificate, others.key);
    ensure_said(foreign, "rejects the client certificate");
}

#[test]
fn c17_tls_to_a_server_without_it_is_reported() {
    require!(own_servers);
    let server = RedisServer::builder().tls(TlsFiles::one()).start();
    let at = |url: &str| RedisConfig::from_url(url).unwrap();
    let port = server.port();
    ensure_said(
        at(&format!("rediss://127.0.0.1:{port}")),
        "redis, not rediss",
    );
    let port = server.tls_url().replace("rediss", "redis");
    ensure_said(at(&port), "closed the connection");
}

#[test]
fn a_user_of_the_access_list_is_accepted() {
    require!(own_servers);
    let server = RedisServer::builder()
        .config(
            "user",
            "alice on >s3cret ~greentic:session:* +@all -@dangerous",
        )
        .start();
    let config = RedisConfig::from_url(&server.url()).unwrap();
    assert_eq!(
        ask(config.clone().username("alice").password("s3cret")),
        Ok(())
    );
    let wrong = config.username("alice").password("hunter2");
    let reason = ask(wrong).unwrap_err();
    assert!(
        reason.contains("password") && !reason.contains("hunter2"),
        "{reason}"
    );
}
