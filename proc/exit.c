/* SPDX-License-Identifier: MIT */
/*
 * The end of threads and processes, and waiting for it. A process becomes a zombie only after its
 * memory and files are gone, so a parent that has waited sees everything given back.
 *
 * Locks: proctree_lock for parent, children and zombie; a process's own lock for its thread list.
 */
#include <linux/resource.h>
#include <linux/wait.h>

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "proc/files.h"
#include "proc/itimer.h"
#include "proc/pgroup.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

#define WTERMSIG(s) ((s)&0x7f)
#define WEXITSTATUS(s) ((s) >> 8 & 0xff)
#define WSTATUS_STOPPED(sig) ((sig) << 8 | 0x7f)
#define WSTATUS_CONTINUED 0xffff

/* ---- Ending ---- */

static void leave_addrspace(struct thread *t)
{
    irqflags_t irq = arch_irq_save();

    t->as = NULL;
    addrspace_activate(NULL);
    arch_irq_restore(irq);
}

/* True for the last thread of the group. Its times live on in the process. */
static bool leave_group(struct process *p, struct thread *t)
{
    bool last;

    spin_lock(&p->lock);
    list_del(&t->proc_link);
    signal_retarget(p, t);
    p->dead_runtime_ns += t->runtime_ns + (arch_time_ns() - t->run_start_ns);
    p->dead_utime_ns += t->utime_ns;
    p->dead_stime_ns += t->stime_ns;
    p->nvcsw += t->nvcsw;
    p->nivcsw += t->nivcsw;
    p->minflt += t->minflt;
    p->majflt += t->majflt;
    last = --p->nthreads == 0;
    if (last)
        strlcpy(p->name, t->name, sizeof(p->name));
    if (last && !p->group_exit)
        p->group_exit_status = t->exit_status;
    spin_unlock(&p->lock);
    return last;
}

static void release_memory(struct process *p)
{
    struct addrspace *as;

    spin_lock(&p->lock);
    as = p->as;
    p->as = NULL;
    spin_unlock(&p->lock);
    if (as)
        p->maxrss = MAX(p->maxrss, as->rss);
    addrspace_put(as);
}

static void release_files(struct process *p)
{
    struct files *files;

    spin_lock(&p->lock);
    files = p->files;
    p->files = NULL;
    spin_unlock(&p->lock);
    files_put(files);
}

/* Children go to init. Returns whether one of them is a zombie that init must hear of. */
static bool reparent_children(struct process *p)
{
    struct process *child, *next;
    bool zombies = false;

    assert(spin_held(&proctree_lock));
    list_for_each_safe (child, next, &p->children, sibling) {
        list_del(&child->sibling);
        child->parent = init_process;
        child->ppid = init_process->pid;
        child->exit_signal = SIGCHLD;
        list_add_tail(&init_process->children, &child->sibling);
        zombies |= child->zombie;
    }
    return zombies;
}

static void unlink_process(struct process *p)
{
    assert(spin_held(&proctree_lock));
    list_del(&p->sibling);
    list_del(&p->hash_link);
    p->parent = NULL;
}

static bool reaps_itself(struct process *p, struct process *parent)
{
    struct ksigaction *act = &parent->actions[SIGCHLD - 1];

    return p->exit_signal == SIGCHLD &&
           (act->handler == (uaddr_t)SIG_IGN || act->flags & SA_NOCLDWAIT);
}

static void fill_child_info(struct ksiginfo *info, struct process *p)
{
    int status = p->exit_status;

    *info = (struct ksiginfo){.signo = p->exit_signal, .pid = p->pid, .uid = p->uid};
    info->code = WTERMSIG(status) ? CLD_KILLED : CLD_EXITED;
    info->value = (uint64_t)(WTERMSIG(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void become_zombie(struct process *p)
{
    struct process *parent;
    struct ksiginfo info;
    bool wake_init, gone;

    spin_lock(&proctree_lock);
    pgroup_process_exits(p);
    wake_init = reparent_children(p);
    parent = process_get(p->parent);
    gone = reaps_itself(p, parent);
    p->zombie = true;
    fill_child_info(&info, p);
    if (gone) {
        unlink_process(p);
        parent->child_utime_ns += p->child_utime_ns;
        parent->child_stime_ns += p->child_stime_ns;
    }
    spin_unlock(&proctree_lock);
    if (p->exit_signal)
        signal_send_process(parent, p->exit_signal, &info);
    waitq_wake_all(&parent->child_wait);
    if (wake_init) {
        signal_send_process(init_process, SIGCHLD, NULL);
        waitq_wake_all(&init_process->child_wait);
    }
    process_put(parent);
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
        futex_wake_addr(t->clear_tid, 1);
    leave_addrspace(t);
    vfork_release(t);
    last = leave_group(p, t);
    if (last) {
        itimers_cancel(p);
        release_memory(p);
        release_files(p);
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
    int pid, status, code;
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

static void report(struct wait_request *w, const struct process *child, int status, int code)
{
    w->pid = child->pid;
    w->status = status;
    w->code = code;
    w->uid = child->uid;
}

/* A zombie's last words; unless WNOWAIT it is unlinked and its times become its parent's. */
static void reap(struct wait_request *w, struct process *parent, struct process *child)
{
    uint64_t utime, stime;

    report(w, child, child->exit_status, WTERMSIG(child->exit_status) ? CLD_KILLED : CLD_EXITED);
    process_cpu_times(child, &utime, &stime);
    utime += child->child_utime_ns;
    stime += child->child_stime_ns;
    w->usage.ru_utime.tv_sec = (long)(utime / NSEC_PER_SEC);
    w->usage.ru_utime.tv_usec = (long)(utime % NSEC_PER_SEC / 1000);
    w->usage.ru_stime.tv_sec = (long)(stime / NSEC_PER_SEC);
    w->usage.ru_stime.tv_usec = (long)(stime % NSEC_PER_SEC / 1000);
    w->usage.ru_maxrss = (long)(MAX(child->maxrss, child->child_maxrss) * (PAGE_SIZE / 1024));
    w->usage.ru_minflt = (long)child->minflt;
    w->usage.ru_majflt = (long)child->majflt;
    w->usage.ru_nvcsw = (long)child->nvcsw;
    w->usage.ru_nivcsw = (long)child->nivcsw;
    if (w->options & WNOWAIT)
        return;
    parent->child_utime_ns += utime;
    parent->child_stime_ns += stime;
    parent->child_maxrss = MAX(parent->child_maxrss, MAX(child->maxrss, child->child_maxrss));
    unlink_process(child);
    process_put(child);
}

/* 1 = found (in *w), 0 = children but none ready, -ECHILD. proctree_lock held. */
static int look_at_children(struct wait_request *w, struct process *parent)
{
    struct process *child;
    int found = -ECHILD;

    list_for_each (child, &parent->children, sibling) {
        if (!matches(w, child))
            continue;
        found = 0;
        if (child->zombie && w->options & WEXITED) {
            reap(w, parent, child);
            return 1;
        }
        if (child->stopped && !child->stop_reported && w->options & WSTOPPED) {
            child->stop_reported = !(w->options & WNOWAIT);
            report(w, child, WSTATUS_STOPPED(child->stop_signal), CLD_STOPPED);
            return 1;
        }
        if (child->continued && w->options & WCONTINUED) {
            child->continued = w->options & WNOWAIT;
            report(w, child, WSTATUS_CONTINUED, CLD_CONTINUED);
            return 1;
        }
    }
    return found;
}

static int do_wait(struct wait_request *w)
{
    struct process *parent = current_process();
    struct waiter waiter = {0};
    int found, err = 0;

    for (;;) {
        waiter_prepare(&waiter, &parent->child_wait, WAIT_INTERRUPTIBLE);
        spin_lock(&proctree_lock);
        found = look_at_children(w, parent);
        spin_unlock(&proctree_lock);
        if (found || w->options & WNOHANG || err)
            break;
        err = waiter_sleep(NO_DEADLINE);
    }
    waiter_finish(&waiter);
    return found ? found : err;
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
    if (status && put_user_u32(status, (uint32_t)w.status))
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
    if (idtype != P_ALL && (idtype == P_PIDFD || idtype > P_PIDFD || w.id <= 0))
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
        info.si_status = w.code == CLD_EXITED    ? WEXITSTATUS(w.status)
                         : w.code == CLD_STOPPED ? WEXITSTATUS(w.status)
                         : w.code == CLD_KILLED  ? WTERMSIG(w.status)
                                                 : SIGCONT;
    }
    if (uinfo && copy_to_user(uinfo, &info, sizeof(info)))
        return -EFAULT;
    if (rusage && found && copy_to_user(rusage, &w.usage, sizeof(w.usage)))
        return -EFAULT;
    return 0;
}
