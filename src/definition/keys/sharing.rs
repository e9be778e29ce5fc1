//! What jobs share with each other, and how much of it there is.

use super::{Key, Names, Object, Places, Shape, Subject};
use crate::definition::sharing::MODES;
use crate::definition::turns::ON_CONFLICT;

pub(super) const SUBJECT: Subject = Subject {
    title: "Sharing the machine",
    about: "Who waits, and for what; [sharing](sharing.md) tells how it is decided. `neap ps` says of every job what it waits for.",
    keys: &[
        Key::new("queue", Shape::Filled, "The queue it waits in for a slot.")
            .at(Places::ALL)
            .default("default")
            .foreign(&["pool"])
            .more(
                "The queue `default` has the `slots` of the host. Others stand under `queues` in neap.yaml with slots of their \
                 own: a job in one of them takes none of the host's.",
            )
            .example("run: ./transcode\nqueue: heavy\n"),
        Key::new(
            "locks",
            Shape::List(&Shape::Either(&[Shape::FilledTemplate, Shape::Object(&LOCK)])),
            "What it must have to itself.",
        )
        .at(Places::JOBS)
        .foreign(&["lock", "mutex", "synchronization", "semaphore"])
        .more(
            "Two jobs that name the same lock do not run at the same time, whatever runs they belong to. A job takes all of \
             its locks at once, so two jobs never wait for each other, and holds them until it is done: over its tries and \
             rounds, and while it is tidied up after. Who waits longer gets them first. A name may have expressions: \
             `db-${{ params.stage }}`, `host-${{ matrix.host }}`.",
        )
        .example("run: ./migrate\nlocks: [db, { name: config, mode: shared }]\n"),
        Key::new("resources", Shape::Object(&RESOURCES), "How much it needs of the machine.")
            .at(Places::JOBS)
            .more(
                "It is admitted when so much is left beside the others that ask, and what it asks for is its own while an \
                 attempt of it goes on. This is a promise and not a limit: what it really uses is held by `limits`. Of several \
                 places the nearest counts for each.",
            )
            .example("run: ./train\nresources: { cpu: 2, memory: 256MiB }\n"),
        Key::new("rate_limit", Shape::Object(&RATE), "How often its attempts may begin.")
            .at(Places::JOBS)
            .without("no limit")
            .foreign(&["throttle", "rateLimit", "rate-limit"])
            .more(
                "In any stretch of time of the length `per` at most `limit` attempts begin under the same `key`, whatever runs \
                 and tasks they belong to; a further try counts like a first one. Who waits for that keeps nobody else \
                 waiting. A restart of the host forgets nothing of it.",
            )
            .example("run: ./call-api\nrate_limit: { limit: 10, per: 1m, key: github }\n"),
        Key::new("timeout_queue", Shape::Duration { may_be_zero: false }, "How long it may wait in its queue.")
            .at(Places::JOBS)
            .without("no limit")
            .more(
                "For a slot, for its locks, or for whatever else it shares. When it is over the job fails without having \
                 started, with exit code 124, and `retry` does not try it again. It counts anew for each try, and from the \
                 beginning when a paused run goes on.",
            )
            .example("run: ./report\nlocks: db\ntimeout_queue: 30m\n"),
        Key::new("max_instances", Shape::Whole(1, 10_000), "How many runs of the task go on at once.")
            .at(Places::FILE)
            .without("as many as there are")
            .foreign(&["max_active_runs", "maxActiveRuns", "max_concurrency"])
            .more(
                "More of them wait as runs: nothing of them starts, and the oldest begins first. `overlap` says before that \
                 what becomes of a slot of a schedule.",
            )
            .example("run: ./sync\nmax_instances: 1\n"),
        Key::new(
            "concurrency",
            Shape::Either(&[Shape::FilledTemplate, Shape::Object(&CONCURRENCY)]),
            "The group of runs of which only so many go on at once.",
        )
        .at(Places::FILE)
        .more(
            "Tasks that name the same group share it. A bare text is the group, with one run at a time. The run is in the \
             group from its beginning until it has ended, whatever its jobs do.",
        )
        .example(
            "params: { stage: test }\nconcurrency: { group: \"deploy-${{ params.stage }}\", limit: 1, on_conflict: cancel_running }\nrun: ./deploy\n",
        ),
        Key::new("queues", Shape::Map(Names::Any, &Shape::Object(&QUEUE)), "Queues with slots of their own, by name.")
            .at(Places::SETTINGS)
            .more("Jobs stand in one of them with `queue`, and then take no slot of the host.")
            .example("# neap.yaml\nslots: 4\nqueues:\n  heavy: { slots: 1 }\n"),
        Key::new("locks", Shape::Map(Names::Any, &Shape::Whole(1, 10_000)), "How many jobs may hold a lock at once.")
            .at(Places::SETTINGS)
            .without("one for each lock")
            .more("A lock need not stand here: `locks` of a job may name any.")
            .example("# neap.yaml\nlocks: { gpu: 2 }\n"),
        Key::new("resources", Shape::Object(&RESOURCES), "How much of each resource there is.")
            .at(Places::SETTINGS)
            .without("the processors and the memory of the machine")
            .example("# neap.yaml\nresources: { cpu: 6, memory: 24GiB, gpu: 2 }\n"),
    ],
};

/// An entry of `locks`.
pub(in crate::definition) const LOCK: Object = Object::new(
    "locks",
    "a lock and how it is held",
    &[
        Key::new("name", Shape::FilledTemplate, "Its name.").required(),
        Key::new("mode", Shape::Words(MODES), "How it is held.").default("exclusive"),
    ],
);

/// `rate_limit`.
pub(in crate::definition) const RATE: Object = Object::new(
    "rate_limit",
    "how often something begins",
    &[
        Key::new("limit", Shape::Whole(1, 1000), "How many attempts.").required(),
        Key::new("per", Shape::Duration { may_be_zero: false }, "In how long; up to `366d`.").required(),
        Key::new("key", Shape::FilledTemplate, "The name under which they are counted.")
            .without("the job alone"),
    ],
);

/// `resources`.
pub(in crate::definition) const RESOURCES: Object = Object::new(
    "resources",
    "how much of each",
    &[
        Key::new("cpu", Shape::Number(Some(0.001), Some(1_000_000.0)), "Processors."),
        Key::new("memory", Shape::Special(&super::process::SIZE), "Bytes of memory."),
    ],
)
.rest(Names::Any, Shape::Number(Some(0.001), Some(1_000_000.0)));

/// `concurrency`.
pub(in crate::definition) const CONCURRENCY: Object = Object::new(
    "concurrency",
    "a group of runs",
    &[
        Key::new("group", Shape::FilledTemplate, "Its name.")
            .without("the runs of the task itself")
            .more("It must be known when the run is created: of expressions only `${{ params.NAME }}` can stand in it."),
        Key::new("limit", Shape::Whole(1, 10_000), "How many of its runs go on at once.").default("1"),
        Key::new("on_conflict", Shape::Words(ON_CONFLICT), "What becomes of one too many.").default("queue"),
    ],
);

/// An entry of `queues`.
pub(in crate::definition) const QUEUE: Object = Object::new(
    "queues.*",
    "a queue",
    &[Key::new("slots", Shape::Whole(1, 10_000), "How many of its jobs run at once.").required()],
);
