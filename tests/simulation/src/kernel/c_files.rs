//! The C library's functions that files are opened and written by, as `c.rs` has those of sockets.

#![allow(clippy::cast_possible_truncation, reason = "the C library's own widths")]

use super::c::{fail, is_active, is_ours, send};
use super::clock::HOST;
use super::disk;
use libc::{c_char, c_int, c_void, mode_t, size_t, ssize_t};
use std::ffi::CStr;

/// Files with CPU time and memory of the process that runs the world, which differ between two runs of a seed.
const OF_THE_REAL_PROCESS: [&CStr; 2] = [c"/proc/self/stat", c"/proc/stat"];

/// # Safety
/// As the C library's: `path` is a string of C. Without `O_CREAT` there is no `mode`, and nobody looks at it.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn open64(path: *const c_char, flags: c_int, mode: mode_t) -> c_int {
    // SAFETY: the caller gives a string of C.
    if is_active() && OF_THE_REAL_PROCESS.contains(&unsafe { CStr::from_ptr(path) }) {
        return fail(libc::ENOENT);
    }
    // SAFETY: the arguments are the caller's.
    unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags, mode) as c_int }
}

/// # Safety
/// As the C library's: `buffer` holds `len` bytes.
#[unsafe(no_mangle)]
pub(super) unsafe extern "C" fn write(fd: c_int, buffer: *const c_void, len: size_t) -> ssize_t {
    if is_ours(fd) {
        // SAFETY: the arguments are the caller's.
        return unsafe { send(fd, buffer, len, 0) };
    }
    // As a disk does: what still fits is written, and what is written after that is refused.
    let taken = if is_active() && is_file(fd) { disk::takes(HOST.get(), len) } else { len };
    if taken == 0 && len > 0 {
        return fail(libc::ENOSPC);
    }
    // SAFETY: the arguments are the caller's, and no longer than they were.
    unsafe { libc::syscall(libc::SYS_write, fd, buffer, taken) as ssize_t }
}

fn is_file(fd: c_int) -> bool {
    // SAFETY: zeroes are a `stat`, which the call fills.
    let (told, stat) = unsafe {
        let mut stat: libc::stat = std::mem::zeroed();
        (libc::fstat(fd, &raw mut stat), stat)
    };
    told == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFREG
}

#[cfg(test)]
mod tests {
    use super::super::net::{activate, deactivate};
    use std::fs;

    #[test]
    fn programs_of_a_world_see_nothing_of_the_process_that_runs_it() {
        let is_seen = || fs::read_to_string("/proc/self/stat").is_ok();
        assert!(is_seen());
        activate(1);
        let was_seen = is_seen();
        deactivate();
        assert!(!was_seen);
    }
}
