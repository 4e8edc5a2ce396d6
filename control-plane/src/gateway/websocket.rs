//! What a client sends over a WebSocket (RFC 6455), looked at before it is parsed: a packet for another
//! namespace than the default one ends the connection. socketioxide would answer it with that name, up to
//! a message long, to a client that may never read.

use crate::http::connection::Connection;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether this engine.io packet is a socket.io packet that names a namespace.
pub(super) fn names_namespace(packet: &[u8]) -> bool {
    matches!(packet, [b'4', kind, b'/', ..] if kind.is_ascii_digit())
}

const CONTINUATION: u8 = 0;
const TEXT: u8 = 1;
/// Longest header of a frame: two bytes, an extended length, a mask.
const HEADER_BYTES_MAX: usize = 14;
/// First bytes of a message that tell whether it names a namespace.
const PREFIX_BYTES: usize = 3;

/// Follows the frames, however they are cut.
#[derive(Debug, Default)]
struct Frames {
    header: [u8; HEADER_BYTES_MAX],
    header_bytes: usize,
    /// Bytes of the frame's payload still to come.
    left: u64,
    mask: [u8; 4],
    /// Bytes of this payload so far, modulo four.
    phase: usize,
    is_text: bool,
    prefix: [u8; PREFIX_BYTES],
    /// Bytes of the message seen, over all its frames. None: it is not looked at any more.
    prefix_bytes: Option<usize>,
}

impl Frames {
    /// False: there is a packet for another namespace.
    fn pass(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.left == 0 {
                self.head(first);
                bytes = rest;
                continue;
            }
            if self.is_text
                && let Some(known) = self.prefix_bytes
            {
                let [a, b, c, d] = self.mask;
                let mask = [a, b, c, d].get(self.phase % 4).copied().unwrap_or_default();
                if let Some(place) = self.prefix.get_mut(known) {
                    *place = first ^ mask;
                }
                self.prefix_bytes = (known + 1 < PREFIX_BYTES).then_some(known + 1);
                if self.prefix_bytes.is_none() && names_namespace(&self.prefix) {
                    return false;
                }
                self.phase += 1;
                self.left -= 1;
                bytes = rest;
                continue;
            }
            let skipped = usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
            self.left -= skipped as u64;
            bytes = bytes.get(skipped..).unwrap_or_default();
        }
        true
    }

    fn head(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(self.header_bytes) {
            *place = byte;
        }
        self.header_bytes += 1;
        let [first, second, extended @ ..] = self.header;
        let length_bytes = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let mask_bytes = if second & 0x80 == 0 { 0 } else { 4 };
        if self.header_bytes < 2 + length_bytes + mask_bytes {
            return;
        }
        let (length, rest) = extended.split_at(length_bytes);
        self.left = match length_bytes {
            0 => u64::from(second & 0x7f),
            _ => length.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        self.mask = match rest {
            [a, b, c, d, ..] if mask_bytes == 4 => [*a, *b, *c, *d],
            _ => [0; 4],
        };
        (self.header_bytes, self.phase) = (0, 0);
        match first & 0x0f {
            TEXT => (self.is_text, self.prefix_bytes) = (true, Some(0)),
            // It goes on with the message, between which control frames may come.
            CONTINUATION => self.is_text = true,
            _ => self.is_text = false,
        }
    }
}

/// A WebSocket's bytes.
#[derive(Debug)]
pub(super) struct Watched<S> {
    stream: S,
    frames: Frames,
    connection: Connection,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, connection: Connection) -> Self {
        Self { stream, frames: Frames::default(), connection }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, into))?;
        if self.frames.pass(into.filled().get(before..).unwrap_or_default()) {
            return Poll::Ready(Ok(()));
        }
        tracing::debug!("a packet for another namespace ends its connection");
        into.set_filled(before);
        self.connection.reset();
        Poll::Ready(Err(io::ErrorKind::InvalidData.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Masked, as a client's are.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..126 => frame.push(0x80 | u8::try_from(length).unwrap()),
            length @ 126..0x1_0000 => {
                frame.push(0x80 | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            length => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        let mask = [0x12, 0x34, 0x56, 0x78];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        frame
    }

    fn passes(bytes: &[u8]) -> bool {
        let whole = Frames::default().pass(bytes);
        for size in [1, 2, 3, 7] {
            let mut frames = Frames::default();
            assert_eq!(bytes.chunks(size).all(|chunk| frames.pass(chunk)), whole, "{size}");
        }
        whole
    }

    #[test]
    fn another_namespace_is_found_however_its_frames_are_cut() {
        let long = [b"40/".as_slice(), &[b'x'; 70_000]].concat();
        let short = [b"40/".as_slice(), &[b'x'; 300]].concat();
        for packet in [b"40/".as_slice(), b"40/admin,", b"42/admin,[]", &short, &long] {
            assert!(!passes(&frame(0x81, packet)));
        }
        let before = [frame(0x81, &[b'x'; 70_000]), frame(0x82, b"40/"), frame(0x81, b"3")].concat();
        assert!(passes(&before));
        assert!(!passes(&[before, frame(0x81, b"40/,")].concat()));
        // In three frames with a ping between them.
        let cut = [frame(0x01, b"4"), frame(0x89, b"40/"), frame(0x00, b"0"), frame(0x80, b"/x,")];
        assert!(!passes(&cut.concat()));
        let empty = [frame(0x01, b""), frame(0x00, b""), frame(0x80, b"40/x,")];
        assert!(!passes(&empty.concat()));
    }

    #[test]
    fn the_default_namespace_and_everything_else_passes() {
        for packet in
            ["2", "3", "3probe", "5", "40", "40{\"token\":\"/\"}", "42[\"/\"]", "4", "", "/40/", "440/"]
        {
            assert!(passes(&frame(0x81, packet.as_bytes())), "{packet}");
        }
        assert!(passes(&[frame(0x81, b"4"), frame(0x81, b"0/")].concat()));
        assert!(passes(&frame(0x89, b"40/")));
    }
}
