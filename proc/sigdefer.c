/* SPDX-License-Identifier: MIT */
/*
 * The kernel thread "ksignal": sends what interrupt handlers (the terminal's Ctrl-C, expired interval
 * timers) ask for. The locks of processes and signals are not masked against interrupts, so a handler
 * only leaves a note here.
 *
 * There is one terminal, so its signals are one set for one group; a new foreground group calls off
 * what the old one has not got yet. Timers are a list through the processes, each on it at most once
 * and referenced, so that none is lost.
 */
#include "lib/log.h"
#include "proc/process.h"

static struct spinlock defer_lock = SPINLOCK_INIT(RANK_LEAF, "sigdefer"); /* irqsave: all below */
static int tty_pgid;
static uint64_t tty_signals;
static struct process *due_list;
static struct waitq defer_wait = WAITQ_INIT(defer_wait);

void signal_send_group_irq(int pgid, int sig)
{
    irqflags_t flags = spin_lock_irqsave(&defer_lock);

    if (pgid != tty_pgid)
        tty_signals = 0;
    tty_pgid = pgid;
    tty_signals |= SIGBIT(sig);
    spin_unlock_irqrestore(&defer_lock, flags);
    waitq_wake_all(&defer_wait);
}

void signal_defer_itimers(struct timer *t)
{
    struct process *p = t->arg;
    irqflags_t flags;

    if (atomic_exchange_explicit(&p->itimer_due, 1, memory_order_acq_rel))
        return;
    process_get(p);
    flags = spin_lock_irqsave(&defer_lock);
    p->itimer_next = due_list;
    due_list = p;
    spin_unlock_irqrestore(&defer_lock, flags);
    waitq_wake_all(&defer_wait);
}

static void defer_thread(void *arg)
{
    struct process *p, *next;
    irqflags_t flags;
    uint64_t set;
    int pgid;

    (void)arg;
    for (;;) {
        wait_event(&defer_wait, READ_ONCE(due_list) || READ_ONCE(tty_signals));
        flags = spin_lock_irqsave(&defer_lock);
        pgid = tty_pgid;
        set = tty_signals;
        tty_signals = 0;
        p = due_list;
        due_list = NULL;
        spin_unlock_irqrestore(&defer_lock, flags);
        for (; set; set &= set - 1)
            signal_send_group(pgid, __builtin_ctzl(set) + 1, NULL);
        for (; p; p = next) {
            next = p->itimer_next;
            /* Off the list before it is looked at: what falls due meanwhile lists it again. */
            atomic_store_explicit(&p->itimer_due, 0, memory_order_seq_cst);
            itimers_run(p);
            process_put(p);
        }
    }
}

void signal_defer_init(void)
{
    BUG_ON(!kthread_create("ksignal", defer_thread, NULL));
}
