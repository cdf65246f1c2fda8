//! The real program over a real folder: killed at any moment, and out of space. What it acknowledged is there.

use server::random::Random;
use sync_core::testing::TestRng;
use tokio::sync::Notify;

use crate::field::{Field, PHONES};
use crate::program::Server;

#[tokio::test]
async fn what_was_acknowledged_outlives_a_server_that_is_killed_at_any_moment() {
    const ROUNDS: usize = 20;
    let seed: u64 = match std::env::var("ZHUCUN_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => u64::from_be_bytes(Random::system().bytes()),
    };
    println!("ZHUCUN_SEED={seed}");
    let mut rng = TestRng::new(seed);
    let mut below = |end: u32| u32::from_be_bytes(rng.bytes()) % end;
    let mut field = Field::new().await;
    for round in 0..ROUNDS {
        let mut server = Server::start(field.folder.path()).await;
        assert_eq!(field.lost().await, []);
        field.check_acknowledged(server.address).await;
        for exchange in 0..below(3) {
            for name in PHONES {
                field.save(name, &format!("{round}.{exchange}"));
            }
            field.sync(server.address).await;
        }
        for name in PHONES {
            field.save(name, &format!("{round} at last"));
        }
        let requests = field.requests();
        let address = server.address;
        // As soon as it has acknowledged something, or at a moment of any order of magnitude: before a request has left, or long
        // after its answer was written.
        let is_acknowledged = below(2) == 0;
        let most = 1 << below(15);
        let turns = below(most);
        let answered = Notify::new();
        let child = &mut server.child;
        let killed = async {
            if is_acknowledged {
                answered.notified().await;
            } else {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            child.start_kill().unwrap();
        };
        field
            .sync_while(address, &requests, &answered, killed)
            .await;
        assert!(!server.end().await.success(), "it was killed");
    }
    let server = Server::start(field.folder.path()).await;
    assert_eq!(field.lost().await, []);
    field.sync_all(server.address).await;
    field.check_acknowledged(server.address).await;
    drop(server);
    field.check_bundle().await;
}

#[tokio::test]
async fn a_server_without_space_stops_loudly_and_has_kept_what_it_acknowledged() {
    /// What is left for each file, in the kibibytes that `ulimit -f` counts in.
    const ROOM: u64 = 64;
    let mut field = Field::new().await;
    let files = std::fs::read_dir(field.folder.path().join("data")).unwrap();
    let sizes = files.map(|file| file.unwrap().metadata().unwrap().len());
    let largest = sizes.max().unwrap().div_ceil(1024);
    let mut server = Server::start_in(field.folder.path(), largest + ROOM).await;
    let mut number = 0;
    let status = loop {
        number += 1;
        assert!(number < 10_000, "it goes on without space");
        for name in PHONES {
            field.save(name, &format!("{number} {}", "粮".repeat(number % 50)));
        }
        field.sync(server.address).await;
        if let Some(status) = server.child.try_wait().unwrap() {
            break status;
        }
    };
    assert!(
        status.code().is_some_and(|code| code != 0),
        "it ends by itself, and says that it failed: {status}"
    );
    assert!(!field.acknowledged.is_empty());

    let server = Server::start(field.folder.path()).await;
    assert_eq!(field.lost().await, []);
    field.check_acknowledged(server.address).await;
    field.sync_all(server.address).await;
    drop(server);
    field.check_bundle().await;
}
