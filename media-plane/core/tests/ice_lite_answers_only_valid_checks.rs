use crate::checks::{self, Check, address, ice};
use railgun_media_core::transport::ice_lite::IceDrop;
use railgun_protocol::transport_parameters::IceState;
use std::time::{Duration, Instant};

#[test]
fn the_first_valid_check_connects_and_a_nomination_completes() {
    let mut ice = ice();
    let now = Instant::now();
    assert_eq!((ice.state(), ice.selected()), (IceState::New, None));
    let answer = Check::to(&ice).send(&mut ice, address(1), now).unwrap();
    assert!(answer.is_selected_changed && answer.is_state_changed);
    assert_eq!((ice.state(), ice.selected()), (IceState::Connected, Some(address(1))));

    let answer = Check::to(&ice).send(&mut ice, address(2), now).unwrap();
    assert!(!answer.is_selected_changed && !answer.is_state_changed, "no nomination");

    let answer = Check::to(&ice).nominate().send(&mut ice, address(2), now).unwrap();
    assert!(answer.is_selected_changed && answer.is_state_changed);
    assert_eq!((ice.state(), ice.selected()), (IceState::Completed, Some(address(2))));
}

#[test]
fn checks_that_are_not_of_the_peer_are_dropped_and_leave_no_trace() {
    let mut ice = ice();
    let now = Instant::now();
    for (check, reason) in [
        (Check::to(&ice).ufrag("someone"), IceDrop::WrongUfrag),
        (Check::to(&ice).password("guess"), IceDrop::WrongIntegrity),
        (Check::to(&ice).controlled(), IceDrop::NotControlling),
    ] {
        assert_eq!(check.nominate().send(&mut ice, address(1), now), Err(reason));
        assert!(ice.tuple(address(1)).is_none());
        assert_eq!((ice.state(), ice.next_timeout()), (IceState::New, None));
    }
}

#[test]
fn an_answer_is_never_longer_than_its_check_and_counts_against_the_address_proof() {
    let mut ice = ice();
    let check = Check::to(&ice).bytes();
    let answer = checks::deliver(&mut ice, &check, address(1), Instant::now()).unwrap();
    assert!(answer.len <= check.len());
    let proof = ice.tuple(address(1)).unwrap().proof;
    assert_eq!(proof.remaining(), 3 * check.len() as u64 - answer.len as u64);
}

#[test]
fn a_replayed_check_moves_nothing() {
    let mut ice = ice();
    let began = Instant::now();
    // As many as are remembered, but for the one of the other address.
    let captured: Vec<_> = (0..4_095).map(|_| Check::to(&ice).nominate().bytes()).collect();
    for check in &captured {
        checks::deliver(&mut ice, check, address(1), began).unwrap();
    }
    // A known address is no more entitled to them than an unknown one.
    Check::to(&ice).send(&mut ice, address(2), began).unwrap();
    let later = began + Duration::from_secs(20);
    for round in 0..5 {
        for check in &captured {
            let elsewhere = address(2 + round);
            assert_eq!(checks::deliver(&mut ice, check, elsewhere, later), Err(IceDrop::Replayed));
        }
    }
    assert_eq!(ice.selected(), Some(address(1)));

    // From the address it came from it is a retransmission: answered, but no consent.
    checks::deliver(&mut ice, &captured[0], address(1), later).unwrap();
    ice.handle_timeout(began + Duration::from_secs(30));
    assert_eq!(ice.state(), IceState::Disconnected);
    assert_eq!(checks::deliver(&mut ice, &captured[0], address(1), later), Err(IceDrop::Replayed));
}

#[test]
fn nine_addresses_push_out_the_oldest_but_never_the_selected_one() {
    let mut ice = ice();
    let began = Instant::now();
    Check::to(&ice).nominate().send(&mut ice, address(1), began).unwrap();
    for port in 2..=1000 {
        let now = began + Duration::from_millis(u64::from(port));
        Check::to(&ice).send(&mut ice, address(port), now).unwrap();
        assert_eq!(ice.selected(), Some(address(1)));
        assert!(ice.tuple(address(1)).is_some());
    }
    let kept: Vec<_> = (1..=1000).filter(|port| ice.tuple(address(*port)).is_some()).collect();
    assert_eq!(kept, [1, 994, 995, 996, 997, 998, 999, 1000]);
}

#[test]
fn thirty_seconds_without_a_check_end_consent() {
    let mut ice = ice();
    let began = Instant::now();
    let seconds = |n| began + Duration::from_secs(n);
    Check::to(&ice).nominate().send(&mut ice, address(1), began).unwrap();
    Check::to(&ice).send(&mut ice, address(2), seconds(10)).unwrap();
    assert_eq!(ice.next_timeout(), Some(seconds(30)));

    ice.handle_timeout(seconds(30) - Duration::from_nanos(1));
    assert_eq!(ice.state(), IceState::Completed);
    ice.handle_timeout(seconds(30));
    assert_eq!((ice.state(), ice.selected()), (IceState::Connected, Some(address(2))));
    assert!(ice.tuple(address(1)).is_none());
    ice.handle_timeout(seconds(40));
    assert_eq!((ice.state(), ice.selected()), (IceState::Disconnected, None));
    assert_eq!(ice.next_timeout(), None);

    Check::to(&ice).nominate().send(&mut ice, address(3), seconds(41)).unwrap();
    assert_eq!(ice.state(), IceState::Completed);
}

#[test]
fn after_a_restart_the_old_credentials_work_until_the_new_are_used() {
    let mut ice = ice();
    let now = Instant::now();
    let first = ice.credentials().clone();
    let old = || Check::with(&first);
    old().nominate().send(&mut ice, address(1), now).unwrap();

    ice.restart(&mut checks::rng(2));
    // A second restart that the peer has not seen the first of.
    ice.restart(&mut checks::rng(3));
    assert_eq!(ice.previous_ufrag(), Some(first.ufrag.as_str()));
    old().nominate().send(&mut ice, address(1), now).unwrap();
    assert_eq!((ice.state(), ice.selected()), (IceState::Completed, Some(address(1))));

    Check::to(&ice).send(&mut ice, address(2), now).unwrap();
    assert_eq!((ice.state(), ice.selected()), (IceState::Connected, Some(address(1))), "media goes on");
    assert_eq!(ice.previous_ufrag(), None);
    assert_eq!(old().send(&mut ice, address(1), now), Err(IceDrop::WrongUfrag));
    Check::to(&ice).nominate().send(&mut ice, address(2), now).unwrap();
    assert_eq!((ice.state(), ice.selected()), (IceState::Completed, Some(address(2))));
}

#[test]
fn credentials_are_32_ice_chars_of_the_given_randomness_and_never_shown() {
    let (a, b, c) = (ice(), ice(), {
        let mut ice = ice();
        ice.restart(&mut checks::rng(9));
        ice
    });
    for text in [&a.credentials().ufrag, &a.credentials().password] {
        assert_eq!(text.len(), 32);
        assert!(text.chars().all(|it| it.is_ascii_alphanumeric() || it == '+' || it == '/'));
        assert!(!format!("{a:?}").contains(text.as_str()));
    }
    assert_ne!(a.credentials().ufrag, a.credentials().password);
    assert_eq!(a.credentials().ufrag, b.credentials().ufrag, "same seed");
    assert_ne!(a.credentials().ufrag, c.credentials().ufrag);
}
