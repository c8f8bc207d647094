/* SPDX-License-Identifier: MIT */
/*
 * The clocks as programs see them: reading, setting, sleeping, and the times used by processes.
 *
 * All of Linux's clocks stand on the one monotonic clock; the coarse ones differ only in the
 * resolution they admit to. Sleeps on the wall clock are turned into monotonic deadlines when they
 * begin. Clock numbers below 0 name another process's or thread's CPU time, as Linux encodes them:
 * ~id << 3, bit 2 = thread, bits 0..1 = 0 all, 1 user, 2 all.
 */
#include <linux/times.h>

#include "lib/string.h"
#include "proc/clock.h"
#include "proc/pgroup.h"
#include "proc/process.h"
#include "proc/syscalls.h"
#include "proc/usage.h"

#define COARSE_NS 4000000
#define USER_TICK_NS 10000000UL /* AT_CLKTCK: 100 a second */

/* ---- Reading --------------------------------------------------------------------------------- */

static uint64_t process_cpu_ns(struct process *p, bool user_only)
{
    uint64_t user, system;

    process_cpu_times(p, &user, &system);
    return user_only ? user : user + system;
}

static int read_thread_clock(int tid, bool user_only, uint64_t *ns)
{
    struct thread *t = user_thread_get(tid);
    uint64_t user, system;

    if (!t)
        return -EINVAL;
    thread_cpu_times(t, &user, &system);
    *ns = user_only ? user : user + system;
    thread_put(t);
    return 0;
}

static int read_cpu_clock(int clock, uint64_t *ns)
{
    int id = (int)(~((uint32_t)clock >> 3) & 0x1fffffff);
    bool user_only = (clock & 3) == 1;
    struct process *p;

    if ((clock & 3) == 3)
        return -EINVAL;
    if (clock & 4)
        return read_thread_clock(id, user_only, ns);
    p = id ? process_find_get(id) : process_get(current->proc);
    if (!p)
        return -EINVAL;
    *ns = process_cpu_ns(p, user_only);
    process_put(p);
    return 0;
}

static int read_clock(int clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI: *ns = clock_realtime_ns(); return 0;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM: *ns = arch_time_ns(); return 0;
    case CLOCK_PROCESS_CPUTIME_ID: *ns = process_cpu_ns(current->proc, false); return 0;
    case CLOCK_THREAD_CPUTIME_ID: return read_thread_clock(0, false, ns);
    default: return clock < 0 ? read_cpu_clock(clock, ns) : -EINVAL;
    }
}

static long put_timespec(uaddr_t uts, uint64_t ns)
{
    struct __kernel_timespec ts = timespec_from_ns(ns);

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
    bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    uint64_t ns;
    int err = read_clock(clock, &ns);

    if (err || !uts)
        return err;
    return put_timespec(uts, coarse ? COARSE_NS : 1);
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

static long set_realtime(const struct __kernel_timespec *ts)
{
    if (!timespec_valid(ts) || timespec_to_ns(ts) >= CLOCK_MAX_NS)
        return -EINVAL;
    if (current->proc->euid != 0)
        return -EPERM;
    clock_set_realtime_ns(timespec_to_ns(ts));
    return 0;
}

long sys_clock_settime(int clock, uaddr_t uts)
{
    struct __kernel_timespec ts;

    if (clock != CLOCK_REALTIME)
        return -EINVAL;
    if (copy_from_user(&ts, uts, sizeof(ts)))
        return -EFAULT;
    return set_realtime(&ts);
}

/* The time zone is the C library's business: checked for being readable, then forgotten. */
long sys_settimeofday(uaddr_t utv, uaddr_t utz)
{
    struct __kernel_timespec ts;
    struct timezone tz;
    struct timeval tv;

    if (utv && copy_from_user(&tv, utv, sizeof(tv)))
        return -EFAULT;
    if (utz && copy_from_user(&tz, utz, sizeof(tz)))
        return -EFAULT;
    if (!utv)
        return current->proc->euid == 0 ? 0 : -EPERM;
    if (tv.tv_usec < 0 || tv.tv_usec >= 1000000)
        return -EINVAL;
    ts = (struct __kernel_timespec){.tv_sec = tv.tv_sec, .tv_nsec = tv.tv_usec * 1000};
    return set_realtime(&ts);
}

/* ---- Sleeping -------------------------------------------------------------------------------- */

static long sleep_until(uint64_t deadline_ns)
{
    struct waitq nobody;
    int err;

    waitq_init(&nobody);
    err = wait_event_deadline(&nobody, false, WAIT_INTERRUPTIBLE, deadline_ns);
    return err == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
}

/* A relative sleep: tells what is left when a signal ends it, and goes on with that after a stop. */
static long sleep_for(uint64_t ns, uaddr_t urem)
{
    uint64_t deadline = signal_restart_deadline(deadline_after(ns)), now;
    long err = sleep_until(deadline);

    if (!err)
        return 0;
    now = arch_time_ns();
    if (deadline != NO_DEADLINE && now >= deadline)
        return 0;
    if (urem && put_timespec(urem, deadline == NO_DEADLINE ? ns : deadline - now))
        return -EFAULT;
    signal_keep_deadline(deadline);
    return err;
}

/* A moment of the wall clock as a deadline of the monotonic one; past moments are due at once. */
static uint64_t realtime_deadline(uint64_t ns)
{
    uint64_t now = clock_realtime_ns();

    return ns <= now ? 0 : deadline_after(ns - now);
}

static long sleep_at(int clock, uint64_t ns)
{
    if (clock == CLOCK_REALTIME || clock == CLOCK_TAI || clock == CLOCK_REALTIME_ALARM)
        return sleep_until(realtime_deadline(ns));
    return sleep_until(ns >= CLOCK_MAX_NS ? NO_DEADLINE : ns);
}

static int check_sleep_clock(int clock)
{
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_MONOTONIC:
    case CLOCK_BOOTTIME:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_BOOTTIME_ALARM:
    case CLOCK_TAI: return 0;
    case CLOCK_THREAD_CPUTIME_ID: return -EINVAL;
    default: return clock >= 0 && clock <= CLOCK_TAI ? -EOPNOTSUPP : -EINVAL;
    }
}

long sys_clock_nanosleep(int clock, int flags, uaddr_t ureq, uaddr_t urem)
{
    struct __kernel_timespec ts;
    int err = check_sleep_clock(clock);

    if (err)
        return err;
    if (copy_from_user(&ts, ureq, sizeof(ts)))
        return -EFAULT;
    if (!timespec_valid(&ts))
        return -EINVAL;
    if (flags & TIMER_ABSTIME)
        return sleep_at(clock, timespec_to_ns(&ts));
    return sleep_for(timespec_to_ns(&ts), urem);
}

long sys_nanosleep(uaddr_t ureq, uaddr_t urem)
{
    return sys_clock_nanosleep(CLOCK_MONOTONIC, 0, ureq, urem);
}

/* ---- Times used ------------------------------------------------------------------------------ */

long sys_times(uaddr_t ubuf)
{
    struct process *p = current->proc;
    uint64_t user, system;
    struct tms buf;

    process_cpu_times(p, &user, &system);
    spin_lock(&proctree_lock);
    buf.tms_cutime = (long)(p->child_utime_ns / USER_TICK_NS);
    buf.tms_cstime = (long)(p->child_stime_ns / USER_TICK_NS);
    spin_unlock(&proctree_lock);
    buf.tms_utime = (long)(user / USER_TICK_NS);
    buf.tms_stime = (long)(system / USER_TICK_NS);
    if (ubuf && copy_to_user(ubuf, &buf, sizeof(buf)))
        return -EFAULT;
    return (long)(arch_time_ns() / USER_TICK_NS);
}
