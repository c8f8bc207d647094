/* SPDX-License-Identifier: MIT */
/*
 * Wait queues and mutexes (lib/wait.h), on top of the scheduler. Locks: waitq->lock (RANK_WAITQ,
 * irqsave), and under it the woken thread's run queue.
 */
#include "lib/wait.h"

#include "lib/log.h"
#include "proc/process.h"
#include "proc/sched.h"

void waitq_init(struct waitq *wq)
{
    spin_init(&wq->lock, RANK_WAITQ, "waitq");
    list_init(&wq->list);
}

void waiter_prepare(struct waiter *w, struct waitq *wq, enum wait_mode mode)
{
    if (!w->wq) {
        irqflags_t irq = spin_lock_irqsave(&wq->lock);

        w->wq = wq;
        w->thread = current;
        list_add_tail(&wq->list, &w->link);
        spin_unlock_irqrestore(&wq->lock, irq);
    }
    current->wait_mode = (uint8_t)mode;
    /* Sequentially consistent: marked as sleeping before the caller looks at its condition. */
    atomic_store_explicit(&current->state, THREAD_SLEEPING, memory_order_seq_cst);
}

static bool must_not_sleep(struct thread *t)
{
    if (t->wait_mode == WAIT_UNINTERRUPTIBLE || !t->sig_pending)
        return false;
    return t->wait_mode == WAIT_INTERRUPTIBLE ? signal_deliverable(t) : signal_fatal_pending(t);
}

int waiter_sleep(uint64_t deadline_ns)
{
    struct thread *t = current;
    int err = 0;

    if (must_not_sleep(t))
        err = -ERESTARTSYS;
    else if (deadline_ns != NO_DEADLINE && arch_time_ns() >= deadline_ns)
        err = -ETIMEDOUT;
    if (err) {
        atomic_store_explicit(&t->state, THREAD_RUNNABLE, memory_order_relaxed);
        return err;
    }
    if (deadline_ns != NO_DEADLINE)
        timer_arm(&t->sleep_timer, deadline_ns);
    schedule();
    if (deadline_ns != NO_DEADLINE)
        timer_cancel(&t->sleep_timer);
    return 0;
}

void waiter_finish(struct waiter *w)
{
    irqflags_t irq;

    atomic_store_explicit(&current->state, THREAD_RUNNABLE, memory_order_relaxed);
    if (!w->wq)
        return;
    irq = spin_lock_irqsave(&w->wq->lock);
    list_del(&w->link);
    spin_unlock_irqrestore(&w->wq->lock, irq);
    w->wq = NULL;
}

/* One: the first that really sleeps, since one that is awake already has its own reason to be. */
static void wake(struct waitq *wq, bool all)
{
    irqflags_t irq;
    struct waiter *w;

    if (waitq_idle(wq))
        return;
    irq = spin_lock_irqsave(&wq->lock);
    list_for_each (w, &wq->list, link)
        if (sched_wake(w->thread) && !all)
            break;
    spin_unlock_irqrestore(&wq->lock, irq);
}

void waitq_wake_all(struct waitq *wq)
{
    wake(wq, true);
}

void waitq_wake_one(struct waitq *wq)
{
    wake(wq, false);
}

/* ---- Mutexes ---- */

void mutex_init(struct mutex *m, enum mutex_rank rank)
{
    atomic_init(&m->owner, NULL);
    waitq_init(&m->wq);
    m->rank = (uint8_t)rank;
}

void mutex_lock_slow(struct mutex *m)
{
    wait_event(&m->wq, mutex_trylock(m));
}

void mutex_unlock_slow(struct mutex *m)
{
    waitq_wake_one(&m->wq);
}

void mutex_check_acquire(struct mutex *m)
{
    struct thread *t = current;

    spin_assert_none_held();
    if (arch_this_hart()->irq_depth)
        panic("a mutex is taken in an interrupt handler");
    if (mutex_held(m))
        panic("mutex of rank %u is taken twice", m->rank);
    if (t->mutex_mask >> m->rank)
        panic("mutex of rank %u is taken while ranks 0x%lx are held", m->rank, t->mutex_mask);
}

void mutex_note_acquired(struct mutex *m)
{
    current->mutex_mask |= 1UL << m->rank;
}

void mutex_note_release(struct mutex *m)
{
    if (!mutex_held(m))
        panic("mutex of rank %u is released by a thread that does not hold it", m->rank);
    current->mutex_mask &= ~(1UL << m->rank);
}
