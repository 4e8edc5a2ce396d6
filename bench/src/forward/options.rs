//! What `forward` measures: the options, and the scenarios that they ask for.

use crate::sink::SinkKind;
use clap::{Args, ValueEnum};
use railgun_media_core::srtp::Suite;

/// Without options: video in bursts of 1, 4 and 8, and audio, to 50 consumers. Every option that
/// names several values is measured with each of them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Options {
    /// Everything that is promised: 50 and 200 consumers with each suite, and 1000 and 2000
    #[arg(long, conflicts_with_all = ["media", "burst", "consumers", "suite"])]
    matrix: bool,
    /// Only this media
    #[arg(long, value_enum)]
    media: Option<Media>,
    /// Bytes of RTP payload [video 1172, audio 150]
    #[arg(long, value_parser = clap::value_parser!(u16).range(16..=1200))]
    payload: Option<u16>,
    /// Packets that arrive together [1,4,8 for video, 1 for audio]
    #[arg(long, value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=32))]
    burst: Vec<u16>,
    #[arg(long, default_value = "50", value_delimiter = ',', value_parser = clap::value_parser!(u16).range(1..=4000))]
    consumers: Vec<u16>,
    #[arg(long, value_enum, default_value = "gcm256", value_delimiter = ',')]
    suite: Vec<SuiteName>,
    /// Where the packets go
    #[arg(long, value_enum, default_value = "tun")]
    pub(super) sink: SinkKind,
    /// Runs of each scenario
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) runs: u16,
    /// How long a run lasts for each of engine and floor, in ms
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(50..=60_000))]
    pub(super) run_ms: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Media {
    /// VP8
    Video,
    /// Opus
    Audio,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum SuiteName {
    /// AEAD_AES_256_GCM, the node's first choice and browsers'
    Gcm256,
    /// AEAD_AES_128_GCM
    Gcm128,
    /// AES_CM_128_HMAC_SHA1_80
    Cm,
}

impl SuiteName {
    const ALL: [Self; 3] = [Self::Gcm256, Self::Gcm128, Self::Cm];

    fn suite(self) -> Suite {
        match self {
            Self::Gcm256 => Suite::AeadAes256Gcm,
            Self::Gcm128 => Suite::AeadAes128Gcm,
            Self::Cm => Suite::AesCm128HmacSha1_80,
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) suite: Suite,
    pub(super) media: Media,
    /// Bytes of RTP payload.
    pub(super) payload: usize,
    /// Packets that arrive in one message.
    pub(super) burst: usize,
    pub(super) consumers: usize,
}

impl Options {
    pub(super) fn scenarios(&self) -> Vec<Scenario> {
        if !self.matrix {
            return self.of(&self.suite, &self.consumers, &self.burst, self.media);
        }
        let mut scenarios = self.of(&SuiteName::ALL, &[50, 200], &[], None);
        scenarios.extend(self.of(&SuiteName::ALL[..1], &[1000, 2000], &[8], Some(Media::Video)));
        scenarios
    }

    /// Each combination. Without `bursts` and `media`: all of those there are.
    fn of(
        &self,
        suites: &[SuiteName],
        consumers: &[u16],
        bursts: &[u16],
        media: Option<Media>,
    ) -> Vec<Scenario> {
        let mut scenarios = Vec::new();
        let media = media.map_or_else(|| vec![Media::Video, Media::Audio], |media| vec![media]);
        for (suite, consumers) in suites.iter().flat_map(|it| consumers.iter().map(move |n| (it, *n))) {
            for media in &media {
                let (payload, usual) = match media {
                    Media::Video => (1172, &[1, 4, 8][..]),
                    Media::Audio => (150, &[1][..]),
                };
                for burst in if bursts.is_empty() { usual } else { bursts } {
                    scenarios.push(Scenario {
                        suite: suite.suite(),
                        media: *media,
                        payload: self.payload.map_or(payload, usize::from),
                        burst: usize::from(*burst),
                        consumers: consumers.into(),
                    });
                }
            }
        }
        scenarios
    }
}
