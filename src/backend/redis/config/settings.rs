//! The settings of a Redis store by name.

use super::RedisConfig;
use super::protocol::RedisProtocol;
use super::tls::Pem;
use crate::options::StoreOptions;
use crate::secret::Secret;
use crate::settings::{MustBe, Setting, Settings, number, time, time_or_off};
#[cfg(feature = "encryption")]
use crate::settings::{hide_summary, plaintext};
#[cfg(feature = "encryption")]
use crate::vault::Encryption;

impl Settings for RedisConfig {
    const OWN: &'static [Setting<Self>] = &[
        Setting("username", |config, value| {
            text(value, &mut config.target.credentials.user)
        }),
        Setting("password", |config, value| {
            secret(value, &mut config.target.credentials.password)
        }),
        Setting("namespace", |config, value| {
            value.clone_into(&mut config.namespace);
            Ok(())
        }),
        Setting("connections", |config, value| {
            number(value, &mut config.connections)
        }),
        Setting("connect_timeout", |config, value| {
            time(value, &mut config.connect_timeout)
        }),
        Setting("response_timeout", |config, value| {
            time(value, &mut config.response_timeout)
        }),
        Setting("min_replicas", |config, value| {
            number(value, &mut config.min_replicas)
        }),
        Setting("min_replicas_timeout", |config, value| {
            time(value, &mut config.min_replicas_timeout)
        }),
        Setting("pointer_sweep", |config, value| {
            time_or_off(value, &mut config.pointer_sweep)
        }),
        Setting("due_coverage", |config, value| {
            time_or_off(value, &mut config.due_coverage)
        }),
        Setting("protocol", |config, value| {
            config.protocol = RedisProtocol::of_number(value).ok_or(MustBe("2 or 3"))?;
            Ok(())
        }),
        Setting("tls_ca", |config, value| {
            file(value, &mut config.target.tls.authority)
        }),
        Setting("tls_cert", |config, value| {
            file(value, &mut config.target.tls.certificate)
        }),
        Setting("tls_key", |config, value| {
            file(value, &mut config.target.tls.key)
        }),
        Setting("sentinel_username", |config, value| {
            text(value, &mut config.target.sentinel_credentials.user)
        }),
        Setting("sentinel_password", |config, value| {
            secret(value, &mut config.target.sentinel_credentials.password)
        }),
        #[cfg(feature = "encryption")]
        Setting("keyring", |config, value| {
            Encryption::set_keyring(&mut config.encryption, value);
            Ok(())
        }),
        #[cfg(feature = "encryption")]
        Setting("shelf", |config, value| {
            Encryption::set(&mut config.encryption, |it| it.shelf = Some(value.into()));
            Ok(())
        }),
        #[cfg(feature = "encryption")]
        Setting("plaintext", |config, value| {
            plaintext(value, &mut config.encryption)
        }),
        #[cfg(feature = "encryption")]
        Setting("hide_summary", |config, value| {
            hide_summary(value, &mut config.encryption)
        }),
    ];

    fn options_mut(&mut self) -> &mut StoreOptions {
        &mut self.options
    }
}

fn text(value: &str, into: &mut Option<String>) -> Result<(), MustBe> {
    *into = Some(value.to_owned());
    Ok(())
}

fn secret(value: &str, into: &mut Option<Secret>) -> Result<(), MustBe> {
    *into = Some(Secret::new(value));
    Ok(())
}

fn file(value: &str, into: &mut Option<Pem>) -> Result<(), MustBe> {
    *into = Some(Pem::File(value.into()));
    Ok(())
}
