/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: a FIFO run queue per hart, a tick that ends slices, stealing by idle harts.
 *
 * Invariants: [1] a runnable thread is either running on its hart, queued on exactly one run queue,
 * or on its way between two (state RUNNABLE, nobody else moves it); [2] the lock of a thread's run
 * queue is held from the moment its hart decides to leave it until the next thread has taken over,
 * so whoever holds that lock sees a thread either fully on or fully off its hart; [3] an idle hart
 * is on the kernel's own page table.
 *
 * A waker queues the thread on its own hart: the pair usually talks, and a switch is cheaper than
 * an interrupt to another hart. Load spreads because an idle hart steals, when it goes idle, when a
 * fork or a tick sees that others wait, and after an interrupt.
 *
 * Locks: runq->lock (RANK_RUNQ, irqsave), only one at a time.
 */
#include "proc/sched.h"

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "mm/addrspace.h"
#include "proc/boot.h"
#include "proc/process.h"

#define TICK_NS 10000000UL /* 100 Hz, only while a thread runs */
#define LOAD_PERIOD_NS (5 * NSEC_PER_SEC)

static struct runq runqs[MAX_HARTS];
static struct timer ticks[MAX_HARTS];
static uint64_t tick_ns = TICK_NS;
static uint64_t load_avg[3], load_next_ns;

static struct runq *this_rq(void)
{
    return &runqs[arch_this_hart()->index];
}

static bool is_idle(const struct thread *t)
{
    return t == t->hart->idle;
}

static bool may_run_on(const struct thread *t, const struct hart *h)
{
    return t->affinity & 1u << h->index;
}

/* ---- Accounting ---- */

static void account(struct thread *t, uint64_t now)
{
    t->used.runtime_ns += now - t->run_start_ns;
    t->run_start_ns = now;
}

/* Samples the load every 5 s, from whatever hart ticks first: fixed-point exponential averages. */
static void sample_load(uint64_t now)
{
    static const uint64_t decay[3] = {60297, 64454, 65173}; /* e^(-5/60), e^(-5/300), e^(-5/900) */
    uint64_t n = (uint64_t)sched_runnable_count() << 16;

    if (now < load_next_ns)
        return;
    if (now > load_next_ns + 600 * NSEC_PER_SEC)
        load_next_ns = now - LOAD_PERIOD_NS;
    while (load_next_ns <= now) {
        for (int i = 0; i < 3; i++)
            load_avg[i] = (load_avg[i] * decay[i] + n * (65536 - decay[i])) >> 16;
        load_next_ns += LOAD_PERIOD_NS;
    }
}

/* ---- Queues ---- */

static void enqueue(struct runq *rq, struct thread *t)
{
    assert(spin_held(&rq->lock));
    list_add_tail(&rq->queue, &t->rq_link);
    rq->nqueued++;
}

static struct thread *dequeue_for(struct runq *rq, unsigned hart)
{
    struct thread *t;

    list_for_each (t, &rq->queue, rq_link) {
        if (!(t->affinity & 1u << hart))
            continue;
        list_del(&t->rq_link);
        rq->nqueued--;
        return t;
    }
    return NULL;
}

static void kick_idle_hart(void)
{
    struct hart *self = arch_this_hart();

    for (unsigned i = 0; i < hart_count; i++) {
        if (&harts[i] == self || !atomic_load_explicit(&runqs[i].idle, memory_order_seq_cst))
            continue;
        arch_send_ipi(&harts[i], IPI_RESCHED);
        return;
    }
}

/* The run queue that rules t, locked. It may change until we hold its lock. */
static struct runq *lock_rq_of(struct thread *t, irqflags_t *irq)
{
    for (;;) {
        struct runq *rq = atomic_load_explicit(&t->rq, memory_order_acquire);

        *irq = spin_lock_irqsave(&rq->lock);
        if (rq == atomic_load_explicit(&t->rq, memory_order_relaxed))
            return rq;
        spin_unlock_irqrestore(&rq->lock, *irq);
    }
}

/* This hart's queue if t may run here, else that of one where it may. */
static struct runq *allowed_rq(const struct thread *t)
{
    struct runq *rq = this_rq();

    if (!may_run_on(t, rq->hart))
        for (unsigned i = 0; i < hart_count; i++)
            if (may_run_on(t, &harts[i]) && harts[i].online)
                rq = &runqs[i];
    return rq;
}

/* t->rq changes only under the lock of the queue it names, so that whoever holds that lock and has
 * looked again may change t. */
static void queue_here(struct thread *t)
{
    struct runq *rq, *to;
    irqflags_t irq;

    for (;;) {
        rq = lock_rq_of(t, &irq);
        to = allowed_rq(t);
        if (to == rq)
            break;
        atomic_store_explicit(&t->rq, to, memory_order_release);
        spin_unlock_irqrestore(&rq->lock, irq);
    }
    enqueue(rq, t);
    if (rq->running == rq->hart->idle)
        rq->running->need_resched = true;
    spin_unlock_irqrestore(&rq->lock, irq);
    if (rq != this_rq())
        arch_send_ipi(rq->hart, IPI_RESCHED);
}

static bool wake_if(struct thread *t, bool (*admits)(struct thread *t))
{
    irqflags_t irq;
    struct runq *rq = lock_rq_of(t, &irq);
    bool asleep = t->state == THREAD_SLEEPING && (!admits || admits(t)), queue;

    queue = asleep && rq->running != t;
    if (asleep)
        atomic_store_explicit(&t->state, THREAD_RUNNABLE, memory_order_relaxed);
    if (queue)
        atomic_store_explicit(&t->rq, this_rq(), memory_order_release);
    spin_unlock(&rq->lock);
    if (queue)
        queue_here(t);
    arch_irq_restore(irq);
    return asleep;
}

bool sched_wake(struct thread *t)
{
    return wake_if(t, NULL);
}

static bool admits_any(struct thread *t)
{
    return t->wait_mode == WAIT_INTERRUPTIBLE;
}

static bool admits_fatal(struct thread *t)
{
    return t->wait_mode != WAIT_UNINTERRUPTIBLE;
}

bool sched_wake_signal(struct thread *t, bool fatal)
{
    return wake_if(t, fatal ? admits_fatal : admits_any);
}

void sched_add_new(struct thread *t)
{
    irqflags_t irq = arch_irq_save();

    atomic_store_explicit(&t->state, THREAD_RUNNABLE, memory_order_relaxed);
    queue_here(t);
    kick_idle_hart();
    arch_irq_restore(irq);
}

/* ---- Switching ---- */

/* In the next thread, on its stack: the thread left behind is off its hart now. */
static void finish_switch(struct thread *prev)
{
    struct runq *rq = this_rq();
    bool dead = prev->state == THREAD_DEAD;
    /* schedule() queued it nowhere, because its affinity was changed. */
    bool move = prev->state == THREAD_RUNNABLE && !is_idle(prev) && !may_run_on(prev, rq->hart);

    spin_unlock(&rq->lock);
    if (dead)
        thread_put(prev);
    if (move)
        queue_here(prev);
}

void thread_start(struct thread *prev)
{
    finish_switch(prev);
}

static void start_tick(unsigned hart)
{
    if (!timer_armed(&ticks[hart]))
        timer_arm(&ticks[hart], arch_time_ns() + tick_ns);
}

static void switch_to(struct runq *rq, struct thread *prev, struct thread *next)
{
    uint64_t now = arch_time_ns();

    account(prev, now);
    next->run_start_ns = now;
    rq->running = next;
    prev->on_cpu = false;
    next->on_cpu = true;
    atomic_store_explicit(&next->rq, rq, memory_order_relaxed);
    stat_inc(context_switches);
    if (is_idle(prev))
        rq->idle_ns += now - rq->idle_since_ns;
    if (next == rq->hart->idle)
        rq->idle_since_ns = now;
    addrspace_activate(next->as);
    finish_switch(arch_switch(prev, next));
}

static struct thread *steal(struct runq *rq)
{
    for (unsigned i = 1; i < hart_count; i++) {
        struct runq *victim = &runqs[(rq->hart->index + i) % hart_count];
        struct thread *t;

        if (!READ_ONCE(victim->nqueued))
            continue;
        spin_lock(&victim->lock);
        t = dequeue_for(victim, rq->hart->index);
        if (t)
            atomic_store_explicit(&t->rq, rq, memory_order_release);
        spin_unlock(&victim->lock);
        if (t) {
            stat_inc(steals);
            return t;
        }
    }
    return NULL;
}

void schedule(void)
{
    irqflags_t irq = arch_irq_save();
    struct runq *rq = this_rq();
    struct thread *prev = current, *next;

    spin_assert_none_held();
    assert(!rq->hart->irq_depth);
    spin_lock(&rq->lock);
    prev->need_resched = false;
    if (prev->state == THREAD_RUNNABLE && !is_idle(prev)) {
        prev->used.nivcsw++;
        if (may_run_on(prev, rq->hart))
            enqueue(rq, prev); /* else finish_switch sends it to another hart */
    } else {
        prev->used.nvcsw++;
    }
    next = dequeue_for(rq, rq->hart->index);
    if (!next)
        next = rq->hart->idle;
    if (next != prev)
        switch_to(rq, prev, next);
    else
        spin_unlock(&rq->lock);
    arch_irq_restore(irq);
}

void sched_yield(void)
{
    if (this_rq()->nqueued)
        schedule();
}

void sched_point(void)
{
    if (unlikely(current->need_resched))
        schedule();
}

void sched_exit(void)
{
    arch_irq_disable();
    atomic_store_explicit(&current->state, THREAD_DEAD, memory_order_relaxed);
    schedule();
    panic("a dead thread runs");
}

/* ---- Idle and interrupts ---- */

void sched_idle_loop(void)
{
    struct runq *rq = this_rq();

    arch_irq_disable();
    for (;;) {
        struct thread *t;

        atomic_store_explicit(&rq->idle, true, memory_order_seq_cst);
        t = rq->nqueued ? NULL : steal(rq);
        if (!t && !rq->nqueued)
            arch_wait_for_interrupt(); /* masked, but a pending one ends it: none slips by */
        atomic_store_explicit(&rq->idle, false, memory_order_relaxed);
        if (t)
            queue_here(t);
        arch_irq_enable(); /* take it */
        arch_irq_disable();
        if (rq->nqueued) {
            start_tick(rq->hart->index);
            schedule();
        }
    }
}

static void tick(struct timer *timer)
{
    struct runq *rq = this_rq();
    struct thread *t = current;

    if (is_idle(t))
        return; /* the next thread to run here starts it again */
    thread_tick(t, tick_ns);
    if (rq->nqueued) {
        t->need_resched = true;
        kick_idle_hart();
    }
    sample_load(arch_time_ns());
    timer_arm(timer, arch_time_ns() + tick_ns);
}

void sched_timer_interrupt(void)
{
    timer_run_expired();
}

void sched_ipi(void)
{
    if (this_rq()->nqueued || !may_run_on(current, this_rq()->hart))
        current->need_resched = true;
}

/* ---- Setting up ---- */

void sched_init(void)
{
    tick_ns = boot_number("slice_us", TICK_NS / 1000) * 1000;
    for (unsigned i = 0; i < MAX_HARTS; i++) {
        spin_init(&runqs[i].lock, RANK_RUNQ, "runq");
        list_init(&runqs[i].queue);
        runqs[i].hart = &harts[i];
        timer_init(&ticks[i], tick, NULL);
    }
}

void sched_init_hart(struct hart *h, struct thread *idle)
{
    h->idle = idle;
    idle->hart = h;
    idle->state = THREAD_RUNNABLE;
    idle->affinity = 1u << h->index;
    idle->rq = &runqs[h->index];
    runqs[h->index].running = idle;
}

/* Wherever t is not allowed any more, it leaves: at once if it waits there, else at a trap exit. */
void sched_set_affinity(struct thread *t, uint32_t mask)
{
    irqflags_t irq;
    struct runq *rq = lock_rq_of(t, &irq);
    struct hart *runs_on = rq->running == t ? rq->hart : NULL;
    bool leave, queued;

    t->affinity = mask;
    leave = !may_run_on(t, rq->hart);
    queued = leave && !list_empty(&t->rq_link);
    if (queued) {
        list_del(&t->rq_link);
        rq->nqueued--;
    }
    spin_unlock(&rq->lock);
    if (queued)
        queue_here(t);
    else if (leave && runs_on && t != current)
        arch_send_ipi(runs_on, IPI_RESCHED);
    arch_irq_restore(irq);
    if (leave && t == current)
        schedule();
}

unsigned sched_runnable_count(void)
{
    unsigned n = 0;

    for (unsigned i = 0; i < hart_count; i++)
        n += runqs[i].nqueued + (runqs[i].running && runqs[i].running != harts[i].idle);
    return n;
}

void sched_load_average(uint64_t load[3])
{
    sample_load(arch_time_ns());
    for (int i = 0; i < 3; i++)
        load[i] = load_avg[i];
}

uint64_t sched_idle_ns(unsigned hart)
{
    uint64_t ns = runqs[hart].idle_ns;

    if (runqs[hart].running == harts[hart].idle)
        ns += arch_time_ns() - runqs[hart].idle_since_ns;
    return ns;
}
