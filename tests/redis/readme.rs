//! The bot of the README is right on a server.

use std::sync::Arc;

use greentic_session::AsyncSessionStore;
use greentic_session_testkit::require;

use crate::bot_cases;
use crate::space::Space;

#[test]
fn the_bot_is_right_on_a_server() {
    let space = require!(Space::shared);
    let store: Arc<dyn AsyncSessionStore> = Arc::new(space.store());
    bot_cases::all(&store);
}
