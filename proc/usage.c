/* SPDX-License-Identifier: MIT */
/* getrusage: sums over the living threads, what the dead ones left in the process, and children. */
#include "proc/usage.h"

#include <linux/resource.h>

#include "lib/string.h"
#include "mm/addrspace.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/syscalls.h"

static void set_times(struct rusage *out, uint64_t user, uint64_t system)
{
    struct timeval u = timeval_from_ns(user), s = timeval_from_ns(system);

    out->ru_utime.tv_sec = u.tv_sec;
    out->ru_utime.tv_usec = u.tv_usec;
    out->ru_stime.tv_sec = s.tv_sec;
    out->ru_stime.tv_usec = s.tv_usec;
}

static void add_thread(struct rusage *out, const struct thread *t)
{
    out->ru_nvcsw += (long)t->nvcsw;
    out->ru_nivcsw += (long)t->nivcsw;
    out->ru_minflt += (long)t->minflt;
    out->ru_majflt += (long)t->majflt;
}

void thread_cpu_times(struct thread *t, uint64_t *utime_ns, uint64_t *stime_ns)
{
    uint64_t run = t->runtime_ns, user = t->utime_ns, sampled = user + t->stime_ns;

    if (t == current)
        run += arch_time_ns() - t->run_start_ns;
    *utime_ns = sampled ? run / 1024 * (user * 1024 / sampled) : run;
    *stime_ns = run - *utime_ns;
}

/* Kilobytes: the most the process is known to have had; its present size counts, too. */
static long peak_rss(struct process *p)
{
    struct addrspace *as = process_addrspace_get(p);
    size_t now = as ? as->rss : 0;

    addrspace_put(as);
    return (long)(MAX(p->maxrss, now) * (PAGE_SIZE / 1024));
}

static void process_usage(struct process *p, struct rusage *out)
{
    uint64_t user, system;
    struct thread *t;

    memset(out, 0, sizeof(*out));
    process_cpu_times(p, &user, &system);
    set_times(out, user, system);
    out->ru_maxrss = peak_rss(p);
    spin_lock(&p->lock);
    out->ru_nvcsw = (long)p->nvcsw;
    out->ru_nivcsw = (long)p->nivcsw;
    out->ru_minflt = (long)p->minflt;
    out->ru_majflt = (long)p->majflt;
    list_for_each (t, &p->threads, proc_link)
        add_thread(out, t);
    spin_unlock(&p->lock);
}

static void children_usage(struct process *p, struct rusage *out)
{
    memset(out, 0, sizeof(*out));
    spin_lock(&proctree_lock);
    set_times(out, p->child_utime_ns, p->child_stime_ns);
    out->ru_maxrss = (long)(p->child_maxrss * (PAGE_SIZE / 1024));
    spin_unlock(&proctree_lock);
}

static void own_usage(struct thread *t, struct rusage *out)
{
    uint64_t user, system;

    memset(out, 0, sizeof(*out));
    thread_cpu_times(t, &user, &system);
    set_times(out, user, system);
    out->ru_maxrss = peak_rss(t->proc);
    add_thread(out, t);
}

long sys_getrusage(int who, uaddr_t uusage)
{
    struct rusage usage;

    switch (who) {
    case RUSAGE_SELF: process_usage(current->proc, &usage); break;
    case RUSAGE_CHILDREN: children_usage(current->proc, &usage); break;
    case RUSAGE_THREAD: own_usage(current, &usage); break;
    default: return -EINVAL;
    }
    return copy_to_user(uusage, &usage, sizeof(usage));
}
