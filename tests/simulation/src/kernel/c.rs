//! The C library's functions that the programs' clocks, randomness and sockets come from, in place of its own: on
//! a thread of the simulation they are the world's, on any other the kernel's, by system call.
//!
//! Rust's standard library, tokio, mio, socket2 and the like call these by name, so the linker takes ours.
#![allow(clippy::cast_possible_truncation, reason = "the C library's own widths")]

use super::clock::{EPOCH, HOST, IS_ACTIVE, RANDOM, SECOND, SKEW, counted, split_mix};
use super::net::{NET, Net};
use super::parking::park;
use super::socket::{Kind, Registration, Socket};
use libc::{
    c_int, c_long, c_uint, c_void, clockid_t, epoll_event, iovec, size_t, sockaddr, sockaddr_in, socklen_t,
    ssize_t, timespec,
};
use std::net::{Ipv4Addr, SocketAddrV4};

pub(super) fn is_active() -> bool {
    IS_ACTIVE.get()
}

pub(super) fn fail<T: From<i8>>(error: c_int) -> T {
    // SAFETY: the address of this thread's errno is always valid.
    unsafe { *libc::__errno_location() = error };
    T::from(-1)
}

/// On a thread of the simulation, and if the network is not at work itself.
fn net<T>(what: impl FnOnce(&mut Net) -> T) -> Option<T> {
    if !is_active() {
        return None;
    }
    NET.try_with(|net| net.try_borrow_mut().ok().map(|mut net| what(&mut net))).ok().flatten()
}

pub(super) fn is_ours(fd: c_int) -> bool {
    net(|net| net.by_fd.contains_key(&fd)).unwrap_or(false)
}

fn result<T: From<i8> + TryFrom<usize>>(done: Result<usize, c_int>) -> T {
    match done {
        Ok(count) => T::try_from(count).unwrap_or_else(|_| T::from(-1)),
        Err(error) => fail(error),
    }
}

/// # Safety
/// As the C library's: `time` points to a timespec.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn clock_gettime(clock: clockid_t, time: *mut timespec) -> c_int {
    if !is_active() {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, time) } as c_int;
    }
    let is_wall = clock == libc::CLOCK_REALTIME || clock == libc::CLOCK_REALTIME_COARSE;
    let epoch = EPOCH.get();
    let (base, skew) = if is_wall { (epoch.wall, SKEW.get()) } else { (epoch.monotonic, 0) };
    let nanos = (base * SECOND + counted()).saturating_add_signed(skew);
    // SAFETY: the caller gives a timespec to write to.
    unsafe {
        (*time).tv_sec = (nanos / SECOND) as libc::time_t;
        (*time).tv_nsec = (nanos % SECOND) as c_long;
    }
    0
}

/// # Safety
/// As the C library's: `buffer` has room for `len` bytes.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getrandom(buffer: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    if !is_active() {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_getrandom, buffer, len, flags) } as ssize_t;
    }
    if len == 0 {
        return 0;
    }
    // SAFETY: the caller gives a buffer of this length.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len) };
    for chunk in bytes.chunks_mut(8) {
        let random = RANDOM.with(split_mix).to_le_bytes();
        chunk.copy_from_slice(&random[..chunk.len()]);
    }
    len as ssize_t
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn socket(domain: c_int, kind: c_int, protocol: c_int) -> c_int {
    let is_stream = kind & 0xf == libc::SOCK_STREAM && domain == libc::AF_INET;
    if !is_active() || !is_stream {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_socket, domain, kind, protocol) } as c_int;
    }
    // A number that is the process's own, whose other uses do no harm.
    // SAFETY: eventfd takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd >= 0 {
        net(|net| net.open_socket(fd));
    }
    fd
}

fn address(of: *const sockaddr) -> Option<SocketAddrV4> {
    // SAFETY: the caller of bind and connect gives an address; its family says which.
    unsafe {
        if i32::from((*of).sa_family) != libc::AF_INET {
            return None;
        }
        let of = of.cast::<sockaddr_in>();
        let ip = Ipv4Addr::from(u32::from_be((*of).sin_addr.s_addr));
        Some(SocketAddrV4::new(ip, u16::from_be((*of).sin_port)))
    }
}

fn give_address(what: SocketAddrV4, to: *mut sockaddr, len: *mut socklen_t) {
    if to.is_null() || len.is_null() {
        return;
    }
    // SAFETY: the caller gives room for an address of the socket's family.
    unsafe {
        let to = to.cast::<sockaddr_in>();
        (*to).sin_family = libc::AF_INET as libc::sa_family_t;
        (*to).sin_port = what.port().to_be();
        (*to).sin_addr.s_addr = u32::from(*what.ip()).to_be();
        *len = size_of::<sockaddr_in>() as socklen_t;
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn bind(fd: c_int, to: *const sockaddr, len: socklen_t) -> c_int {
    if !is_ours(fd) {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_bind, fd, to, len) } as c_int;
    }
    let Some(address) = address(to) else { return fail(libc::EAFNOSUPPORT) };
    net(|net| {
        let port = if address.port() == 0 { net.port() } else { address.port() };
        if let Some((_, socket)) = net.of_fd(fd) {
            socket.local = SocketAddrV4::new(*address.ip(), port);
        }
    });
    0
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn listen(fd: c_int, backlog: c_int) -> c_int {
    match net(|net| net.by_fd.contains_key(&fd).then(|| net.listen(fd))).flatten() {
        Some(done) => result(done.map(|()| 0)),
        // SAFETY: no pointers.
        None => (unsafe { libc::syscall(libc::SYS_listen, fd, backlog) }) as c_int,
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn accept4(
    fd: c_int,
    from: *mut sockaddr,
    len: *mut socklen_t,
    flags: c_int,
) -> c_int {
    if !is_ours(fd) {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_accept4, fd, from, len, flags) } as c_int;
    }
    let accepted = match net(|net| net.accept(fd)) {
        Some(Ok(accepted)) => accepted,
        Some(Err(error)) => return fail(error),
        None => return fail(libc::EAGAIN),
    };
    // SAFETY: eventfd takes no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    let remote = net(|net| {
        net.by_fd.insert(fd, accepted);
        let socket = net.sockets.get_mut(&accepted)?;
        socket.fd = Some(fd);
        Some(socket.remote)
    });
    if let Some(Some(remote)) = remote {
        give_address(remote, from, len);
    }
    fd
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn connect(fd: c_int, to: *const sockaddr, len: socklen_t) -> c_int {
    if !is_ours(fd) {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_connect, fd, to, len) } as c_int;
    }
    let Some(to) = address(to) else { return fail(libc::EAFNOSUPPORT) };
    match net(|net| net.connect(fd, to)) {
        Some(Err(error)) => fail(error),
        _ => 0,
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getsockname(fd: c_int, to: *mut sockaddr, len: *mut socklen_t) -> c_int {
    match net(|net| net.of_fd(fd).map(|(_, socket)| socket.local)).flatten() {
        Some(local) => {
            give_address(local, to, len);
            0
        }
        // SAFETY: the arguments are the caller's.
        None => (unsafe { libc::syscall(libc::SYS_getsockname, fd, to, len) }) as c_int,
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getpeername(fd: c_int, to: *mut sockaddr, len: *mut socklen_t) -> c_int {
    let found = net(|net| {
        net.of_fd(fd).map(|(_, socket)| match &socket.kind {
            Kind::Stream(stream) if stream.is_open => Ok(socket.remote),
            _ => Err(libc::ENOTCONN),
        })
    });
    match found.flatten() {
        Some(Ok(remote)) => {
            give_address(remote, to, len);
            0
        }
        Some(Err(error)) => fail(error),
        // SAFETY: the arguments are the caller's.
        None => (unsafe { libc::syscall(libc::SYS_getpeername, fd, to, len) }) as c_int,
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn setsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *const c_void,
    len: socklen_t,
) -> c_int {
    if is_ours(fd) {
        return 0;
    }
    // SAFETY: the arguments are the caller's.
    unsafe { libc::syscall(libc::SYS_setsockopt, fd, level, name, value, len) as c_int }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn getsockopt(
    fd: c_int,
    level: c_int,
    name: c_int,
    value: *mut c_void,
    len: *mut socklen_t,
) -> c_int {
    let error = net(|net| {
        net.of_fd(fd).map(|(_, socket)| match &mut socket.kind {
            Kind::Stream(stream) if level == libc::SOL_SOCKET && name == libc::SO_ERROR => {
                stream.error.take()
            }
            _ => None,
        })
    });
    match error.flatten() {
        Some(error) => {
            // SAFETY: the caller gives room for `len` bytes; what is asked for here are integers.
            unsafe {
                if *len as usize >= size_of::<c_int>() {
                    *value.cast::<c_int>() = error.unwrap_or_default();
                }
            }
            0
        }
        // SAFETY: the arguments are the caller's.
        None => (unsafe { libc::syscall(libc::SYS_getsockopt, fd, level, name, value, len) }) as c_int,
    }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn shutdown(fd: c_int, how: c_int) -> c_int {
    match net(|net| net.by_fd.contains_key(&fd).then(|| net.shut(fd))).flatten() {
        Some(done) => result(done.map(|()| 0)),
        // SAFETY: no pointers.
        None => (unsafe { libc::syscall(libc::SYS_shutdown, fd, how) }) as c_int,
    }
}

/// # Safety
/// As the C library's: `buffer` has room for `len` bytes.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn recv(fd: c_int, buffer: *mut c_void, len: size_t, flags: c_int) -> ssize_t {
    if !is_ours(fd) {
        let none = std::ptr::null_mut::<c_void>();
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_recvfrom, fd, buffer, len, flags, none, none) } as ssize_t;
    }
    // SAFETY: the caller gives a buffer of this length.
    let buffer = unsafe { std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len) };
    result(net(|net| net.receive(fd, buffer, flags & libc::MSG_PEEK != 0)).unwrap_or(Err(libc::EAGAIN)))
}

/// # Safety
/// As the C library's: `buffer` holds `len` bytes.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn send(fd: c_int, buffer: *const c_void, len: size_t, flags: c_int) -> ssize_t {
    if !is_ours(fd) {
        let none = std::ptr::null_mut::<c_void>();
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_sendto, fd, buffer, len, flags, none, 0) } as ssize_t;
    }
    // SAFETY: the caller gives a buffer of this length.
    let buffer = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), len) };
    result(net(|net| net.transmit(fd, buffer)).unwrap_or(Err(libc::EAGAIN)))
}

/// # Safety
/// As the C library's: `parts` are `count` buffers.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn readv(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    if !is_ours(fd) {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_readv, fd, parts, count) } as ssize_t;
    }
    // SAFETY: the caller gives this many buffers; the first with room is filled, as a short read may.
    unsafe {
        let parts = std::slice::from_raw_parts(parts, usize::try_from(count).unwrap_or_default());
        match parts.iter().find(|part| part.iov_len > 0) {
            Some(part) => recv(fd, part.iov_base, part.iov_len, 0),
            None => 0,
        }
    }
}

/// # Safety
/// As the C library's: `parts` are `count` buffers.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn writev(fd: c_int, parts: *const iovec, count: c_int) -> ssize_t {
    if !is_ours(fd) {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_writev, fd, parts, count) } as ssize_t;
    }
    // SAFETY: the caller gives this many buffers.
    let bytes: Vec<u8> = unsafe {
        let parts = std::slice::from_raw_parts(parts, usize::try_from(count).unwrap_or_default());
        let filled = parts.iter().filter(|part| part.iov_len > 0);
        filled
            .flat_map(|part| std::slice::from_raw_parts(part.iov_base.cast::<u8>(), part.iov_len))
            .copied()
            .collect()
    };
    result(net(|net| net.transmit(fd, &bytes)).unwrap_or(Err(libc::EAGAIN)))
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn close(fd: c_int) -> c_int {
    net(|net| net.close(fd));
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_close, fd) as c_int }
}

/// # Safety
/// As the C library's.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_ctl(
    set: c_int,
    what: c_int,
    fd: c_int,
    event: *mut epoll_event,
) -> c_int {
    if !is_active() {
        // SAFETY: the arguments are the caller's.
        return unsafe { libc::syscall(libc::SYS_epoll_ctl, set, what, fd, event) } as c_int;
    }
    net(|net| {
        let Some(id) = net.by_fd.get(&fd).copied() else { return };
        if what == libc::EPOLL_CTL_DEL {
            if let Some(socket) = net.sockets.get_mut(&id) {
                socket.registration = None;
            }
            return;
        }
        // SAFETY: all but EPOLL_CTL_DEL come with an event.
        let (interest, data) = unsafe { ((*event).events, (*event).u64) };
        if let Some(Socket { registration, .. }) = net.sockets.get_mut(&id) {
            *registration = Some(Registration { data, interest, pending: 0 });
        }
        let level = net.level(id);
        net.mark(id, level);
    });
    0
}

/// # Safety
/// As the C library's: `events` has room for `max`.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn epoll_wait(
    set: c_int,
    events: *mut epoll_event,
    max: c_int,
    timeout: c_int,
) -> c_int {
    if !is_active() {
        let none = std::ptr::null_mut::<c_void>();
        // SAFETY: the arguments are the caller's. The signal mask is none.
        return unsafe { libc::syscall(libc::SYS_epoll_pwait, set, events, max, timeout, none, 8) } as c_int;
    }
    let host = HOST.get();
    let found = net(|net| {
        let mut found = Vec::new();
        let max = usize::try_from(max).unwrap_or_default();
        while found.len() < max {
            let Some((_, id)) = net.ready.range((host, 0)..(host + 1, 0)).next().copied() else { break };
            net.ready.remove(&(host, id));
            let socket = net.sockets.get_mut(&id);
            if let Some(registration) = socket.and_then(|socket| socket.registration.as_mut()) {
                let events = std::mem::take(&mut registration.pending);
                found.push(epoll_event { events, u64: registration.data });
            }
        }
        found
    });
    let found = found.unwrap_or_default();
    if found.is_empty() && timeout != 0 {
        park(timeout);
        return 0;
    }
    for (index, event) in found.iter().enumerate() {
        // SAFETY: no more than `max` were taken.
        unsafe { events.add(index).write(*event) };
    }
    c_int::try_from(found.len()).unwrap_or_default()
}
