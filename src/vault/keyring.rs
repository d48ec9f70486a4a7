//! Root keys in a file or in a variable, from which the keys of tenants are derived.

use std::fmt;
use std::path::Path;

use async_trait::async_trait;
use greentic_types::{ErrorCode, GreenticError};
use hkdf::Hkdf;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher;
use super::compression::Compression;
use super::data_key::{DataKey, KEY_BYTES};
use super::key_file;
use super::key_id::KeyId;
use super::key_vault::KeyVault;
use super::key_wrap::KeyWrap;
use super::place::{Kind, Place};
use super::root_key::{RootId, RootKey};
use super::tenant_ref::TenantRef;
use crate::envelope::Stored;
use crate::error::{SessionResult, invalid_input};

/// How many root keys a keyring has at most.
pub const MAX_ROOT_KEYS: usize = 16;

/// The first line of a keyring.
const TITLE: &str = "greentic-session keyring 1";

/// Up to 16 root keys in a file or in a variable of the environment, one of them current.
///
/// The key of a tenant is derived from the current root key with HKDF-SHA256; its id names the root key.
/// So no server is asked, and no tenant's key is stored. Whoever has the keyring can read all tenants.
/// It cannot shred the keys of one tenant; [`EnvelopeVault`](super::EnvelopeVault) can.
///
/// The text has a title and a line for each root key, the oldest first. The last is current:
///
/// ```text
/// greentic-session keyring 1
/// key 4f1c2a9be0d37788 <64 hexadecimal digits>
/// key 09be5d1f44aa0c31 <64 hexadecimal digits>
/// ```
///
/// **A lost keyring is lost data.** Keep a second copy where the store's backups are not.
///
/// ```
/// use greentic_session::vault::Keyring;
///
/// let keyring = Keyring::generate()?.rotated()?;
/// assert_eq!(keyring.roots().count(), 2);
/// assert_eq!(format!("{keyring:?}").matches("key").count(), 0);
/// # Ok::<(), greentic_session::GreenticError>(())
/// ```
#[derive(Clone)]
pub struct Keyring {
    /// The oldest first. At least one.
    roots: Vec<RootKey>,
}

impl Keyring {
    /// Makes a keyring with one random root key.
    ///
    /// # Errors
    /// `Unavailable` if the system gives no random bytes.
    pub fn generate() -> SessionResult<Self> {
        Ok(Self {
            roots: vec![RootKey::random()?],
        })
    }

    /// Reads a keyring from a file, which must be readable by its owner only (mode 0600).
    ///
    /// # Errors
    /// - `Unavailable`: the file cannot be read.
    /// - `InvalidInput`: others can read it, or a line is wrong. The message names the file and the
    ///   line, and no key.
    pub fn from_file(path: impl AsRef<Path>) -> SessionResult<Self> {
        let path = path.as_ref();
        let text = key_file::read(path)?;
        Self::parse(&text).map_err(|fault| named(&path.display(), &fault))
    }

    /// Reads a keyring from a variable of the environment. `;` can stand for the end of a line.
    ///
    /// # Errors
    /// `InvalidInput` if the variable is not set, or a line is wrong. The message names the variable
    /// and the line, and no key.
    pub fn from_variable(name: &str) -> SessionResult<Self> {
        let text = std::env::var(name).map(Zeroizing::new);
        let text = text.map_err(|_| invalid_input(format!("the variable {name} is not set")))?;
        Self::parse(&text).map_err(|fault| named(&name, &fault))
    }

    /// Reads a keyring from its text.
    ///
    /// # Errors
    /// `InvalidInput` if a line is wrong. The message names the line, and no key.
    pub fn from_text(text: &str) -> SessionResult<Self> {
        Self::parse(text).map_err(|fault| named(&"the text", &fault))
    }

    /// Returns the text of the keyring. It contains the keys.
    #[must_use]
    pub fn to_text(&self) -> Zeroizing<String> {
        // The whole length at once: text that moves leaves a copy behind.
        let mut text = String::with_capacity(TITLE.len() + 1 + self.roots.len() * 96);
        text.push_str(TITLE);
        text.push('\n');
        for root in &self.roots {
            root.write_line(&mut text);
        }
        Zeroizing::new(text)
    }

    /// Writes the keyring to a file that does not exist yet, readable by its owner only.
    ///
    /// # Errors
    /// - `InvalidInput`: the file exists.
    /// - `Unavailable`: it cannot be written.
    pub fn write_new(&self, path: impl AsRef<Path>) -> SessionResult<()> {
        key_file::write_new(path.as_ref(), &self.to_text())
    }

    /// Replaces the file of a keyring in one step. A crash leaves the old file or the new one.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be written. The old file is then unchanged.
    pub fn replace(&self, path: impl AsRef<Path>) -> SessionResult<()> {
        key_file::replace(path.as_ref(), &self.to_text())
    }

    /// Adds a random root key, which becomes the current one.
    ///
    /// A process that still has the old keyring cannot read what is sealed with the new root key. With
    /// several processes, use [`with_next`](Self::with_next) first, and
    /// [`with_current`](Self::with_current) once all have the new keyring.
    ///
    /// # Errors
    /// - `InvalidInput`: the keyring is full.
    /// - `Unavailable`: the system gives no random bytes.
    pub fn rotated(mut self) -> SessionResult<Self> {
        self.roots.push(RootKey::random()?);
        self.checked()
    }

    /// Adds a random root key that is not current: all processes can learn it before one uses it.
    ///
    /// # Errors
    /// As for [`rotated`](Self::rotated).
    pub fn with_next(mut self) -> SessionResult<Self> {
        let last = self.roots.len().saturating_sub(1);
        self.roots.insert(last, RootKey::random()?);
        self.checked()
    }

    /// Makes the root key with this id the current one.
    ///
    /// # Errors
    /// `InvalidInput` if there is none.
    pub fn with_current(mut self, id: &str) -> SessionResult<Self> {
        let at = self.position(id)?;
        let root = self.roots.remove(at);
        self.roots.push(root);
        Ok(self)
    }

    /// Takes a root key out. What is sealed with keys derived from it can then be read by nobody.
    ///
    /// # Errors
    /// `InvalidInput` if there is none with this id, or it is the current one.
    pub fn without(mut self, id: &str) -> SessionResult<Self> {
        let at = self.position(id)?;
        if at + 1 == self.roots.len() {
            return Err(invalid_input("the current root key cannot be taken out"));
        }
        self.roots.remove(at);
        Ok(self)
    }

    /// Returns the ids of the root keys, the current one last: 16 hexadecimal digits, with which the ids
    /// of all keys derived from it begin.
    pub fn roots(&self) -> impl ExactSizeIterator<Item = String> {
        self.roots.iter().map(|root| root.id().to_string())
    }

    fn position(&self, id: &str) -> SessionResult<usize> {
        let mut ids = self.roots();
        ids.position(|known| known == id)
            .ok_or_else(|| invalid_input("the keyring has no root key with this id"))
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let lines = text.split(['\n', ';']).map(str::trim);
        let mut lines = (1..).zip(lines).filter(|(_, line)| !line.is_empty());
        let is_title = |(_, line): &(usize, &str)| *line == TITLE;
        if !lines.next().as_ref().is_some_and(is_title) {
            return Err(Fault(
                1,
                "a keyring begins with `greentic-session keyring 1`",
            ));
        }
        let mut roots: Vec<RootKey> = Vec::with_capacity(MAX_ROOT_KEYS);
        for (number, line) in lines {
            let root = RootKey::parse(line).map_err(|what| Fault(number, what))?;
            if roots.iter().any(|known| known.id() == root.id()) {
                return Err(Fault(number, "its id is there before"));
            }
            if roots.len() == MAX_ROOT_KEYS {
                return Err(Fault(number, "a keyring has 16 keys at most"));
            }
            roots.push(root);
        }
        match roots.is_empty() {
            true => Err(Fault(1, "the keyring has no key")),
            false => Ok(Self { roots }),
        }
    }

    fn checked(self) -> SessionResult<Self> {
        match self.roots.len() > MAX_ROOT_KEYS {
            true => Err(invalid_input(
                "the keyring has 16 root keys already; take old ones out after a reseal",
            )),
            false => Ok(self),
        }
    }

    /// The key that a root key gives to a tenant.
    fn derived(root: &RootKey, tenant: TenantRef<'_>) -> SessionResult<DataKey> {
        let failed = |_| invalid_input("the key cannot be derived");
        let (env, name) = (tenant.env.as_str(), tenant.tenant.as_str());
        let mut derived = Zeroizing::new([0; KEY_BYTES + 8]);
        let info = ["greentic-session/1", env, name].join(":");
        Hkdf::<Sha256>::new(None, root.secret())
            .expand(info.as_bytes(), derived.as_mut_slice())
            .map_err(failed)?;
        let (key, tag) = derived.split_at(KEY_BYTES);
        let mut secret = Zeroizing::new([0; KEY_BYTES]);
        secret.copy_from_slice(key);
        let mut id = [0; 16];
        id[..8].copy_from_slice(root.id().as_bytes());
        id[8..].copy_from_slice(tag);
        Ok(DataKey::new(KeyId::from_bytes(id), secret))
    }
}

#[async_trait]
impl KeyVault for Keyring {
    async fn current(&self, tenant: TenantRef<'_>) -> SessionResult<DataKey> {
        let root = self.roots.last();
        let root = root.ok_or_else(|| invalid_input("the keyring has no key"))?;
        Self::derived(root, tenant)
    }

    async fn by_id(&self, tenant: TenantRef<'_>, id: KeyId) -> SessionResult<DataKey> {
        let unknown = || GreenticError::new(ErrorCode::NotFound, "the keyring has no such key");
        let root = RootId::of(id);
        let root = self.roots.iter().find(|known| *known.id() == root);
        let key = Self::derived(root.ok_or_else(unknown)?, tenant)?;
        match key.id() == id {
            true => Ok(key),
            false => Err(unknown()),
        }
    }
}

/// Wraps the keys of a shelf with the key that the tenant has by the keyring. So a keyring, which cannot
/// shred, and a shelf, which can, are an [`EnvelopeVault`](super::EnvelopeVault) without a key service.
#[async_trait]
impl KeyWrap for Keyring {
    async fn wrap(&self, tenant: TenantRef<'_>, key: &[u8; KEY_BYTES]) -> SessionResult<Vec<u8>> {
        let by = self.current(tenant).await?;
        let tenant = tenant.encoded();
        cipher::seal(
            &by,
            &Place::new(Kind::Key, &tenant, b""),
            b"",
            key,
            Compression::None,
        )
    }

    async fn unwrap(
        &self,
        tenant: TenantRef<'_>,
        wrapped: &[u8],
    ) -> SessionResult<Zeroizing<[u8; KEY_BYTES]>> {
        let foreign =
            || GreenticError::new(ErrorCode::NotFound, "the keyring has not wrapped the key");
        let Ok(Stored::Sealed(envelope)) = Stored::read(wrapped) else {
            return Err(foreign());
        };
        let by = self.by_id(tenant, KeyId::from_bytes(envelope.key)).await?;
        let tenant = tenant.encoded();
        let opened = cipher::open(&by, &Place::new(Kind::Key, &tenant, b""), &envelope);
        let opened = opened.map_err(|_| foreign())?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        match opened.len() == KEY_BYTES {
            true => key.copy_from_slice(&opened),
            false => return Err(foreign()),
        }
        Ok(key)
    }
}

/// Shows how many keys there are.
impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({})", self.roots.len())
    }
}

/// The number of a wrong line, and what is wrong.
struct Fault(usize, &'static str);

fn named(place: &dyn fmt::Display, Fault(line, what): &Fault) -> GreenticError {
    invalid_input(format!("{place}, line {line}: {what}"))
}

#[cfg(test)]
mod tests {
    use greentic_types::{EnvId, TenantId};

    use super::*;

    const TEXT: &str = "greentic-session keyring 1\n\
        key 0101010101010101 0101010101010101010101010101010101010101010101010101010101010101\n\
        key 0202020202020202 0202020202020202020202020202020202020202020202020202020202020202\n";

    fn key_of(keyring: &Keyring, env: &str, tenant: &str) -> DataKey {
        let (env, tenant) = (EnvId(env.to_owned()), TenantId(tenant.to_owned()));
        pollster::block_on(keyring.current(TenantRef::new(&env, &tenant).unwrap())).unwrap()
    }

    fn by_id(keyring: &Keyring, tenant: &str, id: KeyId) -> SessionResult<DataKey> {
        let (env, tenant) = (EnvId("prod".to_owned()), TenantId(tenant.to_owned()));
        pollster::block_on(keyring.by_id(TenantRef::new(&env, &tenant).unwrap(), id))
    }

    #[test]
    fn a_derived_key_keeps_its_form() {
        // Stored data is opened by it: it never changes. RFC 5869 with the root key as the input, no
        // salt, and the info `greentic-session/1:prod:acme`.
        let key = key_of(&Keyring::from_text(TEXT).unwrap(), "prod", "acme");
        assert_eq!(key.id().to_string(), "02020202020202020671ab5f23b2f0c7");
        assert_eq!(
            hex::encode(key.secret()),
            "11553358fcb5aaecf1e9546abed4797603ae040e3c589e8a4b9bfe9a6daf42dd"
        );
    }

    #[test]
    fn tenants_and_roots_have_keys_of_their_own() {
        let keyring = Keyring::from_text(TEXT).unwrap();
        let acme = key_of(&keyring, "prod", "acme");
        for other in [
            key_of(&keyring, "prod", "other"),
            key_of(&keyring, "dev", "acme"),
            key_of(&keyring.clone().rotated().unwrap(), "prod", "acme"),
        ] {
            assert_ne!(acme.secret(), other.secret());
            assert_ne!(acme.id(), other.id());
        }
    }

    #[test]
    fn c37_a_rotation_keeps_the_old_keys() {
        let keyring = Keyring::from_text(TEXT).unwrap();
        let old = key_of(&keyring, "prod", "acme");
        let rotated = keyring.rotated().unwrap();
        let found = by_id(&rotated, "acme", old.id()).unwrap();
        assert_eq!(found.secret(), old.secret());
        // The id is that of one tenant.
        let foreign = by_id(&rotated, "other", old.id()).unwrap_err();
        assert_eq!(foreign.code, ErrorCode::NotFound);
        let without = rotated.without("0202020202020202").unwrap();
        let gone = by_id(&without, "acme", old.id()).unwrap_err();
        assert_eq!(gone.code, ErrorCode::NotFound);
    }

    #[test]
    fn a_key_that_a_keyring_wrapped_is_unwrapped_for_its_tenant_only() {
        let keyring = Keyring::from_text(TEXT).unwrap();
        let env = EnvId("prod".to_owned());
        let [acme, other] = ["acme", "other"].map(|name| TenantId(name.to_owned()));
        let acme = TenantRef::new(&env, &acme).unwrap();
        let other = TenantRef::new(&env, &other).unwrap();
        let wrapped = pollster::block_on(keyring.wrap(acme, &[7; 32])).unwrap();
        let rotated = keyring.rotated().unwrap();
        let key = pollster::block_on(rotated.unwrap(acme, &wrapped)).unwrap();
        assert_eq!(*key, [7; 32]);
        let mut changed = wrapped.clone();
        *changed.last_mut().unwrap() ^= 1;
        for (tenant, bytes) in [(other, &wrapped), (acme, &changed), (acme, &Vec::new())] {
            let refused = pollster::block_on(rotated.unwrap(tenant, bytes)).unwrap_err();
            assert_eq!(refused.code, ErrorCode::NotFound);
        }
    }

    #[test]
    fn a_next_key_is_known_before_it_is_used() {
        let keyring = Keyring::from_text(TEXT).unwrap();
        let current = key_of(&keyring, "prod", "acme").id();
        let next = keyring.with_next().unwrap();
        assert_eq!(key_of(&next, "prod", "acme").id(), current);
        let id = next.roots().nth(1).unwrap();
        let used = next.with_current(&id).unwrap();
        let key = key_of(&used, "prod", "acme");
        assert!(key.id().to_string().starts_with(&id));
        assert!(used.without(&id).is_err(), "the current key stays");
    }

    #[test]
    fn a_keyring_is_read_as_it_was_written() {
        let keyring = Keyring::from_text(TEXT).unwrap();
        assert_eq!(*keyring.to_text(), TEXT);
        let one_line = TEXT.replace('\n', "; ");
        assert_eq!(*Keyring::from_text(&one_line).unwrap().to_text(), TEXT);
        let mut full = Keyring::generate().unwrap();
        for _ in 1..MAX_ROOT_KEYS {
            full = full.rotated().unwrap();
        }
        assert!(Keyring::from_text(&full.to_text()).is_ok());
        assert_eq!(full.rotated().unwrap_err().code, ErrorCode::InvalidInput);
    }

    #[test]
    fn c37_a_wrong_line_is_named_and_never_shown() {
        let key = "03".repeat(32);
        let line = format!("key 0303030303030303 {key}");
        let many = (0..17).map(|id| format!("key {id:016x} {key}\n"));
        let many = format!("{TITLE}\n{}", many.collect::<String>());
        for (text, number) in [
            (String::new(), 1),
            (line.clone(), 1),
            (TITLE.to_owned(), 1),
            (format!("{TITLE}\n\n{line}\n{line}"), 4),
            (format!("{TITLE}\n{line}03"), 2),
            (format!("{TITLE}\nkey 03030303030303 {key}"), 2),
            (format!("{TITLE}\nkey 0303030303030303"), 2),
            (format!("{TITLE}\nroot 0303030303030303 {key}"), 2),
            (format!("{TITLE}\n{line} current"), 2),
            (many, 18),
        ] {
            let error = Keyring::from_text(&text).unwrap_err();
            assert_eq!(error.code, ErrorCode::InvalidInput);
            assert!(error.message.contains(&format!("line {number}")), "{error}");
            assert!(!error.message.contains("030303"), "{error}");
        }
        let shown = format!("{:?}", Keyring::from_text(TEXT).unwrap());
        assert_eq!(shown, "Keyring(2)");
    }
}
