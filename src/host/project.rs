//! A project on disk: its root, its task files, its scripts. Reads; decides nothing about what they say.

use crate::definition::Source;
use std::collections::HashMap;
use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The file with the host's settings, beside `tasks/`.
pub const SETTINGS: &str = "neap.yaml";
/// The directory of the task files.
pub const TASKS: &str = "tasks";
/// The directory of the Lua files.
pub const SCRIPTS: &str = "scripts";
/// The directory of everything neap writes.
pub const STATE: &str = ".neap";

/// One file may be this large; the decoder refuses what is larger, so no more than this is read.
const LARGEST: u64 = (1 << 20) + 1;
/// A file that changed this short before it was read may change again without a new time stamp.
const RACY: Duration = Duration::from_millis(100);

/// The nearest directory at or above `from` that holds `neap.yaml` or `tasks/`.
pub fn find_root(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .find(|dir| dir.join(SETTINGS).is_file() || dir.join(TASKS).is_dir())
        .map(Path::to_path_buf)
}

/// Reads the files of a project again and again; what has not changed is not read twice.
#[derive(Debug, Default)]
pub struct Reader {
    seen: HashMap<PathBuf, (Stamp, Source)>,
}

/// What tells one content of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    length: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Reader {
    /// Every `.yaml` and `.yml` file below `tasks/`, sorted by path. A file that cannot be read is there all the same,
    /// as a source that says why.
    pub fn tasks(&mut self, root: &Path) -> Vec<Source> {
        let mut paths = Vec::new();
        let mut sources = Vec::new();
        if let Err(error) = walk(&root.join(TASKS), &mut paths)
            && error.kind() != io::ErrorKind::NotFound
        {
            sources.push(Source::unreadable(TASKS, error.to_string()));
        }
        paths.sort();
        let mut seen = HashMap::with_capacity(paths.len());
        for path in paths {
            let (stamp, source) = self.read(root, &path);
            sources.push(source.clone());
            if let Some(stamp) = stamp {
                seen.insert(path, (stamp, source));
            }
        }
        self.seen = seen;
        sources
    }

    /// The settings file, when there is one.
    pub fn settings(&mut self, root: &Path) -> Option<Source> {
        let path = root.join(SETTINGS);
        path.exists().then(|| self.read(root, &path).1)
    }

    /// The content, and the stamp it may be recognised by next time.
    fn read(&mut self, root: &Path, path: &Path) -> (Option<Stamp>, Source) {
        let name = path.strip_prefix(root).unwrap_or(path).to_string_lossy().into_owned();
        match read(root, path) {
            Err(reason) => (None, Source::unreadable(name, reason)),
            Ok((metadata, file)) => {
                let stamp = Stamp::of(&metadata);
                if let Some((known, source)) = self.seen.get(path)
                    && *known == stamp
                {
                    return (Some(stamp), source.clone());
                }
                let mut bytes = Vec::with_capacity(metadata.len().min(LARGEST) as usize);
                match file.take(LARGEST).read_to_end(&mut bytes) {
                    Ok(_) => (Some(stamp).filter(|_| !is_racy(&metadata)), Source::from_bytes(name, &bytes)),
                    Err(error) => (None, Source::unreadable(name, error.to_string())),
                }
            }
        }
    }
}

impl Stamp {
    fn of(metadata: &fs::Metadata) -> Stamp {
        Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

fn is_racy(metadata: &fs::Metadata) -> bool {
    let age = metadata.modified().ok().and_then(|modified| SystemTime::now().duration_since(modified).ok());
    age.is_none_or(|age| age < RACY)
}

/// Opens a file that may be trusted: a plain file inside the project that not everybody may write to.
fn read(root: &Path, path: &Path) -> Result<(fs::Metadata, fs::File), String> {
    let is_link = fs::symlink_metadata(path).map_err(|error| error.to_string())?.file_type().is_symlink();
    if is_link {
        let target = fs::canonicalize(path).map_err(|error| format!("a link that leads nowhere: {error}"))?;
        if !target.starts_with(root) {
            return Err(format!("a link that leaves the project, to {}", target.display()));
        }
    }
    let metadata = fs::metadata(path).map_err(|error| error.to_string())?;
    if !metadata.is_file() {
        return Err("it is not a plain file".into());
    }
    if metadata.mode() & 0o002 != 0 {
        return Err(format!(
            "everybody may write to it, and what it says is executed; run: chmod o-w {}",
            path.display()
        ));
    }
    let file = fs::File::open(path).map_err(|error| error.to_string())?;
    Ok((metadata, file))
}

/// Hidden entries are left out: editors keep their own there. Links to directories are not followed.
fn walk(dir: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = entry.file_type()?;
        if kind.is_dir() {
            // One that vanished meanwhile held nothing.
            match walk(&path, paths) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                done => done?,
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn the_root_is_the_nearest_directory_with_tasks_or_settings() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        fs::create_dir_all(&deep).unwrap();
        assert_eq!(find_root(&deep).filter(|root| root.starts_with(dir.path())), None);
        fs::create_dir(dir.path().join(TASKS)).unwrap();
        assert_eq!(find_root(&deep), Some(dir.path().to_path_buf()));
        fs::write(dir.path().join("a").join(SETTINGS), "").unwrap();
        assert_eq!(find_root(&deep), Some(dir.path().join("a")));
    }

    #[test]
    fn only_files_that_may_be_trusted_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        let tasks = root.join(TASKS);
        fs::create_dir_all(tasks.join("ops")).unwrap();
        fs::create_dir_all(tasks.join(".git")).unwrap();
        fs::write(tasks.join("a.yaml"), "run: a").unwrap();
        fs::write(tasks.join("ops/b.yml"), "run: b").unwrap();
        for ignored in [".hidden.yaml", ".git/c.yaml", "notes.txt", "d.yaml~", "#e.yaml#"] {
            fs::write(tasks.join(ignored), "run: x").unwrap();
        }
        fs::write(tasks.join("open.yaml"), "run: x").unwrap();
        fs::set_permissions(tasks.join("open.yaml"), fs::Permissions::from_mode(0o666)).unwrap();
        symlink("/etc/passwd", tasks.join("out.yaml")).unwrap();
        symlink("nowhere", tasks.join("lost.yaml")).unwrap();
        symlink("a.yaml", tasks.join("same.yaml")).unwrap();
        let read: Vec<(String, String)> =
            Reader::default().tasks(&root).iter().map(|s| (s.path.to_string(), s.text.to_string())).collect();
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        let expected = ["a.yaml", "lost.yaml", "open.yaml", "ops/b.yml", "out.yaml", "same.yaml"];
        assert_eq!(names, expected.map(|name| format!("tasks/{name}")));
        let text = |name: &str| read.iter().find(|(n, _)| n.ends_with(name)).unwrap().1.clone();
        assert_eq!(
            (text("same.yaml"), text("out.yaml"), text("open.yaml")),
            ("run: a".into(), "".into(), "".into())
        );
    }

    #[test]
    fn a_change_that_leaves_the_length_is_seen() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(TASKS)).unwrap();
        let file = dir.path().join("tasks/a.yaml");
        let mut reader = Reader::default();
        for n in 0..50 {
            fs::write(&file, format!("run: {n:02}")).unwrap();
            assert_eq!(&*reader.tasks(dir.path())[0].text, format!("run: {n:02}"));
        }
    }
}
