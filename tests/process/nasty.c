/* Children that are hard to get rid of, one kind at a time, and a flood of orphans.
 *
 * It is started under a file name that is new for each trial. Every process that comes of it bears that name (in
 * /proc/PID/stat, also as a zombie), whatever it does to its environment, its session or its group. It does not clean
 * up after itself: that is what the test is about. Only when the test itself has died does it end, at `until`.
 *
 *   NAME KIND alive|gone READY UNTIL        starts a child, says NAME to the pipe READY once the child is in place,
 *                                           then stays, or exits with 0
 *   NAME orphans COUNT AT_ONCE MILLIS UNTIL starts COUNT orphans, AT_ONCE at a time, that end by themselves
 *   NAME rest|hop UNTIL MICROS FD           what a child does after it executed itself again
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

/* The path of this file: the last part of it is the name. */
static char *self;
/* Seconds since the epoch. */
static char *until;
/* How long a hopper stays what it is. */
static char *hop = "15000";

/* An alarm goes through exec and not through fork, so each process sets its own. */
static void mortal(void) {
    long left = atol(until) - (long)time(NULL);
    alarm(left > 0 ? (unsigned)left : 1);
}

static pid_t split(void) {
    for (;;) {
        pid_t pid = fork();
        if (pid == 0) mortal();
        /* The machine may be full of processes for a moment. */
        if (pid >= 0) return pid;
        usleep(1000);
    }
}

static void in_place(int ready) {
    if (ready < 0) return;
    if (write(ready, "!", 1) != 1) _exit(4);
    close(ready);
}

static void rest(void) {
    for (;;) pause();
}

/* Executes itself; a name that was removed is the end of it. */
static void again(char *what, int ready, int has_environment) {
    char number[16];
    char *none[] = {NULL};
    char *words[] = {self, what, until, hop, number, NULL};
    snprintf(number, sizeof number, "%d", ready);
    execve(self, words, has_environment ? environ : none);
    _exit(127);
}

/* Lives as a row of short lives: who looks at one sees it gone a moment later. */
static void hop_on(int ready, int has_environment) {
    if (split() != 0) _exit(0);
    again("hop", ready, has_environment);
}

/* A session of its own and a parent that is gone. */
static void leave(void) {
    setsid();
    if (split() != 0) _exit(0);
}

static void deaf(void) {
    signal(SIGTERM, SIG_IGN);
}

static void stopped(void) {
    /* A stopped process whose group loses its last tie to a parent gets these two. */
    signal(SIGHUP, SIG_IGN);
    for (;;) raise(SIGSTOP);
}

static void child(const char *kind, int ready) {
    if (strcmp(kind, "plain") == 0) {
    } else if (strcmp(kind, "deaf") == 0) {
        deaf();
    } else if (strcmp(kind, "setpgid") == 0) {
        setpgid(0, 0);
    } else if (strcmp(kind, "setsid") == 0) {
        setsid();
    } else if (strcmp(kind, "setsid-deaf") == 0) {
        setsid();
        deaf();
    } else if (strcmp(kind, "daemon") == 0) {
        leave();
    } else if (strcmp(kind, "daemon-deaf") == 0) {
        leave();
        deaf();
    } else if (strcmp(kind, "daemon-bare") == 0) {
        leave();
        again("rest", ready, 0);
    } else if (strcmp(kind, "stopped") == 0) {
        stopped();
    } else if (strcmp(kind, "hopper") == 0) {
        hop_on(ready, 1);
    } else if (strcmp(kind, "hopper-daemon") == 0) {
        leave();
        hop_on(ready, 1);
    } else if (strcmp(kind, "hopper-bare") == 0) {
        leave();
        hop_on(ready, 0);
    } else {
        fprintf(stderr, "there is no kind %s\n", kind);
        _exit(2);
    }
    in_place(ready);
    rest();
}

/* Whether the first child is only there to start the one that is meant. */
static int is_passing(const char *kind) {
    return strncmp(kind, "daemon", 6) == 0 || strncmp(kind, "hopper", 6) == 0;
}

static int announce(const char *ready) {
    char line[32];
    const char *name = strrchr(self, '/');
    int length = snprintf(line, sizeof line, "%s\n", name ? name + 1 : self);
    /* Nobody who listens: the test has died. */
    int pipe = open(ready, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return pipe >= 0 && write(pipe, line, (size_t)length) == length && close(pipe) == 0;
}

static int leader(const char *kind, const char *how, const char *ready) {
    int ends[2], status;
    char byte;
    if (pipe(ends) != 0) return 3;
    pid_t pid = split();
    if (pid == 0) {
        close(ends[0]);
        child(kind, ends[1]);
    }
    close(ends[1]);
    if (strcmp(kind, "stopped") == 0) {
        if (waitpid(pid, &status, WUNTRACED) != pid || !WIFSTOPPED(status)) return 3;
    } else if (read(ends[0], &byte, 1) != 1) {
        return 3;
    }
    if (is_passing(kind)) waitpid(pid, &status, 0);
    if (!announce(ready)) return 3;
    if (strcmp(how, "gone") == 0) return 0;
    rest();
    return 0;
}

/* The pipe holds as many bytes as there may be more orphans. */
static int orphans(int count, int at_once, int millis) {
    int turns[2], status;
    char byte = '!';
    if (pipe(turns) != 0) return 3;
    for (int n = 0; n < at_once; n++) {
        if (write(turns[1], &byte, 1) != 1) return 3;
    }
    for (int n = 0; n < count; n++) {
        if (read(turns[0], &byte, 1) != 1) return 3;
        pid_t between = split();
        if (between == 0) {
            if (split() == 0) {
                usleep((useconds_t)millis * 1000);
                if (write(turns[1], &byte, 1) != 1) _exit(4);
            }
            _exit(0);
        }
        waitpid(between, &status, 0);
    }
    for (int n = 0; n < at_once; n++) {
        if (read(turns[0], &byte, 1) != 1) return 3;
    }
    return 0;
}

int main(int count, char **words) {
    self = words[0];
    if (count == 6 && strcmp(words[1], "orphans") == 0) {
        until = words[5];
        mortal();
        return orphans(atoi(words[2]), atoi(words[3]), atoi(words[4]));
    }
    if (count != 5) {
        fprintf(stderr, "how to call it stands at its beginning\n");
        return 2;
    }
    if (strcmp(words[1], "rest") == 0 || strcmp(words[1], "hop") == 0) {
        until = words[2];
        hop = words[3];
        mortal();
        in_place(atoi(words[4]));
        if (strcmp(words[1], "rest") == 0) rest();
        usleep((useconds_t)atol(hop));
        hop_on(-1, 1);
    }
    until = words[4];
    if (getenv("HOP_MICROS")) hop = getenv("HOP_MICROS");
    mortal();
    return leader(words[1], words[2], words[3]);
}
