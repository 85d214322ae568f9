//! A terminal for tests: a program runs on a pseudo terminal, and what it writes is drawn on a screen of a few rows.

use std::fs::File;
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};

/// Rows and columns.
const SIZE: (u16, u16) = (6, 60);

/// What came of a program on a terminal.
pub struct Session {
    /// How it ended.
    pub status: ExitStatus,
    /// The bytes that the terminal was sent.
    pub bytes: Vec<u8>,
    /// The text on the screen, row by row, after each piece of what was sent.
    pub screens: Vec<String>,
}

/// Runs a program whose standard streams are a terminal, under a shell that leads the terminal's session and is there a little
/// longer.
pub fn run(program: &Command) -> Session {
    let mut command = Command::new("sh");
    command.args(["-c", "\"$@\"; code=$?; sleep 0.5; exit $code", "sh"]);
    command.arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(program.get_current_dir().expect("tests have directories of their own"));

    let (mut master, mut slave) = (0, 0);
    let size = libc::winsize { ws_row: SIZE.0, ws_col: SIZE.1, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: writes two numbers, and reads the size.
    let opened = unsafe {
        libc::openpty(
            &raw mut master,
            &raw mut slave,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            &raw const size,
        )
    };
    assert_eq!(opened, 0, "there are pseudo terminals");
    // SAFETY: both were opened above, and nothing else knows them.
    unsafe {
        libc::fcntl(master, libc::F_SETFD, libc::FD_CLOEXEC);
        libc::fcntl(slave, libc::F_SETFD, libc::FD_CLOEXEC);
    }
    // SAFETY: as above.
    let (mut master, slave) = unsafe { (File::from_raw_fd(master), OwnedFd::from_raw_fd(slave)) };
    let another = || slave.try_clone().expect("there are descriptors");
    command.stdin(another()).stdout(another()).stderr(another()).env("TERM", "xterm");
    // SAFETY: plain system calls.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            libc::ioctl(0, libc::TIOCSCTTY, 0);
            Ok(())
        });
    }
    let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    // What is left in this process would keep the terminal open.
    drop((command, slave));
    let (mut bytes, mut screens, mut screen) = (Vec::new(), Vec::new(), Screen::default());
    let mut piece = [0; 4096];
    // An error, once the other end is closed in all processes.
    while let Ok(length @ 1..) = master.read(&mut piece) {
        bytes.extend_from_slice(&piece[..length]);
        screen.take(&piece[..length]);
        screens.push(screen.text());
    }
    Session { status: child.wait().expect("the child is ours"), bytes, screens }
}

/// What a terminal shows.
#[derive(Default)]
struct Screen {
    rows: [Vec<u8>; SIZE.0 as usize],
    row: usize,
    column: usize,
    saved: (usize, usize),
    /// Rows below the region that scrolls.
    fixed: usize,
    /// The beginning of an escape sequence.
    escape: Vec<u8>,
}

impl Screen {
    fn take(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            match (byte, &self.escape[..]) {
                (_, [_, ..]) => {
                    self.escape.push(byte);
                    // A letter or digit ends it, but for `[`, behind which a letter does.
                    if byte != b'[' && (self.escape.len() == 2 || byte.is_ascii_alphabetic()) {
                        self.obey();
                    }
                }
                (0x1b, _) => self.escape.push(byte),
                (b'\r', _) => self.column = 0,
                (b'\n', _) => self.down(),
                _ => {
                    let row = &mut self.rows[self.row];
                    if row.len() <= self.column {
                        row.resize(self.column + 1, b' ');
                    }
                    row[self.column] = byte;
                    self.column += 1;
                }
            }
        }
    }

    fn down(&mut self) {
        let bottom = self.rows.len() - self.fixed;
        if self.row + 1 < bottom {
            self.row += 1;
        } else {
            self.rows[..bottom].rotate_left(1);
            self.rows[self.row].clear();
        }
    }

    fn obey(&mut self) {
        match &std::mem::take(&mut self.escape)[1..] {
            b"D" => self.down(),
            b"M" => self.row = self.row.checked_sub(1).expect("the first row is not scrolled"),
            b"7" => self.saved = (self.row, self.column),
            b"8" => (self.row, self.column) = self.saved,
            b"[2K" => self.rows[self.row].clear(),
            b"[r" => (self.fixed, self.row, self.column) = (0, 0, 0),
            b"[1;5r" => (self.fixed, self.row, self.column) = (1, 0, 0),
            b"[6;1H" => (self.row, self.column) = (5, 0),
            other => panic!("escape sequence {:?}", String::from_utf8_lossy(other)),
        }
    }

    fn text(&self) -> String {
        let rows = self.rows.iter().map(|row| String::from_utf8_lossy(row).trim_end().to_owned());
        rows.collect::<Vec<_>>().join("\n").trim_end().to_owned()
    }
}
