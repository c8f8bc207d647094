/* SPDX-License-Identifier: MIT */
/*
 * The work a thread does on its way back to user mode: give up the hart when its slice is over, end
 * when its process ends, wait while its process is stopped, and take its signals.
 *
 * A thread acts on signals only here, with no lock held and nothing of the kernel's in its hands; a
 * sleeping one is woken, its system call returns -ERESTARTSYS or -ERESTARTNOHAND, and it comes by.
 * Such a call runs again (a0 as it was, pc back on the ecall) unless a handler runs that did not ask
 * for that; then the program sees EINTR.
 *
 * arch/trampoline.S calls thread_do_work again until need_resched and sig_pending are clear, so each
 * call may leave after one handler.
 */
#include "mm/addrspace.h"
#include "proc/process.h"
#include "proc/sched.h"

/* act NULL: no handler runs. */
static void finish_interrupted_call(struct thread *t, struct trapframe *tf,
                                    const struct ksigaction *act)
{
    long ret = (long)tf->a[0];

    if (!t->restart_ok)
        return;
    t->restart_ok = false;
    if (ret != -ERESTARTSYS && ret != -ERESTARTNOHAND && ret != -ERESTARTNOINTR)
        return;
    if (act && ret != -ERESTARTNOINTR) {
        t->restart_deadline_ns = 0;
        if (ret == -ERESTARTNOHAND || !(act->flags & SA_RESTART)) {
            tf->a[0] = (uint64_t)-EINTR;
            return;
        }
    }
    tf->a[0] = tf->orig_a0;
    tf->epc -= 4;
}

/* ---- Stops ----------------------------------------------------------------------------------- */

/* Makes all threads park here, unless a SIGCONT or the end came in between. */
static void stop_process(struct process *p, int sig)
{
    struct thread *t;
    bool stop;

    spin_lock(&proctree_lock);
    spin_lock(&p->lock);
    /* Nobody could ever continue an orphaned group's members, so the terminal may not stop them. */
    stop = p->stop_dequeued && !p->group_exit &&
           (sig == SIGSTOP || !pgroup_is_orphaned(p->pgid, NULL));
    p->stop_dequeued = false;
    if (stop) {
        p->stopped = true;
        p->stop_signal = sig;
        p->job_event = CLD_STOPPED;
        p->cont_notify = false;
        list_for_each (t, &p->threads, proc_link)
            signal_alert(t, false);
    }
    spin_unlock(&p->lock);
    if (stop)
        signal_notify_parent(p, CLD_STOPPED, sig);
    spin_unlock(&proctree_lock);
}

static void wait_while_stopped(struct thread *t)
{
    struct process *p = t->proc;

    (void)wait_event_deadline(&p->stop_wait, !READ_ONCE(p->stopped) || signal_fatal_pending(t),
                              WAIT_KILLABLE, NO_DEADLINE);
}

/* The first thread that runs again tells the parent: SIGCONT's sender may hold locks. */
static void notify_continued(struct process *p)
{
    bool mine;

    spin_lock(&proctree_lock);
    spin_lock(&p->lock);
    mine = p->cont_notify;
    p->cont_notify = false;
    spin_unlock(&p->lock);
    if (mine)
        signal_notify_parent(p, CLD_CONTINUED, SIGCONT);
    spin_unlock(&proctree_lock);
}

/* ---- Actions --------------------------------------------------------------------------------- */

/* The next signal that does something, with its action as it is now. 0: none. */
static int take_signal(struct thread *t, struct ksiginfo *info, struct ksigaction *act)
{
    struct process *p = t->proc;
    int sig;

    spin_lock(&p->lock);
    while ((sig = signal_dequeue(t, ~t->sig_mask, info))) {
        *act = p->actions[sig - 1];
        if (signal_is_ignored(p, sig))
            continue;
        if (act->handler != ACTION_DEFAULT && (act->flags & SA_RESETHAND))
            p->actions[sig - 1].handler = ACTION_DEFAULT;
        break;
    }
    spin_unlock(&p->lock);
    return sig;
}

uaddr_t signal_return_address(const struct thread *t)
{
    return arch_vdso_sigreturn(t->as->vdso);
}

static void run_handler(struct thread *t, struct trapframe *tf, const struct ksigaction *act,
                        const struct ksiginfo *info)
{
    uint64_t old_mask = t->restore_mask ? t->saved_mask : t->sig_mask;
    int sig = info->signo;

    finish_interrupted_call(t, tf, act);
    if (arch_signal_deliver(t, act, info, old_mask)) {
        if (sig == SIGSEGV) /* its own frame does not fit either */
            t->proc->actions[SIGSEGV - 1].handler = ACTION_DEFAULT;
        signal_force(SIGSEGV, SI_KERNEL, 0);
        return;
    }
    t->restore_mask = false;
    signal_set_mask(t->sig_mask | act->mask | (act->flags & SA_NODEFER ? 0 : SIGBIT(sig)));
}

static void finish_without_handler(struct thread *t, struct trapframe *tf)
{
    finish_interrupted_call(t, tf, NULL);
    if (t->restore_mask) {
        t->restore_mask = false;
        signal_set_mask(t->saved_mask);
    }
}

/* What must be seen to before any signal. True: look again. */
static bool handle_process_state(struct thread *t)
{
    if (signal_fatal_pending(t))
        thread_exit();
    if (READ_ONCE(t->proc->cont_notify)) {
        notify_continued(t->proc);
        return true;
    }
    if (READ_ONCE(t->proc->stopped)) {
        wait_while_stopped(t);
        return true;
    }
    return false;
}

static void handle_signals(struct thread *t, struct trapframe *tf)
{
    struct ksigaction act;
    struct ksiginfo info;
    int sig;

    for (;;) {
        if (handle_process_state(t))
            continue;
        sig = take_signal(t, &info, &act);
        if (!sig) {
            finish_without_handler(t, tf);
            return;
        }
        if (act.handler != ACTION_DEFAULT) {
            run_handler(t, tf, &act, &info);
            return;
        }
        if (sig_default[sig] == SIG_ACT_STOP)
            stop_process(t->proc, sig);
        else
            process_exit_group(sig);
    }
}

void thread_do_work(struct trapframe *tf)
{
    struct thread *t = current;

    if (t->need_resched)
        schedule();
    if (t->sig_pending)
        handle_signals(t, tf);
}

void trap_user_fault(struct trapframe *tf, int sig, int code, uaddr_t addr)
{
    (void)tf;
    signal_force(sig, code, addr);
}
