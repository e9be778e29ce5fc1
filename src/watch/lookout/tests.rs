//! Real files, and a lookout with nobody around it.

use super::*;
use std::sync::mpsc::{Receiver, channel};

struct Place {
    dir: tempfile::TempDir,
    lookout: Lookout,
    sightings: Receiver<Sighting>,
}

impl Place {
    fn new(patterns: &[&str], cursor: Moment) -> Place {
        let dir = tempfile::tempdir().unwrap();
        let (sender, sightings) = channel();
        let tell = move |sighting| sender.send(sighting).is_ok();
        let lookout = Lookout::new(dir.path(), &dir.path().join(".neap"), tell).unwrap();
        let place = Place { dir, lookout, sightings };
        place.follow(patterns, cursor);
        place
    }

    fn follow(&self, patterns: &[&str], cursor: Moment) {
        let paths = patterns.iter().map(|&text| text.to_owned()).collect();
        let key = ScheduleKey("t".into());
        self.lookout.follow(vec![Post { key, paths, settle: Millis(100), cursor }]);
    }

    fn put(&self, name: &str) {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, name).unwrap();
    }

    #[track_caller]
    fn next(&self) -> Sighting {
        self.sightings.recv_timeout(Duration::from_secs(30)).expect("nothing was seen")
    }

    fn names(&self, sighting: &Sighting) -> Vec<String> {
        let prefix = format!("{}/", self.dir.path().display());
        sighting.changed.paths.iter().map(|path| path.to_string().replace(&prefix, "")).collect()
    }
}

#[test]
fn what_is_more_than_can_be_named_is_counted() {
    let place = Place::new(&["in/**/*"], Moment(0));
    for n in 0..5000 {
        place.put(&format!("in/{}/{n}", n % 7));
    }
    let mut seen = 0;
    while seen < 5000 {
        seen += place.next().changed.count();
    }
    // More than are remembered: one of which the system speaks late may be told twice.
    assert!(seen < 10_000, "{seen} were told");
}

#[test]
fn the_words_of_the_system_that_are_lost_are_made_up_for() {
    let place = Place::new(&["in/*"], Moment(0));
    place.put("in/a");
    let first = place.next();
    assert_eq!(place.names(&first), ["in/a"]);
    // Everything that the system has said is lost, all but that.
    place.lookout.0.lock().wanted.clear();
    place.put("in/b");
    place.lookout.0.hear(Ok(Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan)));
    let second = place.next();
    assert_eq!(place.names(&second), ["in/b"]);
    assert!(second.until > first.until);
}

#[test]
fn a_change_of_the_mode_is_none() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new(&["in/**/*"], Moment(0));
    place.put("in/sub/a");
    place.next();
    let path = place.dir.path().join("in/sub/a");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::set_permissions(place.dir.path().join("in/sub"), std::fs::Permissions::from_mode(0o700))
        .unwrap();
    drop(std::fs::OpenOptions::new().append(true).open(&path).unwrap());
    place.put("in/b");
    let next = place.next();
    assert_eq!(place.names(&next), ["in/b"]);
}

#[test]
fn what_the_host_writes_itself_is_not_seen() {
    let place = Place::new(&["**/*"], Moment(0));
    place.put(".neap/runs/1.log");
    place.put("a");
    let seen = place.next();
    assert_eq!(place.names(&seen), ["a"]);
    let news = place.lookout.0.lock();
    assert!(!news.wanted[0].enters(&place.dir.path().join(".neap")));
}

/// Links to folders lead round in circles; they are not followed, but where a pattern itself begins.
#[test]
fn links_end_somewhere() {
    let place = Place::new(&["in/**/*"], Moment(0));
    place.put("real/a");
    std::os::unix::fs::symlink(place.dir.path().join("real"), place.dir.path().join("in")).unwrap();
    std::os::unix::fs::symlink("..", place.dir.path().join("real/up")).unwrap();
    let seen = place.next();
    assert_eq!(place.names(&seen), ["in/a"]);
    place.put("real/b");
    let seen = place.next();
    assert_eq!(place.names(&seen), ["in/b"]);
}
