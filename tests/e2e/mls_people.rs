//! People with native clients in one encrypted channel, whose keys are by MLS.

use railgun_client::{
    Client, Consumer, FrameCodec, GroupKeys, GroupOpener, Joined, MediaKind, MlsPeer, Producer, Profile,
    Source,
};
use railgun_protocol::ids::SessionId;
use railgun_protocol::plan::Tier;
use railgun_tests::{Member, System, opus_payload, within};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::sleep;

pub(crate) const CHANNEL: &str = "club";
pub(crate) const PACKETS: u32 = 20;
const SPACING: Duration = Duration::from_millis(10);
const AGREED_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const HEARD_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const MIC: (Source, FrameCodec) = (Source::Mic, FrameCodec::Opus);

pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) member: Member,
    pub(crate) mic: Producer,
    pub(crate) keys: GroupKeys,
}

impl Person {
    pub(crate) async fn join(system: &System, peer: &MlsPeer, name: &'static str) -> Self {
        let client = system.client(name, Tier::Pro, None).await.unwrap();
        let entered = client.join_group(CHANNEL, peer).await.unwrap();
        Self::of(name, client, entered).await
    }

    /// Another run of the user's program, by the key that it kept.
    pub(crate) async fn come_back(
        system: &System,
        peer: &MlsPeer,
        name: &'static str,
        profile: Profile,
    ) -> Self {
        let client = system.client(name, Tier::Pro, None).await.unwrap();
        let entered = client.join_group_as(CHANNEL, peer, profile).await.unwrap();
        Self::of(name, client, entered).await
    }

    /// After the session was over, by this socket.
    pub(crate) async fn rejoin(self, peer: &MlsPeer, socket: Client) -> Self {
        let entered = socket.rejoin_group(CHANNEL, peer, self.keys).await.unwrap();
        Self::of(self.name, socket, entered).await
    }

    async fn of(name: &'static str, client: Client, (joined, keys): (Joined, GroupKeys)) -> Self {
        let member = Member::of(client, joined).await.unwrap();
        let mic = member.sending.produce(MediaKind::Audio, Source::Mic).await.unwrap();
        Self { name, member, mic, keys }
    }

    pub(crate) fn session(&self) -> SessionId {
        self.member.joined.session_id
    }

    /// Sealed with the keys of the time of each.
    pub(crate) async fn speaks(&self, from: u32) {
        let sealer = self.keys.sealer(MIC.0, MIC.1);
        for number in from..from + PACKETS {
            let sealed = sealer.seal(&opus_payload(self.name, number)).expect("a key to send with");
            self.mic.send(&sealed, number == from, number * 960).await.unwrap();
            sleep(SPACING).await;
        }
    }

    pub(crate) async fn consumes(&self, other: &Self) -> (Consumer, GroupOpener) {
        let consumer = self.member.receiving.consume(other.mic.id()).await.unwrap();
        (consumer, self.keys.opener(other.session(), MIC.0, MIC.1))
    }
}

/// All are in one epoch, of which they are the members, and send with it. Its code.
pub(crate) async fn agreed(people: &[&Person]) -> String {
    let sessions: Vec<SessionId> = people.iter().map(|it| it.session()).collect();
    let mut codes = Vec::new();
    for person in people {
        let among = within(AGREED_WITHIN, "agreeing on keys", person.keys.among(&sessions)).await;
        codes.push(among.unwrap());
    }
    assert!(codes.iter().all(|code| *code == codes[0]), "{codes:?}");
    assert!(people.iter().all(|it| it.keys.named().is_empty()));
    codes.remove(0)
}

/// All are in one epoch that is not the one before, of which they are the members. Its code.
pub(crate) async fn agreed_anew(people: &[&Person], before: &str) -> String {
    let sessions: HashSet<SessionId> = people.iter().map(|it| it.session()).collect();
    let is_one = || {
        let code = people.first()?.keys.code().filter(|it| it != before)?;
        let is_theirs =
            |it: &&Person| it.keys.code().as_ref() == Some(&code) && it.keys.members() == sessions;
        people.iter().all(is_theirs).then_some(code)
    };
    let agreeing = async {
        loop {
            let failed: Vec<_> = people.iter().filter_map(|it| it.keys.failure()).collect();
            assert!(failed.is_empty(), "{failed:?}");
            if let Some(code) = is_one() {
                return code;
            }
            sleep(SPACING).await;
        }
    };
    within(AGREED_WITHIN, "agreeing on keys anew", agreeing).await
}

pub(crate) async fn hears(
    of: &Person,
    from: u32,
    consumer: &mut Consumer,
    opener: &mut GroupOpener,
) -> Vec<Vec<u8>> {
    let mut wires = Vec::new();
    for number in from..from + PACKETS {
        let packet = consumer.receive().await.expect("the transport is open");
        let opened = opener.open(&packet.payload).unwrap_or_else(|error| panic!("packet {number}: {error}"));
        assert_eq!(opened, opus_payload(of.name, number));
        wires.push(packet.payload.to_vec());
    }
    wires
}

/// Each hears the other, by new consumers.
pub(crate) async fn hear_each_other(one: &Person, other: &Person, from: u32) {
    let (mut at_one, mut opener_of_one) = one.consumes(other).await;
    let (mut at_other, mut opener_of_other) = other.consumes(one).await;
    let all = async {
        tokio::join!(
            one.speaks(from),
            other.speaks(from),
            hears(other, from, &mut at_one, &mut opener_of_one),
            hears(one, from, &mut at_other, &mut opener_of_other),
        )
    };
    within(HEARD_WITHIN, "the exchange", all).await;
}
