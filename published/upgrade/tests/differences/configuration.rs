//! Cases of the configuration.

use crate::ONLY_ON_REDIS;
use crate::play::{Play, done};

/// What a store on the server at this URL answers when it is opened, which needs no connection.
fn opened(play: &Play, url: &str) -> &'static str {
    if play.space.is_none() {
        return ONLY_ON_REDIS;
    }
    let url = url.to_owned();
    if play.is_published {
        let config = published::SessionBackendConfig::RedisUrl(url);
        return done(published::create_session_store(config));
    }
    let config = greentic_session::SessionBackendConfig::RedisUrl(url);
    done(greentic_session::create_session_store(config))
}

pub fn malformed_url(play: &Play) -> String {
    opened(play, "nonsense").to_owned()
}

pub fn unix_socket(play: &Play) -> String {
    opened(play, "redis+unix:///run/redis.sock").to_owned()
}

pub fn password_in_debug(play: &Play) -> String {
    let url = "redis://:s3cret@localhost".to_owned();
    let text = if play.is_published {
        format!("{:?}", published::SessionBackendConfig::RedisUrl(url))
    } else {
        format!(
            "{:?}",
            greentic_session::SessionBackendConfig::RedisUrl(url)
        )
    };
    let shown = text.contains("s3cret");
    if shown { "shown" } else { "hidden" }.to_owned()
}

pub fn mapping(play: &Play) -> String {
    let map = if play.is_published {
        published::mapping::telegram_update_to_session_key
    } else {
        greentic_session::mapping::telegram_update_to_session_key
    };
    let is_one = map("a:b", "c", "d") == map("a", "b:c", "d");
    if is_one { "one key" } else { "two keys" }.to_owned()
}

pub fn plain_mapping(_play: &Play) -> String {
    let old = published::mapping::webhook_to_session_key("crm", "ticket", "42");
    let new = greentic_session::mapping::webhook_to_session_key("crm", "ticket", "42");
    if old == new { "same key" } else { "other key" }.to_owned()
}
