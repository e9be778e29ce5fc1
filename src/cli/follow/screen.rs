//! The terminal: lines scroll, and below them a block is painted over and over, at most ten times a second.
//!
//! The cursor is hidden only while a frame is written, and a frame is one write; so however neap ends, the terminal is
//! in order.

use anstream::{AutoStream, ColorChoice};
use std::io::Write;
use std::os::fd::AsRawFd;
use tokio::time::{Duration, Instant};

/// The least time between two frames.
const PACE: Duration = Duration::from_millis(100);
/// Clocks on the screen show seconds.
const SECOND: Duration = Duration::from_secs(1);

pub(crate) struct Screen {
    /// What is to scroll with the next frame.
    waiting: String,
    /// How many lines the block on the screen has.
    height: usize,
    painted: Instant,
    is_stale: bool,
    is_coloured: bool,
}

impl Screen {
    pub(crate) fn new() -> Screen {
        let choice = AutoStream::choice(&std::io::stdout());
        Screen {
            waiting: String::new(),
            height: 0,
            // What is over sooner needs no block.
            painted: Instant::now(),
            is_stale: true,
            is_coloured: choice != ColorChoice::Never,
        }
    }

    /// Lets lines scroll with the next frame.
    pub(crate) fn scroll(&mut self, lines: &str) {
        self.waiting += lines;
        self.is_stale = true;
    }

    /// What the block shows has changed.
    pub(crate) fn touch(&mut self) {
        self.is_stale = true;
    }

    /// Somebody else wrote to the terminal: the block stays where it is, and the next one is painted below.
    pub(crate) fn forget(&mut self) {
        self.height = 0;
        self.is_stale = true;
    }

    /// When the next frame is due.
    pub(crate) fn due(&self) -> Instant {
        let pace = if self.is_stale { PACE } else { SECOND };
        self.painted + pace
    }

    /// Writes a frame.
    pub(crate) fn paint(&mut self, block: &[String]) {
        let mut frame = String::from("\x1b[?25l");
        if self.height > 0 {
            frame += &format!("\x1b[{}A", self.height);
        }
        frame += "\r\x1b[J";
        let waiting = std::mem::take(&mut self.waiting);
        frame += &self.styled(&waiting);
        for line in block {
            frame += &self.styled(line);
            frame.push('\n');
        }
        frame += "\x1b[?25h";
        self.height = block.len();
        self.painted = Instant::now();
        self.is_stale = false;
        let mut out = std::io::stdout().lock();
        // A terminal that is gone is noticed by its signal, not here.
        let _ = out.write_all(frame.as_bytes()).and_then(|()| out.flush());
    }

    fn styled(&self, text: &str) -> String {
        if self.is_coloured { text.to_owned() } else { anstream::adapter::strip_str(text).to_string() }
    }

    /// How many columns and rows there are.
    pub(crate) fn size() -> (usize, usize) {
        let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
        let out = std::io::stdout();
        // SAFETY: the call writes one `winsize` to the place it is given, which outlives it.
        let answer = unsafe { libc::ioctl(out.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) };
        match (answer, size.ws_col, size.ws_row) {
            (0, columns @ 1.., rows @ 1..) => (columns.into(), rows.into()),
            _ => (80, 24),
        }
    }
}
