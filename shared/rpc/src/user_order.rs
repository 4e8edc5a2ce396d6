//! Orders about a user.

use super::error::WireError;
use super::field::Field;
use super::proto;
use proto::user_order::Action;
use railgun_protocol::media_rpc::{Replacement, UserAction, UserOrder};

/// For the unary call `OrderUser`.
pub fn encode_user_order(order: UserOrder) -> proto::UserOrder {
    let action = match order.action {
        UserAction::Kick { reason } => Action::KickReason(reason.to_wire()),
        UserAction::Replace(replacement) => Action::Replace(replacement.to_wire()),
        UserAction::EndLostVideo => Action::EndLostVideo(proto::Empty {}),
    };
    proto::UserOrder { user: order.user.to_wire(), channel: order.channel.to_wire(), action: Some(action) }
}

/// Reads what [`encode_user_order`] wrote; an action is required.
pub fn decode_user_order(order: proto::UserOrder) -> Result<UserOrder, WireError> {
    let action = match order.action.ok_or(WireError::Missing("action"))? {
        Action::KickReason(reason) => UserAction::Kick { reason: Field::from_wire(reason, "kick_reason")? },
        Action::Replace(replace) => UserAction::Replace(Field::from_wire(replace, "replace")?),
        Action::EndLostVideo(_) => UserAction::EndLostVideo,
    };
    Ok(UserOrder {
        user: Field::from_wire(order.user, "user")?,
        channel: Field::from_wire(order.channel, "channel")?,
        action,
    })
}

/// For the answer to an order that came after a later replacement.
pub fn encode_replacement(replacement: Replacement) -> proto::Replacement {
    replacement.to_wire()
}

/// Reads what [`encode_replacement`] wrote.
pub fn decode_replacement(replacement: proto::Replacement) -> Result<Replacement, WireError> {
    Field::from_wire(replacement, "later")
}

#[cfg(test)]
mod tests {
    use super::*;
    use railgun_protocol::ids::{ChannelId, DeviceId, SessionId, UserId};
    use railgun_protocol::signal::KickReason;

    #[test]
    fn an_order_reads_back_and_what_is_none_is_refused() {
        let replace = UserAction::Replace(Replacement {
            device: DeviceId::new("laptop").unwrap(),
            by: SessionId::from_bits(7),
            asked_at: u64::MAX,
        });
        for action in [UserAction::Kick { reason: KickReason::Banned }, replace, UserAction::EndLostVideo] {
            for channel in [None, Some(ChannelId::new("lobby").unwrap())] {
                let order = UserOrder { user: UserId::new("ada").unwrap(), channel, action: action.clone() };
                assert_eq!(decode_user_order(encode_user_order(order.clone())).unwrap(), order);
            }
        }
        let good = proto::UserOrder {
            user: "ada".into(),
            channel: None,
            action: Some(Action::EndLostVideo(proto::Empty {})),
        };
        let nameless = proto::UserOrder { user: String::new(), ..good.clone() };
        let idle = proto::UserOrder { action: None, ..good.clone() };
        let replace = proto::Replacement { device: "laptop".into(), by: "nobody".into(), asked_at: 0 };
        let by_nobody = proto::UserOrder { action: Some(Action::Replace(replace)), ..good };
        for wrong in [nameless, idle, by_nobody] {
            assert!(decode_user_order(wrong).is_err());
        }
    }
}
