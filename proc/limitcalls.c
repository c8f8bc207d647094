/* SPDX-License-Identifier: MIT */
/*
 * What a process may have: resource limits, priorities, the harts it may run on. Priorities are kept
 * and told, but the scheduler's slices are equal for all.
 */
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

#define NICE_MIN (-20)
#define NICE_MAX 19
#define NOFILE_MAX 1048576UL

/* ---- Limits ---------------------------------------------------------------------------------- */

static int may_limit(const struct process *target)
{
    const struct process *p = current->proc;

    if (p == target || is_privileged())
        return 0;
    if (p->uid == target->uid && p->uid == target->euid && p->uid == target->suid &&
        p->gid == target->gid && p->gid == target->egid && p->gid == target->sgid)
        return 0;
    return -EPERM;
}

/* old gets the present one; want NULL: only that. */
static int change_limit(struct process *p, uint32_t resource, const struct rlimit *want,
                        struct rlimit *old)
{
    int err = 0;

    if (want && want->rlim_cur > want->rlim_max)
        return -EINVAL;
    if (want && resource == RLIMIT_NOFILE && want->rlim_max > NOFILE_MAX)
        return -EPERM;
    spin_lock(&p->lock);
    *old = p->limits[resource];
    if (want && want->rlim_max > old->rlim_max && !is_privileged())
        err = -EPERM;
    else if (want)
        p->limits[resource] = *want;
    spin_unlock(&p->lock);
    return err;
}

long sys_prlimit64(int pid, uint32_t resource, uaddr_t unew, uaddr_t uold)
{
    struct rlimit want, old;
    struct process *p;
    int err;

    _Static_assert(sizeof(struct rlimit) == sizeof(struct rlimit64), "the same on 64 bits");
    if (resource >= RLIM_NLIMITS)
        return -EINVAL;
    if (unew && copy_from_user(&want, unew, sizeof(want)))
        return -EFAULT;
    p = pid ? process_find_get(pid) : process_get(current->proc);
    if (!p)
        return -ESRCH;
    err = may_limit(p);
    if (!err)
        err = change_limit(p, resource, unew ? &want : NULL, &old);
    process_put(p);
    if (err || !uold)
        return err;
    return copy_to_user(uold, &old, sizeof(old));
}

long sys_getrlimit(uint32_t resource, uaddr_t limit)
{
    return limit ? sys_prlimit64(0, resource, 0, limit) : -EFAULT;
}

long sys_setrlimit(uint32_t resource, uaddr_t limit)
{
    return limit ? sys_prlimit64(0, resource, limit, 0) : -EFAULT;
}

/* ---- Priorities ------------------------------------------------------------------------------- */

static bool selected(const struct process *p, int which, int who)
{
    const struct process *self = current->proc;

    switch (which) {
    case PRIO_PROCESS: return p->pid == (who ? who : self->pid);
    case PRIO_PGRP: return p->pgid == (who ? who : self->pgid);
    default: return p->uid == (who ? (uint32_t)who : self->uid);
    }
}

static bool may_schedule(const struct process *p)
{
    const struct process *self = current->proc;

    return is_privileged() || self->euid == p->uid || self->euid == p->euid;
}

static int set_nice(struct process *p, int nice)
{
    if (!may_schedule(p))
        return -EPERM;
    if (nice < p->nice && !is_privileged())
        return -EACCES;
    p->nice = nice;
    return 0;
}

long sys_setpriority(int which, int who, int nice)
{
    struct process *p;
    int err = -ESRCH;

    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    nice = MAX(NICE_MIN, MIN(NICE_MAX, nice));
    spin_lock(&proctree_lock);
    list_for_each (p, &all_processes, all_link) {
        int failed;

        if (!selected(p, which, who) || p->zombie)
            continue;
        failed = set_nice(p, nice);
        if (failed || err == -ESRCH)
            err = failed;
    }
    spin_unlock(&proctree_lock);
    return err;
}

/* The highest priority among those selected, as 20 - nice: a result is never negative. */
long sys_getpriority(int which, int who)
{
    struct process *p;
    long ret = -ESRCH;

    if (which < PRIO_PROCESS || which > PRIO_USER)
        return -EINVAL;
    spin_lock(&proctree_lock);
    list_for_each (p, &all_processes, all_link)
        if (selected(p, which, who) && !p->zombie)
            ret = MAX(ret, 20L - p->nice);
    spin_unlock(&proctree_lock);
    return ret;
}

/* ---- Harts ------------------------------------------------------------------------------------ */

static uint32_t present_harts(void)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < hart_count; i++)
        if (harts[i].online)
            mask |= 1u << i;
    return mask;
}

long sys_sched_setaffinity(int tid, uint32_t len, uaddr_t umask)
{
    uint64_t mask = 0;
    struct thread *t;
    int err = 0;

    if (copy_from_user(&mask, umask, MIN(len, sizeof(mask))))
        return -EFAULT;
    t = user_thread_get(tid);
    if (!t)
        return -ESRCH;
    mask &= present_harts();
    if (!may_schedule(t->proc))
        err = -EPERM;
    else if (!mask)
        err = -EINVAL;
    else
        sched_set_affinity(t, (uint32_t)mask);
    thread_put(t);
    return err;
}

/* As on Linux the result is the number of bytes written, one word here. */
long sys_sched_getaffinity(int tid, uint32_t len, uaddr_t umask)
{
    uint64_t mask;
    struct thread *t;

    if (len < sizeof(mask) || len % sizeof(mask))
        return -EINVAL;
    t = user_thread_get(tid);
    if (!t)
        return -ESRCH;
    mask = t->affinity & present_harts();
    thread_put(t);
    return copy_to_user(umask, &mask, sizeof(mask)) ? -EFAULT : (long)sizeof(mask);
}

long sys_sched_yield(void)
{
    sched_yield();
    return 0;
}

long sys_getcpu(uaddr_t cpu, uaddr_t node, uaddr_t unused)
{
    (void)unused;
    if (cpu && put_user_u32(cpu, arch_this_hart()->index))
        return -EFAULT;
    return node ? put_user_u32(node, 0) : 0;
}
