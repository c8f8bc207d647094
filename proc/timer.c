/* SPDX-License-Identifier: MIT */
/*
 * Timers: a list per hart, sorted by deadline, and the one comparator of the hart behind it.
 *
 * [1] A timer is armed if it is linked, on the list of the hart that armed it. There it fires, from
 *     the timer interrupt, with the lock dropped; queue->running names it meanwhile, so that
 *     timer_cancel can wait for it.
 * [2] The comparator holds the deadline of the list's head, or an earlier one that was cancelled (the
 *     interrupt then finds nothing and sets it anew); nobody else sets it once a hart is up.
 *     Insertion searches from the tail: most deadlines are later than those already there.
 *
 * Lock: timer_lock, RANK_TIMER, irqsave, for all lists: it is held for a few instructions. The
 * hardware is programmed by its own hart only.
 */
#include "proc/timer.h"

#include "arch/arch.h"
#include "lib/ktest.h"
#include "lib/spinlock.h"
#include "proc/files.h"

struct timer_queue {
    struct list armed;             /* of struct timer, earliest first */
    struct timer *_Atomic running; /* whose function runs now */
};

static struct spinlock timer_lock = SPINLOCK_INIT(RANK_TIMER, "timer");

#define QUEUE(i)                            \
    {                                       \
        .armed = LIST_INIT(queues[i].armed) \
    }
static struct timer_queue queues[] = {QUEUE(0), QUEUE(1), QUEUE(2), QUEUE(3),
                                      QUEUE(4), QUEUE(5), QUEUE(6), QUEUE(7)};
_Static_assert(ARRAY_SIZE(queues) == MAX_HARTS, "one for each hart");

static struct timer_queue *own_queue(void)
{
    return &queues[arch_this_hart()->index];
}

static uint64_t head_deadline(const struct timer_queue *q)
{
    return list_empty(&q->armed) ? UINT64_MAX
                                 : list_first(&q->armed, struct timer, link)->deadline_ns;
}

void timer_init(struct timer *t, void (*fn)(struct timer *), void *arg)
{
    list_init(&t->link);
    t->deadline_ns = 0;
    t->fn = fn;
    t->arg = arg;
}

void timer_arm(struct timer *t, uint64_t deadline_ns)
{
    irqflags_t flags = spin_lock_irqsave(&timer_lock);
    struct timer_queue *q = own_queue();
    struct list *after;

    list_del(&t->link);
    t->deadline_ns = deadline_ns;
    for (after = q->armed.prev; after != &q->armed; after = after->prev)
        if (list_entry(after, struct timer, link)->deadline_ns <= deadline_ns)
            break;
    list_add(after, &t->link);
    if (after == &q->armed)
        arch_set_timer(deadline_ns);
    spin_unlock_irqrestore(&timer_lock, flags);
}

static bool disarm(struct timer *t)
{
    irqflags_t flags = spin_lock_irqsave(&timer_lock);
    bool armed = timer_armed(t);

    list_del(&t->link);
    spin_unlock_irqrestore(&timer_lock, flags);
    return armed;
}

/* Its function runs on another hart; on this one only if it is the function that asks. */
static bool runs_elsewhere(const struct timer *t)
{
    for (unsigned i = 0; i < hart_count; i++)
        if (&queues[i] != own_queue() &&
            atomic_load_explicit(&queues[i].running, memory_order_acquire) == t)
            return true;
    return false;
}

bool timer_cancel(struct timer *t)
{
    bool was_armed = disarm(t);

    while (runs_elsewhere(t))
        arch_cpu_relax();
    /* The function may have armed it again before it ended. */
    return disarm(t) || was_armed;
}

void timer_run_expired(void)
{
    struct timer_queue *q = own_queue();
    struct timer *t;

    spin_lock(&timer_lock);
    while (head_deadline(q) <= arch_time_ns()) {
        t = list_first(&q->armed, struct timer, link);
        list_del(&t->link);
        atomic_store_explicit(&q->running, t, memory_order_relaxed);
        spin_unlock(&timer_lock);
        t->fn(t);
        atomic_store_explicit(&q->running, NULL, memory_order_release);
        spin_lock(&timer_lock);
    }
    arch_set_timer(head_deadline(q));
    spin_unlock(&timer_lock);
}

/* ---- The wall clock: the monotonic clock and what is between them ------------------------------ */

static _Atomic uint64_t realtime_offset_ns;

uint64_t clock_realtime_ns(void)
{
    return arch_time_ns() + atomic_load_explicit(&realtime_offset_ns, memory_order_relaxed);
}

void clock_set_realtime_ns(uint64_t ns)
{
    atomic_store_explicit(&realtime_offset_ns, ns - arch_time_ns(), memory_order_relaxed);
}

void clock_init(void)
{
    uint64_t now;

    if (!rtc_read(&now))
        clock_set_realtime_ns(now);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static _Atomic unsigned test_fired;

static void test_count(struct timer *t)
{
    /* The arguments are 1, 2, 3 in the order of the deadlines. */
    if (atomic_load(&test_fired) + 1 == (uintptr_t)t->arg)
        atomic_fetch_add(&test_fired, 1);
}

KTEST(timer_order_and_cancel)
{
    uint64_t now = arch_time_ns();
    struct timer t[3], never;

    atomic_store(&test_fired, 0);
    for (uintptr_t i = 0; i < 3; i++)
        timer_init(&t[i], test_count, (void *)(i + 1));
    timer_init(&never, test_count, (void *)1);
    timer_arm(&t[2], now + 3000000);
    timer_arm(&never, now + 500000000);
    timer_arm(&t[0], now + 1000000);
    timer_arm(&t[1], now + 2000000);
    timer_arm(&t[2], now + 4000000); /* again, later */
    while (timer_armed(&t[2]) && arch_time_ns() < now + 400000000)
        arch_cpu_relax();
    KCHECK(timer_cancel(&never));
    KCHECK(!timer_cancel(&never));
    for (int i = 0; i < 3; i++)
        KCHECK(!timer_cancel(&t[i]));
    KCHECK(atomic_load(&test_fired) == 3);
}
