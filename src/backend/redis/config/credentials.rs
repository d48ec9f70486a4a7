//! User names and passwords.

use crate::secret::Secret;

/// The user to log in as. Without a user it is the default user. A user without a password logs in
/// with an empty one; without both no login is sent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    pub user: Option<String>,
    pub password: Option<Secret>,
}
