use greentic_session_testkit::{RedisCluster, servers_or_skip, wait_until};
use greentic_types::SessionKey;

use super::*;
use crate::ErrorCode;
use crate::backend::redis::pointers::{Pointers, Seal};
use crate::options::Ttl;
use crate::owner::Owner;

fn pointers(cluster: &RedisCluster) -> Pointers {
    let seed = cluster.nodes()[0].address();
    let config = config(&format!("redis-cluster://{seed}")).response_timeout(SOON);
    Pointers::new(&Arc::new(open(&config)), &config)
}

/// A process may end between any two steps of a call; what it leaves is looked at here.
#[test]
fn c13_a_pointer_without_a_session_ends_within_a_minute() {
    if !servers_or_skip("c13_a_pointer_without_a_session_ends_within_a_minute") {
        return;
    }
    let cluster = RedisCluster::start();
    let pointers = pointers(&cluster);
    let name = "greentic:session:owner:run-1";
    let life = || cluster.command_for(name, &["PTTL", name]).int();
    let (ada, ben) = (
        Owner::from_encoded("e:t:-:ada"),
        Owner::from_encoded("e:t:-:ben"),
    );
    let key = SessionKey::new("run-1");

    let reserved = wait(pointers.reserve(&ada, &key, None)).unwrap();
    assert!(matches!(reserved, Seal::Written(_)));
    assert!((1..=60_000).contains(&life()), "{}", life());

    // C4: nobody else gets the key while the call may still write its session.
    let found = wait(pointers.reserve(&ada, &key, None)).unwrap();
    assert_eq!(found.stamp(), reserved.stamp());
    let mut refused = 0;
    wait_until("the key is free", NEVER, || {
        match wait(pointers.reserve(&ben, &key, None)) {
            Ok(seal) => seal.stamp() > reserved.stamp(),
            Err(error) => {
                assert_eq!(error.code, ErrorCode::Unavailable);
                refused += 1;
                false
            }
        }
    });
    assert_eq!(wait(pointers.locate(&key)).unwrap(), Some(ben.clone()));

    // A call that lost its session on the way has its pointer removed.
    let extended = pointers.extend(&ben, &key, Seal::None, Ttl(None)).unwrap();
    assert!(!wait(extended).unwrap().unwrap());
    assert_eq!(life(), -1);
    pointers.settle(&ben, &key, None);
    wait_until("the pointer goes", NEVER, || life() == -2);
}
