/* SPDX-License-Identifier: MIT */
/*
 * Sending signals: what is pending for whom, who is woken, and the blocked masks.
 *
 * [1] process->lock guards it all, with the list of threads that a signal may go to.
 * [2] A signal that kills for certain (default action, a thread that does not block it) is not
 *     queued: the process starts to exit at once, so that uninterruptible handlers of other signals
 *     or a stopped thread cannot hold it back.
 * [3] thread->sig_pending is set under the lock after the pending sets were changed, and cleared only
 *     by signal_recalc under it: a set flag may be false alarm, a clear one never lies.
 * [4] SIGKILL in a *thread's* pending set means that this thread alone must go.
 *
 * Core files are not written, so the dumping defaults are plain terminations.
 */
#include "proc/signal.h"

#include <linux/signal.h>

#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/sched.h"

struct sigqueue {
    struct list link;
    struct ksiginfo info;
};

static struct kcache *sigqueue_cache;

const uint8_t sig_default[SIG_COUNT + 1] = {
    [SIGCHLD] = SIG_ACT_IGNORE, [SIGURG] = SIG_ACT_IGNORE, [SIGWINCH] = SIG_ACT_IGNORE,
    [SIGCONT] = SIG_ACT_CONT,   [SIGSTOP] = SIG_ACT_STOP,  [SIGTSTP] = SIG_ACT_STOP,
    [SIGTTIN] = SIG_ACT_STOP,   [SIGTTOU] = SIG_ACT_STOP,
};
_Static_assert(SIG_ACT_TERM == 0, "all others terminate");

/* A fault is told before what others sent: its frame must show the faulting instruction. */
#define SIG_SYNCHRONOUS                                                                     \
    (SIGBIT(SIGSEGV) | SIGBIT(SIGBUS) | SIGBIT(SIGILL) | SIGBIT(SIGTRAP) | SIGBIT(SIGFPE) | \
     SIGBIT(SIGSYS))

/* ---- Pending sets ---------------------------------------------------------------------------- */

static void sigqueue_free(struct sigpending *pending, struct sigqueue *q)
{
    list_del(&q->link);
    pending->nqueued--;
    kcache_free(sigqueue_cache, q);
}

static void pending_drop(struct sigpending *pending, uint64_t set)
{
    struct sigqueue *q, *tmp;

    if (!(pending->set & set))
        return;
    pending->set &= ~set;
    list_for_each_safe (q, tmp, &pending->queue, link)
        if (SIGBIT(q->info.signo) & set)
            sigqueue_free(pending, q);
}

void signal_flush(struct sigpending *pending)
{
    pending_drop(pending, ~0UL);
}

void signal_discard(struct process *p, uint64_t set)
{
    struct thread *t;

    pending_drop(&p->pending, set);
    list_for_each (t, &p->threads, proc_link)
        pending_drop(&t->pending, set);
}

/*
 * Without memory a signal still becomes pending and only its details are lost, unless it is a
 * queued value: then the sender learns of it.
 */
static int pending_add(struct process *p, struct sigpending *pending, int sig,
                       const struct ksiginfo *info)
{
    struct sigqueue *q = NULL;

    if (sig < SIGRTMIN && (pending->set & SIGBIT(sig)))
        return 0;
    if (pending->nqueued < p->limits[RLIMIT_SIGPENDING].rlim_cur || sig < SIGRTMIN)
        q = kcache_alloc(sigqueue_cache, ALLOC_ATOMIC);
    if (!q && sig >= SIGRTMIN && info && info->code != SI_USER)
        return -EAGAIN;
    pending->set |= SIGBIT(sig);
    if (!q)
        return 0;
    q->info = info ? *info : (struct ksiginfo){.code = SI_KERNEL};
    q->info.signo = sig;
    list_add_tail(&pending->queue, &q->link);
    pending->nqueued++;
    return 0;
}

static int pending_take(struct sigpending *pending, uint64_t set, struct ksiginfo *info)
{
    uint64_t ready = pending->set & set;
    struct sigqueue *q, *found = NULL;
    bool more = false;
    int sig;

    if (!ready)
        return 0;
    sig = __builtin_ctzl(ready & SIG_SYNCHRONOUS ? ready & SIG_SYNCHRONOUS : ready) + 1;
    list_for_each (q, &pending->queue, link) {
        if (q->info.signo != sig)
            continue;
        if (found) {
            more = true;
            break;
        }
        found = q;
    }
    if (!more)
        pending->set &= ~SIGBIT(sig);
    *info = found ? found->info : (struct ksiginfo){.signo = sig, .code = SI_USER};
    if (found)
        sigqueue_free(pending, found);
    return sig;
}

int signal_dequeue(struct thread *t, uint64_t set, struct ksiginfo *info)
{
    int sig;

    set &= ~SIGBIT(SIGKILL); /* no signal but a mark, see [4] */
    sig = pending_take(&t->pending, set, info);
    if (!sig)
        sig = pending_take(&t->proc->pending, set, info);
    if (sig && sig_default[sig] == SIG_ACT_STOP)
        t->proc->stop_dequeued = true;
    signal_recalc(t);
    return sig;
}

/* ---- Who must look --------------------------------------------------------------------------- */

static bool must_exit(struct thread *t)
{
    return READ_ONCE(t->proc->group_exit) || (READ_ONCE(t->pending.set) & SIGBIT(SIGKILL));
}

static bool has_work(struct thread *t)
{
    uint64_t pending = t->pending.set | t->proc->pending.set;

    return (pending & (~t->sig_mask | t->wait_set)) || READ_ONCE(t->proc->stopped) || must_exit(t);
}

static bool told(struct thread *t)
{
    return atomic_load_explicit(&t->sig_pending, memory_order_seq_cst) && t->proc;
}

bool signal_deliverable(struct thread *t)
{
    return told(t) && has_work(t);
}

bool signal_fatal_pending(struct thread *t)
{
    return told(t) && must_exit(t);
}

void signal_recalc(struct thread *t)
{
    atomic_store_explicit(&t->sig_pending, has_work(t) || t->restore_mask || t->proc->cont_notify,
                          memory_order_seq_cst);
}

/* Wakes t out of its sleep, or interrupts it in user mode on its hart, so that it looks. */
void signal_alert(struct thread *t, bool fatal)
{
    struct runq *rq;

    atomic_store_explicit(&t->sig_pending, true, memory_order_seq_cst);
    if (sched_wake_signal(t, fatal) || t == current)
        return;
    /* If it began to run only after the wake-up looked at it, it has seen the flag already. */
    rq = atomic_load_explicit(&t->rq, memory_order_relaxed);
    if (READ_ONCE(rq->running) == t && rq->hart != arch_this_hart())
        arch_send_ipi(rq->hart, IPI_RESCHED);
}

static bool wants(const struct thread *t, uint64_t set)
{
    return !t->exiting && (set & (~t->sig_mask | t->wait_set));
}

static struct thread *choose_thread(struct process *p, int sig)
{
    struct thread *t;

    list_for_each (t, &p->threads, proc_link)
        if (wants(t, SIGBIT(sig)))
            return t;
    return NULL;
}

static void group_exit_locked(struct process *p, int wait_status)
{
    struct thread *t;

    assert(spin_held(&p->lock));
    if (p->group_exit)
        return;
    p->group_exit_status = wait_status;
    WRITE_ONCE(p->group_exit, true);
    p->stopped = false;
    p->job_event = 0;
    list_for_each (t, &p->threads, proc_link)
        signal_alert(t, true);
    waitq_wake_all(&p->stop_wait);
}

void signal_group_exit(struct process *p, int wait_status)
{
    spin_lock(&p->lock);
    group_exit_locked(p, wait_status);
    spin_unlock(&p->lock);
}

void signal_kill_thread(struct thread *t)
{
    t->pending.set |= SIGBIT(SIGKILL);
    signal_alert(t, true);
    waitq_wake_all(&t->proc->stop_wait);
}

void signal_retarget(struct process *p, struct thread *except, uint64_t lost)
{
    struct thread *t;

    lost &= p->pending.set;
    list_for_each (t, &p->threads, proc_link)
        if (t != except && wants(t, lost))
            signal_alert(t, false);
}

void signal_set_mask(uint64_t mask)
{
    struct thread *t = current;
    uint64_t blocked;

    mask &= ~SIG_UNBLOCKABLE;
    spin_lock(&t->proc->lock);
    blocked = mask & ~t->sig_mask;
    t->sig_mask = mask;
    signal_retarget(t->proc, t, blocked);
    signal_recalc(t);
    spin_unlock(&t->proc->lock);
}

void signal_swap_mask(uint64_t mask)
{
    current->saved_mask = current->sig_mask;
    signal_set_mask(mask);
}

void signal_swap_back(bool interrupted)
{
    struct thread *t = current;

    if (!interrupted) {
        signal_set_mask(t->saved_mask);
        return;
    }
    t->restore_mask = true;
    atomic_store_explicit(&t->sig_pending, true, memory_order_seq_cst);
}

/* ---- Sending --------------------------------------------------------------------------------- */

bool signal_is_ignored(struct process *p, int sig)
{
    uaddr_t handler = p->actions[sig - 1].handler;

    if (handler == ACTION_IGNORE)
        return true;
    if (handler != ACTION_DEFAULT)
        return false;
    if (p == init_process) /* nothing it did not ask for may end or stop init */
        return true;
    return sig_default[sig] == SIG_ACT_IGNORE || sig_default[sig] == SIG_ACT_CONT;
}

bool signal_blocked_or_ignored(struct thread *t, int sig)
{
    return (t->sig_mask & SIGBIT(sig)) || t->proc->actions[sig - 1].handler == ACTION_IGNORE;
}

/* Stop signals and SIGCONT cancel each other when sent, whatever their actions and masks. */
static void cancel_opposite(struct process *p, int sig)
{
    if (sig_default[sig] == SIG_ACT_STOP)
        signal_discard(p, SIGBIT(SIGCONT));
    if (sig != SIGCONT)
        return;
    signal_discard(p, SIG_STOPS);
    p->stop_dequeued = false;
    if (!p->stopped)
        return;
    p->stopped = false;
    p->job_event = CLD_CONTINUED;
    p->cont_notify = true;
    waitq_wake_all(&p->stop_wait);
}

static bool kills(struct process *p, const struct thread *t, int sig)
{
    return p != init_process && p->actions[sig - 1].handler == ACTION_DEFAULT &&
           sig_default[sig] == SIG_ACT_TERM && !(t->sig_mask & SIGBIT(sig));
}

/* target NULL: any thread of the process. p->lock held. */
static int send_locked(struct process *p, struct thread *target, int sig,
                       const struct ksiginfo *info)
{
    struct thread *t = target ? target : choose_thread(p, sig);
    int err;

    /* One that left the group has had its pending set flushed, or soon will. */
    if (list_empty(target ? &target->proc_link : &p->threads) || p->group_exit)
        return 0;
    cancel_opposite(p, sig);
    if (t && !((t->sig_mask | t->wait_set) & SIGBIT(sig)) && signal_is_ignored(p, sig))
        return 0;
    if (t && kills(p, t, sig)) {
        group_exit_locked(p, sig);
        return 0;
    }
    err = pending_add(p, target ? &target->pending : &p->pending, sig, info);
    if (!err && t && wants(t, SIGBIT(sig)))
        signal_alert(t, false);
    return err;
}

static int send(struct process *p, struct thread *target, int sig, const struct ksiginfo *info)
{
    int err;

    spin_lock(&p->lock);
    err = send_locked(p, target, sig, info);
    spin_unlock(&p->lock);
    return err;
}

int signal_send_process(struct process *p, int sig, const struct ksiginfo *info)
{
    return send(p, NULL, sig, info);
}

int signal_send_thread(struct thread *t, int sig, const struct ksiginfo *info)
{
    return send(t->proc, t, sig, info);
}

void signal_force(int sig, int code, uaddr_t addr)
{
    struct thread *t = current;
    struct process *p = t->proc;
    struct ksigaction *act = &p->actions[sig - 1];
    struct ksiginfo info = {.signo = sig, .code = code, .addr = addr};

    spin_lock(&p->lock);
    if (act->handler == ACTION_IGNORE || (t->sig_mask & SIGBIT(sig)))
        act->handler = ACTION_DEFAULT;
    t->sig_mask &= ~SIGBIT(sig);
    if (act->handler == ACTION_DEFAULT)
        group_exit_locked(p, sig); /* init too: it cannot go on */
    else
        (void)pending_add(p, &t->pending, sig, &info);
    signal_recalc(t);
    spin_unlock(&p->lock);
}

void signal_notify_parent(struct process *p, int code, int status)
{
    struct process *parent = p->parent;
    struct ksiginfo info = {.code = code, .pid = p->pid, .uid = p->uid, .value = (uint32_t)status};
    bool stop = code == CLD_STOPPED || code == CLD_CONTINUED;
    int sig = stop ? SIGCHLD : p->exit_signal;

    if (!parent)
        return;
    if (sig && !(stop && parent->actions[SIGCHLD - 1].flags & SA_NOCLDSTOP))
        (void)signal_send_process(parent, sig, &info);
    waitq_wake_all(&parent->child_wait);
}

void signal_exec_reset(struct process *p)
{
    spin_lock(&p->lock);
    for (int i = 0; i < SIG_COUNT; i++) {
        struct ksigaction *act = &p->actions[i];

        *act = (struct ksigaction){.handler = act->handler == ACTION_IGNORE ? ACTION_IGNORE
                                                                            : ACTION_DEFAULT};
    }
    spin_unlock(&p->lock);
    current->altstack_sp = 0;
    current->altstack_size = 0;
    current->altstack_flags = SS_DISABLE;
    current->restart_deadline_ns = 0;
}

/* ---- Details for programs -------------------------------------------------------------------- */

static bool is_fault(const struct ksiginfo *info)
{
    return info->code > 0 && info->code != SI_KERNEL && (SIGBIT(info->signo) & SIG_SYNCHRONOUS);
}

void siginfo_export(siginfo_t *out, const struct ksiginfo *info)
{
    memset(out, 0, sizeof(*out));
    out->si_signo = info->signo;
    out->si_errno = info->err;
    out->si_code = info->code;
    if (is_fault(info)) {
        out->si_addr = (void *)info->addr;
        return;
    }
    out->si_pid = info->pid;
    out->si_uid = info->uid;
    out->si_value.sival_ptr = (void *)info->value; /* SIGCHLD's si_status lies at the same place */
}

uint64_t signal_restart_deadline(uint64_t fresh_ns)
{
    uint64_t kept = current->restart_deadline_ns;

    current->restart_deadline_ns = 0;
    return kept ? kept : fresh_ns;
}

void signal_init(void)
{
    sigqueue_cache = kcache_create("sigqueue", sizeof(struct sigqueue));
    signal_defer_init();
}
