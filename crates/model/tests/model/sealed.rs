//! The encryption of sealed stores. All have the same keyring, so that a store can be opened again.

use std::sync::{Arc, LazyLock};

use greentic_session::vault::{Encryption, KeyVault, Keyring};

pub fn encryption() -> Encryption {
    static KEYRING: LazyLock<Arc<dyn KeyVault>> =
        LazyLock::new(|| Arc::new(Keyring::generate().unwrap()));
    Encryption::new(Arc::clone(&KEYRING))
}
