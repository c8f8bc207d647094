/* SPDX-License-Identifier: MIT */
/*
 * Process groups and sessions. There is no table of groups: a group is the processes that carry its
 * number, found by going through all of them. That costs a walk where a shell signals a job, and
 * nothing anywhere else. All of it is guarded by proctree_lock.
 */
#include "proc/process.h"
#include "proc/syscalls.h"

static void send_locked(int pgid, int sig, const struct ksiginfo *info)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link)
        if (p->pgid == pgid)
            (void)signal_send_process(p, sig, info);
}

void signal_send_group(int pgid, int sig, const struct ksiginfo *info)
{
    spin_lock(&proctree_lock);
    send_locked(pgid, sig, info);
    spin_unlock(&proctree_lock);
}

bool pgroup_exists(int pgid, int sid)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link)
        if (p->pgid == pgid && (!sid || p->sid == sid))
            return true;
    return false;
}

/* Does parent keep child's group from being an orphan's? Init's children are orphans themselves. */
static bool links(const struct process *parent, const struct process *child)
{
    return parent && parent != init_process && parent->pgid != child->pgid &&
           parent->sid == child->sid;
}

bool pgroup_is_orphaned(int pgid, const struct process *leaving)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link)
        if (p->pgid == pgid && p != leaving && !p->zombie && p->parent != leaving &&
            links(p->parent, p))
            return false;
    return true;
}

static void hang_up_orphans(int pgid, const struct process *leaving)
{
    bool any_stopped = false;
    struct process *p;

    list_for_each (p, &all_processes, all_link)
        any_stopped |= p->pgid == pgid && p->stopped;
    if (!any_stopped || !pgroup_is_orphaned(pgid, leaving))
        return;
    send_locked(pgid, SIGHUP, NULL);
    send_locked(pgid, SIGCONT, NULL);
}

/* Only where p was a link does its exit change anything. */
void pgroup_process_exits(struct process *p)
{
    struct process *child;

    if (links(p->parent, p))
        hang_up_orphans(p->pgid, p);
    list_for_each (child, &p->children, sibling)
        if (links(p, child))
            hang_up_orphans(child->pgid, p);
}

/* ---- System calls ---------------------------------------------------------------------------- */

/* 0 means the caller. proctree_lock held. */
static struct process *find_or_self(int pid)
{
    return pid ? process_find(pid) : current->proc;
}

static int check_setpgid(const struct process *p, int pgid)
{
    const struct process *self = current->proc;

    if (!p || (p != self && p->parent != self))
        return -ESRCH;
    if (p != self && p->sid != self->sid)
        return -EPERM;
    if (p != self && p->execed)
        return -EACCES;
    if (p->sid == p->pid)
        return -EPERM; /* a session leader stays where it is */
    if (pgid != p->pid && !pgroup_exists(pgid, self->sid))
        return -EPERM;
    return 0;
}

long sys_setpgid(int pid, int pgid)
{
    struct process *p;
    int err;

    if (pgid < 0)
        return -EINVAL;
    spin_lock(&proctree_lock);
    p = find_or_self(pid);
    if (p && !pgid)
        pgid = p->pid;
    err = check_setpgid(p, pgid);
    if (!err)
        p->pgid = pgid;
    spin_unlock(&proctree_lock);
    return err;
}

static long get_number(int pid, bool session)
{
    struct process *p;
    long ret;

    spin_lock(&proctree_lock);
    p = find_or_self(pid);
    ret = !p ? -ESRCH : session ? p->sid : p->pgid;
    spin_unlock(&proctree_lock);
    return ret;
}

long sys_getpgid(int pid)
{
    return get_number(pid, false);
}

long sys_getsid(int pid)
{
    return get_number(pid, true);
}

long sys_setsid(void)
{
    struct process *p = current->proc;
    long ret = -EPERM;

    spin_lock(&proctree_lock);
    if (!pgroup_exists(p->pid, 0)) {
        p->sid = p->pid;
        p->pgid = p->pid;
        p->ctty = NULL;
        ret = p->pid;
    }
    spin_unlock(&proctree_lock);
    return ret;
}
