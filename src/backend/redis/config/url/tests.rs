use super::*;

fn shown(url: &str) -> String {
    without_credentials(url)
}

fn credentials(url: &str) -> (Option<String>, Option<String>) {
    let credentials = RedisUrl::parse(url).unwrap().credentials;
    let password = credentials
        .password
        .map(|password| password.reveal().to_owned());
    (credentials.user, password)
}

#[test]
fn a_single_server_url_has_defaults() {
    assert_eq!(shown("redis://localhost"), "redis://localhost:6379/0");
    assert_eq!(shown("redis://[::1]:7000/3"), "redis://[::1]:7000/3");
    assert_eq!(credentials("redis://localhost"), (None, None));
}

#[test]
fn a_single_server_url_with_tls() {
    assert_eq!(shown("rediss://localhost:7/2"), "rediss://localhost:7/2");
    assert!(RedisUrl::parse("rediss://localhost").unwrap().uses_tls);
    assert!(!RedisUrl::parse("redis://localhost").unwrap().uses_tls);
}

#[test]
fn a_sentinel_url_names_the_master() {
    let url = "redis-sentinel://a,b:7,[::1]/main/3";
    let full = "redis-sentinel://a:26379,b:7,[::1]:26379/main/3";
    assert_eq!(shown(url), full);
    assert_eq!(
        shown("redis-sentinel://a/main"),
        "redis-sentinel://a:26379/main/0"
    );
    assert_eq!(
        shown("redis-sentinel://a/my%20m/"),
        "redis-sentinel://a:26379/my%20m/0"
    );
}

#[test]
fn a_sentinel_url_with_tls() {
    let url = RedisUrl::parse("rediss-sentinel://me:pw@a,b/main").unwrap();
    assert!(url.uses_tls);
    assert!(
        matches!(&url.deployment, Deployment::Sentinel { sentinels, .. } if sentinels.len() == 2)
    );
}

#[test]
fn a_cluster_url_names_seed_nodes() {
    assert_eq!(
        shown("redis-cluster://a,b:7/"),
        "redis-cluster://a:6379,b:7"
    );
    assert_eq!(shown("redis-cluster://a"), "redis-cluster://a:6379");
}

#[test]
fn a_cluster_url_with_tls() {
    let url = "rediss-cluster://:pw@a:1,b:2?default_ttl=5s";
    assert_eq!(shown(url), "rediss-cluster://a:1,b:2");
    let parameters = RedisUrl::parse(url).unwrap().parameters;
    assert_eq!(parameters, [("default_ttl".to_owned(), "5s".to_owned())]);
}

#[test]
fn credentials_are_percent_decoded() {
    let (user, password) = credentials("redis://m%40e:p%3A%2Fw@[::1]:7000/3");
    assert_eq!(user.as_deref(), Some("m@e"));
    assert_eq!(password.as_deref(), Some("p:/w"));
}

#[test]
fn several_servers_share_the_credentials() {
    for url in [
        "redis-cluster://me:p,w@a,b",
        "redis-sentinel://me:p,w@a,b/main",
    ] {
        let expected = (Some("me".to_owned()), Some("p,w".to_owned()));
        assert_eq!(credentials(url), expected);
    }
}

#[test]
fn a_password_may_come_without_a_user() {
    assert_eq!(
        credentials("redis://:pw@localhost"),
        (None, Some("pw".to_owned()))
    );
}

#[test]
fn c18_errors_of_wrong_urls_do_not_repeat_them() {
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
fn c18_a_displayed_url_has_no_credentials() {
    let url = "redis://me:hunter2@localhost/1?sentinel_password=hunter2";
    assert_eq!(shown(url), "redis://localhost:6379/1");
}

#[test]
fn a_url_of_a_unix_socket_has_a_path() {
    assert_eq!(
        shown("redis+unix:///run/redis.sock"),
        "redis+unix:///run/redis.sock"
    );
    assert_eq!(
        shown("redis+unix://me:pw@/run/my%20redis/r.sock?db=7&namespace=a"),
        "redis+unix:///run/my%20redis/r.sock?db=7"
    );
    let (user, password) = credentials("redis+unix://me:p%40w@/run/redis.sock");
    assert_eq!(
        (user.as_deref(), password.as_deref()),
        (Some("me"), Some("p@w"))
    );
    let url = RedisUrl::parse("redis+unix:///s?db=7&connections=3").unwrap();
    assert_eq!(url.parameters, [("connections".to_owned(), "3".to_owned())]);
    for wrong in [
        "redis+unix://",
        "redis+unix:///",
        "redis+unix://host/s",
        "redis+unix:///s?db=x",
        "rediss+unix:///s",
    ] {
        assert_eq!(shown(wrong), "[not a Redis URL]", "{wrong}");
    }
}
