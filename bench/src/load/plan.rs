//! How many people, and what they do.

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use railgun_protocol::limits::{PARTICIPANTS_PRO, VIDEO_PUBLISHERS_PRO};
use railgun_protocol::plan::Tier;
use std::path::PathBuf;
use std::time::Duration;

/// How long somebody has the word when talkers take turns.
const TURN: Duration = Duration::from_secs(3);
/// Bytes of a talker's packet, by the tier of the sender: what its ceiling leaves room for.
const SPEECH_BYTES_FREE: usize = 80;
const SPEECH_BYTES_PRO: usize = 150;

const NAMES: [&str; 25] = [
    "Ada", "Ben", "Chloe", "Dario", "Elif", "Femi", "Grace", "Hugo", "Ines", "Jonas", "Kemal", "Lena",
    "Mateo", "Nadia", "Oskar", "Priya", "Quinn", "Rosa", "Samir", "Tuva", "Umar", "Vera", "Wanda", "Yusuf",
    "Zoe",
];

/// Without `--url` it starts the `railgun` beside this binary on a free port.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// A running server, as http://127.0.0.1:8080; needs tokens, or its /dev/token
    #[arg(long)]
    pub(super) url: Option<String>,
    /// Where `POST {userId, tier, name, secret}` gives a token; without a path its /dev/token
    #[arg(long, requires = "url", conflicts_with = "token_file")]
    pub(super) token_url: Option<String>,
    /// What /dev/token wants
    #[arg(long, env = "RAILGUN_DEV_SECRET", hide_env_values = true)]
    pub(super) dev_secret: Option<String>,
    /// Tokens, one a line, of a user for each participant; those with a camera come first in a room
    #[arg(long, requires = "url")]
    pub(super) token_file: Option<PathBuf>,
    /// The standalone server's binary
    #[arg(long, conflicts_with = "url")]
    pub(super) standalone: Option<PathBuf>,
    /// What the options below begin with
    #[arg(long, value_enum, default_value_t = Preset::People8)]
    preset: Preset,
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    rooms: Option<u16>,
    /// In each room
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=i64::from(PARTICIPANTS_PRO)))]
    participants: Option<u16>,
    /// How many of a room have a camera; they are Pro users
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=i64::from(VIDEO_PUBLISHERS_PRO)))]
    video: Option<u16>,
    /// How many of a room talk at once; the others are silent, with a packet every 400 ms
    #[arg(long)]
    talking: Option<u16>,
    /// Talkers take turns: every 3 s the next one has the word
    #[arg(long)]
    turns: bool,
    /// The room's channel; with more rooms than one NAME-1, NAME-2 and so on
    #[arg(long, value_name = "NAME", default_value = "load")]
    channel: String,
    /// The channel is encrypted end to end, and this is the invite to it, as the page's link has it behind the #
    #[arg(long, value_name = "INVITE")]
    pub(super) invite: Option<String>,
    /// The channels are encrypted end to end, and the people of each agree on keys among them, by MLS
    #[arg(long, conflicts_with = "invite")]
    pub(super) mls: bool,
    /// What does so, instead of the program that `make mls-peer` leaves in target
    #[arg(long, value_name = "PROGRAM", requires = "mls")]
    pub(super) mls_peer: Option<PathBuf>,
    /// How long is measured, in s, once everybody hears everybody
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    seconds: u32,
    /// Participants that begin to join in a second
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    join_rate: u16,
    /// Bit rate of a camera at least; pictures below it are padded
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=2500))]
    video_kbps: u32,
    /// Stay in the call after measuring, until interrupted
    #[arg(long)]
    pub(super) linger: bool,
    /// The server's processes, whose CPU time and memory are measured
    #[arg(long, value_name = "PID", value_delimiter = ',')]
    pub(super) server_pid: Vec<u32>,
    /// A /metrics of the server: what its counters grew by is printed
    #[arg(long, value_name = "URL")]
    pub(super) metrics: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Preset {
    /// One room of eight Free users, all of them talking
    #[value(name = "people-8")]
    People8,
    /// One room of 25 Pro users, all of them talking, six with a camera
    #[value(name = "people-25")]
    People25,
    /// A hundred rooms of eight Free users, who talk in turn
    #[value(name = "channels-100")]
    Channels100,
}

/// The options with the preset's for those that are not given.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) rooms: usize,
    pub(super) participants: usize,
    pub(super) video: usize,
    pub(super) talking: usize,
    pub(super) turns: bool,
    pub(super) channel: String,
    pub(super) measured: Duration,
    pub(super) join_rate: f64,
    /// Of a picture, at least.
    pub(super) video_kbps: usize,
    tier: Tier,
}

/// Somebody's place in the plan.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Over all rooms.
    pub(super) number: usize,
    /// In the room.
    pub(super) seat: usize,
    pub(super) channel: String,
    pub(super) name: String,
    pub(super) has_camera: bool,
    pub(super) tier: Tier,
}

impl Plan {
    pub(super) fn of(options: &Options) -> Result<Self> {
        let (rooms, participants, video, talking, turns, tier) = match options.preset {
            Preset::People8 => (1, 8, 0, 8, false, Tier::Free),
            Preset::People25 => (1, 25, 6, 25, false, Tier::Pro),
            Preset::Channels100 => (100, 8, 0, 1, true, Tier::Free),
        };
        let given = |given: Option<u16>, preset: u16| usize::from(given.unwrap_or(preset));
        let participants = given(options.participants, participants);
        ensure!(options.video.is_none_or(|it| usize::from(it) <= participants), "more cameras than people");
        Ok(Self {
            rooms: given(options.rooms, rooms),
            participants,
            video: given(options.video, video).min(participants),
            talking: given(options.talking, talking).min(participants),
            turns: options.turns || turns,
            channel: options.channel.clone(),
            measured: Duration::from_secs(options.seconds.into()),
            join_rate: options.join_rate.into(),
            video_kbps: usize::try_from(options.video_kbps)?,
            tier,
        })
    }

    pub(super) fn people(&self) -> usize {
        self.rooms * self.participants
    }

    /// What everybody gets of everybody else.
    pub(super) fn streams(&self) -> usize {
        self.rooms * (self.participants + self.video) * (self.participants - 1)
    }

    /// Room by room, so that a room is soon complete.
    pub(super) fn place(&self, number: usize) -> Place {
        let (room, seat) = (number / self.participants, number % self.participants);
        let has_camera = seat < self.video;
        let name = NAMES[seat % NAMES.len()];
        let (channel, name) = if self.rooms == 1 {
            (self.channel.clone(), name.to_owned())
        } else {
            (format!("{}-{}", self.channel, room + 1), format!("{name} {}", room + 1))
        };
        let tier = if has_camera { Tier::Pro } else { self.tier };
        Place { number, seat, channel, name, has_camera, tier }
    }

    /// Whether the one in this seat talks so long after the start.
    pub(super) fn is_talking(&self, seat: usize, since: Duration) -> bool {
        let turn =
            if self.turns { usize::try_from(since.as_secs() / TURN.as_secs()).unwrap_or(0) } else { 0 };
        let first = turn % self.participants;
        (seat + self.participants - first) % self.participants < self.talking
    }
}

impl Place {
    pub(super) fn speech_bytes(&self) -> usize {
        if self.tier == Tier::Pro { SPEECH_BYTES_PRO } else { SPEECH_BYTES_FREE }
    }

    pub(super) fn who(&self) -> String {
        format!("{} in {}", self.name, self.channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: Options,
    }

    fn plan(arguments: &str) -> Plan {
        let arguments = ["load"].into_iter().chain(arguments.split_whitespace());
        Plan::of(&Cli::try_parse_from(arguments).unwrap().options).unwrap()
    }

    #[test]
    fn what_is_given_counts_more_than_the_preset() {
        let hundred = plan("--preset channels-100");
        assert_eq!((hundred.people(), hundred.streams(), hundred.turns), (800, 5600, true));
        let larger = plan("--preset people-25 --participants 10 --video 2");
        assert_eq!((larger.rooms, larger.streams(), larger.talking), (1, 12 * 9, 10));
        assert_eq!(larger.place(9).channel, "load");
        assert_eq!(plan("--rooms 2 --channel a").place(8).channel, "a-2");
    }

    #[test]
    fn in_turn_everybody_has_the_word_and_otherwise_always_the_same() {
        let talkers = |plan: &Plan, second: u64| -> Vec<usize> {
            (0..plan.participants)
                .filter(|seat| plan.is_talking(*seat, Duration::from_secs(second)))
                .collect()
        };
        let steady = plan("--talking 2");
        assert_eq!([0, 3, 300].map(|second| talkers(&steady, second)), [[0, 1], [0, 1], [0, 1]]);
        let turns = plan("--talking 2 --turns");
        assert_eq!([2, 3, 21, 24].map(|second| talkers(&turns, second)), [[0, 1], [1, 2], [0, 7], [0, 1]]);
    }
}
