/* SPDX-License-Identifier: MIT */
/*
 * The kernel thread "ksignal": sends what interrupt handlers (the terminal's Ctrl-C, expired interval
 * timers) ask for. The locks of processes and signals are not masked against interrupts, so a handler
 * only leaves a note here.
 *
 * Terminal signals lie in a small ring; while it is full, equal ones are merged and others dropped:
 * a user who types faster than that repeats himself anyway. Timers are a list through the
 * processes, each on it at most once and referenced, so that none is lost.
 */
#include "proc/sigdefer.h"

#include "lib/log.h"
#include "proc/itimer.h"
#include "proc/process.h"

#define RING_SIZE 16

struct group_signal {
    int pgid, sig;
};

static struct spinlock defer_lock; /* RANK_LEAF, irqsave: guards all below */
static struct group_signal ring[RING_SIZE];
static unsigned ring_head, ring_count;
static struct process *due_list;
static struct waitq defer_wait;

static bool already_noted(int pgid, int sig)
{
    for (unsigned i = 0; i < ring_count; i++) {
        const struct group_signal *g = &ring[(ring_head + i) % RING_SIZE];

        if (g->pgid == pgid && g->sig == sig)
            return true;
    }
    return false;
}

void signal_send_group_irq(int pgid, int sig)
{
    irqflags_t flags = spin_lock_irqsave(&defer_lock);

    if (ring_count < RING_SIZE && !already_noted(pgid, sig))
        ring[(ring_head + ring_count++) % RING_SIZE] = (struct group_signal){pgid, sig};
    spin_unlock_irqrestore(&defer_lock, flags);
    waitq_wake_all(&defer_wait);
}

void signal_defer_itimers(struct process *p)
{
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

static bool take_group_signal(struct group_signal *out)
{
    irqflags_t flags = spin_lock_irqsave(&defer_lock);
    bool any = ring_count > 0;

    if (any) {
        *out = ring[ring_head];
        ring_head = (ring_head + 1) % RING_SIZE;
        ring_count--;
    }
    spin_unlock_irqrestore(&defer_lock, flags);
    return any;
}

static struct process *take_due(void)
{
    irqflags_t flags = spin_lock_irqsave(&defer_lock);
    struct process *p = due_list;

    if (p)
        due_list = p->itimer_next;
    spin_unlock_irqrestore(&defer_lock, flags);
    return p;
}

static bool anything_to_do(void)
{
    irqflags_t flags = spin_lock_irqsave(&defer_lock);
    bool any = ring_count > 0 || due_list;

    spin_unlock_irqrestore(&defer_lock, flags);
    return any;
}

static void defer_thread(void *arg)
{
    struct group_signal g;
    struct process *p;

    (void)arg;
    for (;;) {
        wait_event(&defer_wait, anything_to_do());
        while (take_group_signal(&g))
            signal_send_group(g.pgid, g.sig, NULL);
        while ((p = take_due())) {
            /* Off the list before it is looked at: what falls due meanwhile lists it again. */
            atomic_store_explicit(&p->itimer_due, 0, memory_order_seq_cst);
            itimers_run(p);
            process_put(p);
        }
    }
}

void signal_defer_init(void)
{
    spin_init(&defer_lock, RANK_LEAF, "sigdefer");
    waitq_init(&defer_wait);
    BUG_ON(!kthread_create("ksignal", defer_thread, NULL));
}
