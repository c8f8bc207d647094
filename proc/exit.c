/* SPDX-License-Identifier: MIT */
/*
 * The end of threads and processes, and waiting for it. A process becomes a zombie only after its
 * memory and files are gone, so a parent that has waited sees everything given back.
 *
 * Locks: proctree_lock for parent, children and zombie; a process's own lock for its thread list.
 */
#include <linux/wait.h>

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

/* ---- Ending ---- */

/* True for the last thread of the group. Its times live on in the process. */
static bool leave_group(struct process *p, struct thread *t)
{
    bool last;

    spin_lock(&p->lock);
    list_del(&t->proc_link);
    signal_retarget(p, t, ~t->sig_mask);
    usage_add(&p->dead, &t->used);
    p->dead.runtime_ns += arch_time_ns() - t->run_start_ns;
    last = --p->nthreads == 0;
    if (last)
        strlcpy(p->name, t->name, sizeof(p->name));
    if (last && !p->group_exit)
        p->group_exit_status = t->exit_status;
    spin_unlock(&p->lock);
    return last;
}

static void release_resources(struct process *p)
{
    struct addrspace *as = p->as;
    struct files *files = p->files;

    spin_lock(&p->lock);
    p->as = NULL;
    p->files = NULL;
    if (as)
        p->dead.maxrss = MAX(p->dead.maxrss, as->rss);
    spin_unlock(&p->lock);
    addrspace_put(as);
    files_put(files);
}

/* The CLD_* code of an end, and what goes with it: the exit status, or the signal. */
static int end_code(const struct process *p, int *value)
{
    int sig = p->exit_status & 0x7f;

    *value = sig ? sig : p->exit_status >> 8 & 0xff;
    return sig ? CLD_KILLED : CLD_EXITED;
}

static void notify_end(struct process *p)
{
    int value, code = end_code(p, &value);

    signal_notify_parent(p, code, value);
}

/* Children go to init, which must hear of those that are zombies already. */
static void reparent_children(struct process *p)
{
    struct process *child, *next;

    assert(spin_held(&proctree_lock));
    list_for_each_safe (child, next, &p->children, sibling) {
        list_del(&child->sibling);
        child->parent = init_process;
        child->ppid = init_process->pid;
        child->exit_signal = SIGCHLD;
        list_add_tail(&init_process->children, &child->sibling);
        if (child->zombie)
            notify_end(child);
    }
}

static void unlink_process(struct process *p)
{
    assert(spin_held(&proctree_lock));
    list_del(&p->sibling);
    list_del(&p->all_link);
    p->parent = NULL;
}

static bool reaps_itself(struct process *p, struct process *parent)
{
    struct ksigaction *act = &parent->actions[SIGCHLD - 1];

    return p->exit_signal == SIGCHLD &&
           (act->handler == (uaddr_t)SIG_IGN || act->flags & SA_NOCLDWAIT);
}

static void become_zombie(struct process *p)
{
    bool gone;

    spin_lock(&proctree_lock);
    pgroup_process_exits(p);
    reparent_children(p);
    gone = reaps_itself(p, p->parent);
    p->zombie = true;
    notify_end(p);
    if (gone)
        unlink_process(p);
    spin_unlock(&proctree_lock);
    if (gone)
        process_put(p);
}

static void orphan_terminal(struct process *p)
{
    struct tty *tty = NULL;

    spin_lock(&proctree_lock);
    if (p->sid == p->pid) {
        tty = p->ctty;
        p->ctty = NULL;
    }
    spin_unlock(&proctree_lock);
    if (tty)
        tty_session_exit(tty, p->sid);
}

void thread_exit(void)
{
    struct thread *t = current;
    struct process *p = t->proc;
    bool last;

    t->exiting = true;
    if (p == init_process && p->nthreads == 1)
        panic("init (pid 1) ended with status 0x%x",
              p->group_exit ? p->group_exit_status : t->exit_status);
    futex_exit_robust(t);
    if (t->clear_tid && !put_user_u32(t->clear_tid, 0))
        futex_wake_addr(t->clear_tid);
    thread_use_addrspace(NULL);
    vfork_release(t);
    last = leave_group(p, t);
    if (last) {
        itimers_cancel(p);
        release_resources(p);
        orphan_terminal(p);
        p->exit_status = p->group_exit_status;
        signal_flush(&p->pending);
        become_zombie(p);
    } else {
        /* exec by another thread waits until the others are gone. */
        waitq_wake_all(&p->stop_wait);
    }
    signal_flush(&t->pending);
    sched_exit();
}

void process_exit_group(int status)
{
    signal_group_exit(current_process(), status);
    thread_exit();
}

long sys_exit(int status)
{
    current->exit_status = (status & 0xff) << 8;
    thread_exit();
}

long sys_exit_group(int status)
{
    process_exit_group((status & 0xff) << 8);
}

/* ---- Waiting ---- */

struct wait_request {
    int type; /* P_ALL, P_PID, P_PGID */
    int id;
    int options;
    /* What was found: */
    int pid, code, value; /* CLD_*, and the exit status or signal */
    uint32_t uid;
    struct rusage usage;
};

static bool matches(const struct wait_request *w, const struct process *child)
{
    if (w->type == P_PID && child->pid != w->id)
        return false;
    if (w->type == P_PGID && child->pgid != w->id)
        return false;
    if (w->options & __WALL)
        return true;
    return (child->exit_signal != SIGCHLD) == !!(w->options & __WCLONE);
}

static void report(struct wait_request *w, const struct process *child, int code, int value)
{
    w->pid = child->pid;
    w->uid = child->uid;
    w->code = code;
    w->value = value;
}

/* A zombie's last words; unless WNOWAIT it is unlinked and what it used becomes its parent's. */
static void reap(struct wait_request *w, struct process *parent, struct process *child)
{
    struct usage used = process_usage(child);
    int value, code = end_code(child, &value);

    report(w, child, code, value);
    usage_add(&used, &child->children_used);
    w->usage = usage_export(&used);
    if (w->options & WNOWAIT)
        return;
    usage_add(&parent->children_used, &used);
    unlink_process(child);
    process_put(child);
}

/* Told now, unless a SIGCONT, whose sender need not hold proctree_lock, has replaced it. */
static void clear_job_event(struct process *child, int event)
{
    spin_lock(&child->lock);
    if (child->job_event == event)
        child->job_event = 0;
    spin_unlock(&child->lock);
}

/* 1 = found (in *w), 0 = children but none ready, -ECHILD. */
static int look_at_children(struct wait_request *w, struct process *parent)
{
    struct process *child;
    int found = -ECHILD;

    spin_lock(&proctree_lock);
    list_for_each (child, &parent->children, sibling) {
        int event = child->job_event;

        if (!matches(w, child))
            continue;
        found = 1;
        if (child->zombie && w->options & WEXITED) {
            reap(w, parent, child);
            break;
        }
        if (event && w->options & (event == CLD_STOPPED ? WSTOPPED : WCONTINUED)) {
            report(w, child, event, event == CLD_STOPPED ? child->stop_signal : SIGCONT);
            if (!(w->options & WNOWAIT))
                clear_job_event(child, event);
            break;
        }
        found = 0;
    }
    spin_unlock(&proctree_lock);
    return found;
}

static int do_wait(struct wait_request *w)
{
    struct process *parent = current_process();
    int found, err;

    err = wait_event_interruptible(&parent->child_wait,
                                   (found = look_at_children(w, parent)) || w->options & WNOHANG);
    return found ? found : err;
}

static uint32_t wait_status(int code, int value)
{
    switch (code) {
    case CLD_EXITED: return (uint32_t)value << 8;
    case CLD_STOPPED: return (uint32_t)value << 8 | 0x7f;
    case CLD_CONTINUED: return 0xffff;
    default: return (uint32_t)value;
    }
}

long sys_wait4(int pid, uaddr_t status, int options, uaddr_t rusage)
{
    struct wait_request w = {.options = options | WEXITED};
    int found;

    if (options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WALL | __WCLONE | __WNOTHREAD))
        return -EINVAL;
    if (pid == INT32_MIN)
        return -ESRCH;
    w.type = pid == -1 ? P_ALL : pid > 0 ? P_PID : P_PGID;
    w.id = pid > 0 ? pid : pid == 0 ? current_process()->pgid : -pid;
    found = do_wait(&w);
    if (found <= 0)
        return found;
    if (status && put_user_u32(status, wait_status(w.code, w.value)))
        return -EFAULT;
    if (rusage && copy_to_user(rusage, &w.usage, sizeof(w.usage)))
        return -EFAULT;
    return w.pid;
}

long sys_waitid(int idtype, int id, uaddr_t uinfo, int options, uaddr_t rusage)
{
    struct wait_request w = {.type = idtype, .id = id, .options = options};
    siginfo_t info;
    int found;

    if (options & ~(WNOHANG | WEXITED | WSTOPPED | WCONTINUED | WNOWAIT | __WALL | __WCLONE |
                    __WNOTHREAD) ||
        !(options & (WEXITED | WSTOPPED | WCONTINUED)))
        return -EINVAL;
    if (idtype == P_PGID && id == 0)
        w.id = current_process()->pgid;
    if (idtype != P_ALL && ((idtype != P_PID && idtype != P_PGID) || w.id <= 0))
        return -EINVAL;
    found = do_wait(&w);
    if (found < 0)
        return found;
    memset(&info, 0, sizeof(info));
    if (found) {
        info.si_signo = SIGCHLD;
        info.si_code = w.code;
        info.si_pid = w.pid;
        info.si_uid = w.uid;
        info.si_status = w.value;
    }
    if (uinfo && copy_to_user(uinfo, &info, sizeof(info)))
        return -EFAULT;
    if (rusage && found && copy_to_user(rusage, &w.usage, sizeof(w.usage)))
        return -EFAULT;
    return 0;
}
