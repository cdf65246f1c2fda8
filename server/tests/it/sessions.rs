//! Seeing and ending one's sessions.

use crate::world::World;

#[tokio::test]
async fn a_person_sees_where_he_is_logged_in_and_ends_what_he_does_not_know() {
    let world = World::founded().await;
    let phone = world.db_enrol("sys", 1).await;
    let on_phone = world.log_in_on("sys", &phone).await.pair();
    let on_phone = world.refresh_on(&phone, &on_phone.refresh).await.pair();
    world.pass(1);
    let here = world.log_in("sys").await.pair();
    let list = world.get("/v1/sessions", here.access()).await;
    let ids: Vec<_> = list.body["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, [here.session.as_str(), on_phone.session.as_str()]);
    assert_eq!(list.body["sessions"][1]["device"], phone.id.to_string());

    let path = format!("/v1/sessions/{}", on_phone.session);
    assert_eq!(world.delete(&path, here.access()).await.status, 204);
    assert!(!world.is_signed_in(&on_phone).await);
    assert!(world.is_signed_in(&here).await);
    assert_eq!(
        world.delete(&path, here.access()).await.code(),
        "not_found",
        "it has ended already"
    );
}

#[tokio::test]
async fn the_sessions_of_others_do_not_exist() {
    let world = World::founded().await;
    let (sys, sec) = (
        world.log_in("sys").await.pair(),
        world.log_in("sec").await.pair(),
    );
    let others = world
        .delete(&format!("/v1/sessions/{}", sec.session), sys.access())
        .await;
    let nobodys = world
        .delete(&format!("/v1/sessions/{}", "0".repeat(32)), sys.access())
        .await;
    let nonsense = world.delete("/v1/sessions/nonsense", sys.access()).await;
    assert_eq!(others.code(), "not_found");
    assert_eq!(others.body, nobodys.body);
    assert_eq!(others.body, nonsense.body);
    assert!(world.is_signed_in(&sec).await);
    let list = world.get("/v1/sessions", sys.access()).await;
    assert_eq!(list.body["sessions"].as_array().unwrap().len(), 1);
}
