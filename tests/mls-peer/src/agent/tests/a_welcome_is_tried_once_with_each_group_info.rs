//! Each try of a Welcome costs an operation of MLS: one for another client must not be tried at each step.

use crate::agent::Kind;
use crate::agent::entrance::Entrance;
use crate::agent::exchange::Incoming;
use crate::library::{Info, Library, Own};
use crate::primitives::Failure;
use crate::profile::Profile;
use std::rc::Rc;
use std::slice::from_ref;

/// A GroupInfo of the first epoch of a group that `s1` founds.
fn info(group: u8) -> Result<Rc<Info>, Failure> {
    let own = Own { channel_id: "c".into(), session_id: "s1".into(), user_id: "u1".into() };
    let library = Library::new(own, Profile::generate()?)?;
    let state = library.found(&[group; 16], &[])?;
    Ok(Rc::new(library.read_info(&library.info(&state, &[])?)?))
}

#[test]
fn a_welcome_is_tried_once_with_each_group_info() -> Result<(), Failure> {
    let (one, other) = (info(1)?, info(2)?);
    let mut entrance = Entrance::default();
    let epoch = one.epoch.at.epoch;
    let tags = |pairs: Vec<(Vec<u8>, Rc<Info>)>| {
        pairs.iter().map(|(_, info)| info.epoch.tag.clone()).collect::<Vec<_>>()
    };

    entrance.keep_welcome(Incoming {
        session_id: "s1".into(),
        kind: Kind::Welcome,
        epoch,
        data: b"welcome".to_vec(),
    });
    entrance.keep(one.clone(), 0);
    assert_eq!(tags(entrance.welcomes(None)), from_ref(&one.epoch.tag));
    assert!(entrance.welcomes(None).is_empty());
    entrance.keep(other.clone(), 0);
    assert_eq!(tags(entrance.welcomes(None)), from_ref(&other.epoch.tag));
    assert!(entrance.welcomes(None).is_empty());
    Ok(())
}
