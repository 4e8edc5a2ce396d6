//! What members wait for one another, in milliseconds, and how much they keep of each other. The values are those of the
//! SDK (`control-plane/web/sdk/src/e2ee/mls/timing.ts`): members with others would act in another's turn.

/// Milliseconds on the caller's clock.
pub(crate) type Millis = i64;

/// The time of what is not waited for.
pub(crate) const NEVER: Millis = Millis::MAX;
/// Delay for each place in the order in which members act.
pub(crate) const STEP: Millis = 400;
/// Time that a newcomer waits for the others' GroupInfo before it founds a group.
pub(crate) const FOUND_AFTER: Millis = 700;
/// How long packages of several people are collected before they are added together.
pub(crate) const COLLECT: Millis = 150;
/// Time from handing in a key package until the newcomer joins by an external commit instead.
pub(crate) const WELCOME_WAIT: Millis = 600;
/// Time after which a message that is expected counts as lost.
pub(crate) const LATE: Millis = 250;
/// Between two GroupInfos to one session, or two packages, of the same epoch.
pub(crate) const AGAIN: Millis = 600;
pub(crate) const ANSWER_INTERVAL: Millis = 400;
/// A member that asked to be added, and does not ask again within this, has found its way: it would every [`AGAIN`].
pub(crate) const LOST_FOR: Millis = 2 * AGAIN;
/// So many or more are told at once, by one message to everybody.
pub(crate) const BROADCAST_FROM: usize = 3;
/// Until a group whose next epoch nobody knows is given up.
pub(crate) const BEHIND_MAX: Millis = 700;
/// How long somebody may be in the group before the server names them.
pub(crate) const UNLISTED_FOR: Millis = 1_000;
pub(crate) const EARLY_MAX: usize = 16;
pub(crate) const PACKAGES_MAX: usize = 64;
pub(crate) const BANNED_MAX: usize = 32;
/// So many groups may have been founded that one has not heard of.
pub(crate) const GENERATIONS_AHEAD: u32 = 1 << 20;
/// Bytes of the commits that go with a GroupInfo, in all.
pub(crate) const PAST_BYTES: usize = 6_000;
pub(crate) const PAST_MAX: usize = 8;
