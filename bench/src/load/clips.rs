//! Recordings that participants send: speech in Opus, faces in VP8. `clips/make.sh` made them.

/// Of every picture.
pub(super) const FRAMES_PER_SECOND: u32 = 24;

/// IVF: a header of the file, and one of each frame.
const FILE_HEADER: usize = 32;
const FRAME_HEADER: usize = 12;

const SPEECHES: [&[u8]; 3] = [
    include_bytes!("clips/kal.opusclip"),
    include_bytes!("clips/slt.opusclip"),
    include_bytes!("clips/rms.opusclip"),
];
const PICTURES: [&[u8]; 6] = [
    include_bytes!("clips/blue.ivf"),
    include_bytes!("clips/green.ivf"),
    include_bytes!("clips/red.ivf"),
    include_bytes!("clips/violet.ivf"),
    include_bytes!("clips/amber.ivf"),
    include_bytes!("clips/grey.ivf"),
];

/// 20 ms of speech.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spoken {
    /// RFC 6464: dB below the loudest possible.
    pub(super) level: u8,
    /// An Opus packet of one frame, its table-of-contents byte first.
    pub(super) packet: &'static [u8],
}

/// The speech of participant `number`, to be repeated.
pub(super) fn speech(number: usize) -> Vec<Spoken> {
    let mut rest = SPEECHES[number % SPEECHES.len()];
    let mut frames = Vec::new();
    while let [level, len, tail @ ..] = rest
        && let Some((packet, tail)) = tail.split_at_checked((*len).into())
    {
        frames.push(Spoken { level: *level, packet });
        rest = tail;
    }
    frames
}

/// The frames of participant `number`, to be repeated; the first, and no other, is a key frame.
pub(super) fn picture(number: usize) -> Vec<&'static [u8]> {
    let mut rest = PICTURES[number % PICTURES.len()].get(FILE_HEADER..).unwrap_or_default();
    let mut frames = Vec::new();
    while let Some((header, tail)) = rest.split_first_chunk::<FRAME_HEADER>() {
        let [a, b, c, d, ..] = *header;
        let len = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
        let Some((frame, tail)) = tail.split_at_checked(len) else { break };
        frames.push(frame);
        rest = tail;
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_can_be_sent() {
        for number in 0..SPEECHES.len() {
            let speech = speech(number);
            assert!(speech.len() > 150, "three seconds at least: {}", speech.len());
            // RFC 6716 section 3.1: one frame of 20 ms, whatever the mode.
            assert!(speech.iter().all(|it| it.packet[0] & 3 == 0));
            // With a stamp it fits into the least that anybody sends.
            assert!(speech.iter().all(|it| (2..=64).contains(&it.packet.len())));
            // A steady level would be taken for a noise loop.
            let levels = speech.iter().map(|it| it.level);
            assert!(levels.clone().min().unwrap() + 20 < levels.max().unwrap());
        }
        for number in 0..PICTURES.len() {
            let picture = picture(number);
            assert_eq!(picture.len(), 2 * FRAMES_PER_SECOND as usize);
            let is_key = |frame: &&[u8]| frame[0] & 1 == 0;
            assert!(is_key(&picture[0]) && !picture[1..].iter().any(is_key));
        }
    }
}
