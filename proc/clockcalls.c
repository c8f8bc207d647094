/* SPDX-License-Identifier: MIT */
/*
 * The clocks as programs see them: reading, setting, sleeping, and the times used by processes.
 *
 * All of Linux's clocks stand on the one monotonic clock; the coarse ones differ only in the
 * resolution they admit to. Sleeps on the wall clock are turned into monotonic deadlines when they
 * begin. Clock numbers below 0 name another process's or thread's CPU time, as Linux encodes them:
 * ~id << 3, bit 2 = thread, bits 0..1 = 0 all, 1 user, 2 all.
 */
#include "lib/wait.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define COARSE_NS 4000000

/* ---- Times ----------------------------------------------------------------------------------- */

int timespec_from_user(uaddr_t uts, uint64_t *ns)
{
    struct __kernel_timespec ts;

    if (copy_from_user(&ts, uts, sizeof(ts)))
        return -EFAULT;
    return time_to_ns(ts.tv_sec, ts.tv_nsec, ns);
}

/* Past moments are due at once. */
uint64_t clock_deadline(bool realtime, uint64_t ns)
{
    uint64_t now = realtime ? clock_realtime_ns() : 0;

    if (ns >= CLOCK_MAX_NS)
        return NO_DEADLINE;
    return !realtime ? ns : ns <= now ? 0 : deadline_after(ns - now);
}

/* ---- Reading --------------------------------------------------------------------------------- */

enum clock_kind { NO_CLOCK, WALL, MONOTONIC, PROCESS_CPU, THREAD_CPU };

static const struct {
    uint8_t kind;
    bool sleeps, coarse;
} clocks[] = {
    [CLOCK_REALTIME] = {.kind = WALL, .sleeps = true},
    [CLOCK_MONOTONIC] = {.kind = MONOTONIC, .sleeps = true},
    [CLOCK_PROCESS_CPUTIME_ID] = {.kind = PROCESS_CPU},
    [CLOCK_THREAD_CPUTIME_ID] = {.kind = THREAD_CPU},
    [CLOCK_MONOTONIC_RAW] = {.kind = MONOTONIC},
    [CLOCK_REALTIME_COARSE] = {.kind = WALL, .coarse = true},
    [CLOCK_MONOTONIC_COARSE] = {.kind = MONOTONIC, .coarse = true},
    [CLOCK_BOOTTIME] = {.kind = MONOTONIC, .sleeps = true},
    [CLOCK_REALTIME_ALARM] = {.kind = WALL, .sleeps = true},
    [CLOCK_BOOTTIME_ALARM] = {.kind = MONOTONIC, .sleeps = true},
    [CLOCK_TAI] = {.kind = WALL, .sleeps = true},
};

static enum clock_kind kind_of(int clock)
{
    if (clock < 0) /* somebody's CPU time */
        return (clock & 3) == 3 ? NO_CLOCK : clock & 4 ? THREAD_CPU : PROCESS_CPU;
    return (size_t)clock < ARRAY_SIZE(clocks) ? clocks[clock].kind : NO_CLOCK;
}

static int read_cpu_clock(int clock, bool thread, uint64_t *ns)
{
    int id = clock < 0 ? (int)(~((uint32_t)clock >> 3) & 0x1fffffff) : 0; /* 0: the caller's own */
    struct process *p = NULL;
    struct thread *t = NULL;
    struct usage u;

    if (thread)
        t = user_thread_get(id);
    else
        p = id ? process_find_get(id) : process_get(current->proc);
    if (!t && !p)
        return -EINVAL;
    u = t ? thread_usage(t) : process_usage(p);
    *ns = u.utime_ns + (clock < 0 && (clock & 3) == 1 ? 0 : u.stime_ns);
    if (t)
        thread_put(t);
    else
        process_put(p);
    return 0;
}

static int read_clock(int clock, uint64_t *ns)
{
    enum clock_kind kind = kind_of(clock);

    switch (kind) {
    case WALL: *ns = clock_realtime_ns(); return 0;
    case MONOTONIC: *ns = arch_time_ns(); return 0;
    case NO_CLOCK: return -EINVAL;
    default: return read_cpu_clock(clock, kind == THREAD_CPU, ns);
    }
}

static long put_timespec(uaddr_t uts, uint64_t ns)
{
    struct __kernel_timespec ts = {(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC)};

    return copy_to_user(uts, &ts, sizeof(ts));
}

long sys_clock_gettime(int clock, uaddr_t uts)
{
    uint64_t ns;
    int err = read_clock(clock, &ns);

    return err ? err : put_timespec(uts, ns);
}

long sys_clock_getres(int clock, uaddr_t uts)
{
    uint64_t ns;
    int err = read_clock(clock, &ns);

    if (err || !uts)
        return err;
    return put_timespec(uts, clock >= 0 && clocks[clock].coarse ? COARSE_NS : 1);
}

long sys_gettimeofday(uaddr_t utv, uaddr_t utz)
{
    struct timeval tv = timeval_from_ns(clock_realtime_ns());
    struct timezone tz = {0, 0};

    if (utv && copy_to_user(utv, &tv, sizeof(tv)))
        return -EFAULT;
    return utz ? copy_to_user(utz, &tz, sizeof(tz)) : 0;
}

/* ---- Setting --------------------------------------------------------------------------------- */

long sys_clock_settime(int clock, uaddr_t uts)
{
    uint64_t ns;
    int err;

    if (clock != CLOCK_REALTIME)
        return -EINVAL;
    err = timespec_from_user(uts, &ns);
    if (err)
        return err;
    if (ns >= CLOCK_MAX_NS)
        return -EINVAL;
    if (!is_privileged())
        return -EPERM;
    clock_set_realtime_ns(ns);
    return 0;
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

int sleep_interruptible(uint64_t deadline_ns)
{
    struct waitq nobody;

    waitq_init(&nobody);
    return wait_event_deadline(&nobody, false, WAIT_INTERRUPTIBLE, deadline_ns);
}

/* A relative sleep: tells what is left when a signal ends it, and goes on with that after a stop. */
static long sleep_for(uint64_t ns, uaddr_t urem)
{
    uint64_t deadline = signal_restart_deadline(deadline_after(ns)), now;

    if (sleep_interruptible(deadline) == -ETIMEDOUT)
        return 0;
    now = arch_time_ns();
    if (deadline != NO_DEADLINE && now >= deadline)
        return 0;
    if (urem && put_timespec(urem, deadline == NO_DEADLINE ? ns : deadline - now))
        return -EFAULT;
    current->restart_deadline_ns = deadline;
    return -ERESTARTNOHAND;
}

long sys_clock_nanosleep(int clock, int flags, uaddr_t ureq, uaddr_t urem)
{
    enum clock_kind kind = kind_of(clock);
    uint64_t ns;
    int err;

    if (clock < 0 || kind == NO_CLOCK || kind == THREAD_CPU)
        return -EINVAL;
    if (!clocks[clock].sleeps)
        return -EOPNOTSUPP;
    err = timespec_from_user(ureq, &ns);
    if (err)
        return err;
    if (!(flags & TIMER_ABSTIME))
        return sleep_for(ns, urem);
    err = sleep_interruptible(clock_deadline(kind == WALL, ns));
    return err == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
}

long sys_nanosleep(uaddr_t ureq, uaddr_t urem)
{
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, ureq, urem);
}
