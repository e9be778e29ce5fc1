//! Users and groups, as the system knows them.

use std::ffi::{CStr, CString, OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::unix::ffi::OsStrExt;

/// Who a process is to be.
#[derive(Clone)]
pub(super) struct Account {
    /// As it was asked for.
    pub(super) wanted: String,
    pub(super) uid: libc::uid_t,
    pub(super) gid: libc::gid_t,
    /// Empty for a number that nobody has.
    pub(super) name: OsString,
    pub(super) home: OsString,
    groups: Vec<libc::gid_t>,
}

impl Account {
    /// Finds `NAME`, `NUMBER`, or one of these with `:GROUP`.
    pub(super) fn find(wanted: &str) -> Result<Account, String> {
        let (user, group) =
            wanted.split_once(':').map_or((wanted, None), |(user, group)| (user, Some(group)));
        let group = group.map(gid_of).transpose()?;
        let found =
            lookup(user).map_err(|error| format!("the user `{user}` could not be looked up: {error}"))?;
        match (found, user.parse::<libc::uid_t>(), group) {
            (Some(entry), _, group) => {
                let gid = group.unwrap_or(entry.gid);
                let groups = groups_of(&entry.name, gid);
                let text = |text: &CStr| OsStr::from_bytes(text.to_bytes()).to_owned();
                let (name, home) = (text(&entry.name), text(&entry.home));
                Ok(Account { wanted: wanted.into(), uid: entry.uid, gid, name, home, groups })
            }
            (None, Ok(uid), Some(gid)) => {
                let nothing = OsString::new();
                Ok(Account {
                    wanted: wanted.into(),
                    uid,
                    gid,
                    name: nothing.clone(),
                    home: nothing,
                    groups: vec![gid],
                })
            }
            (None, Ok(uid), None) => Err(format!(
                "no user has the number {uid}, so its group must be given: `user: \"{uid}:GROUP\"`"
            )),
            (None, Err(_), _) => Err(format!("there is no user `{user}`")),
        }
    }

    /// Whether this process is it already.
    pub(super) fn is_ours(&self) -> bool {
        rustix::process::geteuid().as_raw() == self.uid && rustix::process::getegid().as_raw() == self.gid
    }

    /// Makes this process it, for good.
    pub(super) fn become_it(&self) -> io::Result<()> {
        // Whoever is not root may not even set the groups that it has.
        if self.is_ours() && self.uid != 0 {
            return Ok(());
        }
        // SAFETY: the pointer leads to as many groups as are said.
        checked(unsafe { libc::setgroups(self.groups.len(), self.groups.as_ptr()) })?;
        // SAFETY: these calls take numbers only.
        checked(unsafe { libc::setgid(self.gid) })?;
        // SAFETY: as above.
        checked(unsafe { libc::setuid(self.uid) })
    }
}

fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

struct Entry {
    uid: libc::uid_t,
    gid: libc::gid_t,
    name: CString,
    home: CString,
}

/// By name, else by number.
fn lookup(user: &str) -> io::Result<Option<Entry>> {
    let name = CString::new(user)?;
    // SAFETY: all pointers lead to live values for the time of the call, and the length is that of the space.
    let by_name = looked_up(|entry, space, found| unsafe {
        libc::getpwnam_r(name.as_ptr(), entry, space.as_mut_ptr(), space.len(), found)
    })?;
    match (by_name, user.parse()) {
        (None, Ok(uid)) => looked_up(|entry, space, found| {
            // SAFETY: as above.
            unsafe { libc::getpwuid_r(uid, entry, space.as_mut_ptr(), space.len(), found) }
        }),
        (found, _) => Ok(found),
    }
}

fn looked_up(
    mut call: impl FnMut(*mut libc::passwd, &mut [libc::c_char], *mut *mut libc::passwd) -> libc::c_int,
) -> io::Result<Option<Entry>> {
    let mut space = vec![0; 1024];
    loop {
        let (mut entry, mut found) = (MaybeUninit::<libc::passwd>::uninit(), std::ptr::null_mut());
        match call(entry.as_mut_ptr(), &mut space, &mut found) {
            0 if found.is_null() => return Ok(None),
            0 => {
                // SAFETY: something was found, so the entry is filled in, and its texts lie in `space`.
                let entry = unsafe { entry.assume_init() };
                let text = |text: *const libc::c_char| match text.is_null() {
                    true => CString::default(),
                    // SAFETY: the text ends with a zero and lies in `space`.
                    false => unsafe { CStr::from_ptr(text) }.to_owned(),
                };
                return Ok(Some(Entry {
                    uid: entry.pw_uid,
                    gid: entry.pw_gid,
                    name: text(entry.pw_name),
                    home: text(entry.pw_dir),
                }));
            }
            libc::ERANGE if space.len() < 1 << 20 => space.resize(space.len() * 4, 0),
            libc::ENOENT | libc::ESRCH => return Ok(None),
            error => return Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn gid_of(group: &str) -> Result<libc::gid_t, String> {
    let name = CString::new(group).map_err(|error| error.to_string())?;
    // SAFETY: the text ends with a zero. What comes back is read at once, and this process has one thread.
    let found = unsafe { libc::getgrnam(name.as_ptr()).as_ref() };
    match found {
        Some(entry) => Ok(entry.gr_gid),
        None => group.parse().map_err(|_| format!("there is no group `{group}`")),
    }
}

/// The groups of a user, that one first.
fn groups_of(name: &CStr, gid: libc::gid_t) -> Vec<libc::gid_t> {
    let mut groups = vec![gid; 64];
    loop {
        let mut count = libc::c_int::try_from(groups.len()).unwrap_or(libc::c_int::MAX);
        // SAFETY: the name ends with a zero, and the list has room for as many as are said.
        let result = unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &mut count) };
        let needed = usize::try_from(count).unwrap_or(0);
        if result >= 0 {
            groups.truncate(needed);
            return groups;
        }
        if needed <= groups.len() || needed > 65_536 {
            return vec![gid];
        }
        groups.resize(needed, gid);
    }
}
