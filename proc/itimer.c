/* SPDX-License-Identifier: MIT */
/*
 * Interval timers, each a mark on a clock of its process: ITIMER_REAL on the monotonic clock,
 * ITIMER_VIRTUAL and ITIMER_PROF on the CPU time as the scheduler's tick samples it (user mode,
 * all). CPU time is not counted down: it is looked at when it can have reached the mark at the
 * earliest, which is the time left divided by the harts that may burn it.
 *
 * One timer per process does the looking. It fires in an interrupt and only hands the process to
 * "ksignal" (proc/sigdefer.c), which calls itimers_run. The marks are guarded by process->lock.
 */
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define CPU_LOOK_MIN_NS 10000000UL /* the tick: the samples do not move more often */
#define NTIMERS 3

static void read_clocks(struct process *p, uint64_t clock[NTIMERS])
{
    struct usage u = process_sampled_usage(p);

    clock[ITIMER_REAL] = arch_time_ns();
    clock[ITIMER_VIRTUAL] = u.utime_ns;
    clock[ITIMER_PROF] = u.utime_ns + u.stime_ns;
}

/* p->lock held. */
static void arm(struct process *p, const uint64_t clock[NTIMERS])
{
    uint64_t least = UINT64_MAX;
    unsigned burners = MAX(1u, MIN(READ_ONCE(p->nthreads), hart_count));

    for (int i = 0; i < NTIMERS; i++) {
        uint64_t due = p->itimers[i].due_ns, left = due > clock[i] ? due - clock[i] : 0;

        if (i != ITIMER_REAL)
            left = MAX(left / burners, CPU_LOOK_MIN_NS);
        if (due)
            least = MIN(least, left);
    }
    if (least != UINT64_MAX)
        timer_arm(&p->itimer_timer, clock[ITIMER_REAL] + least);
    else
        timer_cancel(&p->itimer_timer);
}

/* Is the mark reached? Moves it on by whole intervals. p->lock held. */
static bool expire(struct itimer *t, uint64_t now)
{
    if (!t->due_ns || now < t->due_ns)
        return false;
    t->due_ns =
        t->interval_ns ? t->due_ns + ((now - t->due_ns) / t->interval_ns + 1) * t->interval_ns : 0;
    return true;
}

void itimers_run(struct process *p)
{
    static const int signals[NTIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};
    uint64_t clock[NTIMERS];
    bool expired[NTIMERS];

    read_clocks(p, clock);
    spin_lock(&p->lock);
    for (int i = 0; i < NTIMERS; i++)
        expired[i] = expire(&p->itimers[i], clock[i]);
    arm(p, clock);
    spin_unlock(&p->lock);
    for (int i = 0; i < NTIMERS; i++)
        if (expired[i])
            (void)signal_send_process(p, signals[i], NULL);
}

void itimers_cancel(struct process *p)
{
    spin_lock(&p->lock);
    for (int i = 0; i < NTIMERS; i++)
        p->itimers[i].due_ns = 0;
    spin_unlock(&p->lock);
    timer_cancel(&p->itimer_timer);
}

/* ---- System calls ---------------------------------------------------------------------------- */

static int timeval_to_ns(const struct timeval *tv, uint64_t *ns)
{
    if (tv->tv_usec < 0 || tv->tv_usec >= 1000000)
        return -EINVAL;
    return time_to_ns(tv->tv_sec, tv->tv_usec * 1000, ns);
}

/* The setting as it is; new, if not NULL, replaces it and has the time left in due_ns. */
static struct itimerval exchange(int which, const struct itimer *new)
{
    struct process *p = current->proc;
    uint64_t clock[NTIMERS], left = 0;
    struct itimer old;

    read_clocks(p, clock);
    spin_lock(&p->lock);
    old = p->itimers[which];
    if (new) {
        p->itimers[which] = *new;
        if (new->due_ns)
            p->itimers[which].due_ns += clock[which];
        arm(p, clock);
    }
    spin_unlock(&p->lock);
    if (old.due_ns) /* never 0: an expired one that nobody has looked at yet is about to fire */
        left = old.due_ns > clock[which] ? old.due_ns - clock[which] : 1000;
    return (struct itimerval){.it_value = timeval_from_ns(left),
                              .it_interval = timeval_from_ns(old.interval_ns)};
}

long sys_getitimer(int which, uaddr_t uval)
{
    struct itimerval val;

    if (which < 0 || which >= NTIMERS)
        return -EINVAL;
    val = exchange(which, NULL);
    return copy_to_user(uval, &val, sizeof(val));
}

long sys_setitimer(int which, uaddr_t uval, uaddr_t uold)
{
    struct itimerval val = {0}, old;
    struct itimer new;

    if (which < 0 || which >= NTIMERS)
        return -EINVAL;
    if (uval && copy_from_user(&val, uval, sizeof(val)))
        return -EFAULT;
    if (timeval_to_ns(&val.it_value, &new.due_ns) ||
        timeval_to_ns(&val.it_interval, &new.interval_ns))
        return -EINVAL;
    old = exchange(which, &new);
    return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}
