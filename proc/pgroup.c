/* SPDX-License-Identifier: MIT */
/*
 * Process groups and sessions. There is no table of groups: a group is the processes that carry its
 * number, found by walking the tree from init. That costs a walk where a shell signals a job, and
 * nothing anywhere else. All of it is guarded by proctree_lock.
 */
#include "proc/pgroup.h"

#include "proc/process.h"
#include "proc/syscalls.h"

struct process *process_first(void)
{
    return init_process;
}

struct process *process_following(struct process *p)
{
    if (!list_empty(&p->children))
        return list_first(&p->children, struct process, sibling);
    while (p != init_process && p->sibling.next == &p->parent->children)
        p = p->parent;
    return p == init_process ? NULL : list_first(&p->sibling, struct process, sibling);
}

struct thread *user_thread_get(int tid)
{
    struct thread *t = tid ? thread_find_get(tid) : thread_get(current);

    if (t && !t->proc) {
        thread_put(t);
        return NULL;
    }
    return t;
}

int signal_send_group(int pgid, int sig, const struct ksiginfo *info)
{
    struct process *p;
    int n = 0;

    spin_lock(&proctree_lock);
    for (p = process_first(); p; p = process_following(p)) {
        if (p->pgid != pgid || p->zombie)
            continue;
        (void)signal_send_process(p, sig, info);
        n++;
    }
    spin_unlock(&proctree_lock);
    return n;
}

bool pgroup_exists(int pgid, int sid)
{
    struct process *p;

    for (p = process_first(); p; p = process_following(p))
        if (p->pgid == pgid && p->sid == sid)
            return true;
    return false;
}

bool pgroup_is_orphaned(int pgid, const struct process *leaving)
{
    struct process *p;

    for (p = process_first(); p; p = process_following(p)) {
        const struct process *parent = p->parent;

        if (p->pgid != pgid || p == leaving || p->zombie || !parent || parent == init_process)
            continue;
        if (parent != leaving && parent->pgid != pgid && parent->sid == p->sid)
            return false;
    }
    return true;
}

static bool has_stopped_member(int pgid)
{
    struct process *p;

    for (p = process_first(); p; p = process_following(p))
        if (p->pgid == pgid && p->stopped)
            return true;
    return false;
}

static void hang_up_orphans(int pgid, int sid, const struct process *leaving)
{
    struct process *p;

    if (!pgroup_exists(pgid, sid) || !pgroup_is_orphaned(pgid, leaving) ||
        !has_stopped_member(pgid))
        return;
    for (p = process_first(); p; p = process_following(p)) {
        if (p->pgid != pgid || p == leaving)
            continue;
        (void)signal_send_process(p, SIGHUP, NULL);
        (void)signal_send_process(p, SIGCONT, NULL);
    }
}

/* Did p keep the group from being an orphan's? Only then does its exit change anything. */
static bool links(const struct process *parent, const struct process *child)
{
    return parent && parent != init_process && parent->pgid != child->pgid &&
           parent->sid == child->sid;
}

void pgroup_process_exits(struct process *p)
{
    struct process *child;

    if (links(p->parent, p))
        hang_up_orphans(p->pgid, p->sid, p);
    list_for_each (child, &p->children, sibling)
        if (links(p, child))
            hang_up_orphans(child->pgid, child->sid, p);
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

long sys_getpgid(int pid)
{
    struct process *p;
    long ret;

    spin_lock(&proctree_lock);
    p = find_or_self(pid);
    ret = p ? p->pgid : -ESRCH;
    spin_unlock(&proctree_lock);
    return ret;
}

long sys_getsid(int pid)
{
    struct process *p;
    long ret;

    spin_lock(&proctree_lock);
    p = find_or_self(pid);
    ret = p ? p->sid : -ESRCH;
    spin_unlock(&proctree_lock);
    return ret;
}

static bool group_has_members(int pgid)
{
    struct process *p;

    for (p = process_first(); p; p = process_following(p))
        if (p->pgid == pgid)
            return true;
    return false;
}

long sys_setsid(void)
{
    struct process *p = current->proc;
    long ret = -EPERM;

    spin_lock(&proctree_lock);
    if (!group_has_members(p->pid)) {
        p->sid = p->pid;
        p->pgid = p->pid;
        p->ctty = NULL;
        ret = p->pid;
    }
    spin_unlock(&proctree_lock);
    return ret;
}
