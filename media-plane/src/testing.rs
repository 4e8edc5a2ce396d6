//! What tests do to a running node. Built with the feature `testing` alone, which nothing that is shipped has.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// Ports of workers that are to panic.
static DOOMED: Mutex<Vec<u16>> = Mutex::new(Vec::new());
/// Whether there are any, so that a worker's turn takes no lock.
static ANY: AtomicBool = AtomicBool::new(false);

/// Has the thread of the worker of this process that listens at this address of the loopback panic.
///
/// # Panics
/// If there is no socket to wake it by.
pub fn crash_worker(address: SocketAddr) {
    DOOMED.lock().unwrap_or_else(PoisonError::into_inner).push(address.port());
    ANY.store(true, Ordering::Release);
    // Any datagram ends its sleep.
    let waker = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    waker.send_to(&[0], (Ipv4Addr::LOCALHOST, address.port())).expect("a datagram");
}

/// Called at each turn of a worker's loop.
pub(crate) fn panic_if_told(port: u16) {
    if !ANY.load(Ordering::Acquire) {
        return;
    }
    let mut doomed = DOOMED.lock().unwrap_or_else(PoisonError::into_inner);
    let told = doomed.iter().position(|it| *it == port).map(|at| doomed.swap_remove(at)).is_some();
    drop(doomed);
    assert!(!told, "this worker was told to panic");
}
