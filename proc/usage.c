/* SPDX-License-Identifier: MIT */
/*
 * What threads used: counted in struct usage by the thread itself, summed up in its process when it
 * ends, and in the parent when that process is waited for. getrusage and times tell.
 */
#include <linux/times.h>

#include "mm/addrspace.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define USER_TICK_NS 10000000UL /* AT_CLKTCK: 100 a second */

void thread_tick(struct thread *t, uint64_t ns)
{
    if (t->user && arch_interrupted_user())
        t->used.utime_ns += ns;
    else
        t->used.stime_ns += ns;
}

void thread_count_fault(bool major)
{
    if (major)
        current->used.majflt++;
    else
        current->used.minflt++;
}

void usage_add(struct usage *to, const struct usage *from)
{
    to->runtime_ns += from->runtime_ns;
    to->utime_ns += from->utime_ns;
    to->stime_ns += from->stime_ns;
    to->nvcsw += from->nvcsw;
    to->nivcsw += from->nivcsw;
    to->minflt += from->minflt;
    to->majflt += from->majflt;
    to->maxrss = MAX(to->maxrss, from->maxrss);
}

/* The exact run time, divided as the ticks that hit user and kernel mode suggest. */
static void divide_runtime(struct usage *u)
{
    uint64_t run = u->runtime_ns, sampled = u->utime_ns + u->stime_ns;

    u->utime_ns = sampled ? run / 1024 * (u->utime_ns * 1024 / sampled) : run;
    u->stime_ns = run - u->utime_ns;
}

static struct usage sampled_usage(const struct thread *t)
{
    struct usage u = t->used;

    if (t == current)
        u.runtime_ns += arch_time_ns() - t->run_start_ns;
    return u;
}

struct usage thread_usage(const struct thread *t)
{
    struct usage u = sampled_usage(t);

    divide_runtime(&u);
    return u;
}

struct usage process_sampled_usage(struct process *p)
{
    struct thread *t;
    struct usage u;

    spin_lock(&p->lock);
    u = p->dead;
    list_for_each (t, &p->threads, proc_link) {
        struct usage used = sampled_usage(t);

        usage_add(&u, &used);
    }
    if (p->as)
        u.maxrss = MAX(u.maxrss, p->as->rss);
    spin_unlock(&p->lock);
    return u;
}

struct usage process_usage(struct process *p)
{
    struct usage u = process_sampled_usage(p);

    divide_runtime(&u);
    return u;
}

struct rusage usage_export(const struct usage *u)
{
    struct timeval user = timeval_from_ns(u->utime_ns), sys = timeval_from_ns(u->stime_ns);

    return (struct rusage){.ru_utime = {user.tv_sec, user.tv_usec},
                           .ru_stime = {sys.tv_sec, sys.tv_usec},
                           .ru_maxrss = (long)(u->maxrss * (PAGE_SIZE / 1024)),
                           .ru_minflt = (long)u->minflt,
                           .ru_majflt = (long)u->majflt,
                           .ru_nvcsw = (long)u->nvcsw,
                           .ru_nivcsw = (long)u->nivcsw};
}

static struct usage children_usage(struct process *p)
{
    struct usage u;

    spin_lock(&proctree_lock);
    u = p->children_used;
    spin_unlock(&proctree_lock);
    return u;
}

long sys_getrusage(int who, uaddr_t uusage)
{
    struct process *p = current->proc;
    struct rusage out;
    struct usage u;

    switch (who) {
    case RUSAGE_SELF: u = process_usage(p); break;
    case RUSAGE_CHILDREN: u = children_usage(p); break;
    case RUSAGE_THREAD:
        u = thread_usage(current);
        u.maxrss = process_usage(p).maxrss; /* memory is the process's */
        break;
    default: return -EINVAL;
    }
    out = usage_export(&u);
    return copy_to_user(uusage, &out, sizeof(out));
}

long sys_times(uaddr_t ubuf)
{
    struct usage own = process_usage(current->proc), children = children_usage(current->proc);
    struct tms buf = {.tms_utime = (long)(own.utime_ns / USER_TICK_NS),
                      .tms_stime = (long)(own.stime_ns / USER_TICK_NS),
                      .tms_cutime = (long)(children.utime_ns / USER_TICK_NS),
                      .tms_cstime = (long)(children.stime_ns / USER_TICK_NS)};

    if (ubuf && copy_to_user(ubuf, &buf, sizeof(buf)))
        return -EFAULT;
    return (long)(arch_time_ns() / USER_TICK_NS);
}
