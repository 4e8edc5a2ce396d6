//! What a measurement asks of Linux beyond the standard library.

use anyhow::{Context, Result, bail};
use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::Command;
use std::{fs, io, mem, ptr};

/// CPU time that this thread used, in ns.
pub(crate) fn thread_cpu_ns() -> u64 {
    u64::try_from(railgun_process::thread_cpu().as_nanos()).unwrap_or(u64::MAX)
}

/// What one core did so far, in the kernel's ticks.
pub(crate) struct CoreTicks {
    softirq: u64,
    all: u64,
}

impl CoreTicks {
    pub(crate) fn of(core: usize) -> Result<Self> {
        let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
        let name = format!("cpu{core} ");
        let line = text.lines().find_map(|line| line.strip_prefix(&name)).context("the core's ticks")?;
        // user nice system idle iowait irq softirq steal; what follows is counted in the first two.
        let ticks: Vec<u64> = line.split_whitespace().take(8).filter_map(|it| it.parse().ok()).collect();
        Ok(Self { softirq: ticks.get(6).copied().context("softirq ticks")?, all: ticks.iter().sum() })
    }

    pub(crate) fn softirq_share_since(&self, earlier: &Self) -> f64 {
        (self.softirq - earlier.softirq) as f64 / (self.all - earlier.all).max(1) as f64
    }
}

/// Keeps the calling thread on one core.
pub(crate) fn pin_to(core: usize) -> Result<()> {
    // SAFETY: an all-zero set is an empty one.
    let mut set: libc::cpu_set_t = unsafe { mem::zeroed() };
    // SAFETY: `CPU_SET` checks the core against the set's size; the call reads a live set of the
    // length that is passed with it.
    let result = unsafe {
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of_val(&set), &raw const set)
    };
    succeeded(result).with_context(|| format!("pinning to core {core}"))
}

/// Puts the calling thread, and whatever it starts, before all that has no real-time priority, or
/// back among it. Whether this process may is the machine's to say.
pub(crate) fn go_first(first: bool) -> bool {
    // SAFETY: all-zero bytes are a valid sched_param.
    let mut priority: libc::sched_param = unsafe { mem::zeroed() };
    priority.sched_priority = first.into();
    let policy = if first { libc::SCHED_FIFO } else { libc::SCHED_OTHER };
    // SAFETY: the call reads a live sched_param; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, policy, &raw const priority) == 0 }
}

/// Moves the calling thread, and whatever it starts, into a network namespace of its own. It has no
/// name and ends with the last thread, socket and file in it.
pub(crate) fn enter_network_namespace() -> Result<()> {
    // Before anything is changed, for a namespace without its loopback up is of no use.
    ip("-Version")?;
    // SAFETY: takes a number, touches no memory.
    let result = unsafe { libc::unshare(libc::CLONE_NEWNET) };
    succeeded(result).context("a network namespace, which needs root")?;
    ip("link set lo up")
}

/// Moves the calling thread into the network namespace that `namespace` was opened from.
pub(crate) fn return_to_network_namespace(namespace: &impl AsRawFd) -> Result<()> {
    // SAFETY: takes two numbers, touches no memory.
    let result = unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) };
    succeeded(result).context("back into the first network namespace")
}

/// Runs iproute2's `ip` in the calling thread's namespace.
pub(crate) fn ip(arguments: &str) -> Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output().context("ip (package iproute2)")?;
    if !output.status.success() {
        bail!("ip {arguments}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// Sets a socket option that is an int.
#[allow(clippy::cast_possible_truncation, reason = "an int has four bytes")]
pub(crate) fn set_option(
    socket: &impl AsRawFd,
    level: libc::c_int,
    option: libc::c_int,
    value: libc::c_int,
) -> Result<()> {
    // SAFETY: the pointer is to a live c_int and the length is its size; the kernel only reads it.
    let result = unsafe {
        let pointer = ptr::from_ref(&value).cast::<libc::c_void>();
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            pointer,
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    succeeded(result).with_context(|| format!("socket option {option} of level {level}"))
}

/// Room for what is queued while nobody reads, past the system's limit if we may, else up to it.
pub(crate) fn widen_buffers(socket: &impl AsRawFd, bytes: libc::c_int) -> Result<()> {
    for (force, plain) in [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)] {
        if set_option(socket, libc::SOL_SOCKET, force, bytes).is_err() {
            set_option(socket, libc::SOL_SOCKET, plain, bytes)?;
        }
    }
    Ok(())
}

/// A TUN device of this name, without a packet information header, opened with these flags besides.
/// Also whether it takes runs of datagrams unsplit, as a network card with UDP segmentation does.
pub(crate) fn make_tun(name: &str, flags: libc::c_int) -> Result<(File, bool)> {
    let mut options = File::options();
    let device = options.read(true).write(true).custom_flags(flags).open("/dev/net/tun");
    let device = device.context("/dev/net/tun")?;
    // SAFETY: all-zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    // One byte stays zero: the name's end.
    let room = libc::IFNAMSIZ - 1;
    for (to, from) in request.ifr_name.iter_mut().take(room).zip(name.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    let flags = libc::IFF_TUN | libc::IFF_NO_PI | libc::IFF_VNET_HDR;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(flags).context("TUN flags")?;
    // SAFETY: TUNSETIFF reads and writes one ifreq, and the pointer is to a live one.
    let result = unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETIFF, &raw mut request) };
    succeeded(result).context("making the TUN device")?;
    let offload = |features: libc::c_uint| {
        // SAFETY: TUNSETOFFLOAD takes a number and touches no memory of ours.
        let result =
            unsafe { libc::ioctl(device.as_raw_fd(), libc::TUNSETOFFLOAD, libc::c_ulong::from(features)) };
        succeeded(result)
    };
    if offload(libc::TUN_F_CSUM | libc::TUN_F_USO4 | libc::TUN_F_USO6).is_ok() {
        return Ok((device, true));
    }
    offload(libc::TUN_F_CSUM).context("checksum offload of the TUN device")?;
    Ok((device, false))
}

fn succeeded(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
