/* SPDX-License-Identifier: MIT */
/*
 * Sleeping: wait queues and mutexes. Declared here, at the bottom, because every layer waits;
 * implemented by the scheduler (proc/wait.c).
 *
 * No wakeup is lost: a sleeper is on the queue and marked sleeping *before* it looks at the
 * condition, and a waker changes the condition *before* it looks at the queue:
 *
 *      sleeper                             waker
 *      waiter_prepare (on queue, marked)   condition = true
 *      if (condition) cancel               waitq_wake: marked threads become runnable
 *      else sleep
 */
#pragma once

#include "lib/list.h"
#include "lib/spinlock.h"

struct thread;

struct waitq {
    struct spinlock lock; /* guards list; RANK_WAITQ, irqsave */
    struct list list;     /* of struct waiter */
};

struct waiter { /* lives on the sleeper's stack */
    struct list link;
    struct thread *thread;
    struct waitq *wq;
};

enum wait_mode {
    WAIT_UNINTERRUPTIBLE,
    WAIT_KILLABLE,      /* only a fatal signal ends it */
    WAIT_INTERRUPTIBLE, /* any deliverable signal ends it */
};

#define WAITQ_INIT(name)                                                         \
    {                                                                            \
        .lock = SPINLOCK_INIT(RANK_WAITQ, #name), .list = LIST_INIT((name).list) \
    }

#define NO_DEADLINE UINT64_MAX

void waitq_init(struct waitq *wq);

/* Puts the waiter on the queue (once; repeated calls only re-mark the thread as sleeping). */
void waiter_prepare(struct waiter *w, struct waitq *wq, enum wait_mode mode);
/*
 * Sleeps until woken, the deadline (ns of the monotonic clock) or a signal that the mode admits.
 * 0 = woken, -ETIMEDOUT, -ERESTARTSYS. The thread stays on its queues: loop with prepare.
 */
int waiter_sleep(uint64_t deadline_ns);
/* Takes the waiter off its queue and marks the thread running. Always called in the end. */
void waiter_finish(struct waiter *w);
void sched_point(void); /* in long kernel loops: yields if the slice is over */

/* Any context, interrupt handlers included. */
void waitq_wake_all(struct waitq *wq);
void waitq_wake_one(struct waitq *wq);
static inline bool waitq_idle(struct waitq *wq) /* nobody waits: a cheap test before waking */
{
    atomic_thread_fence(memory_order_seq_cst);
    return list_empty(&wq->list);
}

/* Waits until cond holds; cond may have side effects only when it is true. 0 or an error as above. */
#define wait_event_deadline(wq, cond, mode, deadline) \
    ({                                                \
        int wait_err_ = 0;                            \
        if (!(cond)) {                                \
            struct waiter w_ = {0};                   \
            for (;;) {                                \
                waiter_prepare(&w_, (wq), (mode));    \
                if (cond) {                           \
                    wait_err_ = 0;                    \
                    break;                            \
                }                                     \
                if (wait_err_)                        \
                    break;                            \
                wait_err_ = waiter_sleep(deadline);   \
            }                                         \
            waiter_finish(&w_);                       \
        }                                             \
        wait_err_;                                    \
    })
#define wait_event(wq, cond) \
    ((void)wait_event_deadline(wq, cond, WAIT_UNINTERRUPTIBLE, NO_DEADLINE))
#define wait_event_interruptible(wq, cond) \
    wait_event_deadline(wq, cond, WAIT_INTERRUPTIBLE, NO_DEADLINE)

/*
 * Mutex: may be held while sleeping and across page faults; never taken in interrupt handlers.
 * Ranks of mutexes are ordered among themselves (enum mutex_rank), all of them before spinlocks.
 */
enum mutex_rank {
    MUTEX_FILE_POS, /* struct file's position */
    MUTEX_TEXT,     /* the text of an open file of /proc */
    MUTEX_MOUNT,
    MUTEX_RENAME,    /* one per file system, whole-tree moves */
    MUTEX_INODE,     /* i_lock: directory contents, size changes, attributes. Parent before child */
    MUTEX_SPACES,    /* the list of address spaces */
    MUTEX_ADDRSPACE, /* page faults take it */
    MUTEX_BLOCKMAP,  /* an inode's block tree */
    MUTEX_FSALLOC,   /* block and inode bitmaps */
};

struct mutex {
    _Atomic(struct thread *) owner; /* NULL = free */
    struct waitq wq;
    uint8_t rank;
};

void mutex_init(struct mutex *m, enum mutex_rank rank);
void mutex_lock_slow(struct mutex *m);
void mutex_unlock_slow(struct mutex *m);
void mutex_check_acquire(struct mutex *m); /* DEBUG: rank order */
void mutex_note_acquired(struct mutex *m);
void mutex_note_release(struct mutex *m);

static inline bool mutex_trylock(struct mutex *m)
{
    struct thread *none = NULL;

    if (!atomic_compare_exchange_strong_explicit(&m->owner, &none, arch_current(),
                                                 memory_order_acquire, memory_order_relaxed))
        return false;
    if (DEBUG)
        mutex_note_acquired(m);
    return true;
}

static inline void mutex_lock(struct mutex *m)
{
    if (DEBUG)
        mutex_check_acquire(m);
    if (!mutex_trylock(m))
        mutex_lock_slow(m);
}

static inline void mutex_unlock(struct mutex *m)
{
    if (DEBUG)
        mutex_note_release(m);
    atomic_store_explicit(&m->owner, NULL, memory_order_release);
    if (unlikely(!waitq_idle(&m->wq)))
        mutex_unlock_slow(m);
}

static inline bool mutex_held(struct mutex *m) /* by this thread */
{
    return atomic_load_explicit(&m->owner, memory_order_relaxed) == arch_current();
}
