//! Settings by name, as URLs, files and the environment give them.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use crate::duration_text::parse_duration;
use crate::error::{GreenticError, SessionResult, invalid_input};
use crate::options::StoreOptions;
use crate::secret::Secret;
#[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
use crate::vault::Encryption;

/// A setting of a configuration: its name, and how its value is read.
pub(crate) struct Setting<C>(pub &'static str, pub fn(&mut C, &str) -> Result<(), MustBe>);

/// What the value of a setting must be. The value is not repeated (C18).
pub(crate) struct MustBe(pub &'static str);

/// A configuration whose settings have names.
pub(crate) trait Settings: Sized + 'static {
    /// The settings that other backends do not have.
    const OWN: &'static [Setting<Self>];

    /// The settings that all backends have.
    fn options_mut(&mut self) -> &mut StoreOptions;

    /// The names of all settings.
    fn names() -> impl Iterator<Item = &'static str> {
        let of_all = StoreOptions::OF_ALL.iter().map(|setting| setting.0);
        of_all.chain(Self::OWN.iter().map(|setting| setting.0))
    }

    /// Sets one setting.
    ///
    /// # Errors
    /// `InvalidInput` if there is no such setting, or the value is wrong.
    fn set(&mut self, name: &str, value: &str) -> SessionResult<()> {
        let own = Self::OWN.iter().find(|setting| setting.0 == name);
        let of_all = StoreOptions::OF_ALL.iter();
        let result = match (own, of_all.clone().find(|setting| setting.0 == name)) {
            (Some(setting), _) => (setting.1)(self, value),
            (None, Some(setting)) => (setting.1)(self.options_mut(), value),
            (None, None) => return Err(unknown(name, Self::names())),
        };
        result.map_err(|MustBe(what)| invalid_input(format!("the setting `{name}` must be {what}")))
    }

    /// Sets each of these settings.
    ///
    /// # Errors
    /// As for [`Settings::set`].
    fn set_all<'a>(
        &mut self,
        settings: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> SessionResult<()> {
        let mut settings = settings.into_iter();
        settings.try_for_each(|(name, value)| self.set(name, value))
    }
}

/// Settings below and above those of a URL: they give way to them, and replace them.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Layers {
    pub below: BTreeMap<String, Secret>,
    pub above: BTreeMap<String, Secret>,
}

impl Layers {
    pub fn is_empty(&self) -> bool {
        self.below.is_empty() && self.above.is_empty()
    }

    pub fn below(&self) -> impl Iterator<Item = (&str, &str)> {
        revealed(&self.below)
    }

    pub fn above(&self) -> impl Iterator<Item = (&str, &str)> {
        revealed(&self.above)
    }
}

fn revealed(layer: &BTreeMap<String, Secret>) -> impl Iterator<Item = (&str, &str)> {
    let settings = layer.iter();
    settings.map(|(name, value)| (name.as_str(), value.reveal()))
}

impl StoreOptions {
    const OF_ALL: &'static [Setting<Self>] = &[
        Setting("default_ttl", |options, value| {
            let mut ttl = Duration::ZERO;
            time(value, &mut ttl)?;
            options.default_ttl = Some(ttl);
            Ok(())
        }),
        Setting("max_payload_bytes", |options, value| {
            size(value, &mut options.max_payload_bytes)
        }),
        Setting("message_window", |options, value| {
            time(value, &mut options.message_window)
        }),
        Setting("max_messages", |options, value| {
            number(value, &mut options.max_messages)
        }),
        Setting("max_waits", |options, value| {
            number(value, &mut options.max_waits)
        }),
        Setting("find_by_user", |options, value| {
            let known = value.parse();
            options.find_by_user =
                known.map_err(|_| MustBe("`waits-and-created` or `waits-only`"))?;
            Ok(())
        }),
    ];
}

impl Settings for StoreOptions {
    const OWN: &'static [Setting<Self>] = &[];

    fn options_mut(&mut self) -> &mut StoreOptions {
        self
    }
}

/// The settings that a query holds whose values need no decoding.
pub(crate) fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")))
}

/// The message repeats the name only if it looks like one: a password with an unescaped `?` or `&`
/// would end up here (C18).
fn unknown(name: &str, known: impl Iterator<Item = &'static str>) -> GreenticError {
    let is_plain = name.len() <= 32 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    let shown = if is_plain {
        format!(" `{name}`")
    } else {
        String::new()
    };
    let known: Vec<_> = known.collect();
    invalid_input(format!(
        "unknown setting{shown} for this backend; the known ones are {}",
        known.join(", ")
    ))
}

/// A time of at least a microsecond, such as `500ms` or `7d`.
pub(crate) fn time(text: &str, into: &mut Duration) -> Result<(), MustBe> {
    match parse_duration(text) {
        Ok(time) if !time.is_zero() => *into = time,
        _ => return Err(MustBe("a time such as 500ms, 90s, 2h30m or 7d")),
    }
    Ok(())
}

/// As [`time`], or `off`.
#[cfg(feature = "redis")]
pub(crate) fn time_or_off(text: &str, into: &mut Option<Duration>) -> Result<(), MustBe> {
    if text == "off" {
        *into = None;
        return Ok(());
    }
    let mut interval = Duration::ZERO;
    time(text, &mut interval).map_err(|_| MustBe("a time such as 30m or 1h, or `off`"))?;
    *into = Some(interval);
    Ok(())
}

/// A number of bytes, also with a unit, such as `64MiB`.
pub(crate) fn size(text: &str, into: &mut usize) -> Result<(), MustBe> {
    const UNITS: [(&str, usize); 4] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("", 1),
    ];
    let mut sizes = UNITS.iter().filter_map(|(unit, bytes)| {
        let number = text.strip_suffix(unit)?.parse::<usize>().ok()?;
        number.checked_mul(*bytes)
    });
    *into = sizes
        .next()
        .ok_or(MustBe("a number of bytes, or a size such as 64MiB"))?;
    Ok(())
}

/// `true` or `false`.
#[cfg(any(feature = "durable", all(feature = "encryption", feature = "redis")))]
pub(crate) fn switch(text: &str, into: &mut bool) -> Result<(), MustBe> {
    *into = text.parse().map_err(|_| MustBe("`true` or `false`"))?;
    Ok(())
}

/// The setting `plaintext` of an encryption.
#[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
pub(crate) fn plaintext(text: &str, into: &mut Option<Encryption>) -> Result<(), MustBe> {
    let plaintext = text.parse().map_err(|_| MustBe("`refuse` or `accept`"))?;
    Encryption::set(into, |it| it.plaintext = plaintext);
    Ok(())
}

/// The setting `hide_summary` of an encryption.
#[cfg(all(feature = "encryption", any(feature = "redis", feature = "durable")))]
pub(crate) fn hide_summary(text: &str, into: &mut Option<Encryption>) -> Result<(), MustBe> {
    let mut hides = false;
    switch(text, &mut hides)?;
    Encryption::set(into, |it| it.hides_summary = hides);
    Ok(())
}

/// A whole number.
pub(crate) fn number<T: FromStr>(text: &str, into: &mut T) -> Result<(), MustBe> {
    *into = text.parse().map_err(|_| MustBe("a whole number"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::FindByUser;

    #[test]
    fn a_query_sets_options() {
        let mut options = StoreOptions::new();
        let query = "default_ttl=7d&find_by_user=waits-only&max_waits=7&max_payload_bytes=7KiB\
                     &message_window=1h30m&max_messages=9";
        options.set_all(pairs(query)).unwrap();
        let expected = StoreOptions::new()
            .max_waits(7)
            .default_ttl(Duration::from_secs(7 * 24 * 60 * 60))
            .find_by_user(FindByUser::WaitsOnly)
            .message_window(Duration::from_secs(90 * 60))
            .max_messages(9)
            .max_payload_bytes(7 * 1024);
        assert_eq!(options, expected);
        options.set_all(pairs("max_payload_bytes=8")).unwrap();
        assert_eq!(options.max_payload_bytes, 8);
        options.set_all(pairs("")).unwrap();
    }

    #[test]
    fn an_unknown_setting_is_refused_with_the_known_ones() {
        let error = StoreOptions::new().set("cache", "1").unwrap_err();
        assert!(error.message.contains("`cache`"), "{error}");
        for setting in StoreOptions::OF_ALL {
            assert!(error.message.contains(setting.0), "{error}");
        }
    }

    #[test]
    fn c18_a_wrong_query_is_refused_and_not_repeated() {
        for query in [
            "hunter2",
            "hunter2=1",
            "default_ttl=hunter2",
            "default_ttl=0s",
            "default_ttl=60",
            "default_ttl",
            "find_by_user=hunter2",
            "max_waits=hunter2",
            "max_waits=-1",
            "find_by_user",
            "max_payload_bytes=-1",
            "max_payload_bytes=1hunter2",
            "max_payload_bytes=99999999999999999GiB",
        ] {
            let error = StoreOptions::new().set_all(pairs(query)).unwrap_err();
            assert!(!error.message.contains("hunter2"), "{error}");
        }
    }
}
