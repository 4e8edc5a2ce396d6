//! How a worker sleeps: until its socket has something, another thread wakes it, or it is time.
//!
//! By `poll`, which waits at the socket only while it sleeps. A set of epoll waits there for ever, so
//! that the kernel takes the waiter's lock for every packet that is sent, which nobody waits for.

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::{Errno, read, write};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

/// Wakes a worker from other threads. If the worker is awake, its next `sleep` returns at once.
#[derive(Debug)]
pub(crate) struct Waker {
    event: OwnedFd,
}

impl Waker {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { event: eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC)? })
    }

    pub(crate) fn wake(&self) -> io::Result<()> {
        match write(&self.event, &1u64.to_ne_bytes()) {
            // Its counter is full: it was woken often enough.
            Ok(_) | Err(Errno::AGAIN) => Ok(()),
            Err(cause) => Err(cause.into()),
        }
    }

    /// Returns once there is something to receive, after [`Self::wake`], or after `at_most`; whether there is
    /// something at the socket, an error among it.
    pub(crate) fn sleep(&self, socket: impl AsFd, at_most: Option<Duration>) -> io::Result<bool> {
        let mut files = [PollFd::new(&socket, PollFlags::IN), PollFd::new(&self.event, PollFlags::IN)];
        // Too long for the kernel's clock is for ever.
        let at_most = at_most.and_then(|it| Timespec::try_from(it).ok());
        match poll(&mut files, at_most.as_ref()) {
            Ok(_) => {}
            // What is there was not looked at.
            Err(Errno::INTR) => return Ok(true),
            Err(cause) => return Err(cause.into()),
        }
        if files[1].revents().contains(PollFlags::IN) {
            match read(&self.event, &mut [0; 8]) {
                Ok(_) | Err(Errno::AGAIN) => {}
                Err(cause) => return Err(cause.into()),
            }
        }
        Ok(!files[0].revents().is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::sync::Arc;
    use std::thread;
    use std::time::Instant;

    const LONG: Option<Duration> = Some(Duration::from_secs(60));

    fn socket() -> UdpSocket {
        UdpSocket::bind("127.0.0.1:0").unwrap()
    }

    fn seconds(sleep: impl FnOnce()) -> u64 {
        let start = Instant::now();
        sleep();
        start.elapsed().as_secs()
    }

    #[test]
    fn a_datagram_ends_the_sleep_as_long_as_it_was_not_received() {
        let (waker, socket) = (Waker::new().unwrap(), socket());
        socket.send_to(b"a", socket.local_addr().unwrap()).unwrap();
        for _ in 0..2 {
            assert!(seconds(|| assert!(waker.sleep(&socket, LONG).unwrap(), "it is there")) < 30);
        }
    }

    #[test]
    fn another_thread_ends_the_sleep_and_however_often_only_one() {
        let (waker, socket) = (Arc::new(Waker::new().unwrap()), socket());
        let other = waker.clone();
        let thread = thread::spawn(move || (0..3).for_each(|_| other.wake().unwrap()));
        assert!(seconds(|| assert!(!waker.sleep(&socket, LONG).unwrap(), "nothing is there")) < 30);
        thread.join().unwrap();
        // What came after the first is taken here.
        waker.sleep(&socket, Some(Duration::ZERO)).unwrap();
        let start = Instant::now();
        waker.sleep(&socket, Some(Duration::from_millis(20))).unwrap();
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn a_sleep_lasts_no_longer_than_it_may() {
        let (waker, socket) = (Waker::new().unwrap(), socket());
        let start = Instant::now();
        assert!(!waker.sleep(&socket, Some(Duration::from_millis(5))).unwrap(), "nothing is there");
        let slept = start.elapsed();
        assert!(slept >= Duration::from_millis(5) && slept < Duration::from_secs(30), "{slept:?}");
    }
}
