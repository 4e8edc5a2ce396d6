//! Stream sockets: connecting, bytes in order whatever the way does, windows, ends.

use super::clock::{HOST, Nanos, SECOND, now};
use super::net::{Event, Net};
use super::socket::{AGAIN_FIRST, Kind, Segment, SockId, Socket, Stream};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddrV4};

/// Bytes that were sent and not read yet, of one direction.
const WINDOW: usize = 256 * 1024;
/// The longest time until a segment is sent again.
const AGAIN_MAX: Nanos = 3 * SECOND;
/// Tries to connect over a way that carries nothing.
const SYN_MAX: u32 = 5;

const IN: u32 = ::libc::EPOLLIN as u32;
const OUT: u32 = ::libc::EPOLLOUT as u32;
const HANGUP: u32 = ::libc::EPOLLRDHUP as u32;

impl Net {
    pub(super) fn open_socket(&mut self, fd: i32) {
        let id = self.next_socket;
        self.next_socket += 1;
        let nowhere = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0);
        let socket = Socket {
            host: HOST.get(),
            local: nowhere,
            remote: nowhere,
            kind: Kind::Fresh,
            registration: None,
            fd: Some(fd),
        };
        self.sockets.insert(id, socket);
        self.by_fd.insert(fd, id);
    }

    pub(super) fn of_fd(&mut self, fd: i32) -> Option<(SockId, &mut Socket)> {
        let id = *self.by_fd.get(&fd)?;
        self.sockets.get_mut(&id).map(|socket| (id, socket))
    }

    fn address_of(&self, host: u32) -> Ipv4Addr {
        self.addresses.iter().find(|(_, of)| **of == host).map_or(Ipv4Addr::LOCALHOST, |(ip, _)| *ip)
    }

    pub(super) fn port(&mut self) -> u16 {
        self.next_port = self.next_port.checked_add(1).unwrap_or(10_000);
        self.next_port
    }

    pub(super) fn listen(&mut self, fd: i32) -> Result<(), i32> {
        let id = *self.by_fd.get(&fd).ok_or(::libc::EBADF)?;
        let local = self.sockets.get(&id).ok_or(::libc::EBADF)?.local;
        if self.listeners.contains_key(&local) {
            return Err(::libc::EADDRINUSE);
        }
        self.listeners.insert(local, id);
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.kind = Kind::Listener { backlog: VecDeque::new() };
        }
        Ok(())
    }

    pub(super) fn connect(&mut self, fd: i32, to: SocketAddrV4) -> Result<(), i32> {
        let port = self.port();
        let ip = self.address_of(HOST.get());
        let (id, socket) = self.of_fd(fd).ok_or(::libc::EBADF)?;
        if socket.local.port() == 0 {
            socket.local = SocketAddrV4::new(ip, port);
        }
        socket.remote = to;
        socket.kind = Kind::Stream(Stream::new(0, false));
        let from = *socket.local.ip();
        let delay = self.faults.segment_delay(from, *to.ip());
        self.at(now() + delay, Event::Syn { from: id, attempt: 0 });
        Err(::libc::EINPROGRESS)
    }

    pub(super) fn syn(&mut self, from: SockId, attempt: u32) {
        let Some(socket) = self.sockets.get(&from) else { return };
        let (local, remote) = (socket.local, socket.remote);
        if self.is_cut(*local.ip(), *remote.ip()) || self.is_cut(*remote.ip(), *local.ip()) {
            if attempt >= SYN_MAX {
                return self.refused(from, ::libc::ETIMEDOUT);
            }
            return self.at(now() + (SECOND << attempt), Event::Syn { from, attempt: attempt + 1 });
        }
        let back = self.faults.segment_delay(*remote.ip(), *local.ip());
        let Some(listener) = self.listeners.get(&remote).copied() else {
            return self.at(now() + back, Event::Refused { at: from });
        };
        let id = self.next_socket;
        self.next_socket += 1;
        let host = self.sockets.get(&listener).map_or(0, |listener| listener.host);
        let kind = Kind::Stream(Stream::new(from, true));
        let accepted = Socket { host, local: remote, remote: local, kind, registration: None, fd: None };
        self.sockets.insert(id, accepted);
        if let Some(Socket { kind: Kind::Listener { backlog }, .. }) = self.sockets.get_mut(&listener) {
            backlog.push_back(id);
        }
        if let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(&from) {
            stream.peer = id;
        }
        self.mark(listener, IN);
        self.note(0x5e);
        self.at(now() + back, Event::Established { at: from });
    }

    pub(super) fn established(&mut self, at: SockId) {
        if let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(&at) {
            stream.is_open = true;
            self.mark(at, OUT);
        }
    }

    pub(super) fn refused(&mut self, at: SockId, error: i32) {
        if let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(&at) {
            stream.error = Some(error);
            stream.is_at_end = true;
            self.mark(at, IN | OUT | HANGUP);
        }
    }

    /// Tells the socket's host that these are so.
    pub(super) fn mark(&mut self, id: SockId, events: u32) {
        let Some(socket) = self.sockets.get_mut(&id) else { return };
        let host = socket.host;
        let Some(registration) = &mut socket.registration else { return };
        let events = events & (registration.interest | HANGUP);
        if events != 0 {
            registration.pending |= events;
            self.ready.insert((host, id));
            self.runnable.insert(host);
        }
    }

    /// What is so at this moment.
    pub(super) fn level(&self, id: SockId) -> u32 {
        match self.sockets.get(&id).map(|socket| &socket.kind) {
            Some(Kind::Listener { backlog }) if !backlog.is_empty() => IN,
            Some(Kind::Stream(stream)) => {
                let input = if stream.received.is_empty() && !stream.is_at_end { 0 } else { IN };
                let output = if stream.is_open && stream.unread < WINDOW { OUT } else { 0 };
                input | output | if stream.is_at_end { HANGUP } else { 0 }
            }
            _ => 0,
        }
    }

    pub(super) fn accept(&mut self, fd: i32) -> Result<SockId, i32> {
        let (_, socket) = self.of_fd(fd).ok_or(::libc::EBADF)?;
        match &mut socket.kind {
            Kind::Listener { backlog } => backlog.pop_front().ok_or(::libc::EAGAIN),
            _ => Err(::libc::EINVAL),
        }
    }

    pub(super) fn receive(&mut self, fd: i32, into: &mut [u8], peek: bool) -> Result<usize, i32> {
        let (id, socket) = self.of_fd(fd).ok_or(::libc::EBADF)?;
        let Kind::Stream(stream) = &mut socket.kind else { return Err(::libc::ENOTCONN) };
        if stream.received.is_empty() {
            if let Some(error) = stream.error.take() {
                return Err(error);
            }
            return if stream.is_at_end { Ok(0) } else { Err(::libc::EAGAIN) };
        }
        let count = into.len().min(stream.received.len());
        if peek {
            into.iter_mut().zip(&stream.received).for_each(|(to, from)| *to = *from);
            return Ok(count);
        }
        for to in into.iter_mut().take(count) {
            *to = stream.received.pop_front().unwrap_or_default();
        }
        let (peer, local, remote) = (stream.peer, *socket.local.ip(), *socket.remote.ip());
        let back = self.faults.delay(local, remote);
        self.at(now() + back, Event::Window { at: peer, bytes: count });
        _ = id;
        Ok(count)
    }

    pub(super) fn window(&mut self, at: SockId, bytes: usize) {
        if let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(&at) {
            let was_full = stream.unread >= WINDOW;
            stream.unread = stream.unread.saturating_sub(bytes);
            if was_full && stream.unread < WINDOW {
                self.mark(at, OUT);
            }
        }
    }

    pub(super) fn transmit(&mut self, fd: i32, bytes: &[u8]) -> Result<usize, i32> {
        let (_, socket) = self.of_fd(fd).ok_or(::libc::EBADF)?;
        let Kind::Stream(stream) = &mut socket.kind else { return Err(::libc::ENOTCONN) };
        if let Some(error) = stream.error.take() {
            return Err(error);
        }
        if stream.has_shut {
            return Err(::libc::EPIPE);
        }
        if !stream.is_open {
            return Err(::libc::EAGAIN);
        }
        let count = bytes.len().min(WINDOW.saturating_sub(stream.unread));
        if count == 0 && !bytes.is_empty() {
            return Err(::libc::EAGAIN);
        }
        stream.unread += count;
        let (peer, local, remote) = (stream.peer, *socket.local.ip(), *socket.remote.ip());
        self.put(peer, local, remote, Segment::Data(bytes[..count].to_vec()));
        Ok(count)
    }

    fn put(&mut self, to: SockId, from_ip: Ipv4Addr, to_ip: Ipv4Addr, segment: Segment) {
        let arrival = now() + self.faults.segment_delay(from_ip, to_ip);
        let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(&to) else {
            // Nobody is there any more: the answer is a reset.
            return self.reset_peer(to, from_ip, to_ip);
        };
        stream.last_arrival = stream.last_arrival.max(arrival);
        let at = stream.last_arrival;
        stream.incoming.push_back((at, segment));
        if stream.incoming.len() == 1 {
            self.at(at, Event::Arrive { at: to });
        }
    }

    /// The sockets that send to one that is gone.
    fn reset_peer(&mut self, gone: SockId, from_ip: Ipv4Addr, to_ip: Ipv4Addr) {
        if self.is_cut(from_ip, to_ip) {
            return;
        }
        let of = |socket: &Socket| matches!(&socket.kind, Kind::Stream(stream) if stream.peer == gone);
        let Some(id) = self.sockets.iter().find(|(_, socket)| of(socket)).map(|(id, _)| *id) else { return };
        self.put(id, to_ip, from_ip, Segment::Reset);
    }

    /// Both ends of each connection between these machines are reset, as by a firewall that forgets them.
    pub(super) fn reset(&mut self, one: Ipv4Addr, other: Ipv4Addr) {
        let ends = |socket: &Socket| (*socket.local.ip(), *socket.remote.ip());
        let is_between = |socket: &Socket| {
            let is_open = matches!(&socket.kind, Kind::Stream(stream) if stream.is_open);
            is_open && (ends(socket) == (one, other) || ends(socket) == (other, one))
        };
        let all: Vec<_> = self.sockets.iter().filter(|(_, it)| is_between(it)).collect();
        let all: Vec<_> = all.into_iter().map(|(id, it)| (*id, ends(it))).collect();
        for (id, (local, remote)) in all {
            self.put(id, remote, local, Segment::Reset);
        }
    }

    pub(super) fn arrive(&mut self, at: SockId) {
        let Some(socket) = self.sockets.get(&at) else { return };
        let is_cut = self.is_cut(*socket.remote.ip(), *socket.local.ip());
        let Some(Socket { kind: Kind::Stream(stream), .. }) = self.sockets.get_mut(&at) else { return };
        if is_cut {
            let again = stream.again;
            stream.again = (again * 2).min(AGAIN_MAX);
            return self.at(now() + again, Event::Arrive { at });
        }
        stream.again = AGAIN_FIRST;
        let (mut events, mut bytes) = (0, 0_usize);
        while stream.incoming.front().is_some_and(|(time, _)| *time <= now()) {
            match stream.incoming.pop_front() {
                Some((_, Segment::Data(data))) => {
                    bytes += data.len();
                    stream.received.extend(data);
                    events |= IN;
                }
                Some((_, Segment::End)) => {
                    stream.is_at_end = true;
                    events |= IN | HANGUP;
                }
                Some((_, Segment::Reset)) => {
                    stream.is_at_end = true;
                    stream.has_shut = true;
                    stream.error = Some(::libc::ECONNRESET);
                    events |= IN | OUT | HANGUP;
                }
                None => {}
            }
        }
        let next = stream.incoming.front().map(|(time, _)| *time);
        self.note(bytes as u64 ^ (at << 24));
        self.mark(at, events);
        if let Some(next) = next {
            self.at(next, Event::Arrive { at });
        }
    }

    pub(super) fn shut(&mut self, fd: i32) -> Result<(), i32> {
        let (_, socket) = self.of_fd(fd).ok_or(::libc::EBADF)?;
        let Kind::Stream(stream) = &mut socket.kind else { return Err(::libc::ENOTCONN) };
        if !std::mem::replace(&mut stream.has_shut, true) && stream.is_open {
            let (peer, local, remote) = (stream.peer, *socket.local.ip(), *socket.remote.ip());
            self.put(peer, local, remote, Segment::End);
        }
        Ok(())
    }

    /// False: it is none of ours.
    pub(super) fn close(&mut self, fd: i32) -> bool {
        let Some(id) = self.by_fd.remove(&fd) else { return false };
        self.forget(id);
        true
    }

    fn forget(&mut self, id: SockId) {
        let Some(socket) = self.sockets.remove(&id) else { return };
        self.ready.remove(&(socket.host, id));
        match socket.kind {
            Kind::Fresh => {}
            Kind::Listener { backlog } => {
                self.listeners.remove(&socket.local);
                backlog.into_iter().for_each(|waiting| self.forget(waiting));
            }
            Kind::Stream(stream) => {
                let (local, remote) = (*socket.local.ip(), *socket.remote.ip());
                // As a kernel does: what was not read is lost, so the other end is told.
                let end = if stream.received.is_empty() { Segment::End } else { Segment::Reset };
                if stream.is_open && (!stream.has_shut || matches!(end, Segment::Reset)) {
                    self.put_if_there(stream.peer, local, remote, end);
                }
            }
        }
    }

    fn put_if_there(&mut self, to: SockId, from_ip: Ipv4Addr, to_ip: Ipv4Addr, segment: Segment) {
        if self.sockets.contains_key(&to) {
            self.put(to, from_ip, to_ip, segment);
        }
    }
}
