//! Files to which lines are added. A disk that is full takes a part of a line: what is added next is a line of its own,
//! also in a later run.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Adds lines to a file.
#[derive(Debug)]
pub(crate) struct Lines<W> {
    to: W,
    /// The file ends within a line.
    is_torn: bool,
}

impl Lines<File> {
    /// Opens the file, or makes it; `options` say how else.
    pub(crate) fn open(path: &Path, options: &mut OpenOptions) -> io::Result<Self> {
        let is_torn = ends_in_a_line(path);
        Ok(Self { to: options.create(true).append(true).open(path)?, is_torn })
    }
}

impl<W: Write> Lines<W> {
    pub(crate) fn add(&mut self, line: &str) -> io::Result<()> {
        let before = if self.is_torn { "\n" } else { "" };
        self.is_torn = true;
        self.to.write_all(format!("{before}{line}\n").as_bytes())?;
        self.is_torn = false;
        Ok(())
    }
}

/// Whether a file ends within a line, as far as it can be read.
fn ends_in_a_line(path: &Path) -> bool {
    let last = || {
        let (mut file, mut last) = (File::open(path)?, [0]);
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        io::Result::Ok(last)
    };
    last().is_ok_and(|last| last != *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes more.
    struct Disk {
        bytes: Vec<u8>,
        left: usize,
    }

    impl Write for Disk {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.left);
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.left -= taken;
            self.bytes.extend_from_slice(&bytes[..taken]);
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_is_written_after_a_full_disk_is_a_line_of_its_own() {
        let mut lines = Lines { to: Disk { bytes: Vec::new(), left: 9 }, is_torn: false };
        lines.add("before").unwrap();
        lines.add("torn").unwrap_err();
        lines.add("lost").unwrap_err();
        lines.to.left = 100;
        lines.add("after").unwrap();
        lines.add("last").unwrap();
        assert_eq!(String::from_utf8(lines.to.bytes).unwrap(), "before\nto\nafter\nlast\n");
    }
}
