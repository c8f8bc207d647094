/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: a run queue per hart, round robin with time slices, stealing by idle harts, direct
 * thread-to-thread switches.
 */
#pragma once

#include "lib/list.h"
#include "lib/spinlock.h"
#include "lib/types.h"

struct thread;
struct hart;

struct runq {
    struct spinlock lock; /* RANK_RUNQ, irqsave: guards everything marked (r) of its threads */
    struct list queue;    /* runnable threads that do not run */
    unsigned nqueued;
    struct thread *running;
    struct hart *hart;
    uint64_t idle_ns, idle_since_ns;
    _Atomic bool idle;
};

void sched_init(void);
void sched_init_hart(struct hart *h, struct thread *idle);
noreturn_fn void sched_idle_loop(void); /* becomes the hart's idle thread */

void schedule(void);                  /* current gives up the hart; its state says for how long */
void sched_yield(void);               /* stays runnable */
void sched_add_new(struct thread *t); /* first time on a run queue */
bool sched_wake(struct thread *t);    /* makes a sleeper runnable; false if it was not asleep */
bool sched_wake_signal(struct thread *t, bool fatal); /* only if its wait mode admits signals */
noreturn_fn void sched_exit(void);                    /* current thread is dead: never returns */
void sched_set_affinity(struct thread *t, uint32_t harts);
unsigned sched_runnable_count(void);       /* running or queued, idle threads apart */
void sched_load_average(uint64_t load[3]); /* fixed point, 1 << 16 = 1.0 */
uint64_t sched_idle_ns(unsigned hart_index);
