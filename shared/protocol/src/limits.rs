//! Every number the contract promises or enforces, with the relations they must keep.

use std::time::Duration;

/// Participants a room takes, by the tier of its channel.
pub const PARTICIPANTS_FREE: u16 = 8;
/// In a channel of the tier Pro.
pub const PARTICIPANTS_PRO: u16 = 25;
/// Live videos a room takes; a screen share is one.
pub const VIDEO_PUBLISHERS_FREE: u16 = 4;
/// In a channel of the tier Pro.
pub const VIDEO_PUBLISHERS_PRO: u16 = 6;

/// Ceilings in bits per second of what a user may send.
pub const AUDIO_BITRATE_FREE: u32 = 32_000;
/// For a user with Pro, in bits per second.
pub const AUDIO_BITRATE_PRO: u32 = 64_000;
/// Bitrate of one camera, in bits per second.
pub const VIDEO_BITRATE: u32 = 2_500_000;
/// Bitrate of one screen share, in bits per second.
pub const SCREEN_BITRATE: u32 = 1_500_000;
/// Camera and screen share together.
pub const VIDEO_TOTAL_BITRATE: u32 = 4_000_000;
/// What a policer lets through of a bitrate limit, in percent: headroom for FEC, RTP headers and bursts.
pub const BITRATE_HEADROOM_PERCENT: u32 = 150;
/// Part of [`VIDEO_TOTAL_BITRATE`] that is let through, in percent: less than for one source, or camera and screen
/// with their own headroom would never meet it.
pub const VIDEO_TOTAL_HEADROOM_PERCENT: u32 = 110;
/// DTLS handshakes that one node has in progress.
pub const HANDSHAKES_PER_NODE: usize = 500;
/// Handshakes in progress of one user, over all of that user's transports on a worker.
pub const HANDSHAKES_PER_USER: usize = 2;
/// Handshakes in progress of one room.
pub const HANDSHAKES_PER_ROOM: usize = 50;
/// Minimum age of a DTLS handshake before another user's may evict it.
pub const HANDSHAKE_UNDISTURBED: Duration = Duration::from_secs(5);
/// Transports that one user may have made on a worker: at once, and one more after each interval.
pub const TRANSPORTS_BURST: u32 = 20;
/// The interval of [`TRANSPORTS_BURST`].
pub const TRANSPORT_INTERVAL: Duration = Duration::from_secs(3);

/// Sessions one user may hold at once, over all rooms of a replica.
pub const SESSIONS_PER_USER: usize = 5;
/// TCP connections one user may hold at a replica: a browser opens six at most to one origin.
pub const CONNECTIONS_PER_USER: usize = 6 * SESSIONS_PER_USER;

/// Sources of a session: mic, camera, screen, screenAudio. One producer each.
pub const PRODUCERS_PER_SESSION: usize = 4;
/// Consumers one session may hold: every producer of everybody else in the largest room.
pub const CONSUMERS_PER_SESSION: usize = PRODUCERS_PER_SESSION * (PARTICIPANTS_PRO as usize - 1);

/// Rooms one worker of a node holds.
pub const ROOMS_PER_WORKER: usize = 10_000;

/// A socket.io message, in bytes and in JSON nesting.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Arrays and objects of a message inside each other; deeper JSON is refused before it is read.
pub const JSON_DEPTH_MAX: usize = 32;
/// A token, in bytes.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// `requestId`, in characters.
pub const REQUEST_ID_CHARS_MAX: usize = 64;
/// A participant's displayed name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Where a participant's picture is, in bytes; a longer one is none.
pub const AVATAR_BYTES_MAX: usize = 512;
/// Requests of one session that wait for their turn; one more is refused with `RATE_LIMITED`.
pub const REQUESTS_QUEUED_MAX: usize = 128;
/// Requests of one socket: at once after a while of silence, and each second from then on.
pub const REQUESTS_BURST: u32 = 200;
/// The rate that follows [`REQUESTS_BURST`].
pub const REQUESTS_PER_SECOND: u32 = 50;

/// What one user's changes in a room cost, in requests that they make each other member's client ask:
/// a new producer is followed by consume, resumeConsumer, setPreferredLayers and, once it is paused,
/// pauseConsumer; a resumed one by resumeConsumer and pauseConsumer. Closing and pausing are free.
pub const FOLLOW_UPS_PER_PRODUCER: u32 = 4;
/// Requests of each other client that follow a producer that is resumed: resumeConsumer and pauseConsumer.
pub const FOLLOW_UPS_PER_RESUME: u32 = 2;
/// What one user's changes in a room may cost so: at once, and each second.
pub const FOLLOW_UPS_BURST: u32 = 40;
/// The rate that follows [`FOLLOW_UPS_BURST`].
pub const FOLLOW_UPS_PER_SECOND: u32 = 2;
/// Updates of one user's state that a room is told of, and places in its queue for video that one user
/// takes: at once, and each second.
pub const STATES_BURST: u32 = 20;
/// The rate that follows [`STATES_BURST`].
pub const STATES_PER_SECOND: u32 = 4;

/// Channels that one user may watch at once, over all sockets of the user at a replica.
pub const WATCHES_PER_USER: usize = 100;
/// Channels that a replica watches for all its users.
pub const WATCHES_PER_REPLICA: usize = 20_000;
/// Watches of channels that a node keeps for all its replicas.
pub const WATCHES_PER_NODE: usize = 65_536;
/// How long a call to a DM's members rings.
pub const RING_DURATION: Duration = Duration::from_secs(45);
/// Such calls of one user in a minute.
pub const RINGS_PER_MINUTE: u16 = 6;
/// Members of a DM that can be called.
pub const RING_USERS_MAX: usize = PARTICIPANTS_PRO as usize;
/// Users of whom a replica knows that they are called, or that they have a socket here.
pub const RINGS_PER_REPLICA: usize = 50_000;
/// Least time between two lists of who is in a channel that somebody watches.
pub const CHANNEL_PEOPLE_INTERVAL: Duration = Duration::from_millis(250);
/// What a `voice:data` is about, in bytes.
pub const DATA_KIND_BYTES_MAX: usize = 64;
/// The content of a `voice:data`, in bytes of UTF-8.
pub const DATA_PAYLOAD_BYTES_MAX: usize = 1024;
/// Messages by `voice:data` of one user in a room: at once, and each second.
pub const DATA_BURST: u32 = 5;
/// The rate that follows [`DATA_BURST`].
pub const DATA_PER_SECOND: u32 = 5;
/// Cipher suites that a client may list at joining.
pub const E2EE_SUITES_MAX: usize = 16;
/// The message in a `voice:e2ee:message`, in bytes before base64.
pub const E2EE_MESSAGE_BYTES_MAX: usize = 16 * 1024;
/// Messages by `voice:e2ee:message` of one user in a room: at once, and each second.
pub const E2EE_BURST: u32 = 60;
/// The rate that follows [`E2EE_BURST`].
pub const E2EE_PER_SECOND: u32 = 6;
/// The same in KiB, each message rounded up.
pub const E2EE_KIB_BURST: u32 = 256;
/// The rate that follows [`E2EE_KIB_BURST`].
pub const E2EE_KIB_PER_SECOND: u32 = 16;
/// What all users of a room may send so together, in messages: at once, and each second.
pub const E2EE_ROOM_BURST: u32 = 600;
/// The rate that follows [`E2EE_ROOM_BURST`].
pub const E2EE_ROOM_PER_SECOND: u32 = 60;
/// Messages by `voice:e2ee:message` that a room keeps for sessions without a socket.
pub const E2EE_KEPT_MAX: usize = 64;
/// The same, in bytes before base64.
pub const E2EE_KEPT_BYTES_MAX: usize = 128 * 1024;

/// Lists inside RTP parameters and capabilities. Chromium offers about 40 codecs.
pub const CODECS_MAX: usize = 96;
/// Header extensions of one side, in parameters or capabilities.
pub const HEADER_EXTENSIONS_MAX: usize = 64;
/// Encodings of one producer: simulcast layers.
pub const ENCODINGS_MAX: usize = 4;
/// Kinds of RTCP feedback of one codec.
pub const FEEDBACKS_MAX: usize = 16;
/// Parameters of one codec or header extension.
pub const CODEC_PARAMETERS_MAX: usize = 32;
/// Certificate fingerprints in `dtlsParameters`: one for each hash function.
pub const FINGERPRINTS_MAX: usize = 8;
/// Any single string inside RTP or DTLS parameters, in bytes.
pub const PARAMETER_STRING_MAX: usize = 256;

/// Largest UDP payload the node reads; what is longer is not RTP over any path we serve.
pub const DATAGRAM_BYTES_MAX: usize = 1500;

/// From one of engine.io's pings to the next.
pub const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// How long the answer to a ping may take before the socket is taken for gone.
pub const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(5);
/// From the end of ICE's first valid check, or of `connectTransport`, to the end of DTLS.
pub const DTLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// RFC 7675: without a valid check for this long, nothing more is sent.
pub const CONSENT_TIMEOUT: Duration = Duration::from_secs(30);
/// From the loss of a session's socket to the end of its seat, at least, unless another socket resumes it.
pub const RESUME_WINDOW: Duration = Duration::from_secs(15);
/// Longest resume window: beyond [`RESUME_WINDOW`] the seat is kept while ICE consent is fresh (RFC 7675).
pub const RESUME_WINDOW_MAX: Duration = Duration::from_secs(60);
/// How long a video slot that was granted waits for its producer.
pub const VIDEO_SLOT_HOLD: Duration = Duration::from_secs(30);
/// How long a diagnostics room lasts.
pub const DIAGNOSTICS_DURATION: Duration = Duration::from_secs(60);
/// A microphone that is louder than -30 dBov, with less than 3 dB between its loudest and its
/// quietest packet, for so long is a noise loop.
pub const NOISE_LOOP_DURATION: Duration = Duration::from_secs(10);
/// The loudness above which it is one, in -dBov (RFC 6464).
pub const NOISE_LOOP_LEVEL: u8 = 30;
/// The spread in dB below which it is one.
pub const NOISE_LOOP_SPREAD: u8 = 3;
/// The noise loop of a session that ends it, and for how long its user stays out.
pub const NOISE_LOOP_STRIKES: u8 = 3;
/// How long its user stays out of the room.
pub const NOISE_LOOP_BAN: Duration = Duration::from_secs(300);
/// Between two key-frame requests to one source.
pub const KEY_FRAME_REQUEST_INTERVAL: Duration = Duration::from_millis(500);

/// Where media nodes receive media.
pub const RTC_PORT_MIN: u16 = 40_000;
/// The last of these UDP ports; a worker takes one.
pub const RTC_PORT_MAX: u16 = 49_999;

const _: () = {
    assert!(PARTICIPANTS_FREE < PARTICIPANTS_PRO);
    assert!(VIDEO_PUBLISHERS_FREE < VIDEO_PUBLISHERS_PRO);
    assert!(VIDEO_PUBLISHERS_PRO <= PARTICIPANTS_PRO);
    assert!(AUDIO_BITRATE_FREE < AUDIO_BITRATE_PRO);
    assert!(VIDEO_BITRATE + SCREEN_BITRATE == VIDEO_TOTAL_BITRATE);
    assert!(VIDEO_TOTAL_HEADROOM_PERCENT < BITRATE_HEADROOM_PERCENT);
    // REMB tells a sender of both one limit, in which its microphone is counted as well.
    assert!(
        VIDEO_TOTAL_BITRATE + AUDIO_BITRATE_PRO < VIDEO_TOTAL_BITRATE / 100 * VIDEO_TOTAL_HEADROOM_PERCENT
    );
    // Everybody in the largest room can follow what all the others do.
    assert!((PARTICIPANTS_PRO as u32 - 1) * FOLLOW_UPS_PER_SECOND <= REQUESTS_PER_SECOND);
    // Everything a session may send, begun twice.
    assert!(2 * PRODUCERS_PER_SESSION * FOLLOW_UPS_PER_PRODUCER as usize <= FOLLOW_UPS_BURST as usize);
    // A full room's people do not keep each other from connecting, nor one room those of others.
    assert!(HANDSHAKES_PER_USER * PARTICIPANTS_PRO as usize <= HANDSHAKES_PER_ROOM);
    assert!(HANDSHAKES_PER_ROOM * 10 <= HANDSHAKES_PER_NODE);
    assert!(HANDSHAKE_UNDISTURBED.as_secs() < DTLS_HANDSHAKE_TIMEOUT.as_secs());
    // Both transports of every session, and again.
    assert!(TRANSPORTS_BURST as usize >= 2 * 2 * SESSIONS_PER_USER);
    assert!(WATCHES_PER_USER * 50 <= WATCHES_PER_REPLICA && WATCHES_PER_REPLICA * 3 < WATCHES_PER_NODE);
    assert!(TOKEN_BYTES_MAX < MESSAGE_BYTES_MAX);
    // Four characters of base64 for three bytes, and room for the rest of the message.
    assert!(E2EE_MESSAGE_BYTES_MAX / 3 * 4 + 1024 < MESSAGE_BYTES_MAX);
    assert!(E2EE_MESSAGE_BYTES_MAX <= E2EE_KIB_BURST as usize * 1024);
    // Nobody alone uses up what the room has, nor what it keeps of one message.
    assert!(E2EE_BURST * 10 <= E2EE_ROOM_BURST && E2EE_PER_SECOND * 10 <= E2EE_ROOM_PER_SECOND);
    assert!(E2EE_MESSAGE_BYTES_MAX * 4 <= E2EE_KEPT_BYTES_MAX);
    assert!(RTC_PORT_MIN < RTC_PORT_MAX);
    assert!(DTLS_HANDSHAKE_TIMEOUT.as_secs() < CONSENT_TIMEOUT.as_secs());
    assert!(RESUME_WINDOW.as_secs() < RESUME_WINDOW_MAX.as_secs());
    // Somebody whose machine is gone has no consent long before the window is over.
    assert!(CONSENT_TIMEOUT.as_secs() < RESUME_WINDOW_MAX.as_secs());
};
