use super::*;

fn shown(url: &str) -> String {
    without_credentials(url)
}

fn login(url: &str) -> (Option<String>, Option<String>) {
    let login = RedisUrl::parse(url).unwrap().login;
    let password = login.password.map(|password| password.reveal().to_owned());
    (login.user, password)
}

#[test]
fn one_server_has_defaults() {
    assert_eq!(shown("redis://localhost"), "redis://localhost:6379/0");
    assert_eq!(shown("redis://[::1]:7000/3"), "redis://[::1]:7000/3");
    assert_eq!(login("redis://localhost"), (None, None));
}

#[test]
fn one_server_with_tls() {
    assert_eq!(shown("rediss://localhost:7/2"), "rediss://localhost:7/2");
    assert!(RedisUrl::parse("rediss://localhost").unwrap().tls);
    assert!(!RedisUrl::parse("redis://localhost").unwrap().tls);
}

#[test]
fn sentinels_have_a_master() {
    let url = "redis-sentinel://a,b:7,[::1]/main/3";
    let full = "redis-sentinel://a:26379,b:7,[::1]:26379/main/3";
    assert_eq!(shown(url), full);
    assert_eq!(
        shown("redis-sentinel://a/main"),
        "redis-sentinel://a:26379/main/0"
    );
    assert_eq!(
        shown("redis-sentinel://a/my%20m/"),
        "redis-sentinel://a:26379/my m/0"
    );
}

#[test]
fn sentinels_with_tls() {
    let url = RedisUrl::parse("rediss-sentinel://me:pw@a,b/main").unwrap();
    assert!(url.tls);
    assert!(matches!(&url.place, Place::Sentinel { sentinels, .. } if sentinels.len() == 2));
}

#[test]
fn a_cluster_has_seeds() {
    assert_eq!(
        shown("redis-cluster://a,b:7/"),
        "redis-cluster://a:6379,b:7"
    );
    assert_eq!(shown("redis-cluster://a"), "redis-cluster://a:6379");
}

#[test]
fn a_cluster_with_tls() {
    let url = "rediss-cluster://:pw@a:1,b:2?ttl_ms=5";
    assert_eq!(shown(url), "rediss-cluster://a:1,b:2");
    let parameters = RedisUrl::parse(url).unwrap().parameters;
    assert_eq!(parameters, [("ttl_ms".to_owned(), "5".to_owned())]);
}

#[test]
fn credentials_are_percent_decoded() {
    let (user, password) = login("redis://m%40e:p%3A%2Fw@[::1]:7000/3");
    assert_eq!(user.as_deref(), Some("m@e"));
    assert_eq!(password.as_deref(), Some("p:/w"));
}

#[test]
fn several_servers_share_one_login() {
    for url in [
        "redis-cluster://me:p,w@a,b",
        "redis-sentinel://me:p,w@a,b/main",
    ] {
        let expected = (Some("me".to_owned()), Some("p,w".to_owned()));
        assert_eq!(login(url), expected);
    }
}

#[test]
fn a_password_needs_no_user() {
    assert_eq!(
        login("redis://:pw@localhost"),
        (None, Some("pw".to_owned()))
    );
}

#[test]
fn c18_a_wrong_url_is_refused_and_not_repeated() {
    let wrong = [
        "",
        "hunter2",
        "redis://",
        "redis://:hunter2@",
        "redis:hunter2",
        "hunter2:hunter2@localhost",
        "http://:hunter2@localhost",
        "redis://:hunter2@localhost:hunter2",
        "redis://:hunter2@localhost/hunter2",
        "redis://:hunter2@localhost/99999999999999999999",
        "redis://:hunter2@localhost/1#hunter2",
        "redis://me:1?hunter2@localhost",
        "redis://me:1/hunter2@localhost",
        "redis://me:1#hunter2@localhost",
        "redis://:hunter2%ff@localhost",
        "redis://:hunter2@a,b",
        "redis-sentinel://:hunter2@a,b",
        "redis-sentinel://:hunter2@a,/main",
        "redis-sentinel://:hunter2@a/main/hunter2",
        "redis-sentinel://:hunter2@a/main/1/2",
        "redis-sentinel://a/hunter2%ff",
        "redis-cluster://:hunter2@a,b/1",
        "redis-cluster://:hunter2@,a",
        "redis-cluster://:hunter2@a:hunter2,b",
        "redis-cluster://a,me:hunter2/b@c",
    ];
    for url in wrong {
        let error = RedisUrl::parse(url).err().expect(url);
        assert_eq!(error.code, crate::ErrorCode::InvalidInput, "{url}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        assert_eq!(without_credentials(url), "[not a Redis URL]");
    }
}

#[test]
fn c18_what_is_shown_has_no_credentials() {
    let url = "redis://me:hunter2@localhost/1?sentinel_password=hunter2";
    assert_eq!(shown(url), "redis://localhost:6379/1");
}
