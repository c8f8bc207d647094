/* SPDX-License-Identifier: MIT */
/*
 * clone: fork, vfork, threads. Everything that needs memory or a number comes first, into objects
 * that nobody else sees. The commit is joining the group (process->lock) or the tree
 * (proctree_lock): a signal or the group's end may refuse it, then all is given back and the call
 * starts again. What follows it cannot fail.
 */
#include <linux/sched.h>

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

/* CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SYSVSEM and the like need no check. */
#define CLONE_UNSUPPORTED                                                                         \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
     CLONE_NEWNET | CLONE_PIDFD)

struct vfork_wait { /* on the parent's stack; proctree_lock guards the pointer to it */
    struct waitq wq;
    bool done;
};

static int check_flags(uint64_t flags)
{
    if (flags & CLONE_UNSUPPORTED)
        return -EINVAL;
    if (flags & CLONE_THREAD && !(flags & CLONE_SIGHAND))
        return -EINVAL;
    if (flags & CLONE_SIGHAND && !(flags & CLONE_VM))
        return -EINVAL;
    if ((flags & 0xff) > SIG_COUNT)
        return -EINVAL;
    /* Shared actions and shared memory without a shared thread group, or files apart from the
     * current directory, are combinations no C library makes. */
    if (flags & CLONE_SIGHAND && !(flags & CLONE_THREAD))
        return -EINVAL;
    if (flags & CLONE_PARENT && current->proc == init_process)
        return -EINVAL; /* a sibling of init would have no parent */
    return 0;
}

static bool over_process_limit(struct process *parent)
{
    uint64_t limit = parent->limits[RLIMIT_NPROC].rlim_cur;

    return parent->uid && limit != RLIM_INFINITY && process_count() >= limit;
}

/* Everything of a process that is simply the same in the child. */
static void copy_attributes(struct process *to, struct process *from)
{
    to->uid = from->uid, to->euid = from->euid, to->suid = from->suid, to->fsuid = from->fsuid;
    to->gid = from->gid, to->egid = from->egid, to->sgid = from->sgid, to->fsgid = from->fsgid;
    to->ngroups = from->ngroups;
    memcpy(to->groups, from->groups, sizeof(to->groups));
    to->nice = from->nice;
    spin_lock(&from->lock);
    memcpy(to->limits, from->limits, sizeof(to->limits));
    memcpy(to->actions, from->actions, sizeof(to->actions));
    spin_unlock(&from->lock);
}

/* A process for the child to live in; its memory and files are copies or the parent's own. */
static struct process *copy_process(struct process *parent, uint64_t flags)
{
    struct process *p = process_create();
    int err;

    if (!p)
        return err_ptr(-ENOMEM);
    copy_attributes(p, parent);
    p->exit_signal = flags & CLONE_PARENT ? parent->exit_signal : (int)(flags & 0xff);
    p->files = flags & CLONE_FILES ? files_share(parent->files) : files_clone(parent->files);
    if (is_err(p->files)) {
        err = ptr_err(p->files);
        goto free_process;
    }
    p->as = flags & CLONE_VM ? addrspace_get(parent->as) : addrspace_fork(parent->as);
    if (is_err(p->as)) {
        err = ptr_err(p->as);
        goto put_files;
    }
    return p;

put_files:
    files_put(p->files);
free_process:
    process_put(p);
    return err_ptr(err);
}

/* As on Linux a bad pointer is no error: the number merely is not found there. */
static void write_tids(struct thread *t, struct process *p, uint64_t flags, uaddr_t parent_tid,
                       uaddr_t child_tid)
{
    uint32_t tid = (uint32_t)t->tid;

    if (flags & CLONE_PARENT_SETTID)
        (void)!put_user_u32(parent_tid, tid);
    if (flags & CLONE_CHILD_SETTID && flags & CLONE_VM)
        (void)!put_user_u32(child_tid, tid);
    else if (flags & CLONE_CHILD_SETTID)
        (void)!addrspace_write(p->as, child_tid, &tid, sizeof(tid));
}

static void inherit_thread(struct thread *t, struct thread *from, uint64_t flags, uaddr_t child_tid)
{
    t->sig_mask = from->sig_mask;
    t->affinity = from->affinity;
    if (!(flags & CLONE_VM) || flags & CLONE_VFORK) {
        t->altstack_sp = from->altstack_sp;
        t->altstack_size = from->altstack_size;
        t->altstack_flags = from->altstack_flags;
    }
    if (flags & CLONE_CHILD_CLEARTID)
        t->clear_tid = child_tid;
}

/* The group must not be exiting while a thread joins it. */
static bool join_group(struct process *p, struct thread *t)
{
    bool ok;

    spin_lock(&p->lock);
    /* Nor while another thread's exec ends all others: the new one would be forgotten. */
    ok = !p->group_exit && !signal_fatal_pending(current);
    if (ok) {
        atomic_store(&t->sig_pending, true); /* it looks once: a stop may be under way */
        t->proc = process_get(p);
        list_add_tail(&p->threads, &t->proc_link);
        p->nthreads++;
    }
    spin_unlock(&p->lock);
    return ok;
}

/*
 * A signal to the group, sent under this lock, reaches the child if it is in the tree by then. If it
 * came before, the parent has it: it is handled first, and the fork starts again.
 */
static bool join_tree(struct process *p, struct thread *leader, uint64_t flags)
{
    struct process *from = current_process();
    bool ok;

    spin_lock(&proctree_lock);
    ok = !signal_deliverable(current);
    if (ok) {
        p->pgid = from->pgid;
        p->sid = from->sid;
        p->ctty = from->ctty;
        process_link(p, leader, flags & CLONE_PARENT ? from->parent : from);
    }
    spin_unlock(&proctree_lock);
    return ok;
}

void vfork_release(struct thread *t)
{
    spin_lock(&proctree_lock);
    if (t->vfork) {
        t->vfork->done = true;
        waitq_wake_all(&t->vfork->wq);
        t->vfork = NULL;
    }
    spin_unlock(&proctree_lock);
}

static void vfork_wait_for(struct thread *child, struct vfork_wait *v)
{
    wait_event_deadline(&v->wq, READ_ONCE(v->done), WAIT_KILLABLE, NO_DEADLINE);
    spin_lock(&proctree_lock); /* killed: the child must not touch our stack any more */
    child->vfork = NULL;
    spin_unlock(&proctree_lock);
    thread_put(child);
}

long sys_clone(uint64_t flags, uaddr_t sp, uaddr_t parent_tid, uaddr_t tls, uaddr_t child_tid)
{
    struct process *parent = current_process(), *p = parent;
    struct vfork_wait vfork = {0};
    bool thread = flags & CLONE_THREAD;
    struct thread *t;
    int err = check_flags(flags), tid;

    if (err)
        return err;
    if (!thread && over_process_limit(parent))
        return -EAGAIN;
    t = thread_create(current->name);
    if (is_err(t))
        return ptr_err(t);
    if (!thread) {
        p = copy_process(parent, flags);
        if (is_err(p)) {
            thread_put(t);
            return ptr_err(p);
        }
    }
    arch_thread_init_user(t, arch_user_frame(current), sp, sp != 0, tls, flags & CLONE_SETTLS);
    inherit_thread(t, current, flags, child_tid);
    write_tids(t, p, flags, parent_tid, child_tid);
    tid = t->tid;
    t->as = p->as;
    if (!(thread ? join_group(p, t) : join_tree(p, t, flags)))
        goto undo;
    if (flags & CLONE_VFORK) {
        waitq_init(&vfork.wq);
        t->vfork = &vfork;
        thread_get(t);
    }
    stat_inc(forks);
    sched_add_new(t);
    if (flags & CLONE_VFORK)
        vfork_wait_for(t, &vfork);
    return tid;

undo:
    if (!thread) {
        addrspace_put(p->as);
        files_put(p->files);
        process_put(p);
    }
    thread_put(t);
    return -ERESTARTNOINTR;
}
