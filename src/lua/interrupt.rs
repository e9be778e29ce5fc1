//! The only place with C in it: how a running script is made to stop or to step aside from another thread.
//!
//! The interrupt word of a VM is empty until the watchdog stores a function there, so a script that behaves pays nothing.
//! What is stored decides: *slice* lets others have a turn, *kill* ends the call. This file knows no deadline.

use super::error::Place;
use mlua::ffi;
use std::ffi::{CStr, c_int, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, PoisonError};

/// The chunk name of the prelude.
pub(super) const PRELUDE: &CStr = c"=neap";

/// What the interrupt functions need to know about their VM, and what they have to tell.
#[derive(Debug, Default)]
pub(super) struct Safepoint {
    /// The coroutine the host itself resumes: the only one that may step aside.
    root: AtomicPtr<c_void>,
    stopped_at: Mutex<Option<Place>>,
}

impl Safepoint {
    /// Makes the safepoint known to its VM.
    ///
    /// # Safety
    /// The safepoint must not be moved or dropped while `lua` can still run a script.
    pub(super) unsafe fn attach(&self, lua: &mlua::Lua) {
        // SAFETY: the state is alive as long as `lua`; the data word of the main thread is not used by anyone else,
        // and the caller keeps the safepoint in its place.
        unsafe {
            let main = ffi::lua_mainthread(lua.state());
            ffi::lua_setthreaddata(main, std::ptr::from_ref(self).cast_mut().cast());
        }
    }

    /// The line at which the last kill took hold.
    pub(super) fn take_place(&self) -> Option<Place> {
        self.stopped_at.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// For the VM to call first in every coroutine that the host resumes: remembers which one it is.
pub(super) unsafe extern "C-unwind" fn enter(state: *mut ffi::lua_State) -> c_int {
    // SAFETY: Luau calls this with the running state; the safepoint outlives the VM.
    if let Some(safepoint) = unsafe { safepoint(state) } {
        safepoint.root.store(state.cast(), Ordering::Relaxed);
    }
    0
}

/// The interrupt word of one VM. It may be stored to from any thread while the VM lives.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slot(*const AtomicPtr<c_void>);

// SAFETY: only atomic accesses go through the pointer; the watchdog uses it only between `begin` and `end` of a poll, during
// which the polling thread keeps the VM alive.
unsafe impl Send for Slot {}

impl Slot {
    pub(super) fn of(lua: &mlua::Lua) -> Slot {
        // SAFETY: the callbacks belong to the VM and live as long as it does.
        Slot(unsafe { word(lua.state()) })
    }

    pub(super) fn slice(self) {
        self.store(slice as *mut c_void);
    }

    pub(super) fn kill(self) {
        self.store(kill as *mut c_void);
    }

    pub(super) fn disarm(self) {
        self.store(std::ptr::null_mut());
    }

    fn store(self, function: *mut c_void) {
        // SAFETY: see `Send` above: the VM is alive.
        unsafe { (*self.0).store(function, Ordering::SeqCst) }
    }
}

/// The interrupt field as an atomic word: `Option<fn>` has the size and the layout of a pointer.
unsafe fn word(state: *mut ffi::lua_State) -> *const AtomicPtr<c_void> {
    // SAFETY: the caller hands in a living state.
    unsafe { (&raw mut (*ffi::lua_callbacks(state)).interrupt).cast() }
}

/// Ends the call: yields where it can, so that the host drops the coroutine and the script cannot catch it; elsewhere raises, at
/// every safepoint again, until it comes to a place where it can.
unsafe extern "C-unwind" fn kill(state: *mut ffi::lua_State, gc: c_int) {
    if gc >= 0 {
        return;
    }
    // SAFETY: Luau calls this with the running state; raising and yielding are what interrupts are allowed to do.
    unsafe {
        note_place(state);
        if ffi::lua_isyieldable(state) != 0 {
            ffi::lua_yield(state, 0);
        } else {
            ffi::luaL_error(state, c"stopped: the budget is used up".as_ptr());
        }
    }
}

/// Lets others have a turn, once. Only in the coroutine the host resumes: any other would hand the turn to the script's own
/// resumer. Never on the way from a future that was polled to the host that is told to wait for it: a yield there would take
/// the wake-up for itself, and the script would wait for ever.
unsafe extern "C-unwind" fn slice(state: *mut ffi::lua_State, gc: c_int) {
    if gc >= 0 {
        return;
    }
    // SAFETY: as in `kill`; the safepoint outlives the VM.
    unsafe {
        let Some(safepoint) = safepoint(state) else { return };
        let is_root = safepoint.root.load(Ordering::Relaxed) == state.cast();
        if !is_root || ffi::lua_isyieldable(state) == 0 || is_polling(state) {
            return;
        }
        let armed = slice as *mut c_void;
        let won =
            (*word(state)).compare_exchange(armed, std::ptr::null_mut(), Ordering::SeqCst, Ordering::SeqCst);
        if won.is_ok() {
            ffi::lua_yield(state, 0);
        }
    }
}

unsafe fn safepoint<'a>(state: *mut ffi::lua_State) -> Option<&'a Safepoint> {
    // SAFETY: `attach` stored the pointer, and the safepoint outlives the VM.
    unsafe { ffi::lua_getthreaddata(ffi::lua_mainthread(state)).cast::<Safepoint>().as_ref() }
}

/// Whether the running function is the loop that polls futures, or the shim that hands its marker outward.
unsafe fn is_polling(state: *mut ffi::lua_State) -> bool {
    // SAFETY: the caller hands in the running state.
    let running = unsafe { level(state, 0) };
    running.is_some_and(|(source, _)| source == c"=__mlua_async_poll" || source == PRELUDE)
}

/// Writes down the innermost line of a script. Only the first kill counts: later ones are on the way out.
unsafe fn note_place(state: *mut ffi::lua_State) {
    // SAFETY: the caller hands in the running state.
    let Some(safepoint) = (unsafe { safepoint(state) }) else { return };
    let mut stopped_at = safepoint.stopped_at.lock().unwrap_or_else(PoisonError::into_inner);
    if stopped_at.is_some() {
        return;
    }
    // SAFETY: as above.
    let levels = (0..200).map_while(|depth| unsafe { level(state, depth) });
    for (source, line) in levels {
        if let (Some(file), Ok(line)) = (source.to_string_lossy().strip_prefix('@'), u32::try_from(line)) {
            *stopped_at = Some(Place { file: file.to_owned(), line });
            return;
        }
    }
}

/// The source name and the line of one level of the running call. Leaves the stack alone, as an interrupt must.
unsafe fn level<'a>(state: *mut ffi::lua_State, depth: c_int) -> Option<(&'a CStr, c_int)> {
    // SAFETY: `lua_Debug` is plain data for which zeroes are valid; `s` and `l` push nothing.
    unsafe {
        let mut info: ffi::lua_Debug = std::mem::zeroed();
        if ffi::lua_getinfo(state, depth, c"sl".as_ptr(), &raw mut info) == 0 || info.source.is_null() {
            return None;
        }
        Some((CStr::from_ptr(info.source), info.currentline))
    }
}
