use super::*;
use RingEndReason::{Answered, Cancelled, Declined, Missed};

fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

fn dm(name: &str) -> ChannelId {
    ChannelId::new(name).unwrap()
}

async fn call(rings: &Rings, channel: &str, from: &str, users: &[&str]) -> Result<Calling, Refusal> {
    rings.call(dm(channel), user(from), None, users.iter().map(|name| user(name)).collect()).await
}

/// What a listening socket knows next, if anything.
async fn next(listening: &mut Listening) -> Option<(String, Option<RingEndReason>)> {
    listening.ring.changed().await.unwrap();
    listening.ring.borrow_and_update().as_ref().map(|ring| (ring.from.to_string(), ring.ended))
}

#[tokio::test]
async fn every_socket_of_who_is_called_hears_it_and_how_it_ended() {
    let rings = Rings::in_memory();
    let mut sockets = [rings.listen(&user("bob")), rings.listen(&user("bob"))];
    for socket in &mut sockets {
        assert_eq!(next(socket).await, None);
    }
    let mut calling = call(&rings, "dm", "ada", &["bob", "eve"]).await.unwrap();
    for socket in &mut sockets {
        assert_eq!(next(socket).await, Some(("ada".into(), None)));
    }
    // Who connects now hears it as well.
    assert_eq!(next(&mut rings.listen(&user("eve"))).await, Some(("ada".into(), None)));
    assert!(!rings.declined(&user("bob"), &dm("another")));
    assert!(rings.declined(&user("bob"), &dm("dm")));
    for socket in &mut sockets {
        assert_eq!(next(socket).await, Some(("ada".into(), Some(Declined))));
    }
    assert_eq!(calling.ended.recv().await, Some((user("bob"), Declined)));
    rings.answered(&user("eve"), &dm("dm"));
    assert_eq!(calling.ended.recv().await, Some((user("eve"), Answered)));
}

#[tokio::test]
async fn a_user_is_rung_by_one_call_at_a_time_and_by_the_next_when_it_is_over() {
    let rings = Rings::in_memory();
    let first = call(&rings, "dm", "ada", &["bob"]).await.unwrap();
    assert_eq!(call(&rings, "other", "eve", &["bob"]).await.unwrap_err(), Refusal::RungAlready);
    // The other callee is rung all the same.
    let second = call(&rings, "other", "eve", &["bob", "fay"]).await.unwrap();
    assert_eq!(second.users, [user("fay")]);
    let mut bob = rings.listen(&user("bob"));
    assert_eq!(next(&mut bob).await, Some(("ada".into(), None)));
    drop(first);
    assert_eq!(next(&mut bob).await, Some(("ada".into(), Some(Cancelled))));
    call(&rings, "other", "eve", &["bob"]).await.unwrap();
}

#[tokio::test]
async fn a_ring_that_nobody_answers_is_missed_in_its_time_and_forgotten() {
    let rings = Rings::in_memory();
    let mut bob = rings.listen(&user("bob"));
    assert_eq!(next(&mut bob).await, None);
    let lasts = Duration::from_millis(200);
    let calling = rings.call_for(lasts, dm("dm"), user("ada"), None, vec![user("bob"), user("eve")]).await;
    let mut calling = calling.unwrap();
    let begun = std::time::Instant::now();
    assert_eq!(next(&mut bob).await, Some(("ada".into(), None)));
    assert_eq!(next(&mut bob).await, None);
    assert!(begun.elapsed() >= lasts - Duration::from_millis(10));
    let mut missed = [calling.ended.recv().await.unwrap(), calling.ended.recv().await.unwrap()];
    missed.sort_by_key(|(user, _)| user.to_string());
    assert_eq!(missed, [(user("bob"), Missed), (user("eve"), Missed)]);
    drop((calling, bob));
    assert!(rings.0.users().is_empty() && rings.0.callers().is_empty());
}
