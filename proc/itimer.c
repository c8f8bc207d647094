/* SPDX-License-Identifier: MIT */
/*
 * Interval timers. ITIMER_REAL is one timer on the monotonic clock. ITIMER_VIRTUAL and ITIMER_PROF
 * are marks on the process's CPU time as the scheduler's tick samples it (user mode, all). They are
 * not counted down: the CPU time is looked at when it can have reached the mark at the earliest,
 * which is the time left divided by the harts that may burn it.
 *
 * The timer functions run in interrupts and only hand the process to "ksignal" (proc/sigdefer.c),
 * which calls itimers_run. The settings are guarded by siglock; times of 0 mean "not set".
 */
#include "proc/itimer.h"

#include "proc/clock.h"
#include "proc/process.h"
#include "proc/sigdefer.h"
#include "proc/syscalls.h"

#define CPU_LOOK_MIN_NS 10000000UL /* the tick: the samples do not move more often */

struct setting {
    uint64_t left_ns, interval_ns;
};

static void timer_due(struct timer *t)
{
    signal_defer_itimers(t->arg);
}

static void arm(struct process *p, struct timer *t, uint64_t deadline_ns)
{
    if (!t->fn)
        timer_init(t, timer_due, p);
    timer_arm(t, deadline_ns);
}

/* VIRTUAL counts time in user mode, PROF all of it. */
static void cpu_clocks(struct process *p, uint64_t clock[2])
{
    struct thread *t;

    spin_lock(&p->lock);
    clock[0] = p->dead_utime_ns;
    clock[1] = p->dead_utime_ns + p->dead_stime_ns;
    list_for_each (t, &p->threads, proc_link) {
        clock[0] += t->utime_ns;
        clock[1] += t->utime_ns + t->stime_ns;
    }
    spin_unlock(&p->lock);
}

/* siglock held. */
static void arm_cpu_timer(struct process *p, const uint64_t clock[2])
{
    uint64_t least = UINT64_MAX;
    unsigned burners = MAX(1u, MIN(READ_ONCE(p->nthreads), hart_count));

    for (int i = 0; i < 2; i++) {
        uint64_t at = p->cpu_timers[i][0];

        if (at)
            least = MIN(least, at > clock[i] ? (at - clock[i]) / burners : 0);
    }
    if (least != UINT64_MAX)
        arm(p, &p->cpu_timer, arch_time_ns() + MAX(least, CPU_LOOK_MIN_NS));
}

/* Is the mark reached? Moves it on by whole intervals. siglock held. */
static bool expire(uint64_t *at, uint64_t interval, uint64_t now)
{
    if (!*at || now < *at)
        return false;
    *at = interval ? *at + ((now - *at) / interval + 1) * interval : 0;
    return true;
}

void itimers_run(struct process *p)
{
    uint64_t now = arch_time_ns(), clock[2];
    bool real, cpu[2];

    cpu_clocks(p, clock);
    spin_lock(&p->siglock);
    if (p->group_exit) {
        spin_unlock(&p->siglock);
        return;
    }
    real = expire(&p->real_deadline_ns, p->real_interval_ns, now);
    if (real && p->real_deadline_ns)
        arm(p, &p->real_timer, p->real_deadline_ns);
    for (int i = 0; i < 2; i++)
        cpu[i] = expire(&p->cpu_timers[i][0], p->cpu_timers[i][1], clock[i]);
    arm_cpu_timer(p, clock);
    spin_unlock(&p->siglock);
    if (real)
        (void)signal_send_process(p, SIGALRM, NULL);
    if (cpu[0])
        (void)signal_send_process(p, SIGVTALRM, NULL);
    if (cpu[1])
        (void)signal_send_process(p, SIGPROF, NULL);
}

void itimers_cancel(struct process *p)
{
    spin_lock(&p->siglock);
    p->real_deadline_ns = 0;
    p->cpu_timers[0][0] = 0;
    p->cpu_timers[1][0] = 0;
    spin_unlock(&p->siglock);
    if (p->real_timer.fn)
        timer_cancel(&p->real_timer);
    if (p->cpu_timer.fn)
        timer_cancel(&p->cpu_timer);
}

/* ---- System calls ---------------------------------------------------------------------------- */

/* Never 0 while it is set: an expired one that nobody has looked at yet is about to fire. */
static uint64_t time_left(uint64_t at, uint64_t now)
{
    if (!at)
        return 0;
    return at > now ? at - now : 1000;
}

/* siglock held. */
static struct setting get_locked(struct process *p, int which, const uint64_t clock[2])
{
    if (which == ITIMER_REAL)
        return (struct setting){time_left(p->real_deadline_ns, arch_time_ns()),
                                p->real_interval_ns};
    return (struct setting){time_left(p->cpu_timers[which - 1][0], clock[which - 1]),
                            p->cpu_timers[which - 1][1]};
}

/* siglock held. */
static void set_locked(struct process *p, int which, struct setting s, const uint64_t clock[2])
{
    if (which != ITIMER_REAL) {
        p->cpu_timers[which - 1][0] = s.left_ns ? clock[which - 1] + s.left_ns : 0;
        p->cpu_timers[which - 1][1] = s.interval_ns;
        arm_cpu_timer(p, clock);
        return;
    }
    p->real_interval_ns = s.interval_ns;
    p->real_deadline_ns = s.left_ns ? arch_time_ns() + s.left_ns : 0;
    if (s.left_ns)
        arm(p, &p->real_timer, p->real_deadline_ns);
    else if (p->real_timer.fn)
        timer_cancel(&p->real_timer);
}

static struct itimerval to_itimerval(struct setting s)
{
    return (struct itimerval){.it_value = timeval_from_ns(s.left_ns),
                              .it_interval = timeval_from_ns(s.interval_ns)};
}

static int timeval_to_ns(const struct timeval *tv, uint64_t *ns)
{
    if (tv->tv_sec < 0 || tv->tv_usec < 0 || tv->tv_usec >= 1000000)
        return -EINVAL;
    *ns = (uint64_t)tv->tv_sec >= CLOCK_MAX_NS / NSEC_PER_SEC
              ? CLOCK_MAX_NS
              : (uint64_t)tv->tv_sec * NSEC_PER_SEC + (uint64_t)tv->tv_usec * 1000;
    return 0;
}

long sys_getitimer(int which, uaddr_t uval)
{
    struct process *p = current->proc;
    struct itimerval val;
    uint64_t clock[2];

    if (which < ITIMER_REAL || which > ITIMER_PROF)
        return -EINVAL;
    cpu_clocks(p, clock);
    spin_lock(&p->siglock);
    val = to_itimerval(get_locked(p, which, clock));
    spin_unlock(&p->siglock);
    return copy_to_user(uval, &val, sizeof(val));
}

long sys_setitimer(int which, uaddr_t uval, uaddr_t uold)
{
    struct process *p = current->proc;
    struct itimerval val = {0}, old;
    struct setting s;
    uint64_t clock[2];

    if (which < ITIMER_REAL || which > ITIMER_PROF)
        return -EINVAL;
    if (uval && copy_from_user(&val, uval, sizeof(val)))
        return -EFAULT;
    if (timeval_to_ns(&val.it_value, &s.left_ns) || timeval_to_ns(&val.it_interval, &s.interval_ns))
        return -EINVAL;
    cpu_clocks(p, clock);
    spin_lock(&p->siglock);
    old = to_itimerval(get_locked(p, which, clock));
    set_locked(p, which, s, clock);
    spin_unlock(&p->siglock);
    return uold ? copy_to_user(uold, &old, sizeof(old)) : 0;
}
