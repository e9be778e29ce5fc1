//! The keys that the decoder tells apart by more than their name, taken from the one list of keys when this is compiled.

use super::keys::{self, Places};

/// What a leaf does. Exactly one of them.
pub(super) const BODIES: [&str; 5] = keys::BODIES;

/// Keys of a file that is a pipeline.
pub(super) const PIPELINE: [&str; keys::count(Places::PIPELINE, Places::NONE)] =
    keys::pick(Places::PIPELINE, Places::NONE);

/// Keys that only a whole task can have.
pub(super) const TASK_ONLY: [&str; keys::count(Places::FILE, Places::CHILD)] =
    keys::pick(Places::FILE, Places::CHILD);

/// Keys that differ from task to task, so that they cannot be a default.
pub(super) const NO_DEFAULT: [&str; keys::count(SINGLE, Places::DEFAULTS)] =
    keys::pick(SINGLE, Places::DEFAULTS);

const SINGLE: Places = Places::FILE.and(Places::CHILD);
