//! The log against all that was ever written.

use super::*;
use crate::exec::LogTimes;
use crate::exec::runner::Stream;
use crate::exec::spawn::open_log;
use crate::exec::times::Stamps;
use std::path::PathBuf;

const MOST: u64 = 64 << 10;

/// A log, and all that was written to it.
struct Scene {
    folder: tempfile::TempDir,
    writer: LogWriter,
    all: Vec<u8>,
}

impl Scene {
    fn new() -> Scene {
        let folder = tempfile::tempdir().unwrap();
        let writer = writer(&folder.path().join("a.1.log"));
        Scene { folder, writer, all: Vec::new() }
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("a.1.log")
    }

    fn write(&mut self, piece: &[u8]) {
        self.writer.write(piece, Stream::Stdout).unwrap();
        self.all.extend_from_slice(piece);
    }

    fn file(&self) -> Vec<u8> {
        std::fs::read(self.log()).unwrap()
    }

    /// All that can be read: what stands at which place, and what is said about the rest.
    fn read(&self) -> (Vec<(u64, Vec<u8>)>, Vec<String>) {
        let reader = LogReader::open(&self.log()).unwrap();
        let (mut parts, mut said, mut place): (Vec<(u64, Vec<u8>)>, _, _) = (Vec::new(), Vec::new(), 0);
        let mut block = [0; 1000];
        loop {
            match reader.read_at(place, &mut block).unwrap() {
                LogPiece::Bytes(0) => return (parts, said),
                LogPiece::Bytes(length) => {
                    match parts.last_mut().filter(|(at, part)| at + part.len() as u64 == place) {
                        Some((_, part)) => part.extend_from_slice(&block[..length]),
                        None => parts.push((place, block[..length].to_vec())),
                    }
                    place += length as u64;
                }
                LogPiece::LeftOut { to, line } => {
                    assert!(to > place);
                    said.push(line);
                    place = to;
                }
            }
        }
    }

    /// Everything that can be read is what was written there.
    #[track_caller]
    fn check_rest(&self) {
        for (place, part) in self.read().0 {
            let from = place as usize;
            assert!(self.all[from..from + part.len()] == part[..], "at {place}");
        }
    }

    /// Everything that can be read is what was written there, and what is said about the rest is true.
    #[track_caller]
    fn check(&self) -> Vec<(u64, Vec<u8>)> {
        let (parts, said) = self.read();
        for (place, part) in &parts {
            let from = *place as usize;
            assert!(self.all[from..from + part.len()] == part[..], "at {place}");
        }
        let (_, last) = parts.last().unwrap();
        assert!(self.all.ends_with(last), "the end is there");
        let extent = LogReader::open(&self.log()).unwrap().extent().unwrap();
        assert_eq!(extent.end, self.all.len() as u64);
        if parts.len() == 2 {
            let (from, to) = (parts[0].1.len(), parts[1].0 as usize);
            assert_eq!((extent.head, extent.tail), (from as u64, to as u64));
            let lines = self.all[from..to].iter().filter(|&&byte| byte == b'\n').count();
            let plural = if lines == 1 { "" } else { "s" };
            assert_eq!(
                said,
                [format!(
                    "neap: {} bytes ({lines} line{plural}) are left out here: `log.max_size` is 64 KiB\n",
                    to - from
                )]
            );
        }
        parts
    }

    /// The log as it is in the end.
    #[track_caller]
    fn check_joined(&self) {
        let parts = self.check();
        let (_, said) = self.read();
        let mut expected = parts[0].1.clone();
        if !expected.ends_with(b"\n") {
            expected.push(b'\n');
        }
        expected.extend_from_slice(said[0].as_bytes());
        expected.extend_from_slice(&parts[1].1);
        assert!(self.file() == expected, "the file is the beginning, a line, and the end");
        assert!(expected.len() as u64 <= MOST + 128, "{}", expected.len());
        assert!(std::fs::metadata(Ring::path_of(&self.log())).unwrap().len() <= 128);
    }
}

fn writer(log: &std::path::Path) -> LogWriter {
    LogWriter::new(open_log(log).unwrap(), log, MOST, Some(Stamps::beside(log)))
}

/// Lines of 16 bytes that say where they stand.
fn lines(from: u64, count: u64) -> Vec<u8> {
    (0..count).flat_map(|number| format!("{:015}\n", from + number * 16).into_bytes()).collect()
}

#[test]
fn what_fits_is_one_plain_file() {
    let mut scene = Scene::new();
    scene.write(&lines(0, 1000));
    scene.write(&lines(16_000, MOST / 16 - 1000));
    assert_eq!(scene.all.len() as u64, MOST);
    scene.writer.close().unwrap();
    assert!(scene.file() == scene.all);
    assert_eq!(scene.check().len(), 1);
    assert!(!Ring::path_of(&scene.log()).exists());
}

#[test]
fn of_more_the_beginning_and_the_end_are_there_at_every_moment() {
    for size in [1, 16, 100, 4096, 65_536, 300_000] {
        let mut scene = Scene::new();
        let all = lines(0, if size < 16 { 6_000 } else { 60_000 });
        for (number, piece) in all.chunks(size).enumerate() {
            scene.write(piece);
            if number % (all.len() / size / 20).max(1) == 0 {
                scene.check();
            }
        }
        let turning = scene.check();
        assert!(turning[1].1.len() as u64 > MOST * 7 / 16, "pieces of {size}: {}", turning[1].1.len());
        scene.writer.close().unwrap();
        scene.check_joined();
        let parts = scene.check();
        assert!(parts[0].1.len() as u64 >= MOST / 2 - 16 && parts[0].1.ends_with(b"\n"));
        assert!(parts[1].1.len() as u64 >= MOST / 2 - 16 && parts[1].0.is_multiple_of(16));
    }
}

#[test]
fn a_line_without_an_end_is_cut_between_characters_and_colours() {
    let all = "\u{1b}[31m\u{e4}\u{1f980}\u{1b}[0m".repeat(40_000);
    for shift in 0..18 {
        let mut scene = Scene::new();
        scene.write(&vec![b'x'; shift]);
        all.as_bytes().chunks(5000).for_each(|piece| scene.write(piece));
        scene.writer.close().unwrap();
        scene.check_joined();
        for (_, part) in scene.check() {
            let text = String::from_utf8(part).expect("no character is cut");
            let plain = text.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
            assert!(plain.chars().all(|c| "x\u{e4}\u{1f980}".contains(c)), "no colour is cut");
        }
    }
}

#[test]
fn any_bytes_will_do() {
    let mut scene = Scene::new();
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for _ in 0..200 {
        let piece: Vec<u8> = (0..next() % 5000).map(|_| next() as u8).collect();
        scene.write(&piece);
    }
    scene.check();
    scene.writer.close().unwrap();
    scene.check_joined();
}

/// The writer dies at any moment, also while it joins.
#[test]
fn a_log_whose_writer_died_can_be_read_and_mended() {
    for (count, garbage) in [(MOST / 16 + 1, 0), (20_000, 0), (20_000, 10), (20_000, 50_000)] {
        let mut scene = Scene::new();
        lines(0, count).chunks(1000).for_each(|piece| scene.write(piece));
        // As much as it had joined.
        std::io::Write::write_all(&mut open_log(&scene.log()).unwrap(), &vec![b'?'; garbage]).unwrap();
        let before = scene.check();
        assert!(mend(&scene.log()).unwrap());
        scene.check_joined();
        assert_eq!(scene.check()[0], before[0], "what could be read can still be read");
        let file = scene.file();
        assert!(mend(&scene.log()).unwrap(), "again");
        assert!(scene.file() == file);
        // What comes now, is added.
        scene.writer = writer(&scene.log());
        scene.write(b"late\n");
        scene.check();
    }
}

#[test]
fn nobody_takes_a_ring_without_a_header_for_one() {
    let mut scene = Scene::new();
    scene.write(&lines(0, 10));
    std::fs::write(Ring::path_of(&scene.log()), b"").unwrap();
    scene.check();
    assert!(!mend(&scene.log()).unwrap());
    lines(160, 20_000).chunks(1000).for_each(|piece| scene.write(piece));
    scene.writer.close().unwrap();
    scene.check_joined();
}

#[test]
fn it_is_known_when_the_end_was_written() {
    let mut scene = Scene::new();
    let streams = [Stream::Stdout, Stream::Stderr];
    for number in 0..4000 {
        let piece = lines(number * 16 * 8, 8);
        scene.writer.write(&piece, streams[number as usize % 2]).unwrap();
        scene.all.extend(piece);
    }
    let known = |scene: &Scene| {
        let times = LogTimes::beside(&scene.log());
        let LogExtent { head, tail, end } = LogReader::open(&scene.log()).unwrap().extent().unwrap();
        for place in (0..head).chain(tail.max(end - 8192)..end).step_by(16) {
            let mark = times.at(place).unwrap_or_else(|| panic!("nothing is known of {place}"));
            assert_eq!(mark.stream, streams[(place / 128) as usize % 2], "{place}");
        }
        assert_eq!(times.at(end), None);
    };
    known(&scene);
    scene.writer.close().unwrap();
    known(&scene);
    let size = std::fs::metadata(scene.log().with_extension("log.times")).unwrap().len();
    assert!(size < MOST, "{size}");
}

/// What a reader gets is what stood there, however fast the ring turns.
#[test]
fn a_reader_is_never_given_what_is_just_being_overwritten() {
    let mut scene = Scene::new();
    let log = scene.log();
    scene.write(&lines(0, 1));
    let reading = std::thread::spawn(move || {
        let reader = LogReader::open(&log).unwrap();
        let (mut place, mut skipped, mut block) = (0, 0, vec![0; 5000]);
        while place < 20_000_000 {
            match reader.read_at(place, &mut block) {
                Ok(LogPiece::Bytes(length)) => {
                    let from = place / 16 * 16;
                    let expected = lines(from, length as u64 / 16 + 2);
                    let skip = (place - from) as usize;
                    assert!(block[..length] == expected[skip..skip + length], "at {place}");
                    place += length as u64;
                    if length == 0 {
                        std::thread::yield_now();
                    }
                }
                Ok(LogPiece::LeftOut { to, .. }) => (skipped, place) = (skipped + 1, to),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::TimedOut, "{error}"),
            }
        }
        skipped
    });
    for number in 1..1000 {
        scene.writer.write(&lines(16 + (number - 1) * 20_016, 1251), Stream::Stdout).unwrap();
    }
    scene.writer.write(&lines(16 + 999 * 20_016, 1000), Stream::Stdout).unwrap();
    scene.writer.close().unwrap();
    println!("{} gaps", reading.join().unwrap());
}

/// What was to be overwritten is not there any more, and nothing is there instead.
#[test]
fn a_writer_may_die_between_saying_what_it_writes_and_writing_it() {
    for length in [100, MOST / 2, MOST, 20 * MOST] {
        let mut scene = Scene::new();
        lines(0, 20_000).chunks(1000).for_each(|piece| scene.write(piece));
        let ring = Ring::look(&scene.log()).unwrap().unwrap();
        let header = ring.header().unwrap().unwrap();
        let ring = Ring::open(&scene.log()).unwrap().unwrap();
        ring.put(&RingHeader { reserved: header.end + length, ..header }).unwrap();
        let reader = LogReader::open(&scene.log()).unwrap();
        let extent = reader.extent().unwrap();
        assert!(extent.tail <= extent.end, "{length}: {extent:?}");
        assert!(reader.last(5000).unwrap().len() <= 5000);
        scene.check_rest();
        assert!(mend(&scene.log()).unwrap());
        scene.check_rest();
    }
}

/// A thread that a function left behind writes on, and a disk has an end.
#[test]
fn what_is_added_to_a_log_that_is_over_has_an_end() {
    let mut scene = Scene::new();
    lines(0, 20_000).chunks(1000).for_each(|piece| scene.write(piece));
    scene.writer.close().unwrap();
    let (late, mut added) = (lines(0, 64), 0);
    let error = loop {
        match scene.writer.write(&late, Stream::Stdout) {
            Ok(()) => added += 1,
            Err(error) => break error,
        }
        assert!(added < 1000, "it never ends");
    };
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    let size = scene.file().len() as u64;
    assert!(added > 0 && (2 * MOST..2 * MOST + 1024).contains(&size), "{added} {size}");
}

#[test]
fn a_log_without_a_place_for_its_ring_keeps_its_beginning() {
    let mut scene = Scene::new();
    std::fs::create_dir(Ring::path_of(&scene.log())).unwrap();
    scene.writer.write(&lines(0, 20_000), Stream::Stdout).unwrap_err();
    let error = scene.writer.write(b"more\n", Stream::Stdout).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    scene.writer.close().unwrap();
    assert!(scene.file() == lines(0, MOST / 16));
}
