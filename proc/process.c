/* SPDX-License-Identifier: MIT */
/*
 * The lists of processes and threads, and their life as objects. A process is referenced by
 * all_processes (until it is reaped), by each of its threads, and by whoever looked it up; a thread
 * by the scheduler (until it is off its hart for good) and by whoever looked it up.
 *
 * Locks: proctree_lock (RANK_PROCTREE) guards the lists, the tree, groups and sessions; pid_lock
 * (RANK_PID) the numbers in use.
 */
#include "proc/process.h"

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "mm/kmap.h"
#include "proc/sched.h"

#define PID_MAX 32768

struct spinlock proctree_lock = SPINLOCK_INIT(RANK_PROCTREE, "proctree");
struct list all_threads = LIST_INIT(all_threads);
struct list all_processes = LIST_INIT(all_processes);
struct process *init_process;

static struct spinlock pid_lock = SPINLOCK_INIT(RANK_PID, "pid");
static uint64_t pid_used[PID_MAX / 64]; /* pid_lock; pids and tids share the numbers */
static int last_pid;                    /* pid_lock */
static bool pids_used_up;               /* pid_lock: all numbers had their turn */
static _Atomic size_t nprocesses, nthreads;
static struct kcache *process_cache, *thread_cache;

void process_init(void)
{
    pid_used[0] = 1;
    process_cache = kcache_create("process", sizeof(struct process));
    thread_cache = kcache_create("thread", sizeof(struct thread));
}

/* ---- Numbers ---- */

/* Groups and sessions outlive the process that gave them their number. proctree_lock held. */
static bool is_group(int n)
{
    struct process *p;

    list_for_each (p, &all_processes, all_link)
        if (p->pgid == n || p->sid == n)
            return true;
    return false;
}

static int pid_alloc(void)
{
    int pid = -EAGAIN;

    spin_lock(&proctree_lock);
    spin_lock(&pid_lock);
    for (int i = 1; i <= PID_MAX; i++) {
        int n = (last_pid + i) % PID_MAX;

        pids_used_up |= !n; /* from now on a free number may have been in use */
        if (pid_used[n / 64] & 1UL << n % 64 || (pids_used_up && is_group(n)))
            continue;
        pid_used[n / 64] |= 1UL << n % 64;
        pid = last_pid = n;
        break;
    }
    spin_unlock(&pid_lock);
    spin_unlock(&proctree_lock);
    return pid;
}

static void pid_free(int pid)
{
    spin_lock(&pid_lock);
    pid_used[pid / 64] &= ~(1UL << pid % 64);
    spin_unlock(&pid_lock);
}

/* ---- Threads ---- */

static void sleep_timer_fired(struct timer *timer)
{
    sched_wake(timer->arg);
}

struct thread *thread_create(const char *name)
{
    struct thread *t = kcache_alloc(thread_cache, ALLOC_ZERO);
    int err;

    if (!t)
        return err_ptr(-ENOMEM);
    t->kstack_top = kstack_alloc();
    err = kstack_count() < KSTACK_SLOTS ? -ENOMEM : -EAGAIN;
    if (!t->kstack_top)
        goto free_thread;
    t->tid = err = pid_alloc();
    if (err < 0)
        goto free_stack;
    t->refs = 1;
    t->affinity = ~0U;
    t->rq = current->rq;
    t->hart = current->hart;
    strlcpy(t->name, name, sizeof(t->name));
    list_init(&t->rq_link);
    list_init(&t->proc_link);
    list_init(&t->pending.queue);
    timer_init(&t->sleep_timer, sleep_timer_fired, t);
    spin_lock(&proctree_lock);
    list_add_tail(&all_threads, &t->all_link);
    spin_unlock(&proctree_lock);
    atomic_fetch_add(&nthreads, 1);
    return t;

free_stack:
    kstack_free(t->kstack_top);
free_thread:
    kcache_free(thread_cache, t);
    return err_ptr(err);
}

void thread_become_leader(struct thread *t)
{
    int own = t->tid;

    if (own == t->proc->pid)
        return;
    spin_lock(&proctree_lock);
    t->tid = t->proc->pid;
    spin_unlock(&proctree_lock);
    pid_free(own);
}

struct thread *thread_get(struct thread *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void thread_put(struct thread *t)
{
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    spin_lock(&proctree_lock);
    list_del(&t->all_link);
    spin_unlock(&proctree_lock);
    if (!t->proc || t->tid != t->proc->pid)
        pid_free(t->tid); /* a leader's number is its process's, until that is reaped */
    kstack_free(t->kstack_top);
    if (t->proc)
        process_put(t->proc);
    kcache_free(thread_cache, t);
    atomic_fetch_sub(&nthreads, 1);
}

void thread_use_addrspace(struct addrspace *as)
{
    irqflags_t irq = arch_irq_save();

    current->as = as;
    addrspace_activate(as);
    arch_irq_restore(irq);
}

/* False if the last reference is gone already: the object is about to be freed. */
static bool get_live(struct thread *t)
{
    uint32_t refs = atomic_load(&t->refs);

    while (refs)
        if (atomic_compare_exchange_weak(&t->refs, &refs, refs + 1))
            return true;
    return false;
}

struct thread *user_thread_get(int tid)
{
    struct thread *t, *found = NULL;

    if (!tid)
        return thread_get(current);
    spin_lock(&proctree_lock);
    list_for_each (t, &all_threads, all_link) {
        if (t->tid != tid || !t->proc || t->exiting || !get_live(t))
            continue;
        found = t;
        break;
    }
    spin_unlock(&proctree_lock);
    return found;
}

static void kthread_entry(void *arg)
{
    struct thread *t = arg;

    t->kthread_fn(t->kthread_arg);
    panic("kernel thread %s returned", t->name);
}

struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
    struct thread *t = thread_create(name);

    if (is_err(t))
        return NULL;
    t->kthread_fn = fn;
    t->kthread_arg = arg;
    arch_thread_init_kernel(t, kthread_entry, t);
    sched_add_new(t);
    return t;
}

const char *thread_name(const struct thread *t, int *tid)
{
    if (tid)
        *tid = t->tid;
    return t->name;
}

bool alloc_should_fail(void)
{
    struct thread *t = current;

    if (likely(!t->fail_nth) || t->hart->irq_depth)
        return false;
    return --t->fail_nth == 0;
}

size_t thread_count(void)
{
    return nthreads;
}

/* ---- Processes ---- */

struct process *process_create(void)
{
    struct process *p = kcache_alloc(process_cache, ALLOC_ZERO);

    if (!p)
        return NULL;
    p->refs = 1;
    spin_init(&p->lock, RANK_PROCESS, "process");
    list_init(&p->children);
    list_init(&p->sibling);
    list_init(&p->all_link);
    list_init(&p->threads);
    list_init(&p->pending.queue);
    waitq_init(&p->child_wait);
    waitq_init(&p->stop_wait);
    timer_init(&p->itimer_timer, signal_defer_itimers, p);
    p->start_ns = arch_time_ns();
    atomic_fetch_add(&nprocesses, 1);
    return p;
}

void process_link(struct process *p, struct thread *leader, struct process *parent)
{
    assert(spin_held(&proctree_lock));
    p->pid = leader->tid;
    leader->proc = process_get(p);
    list_add_tail(&p->threads, &leader->proc_link);
    p->nthreads = 1;
    p->parent = parent;
    p->ppid = parent ? parent->pid : 0;
    if (parent)
        list_add_tail(&parent->children, &p->sibling);
    list_add_tail(&all_processes, &p->all_link);
}

struct process *process_get(struct process *p)
{
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void process_put(struct process *p)
{
    if (atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (p->pid)
        pid_free(p->pid);
    kcache_free(process_cache, p);
    atomic_fetch_sub(&nprocesses, 1);
}

struct process *process_find(int pid)
{
    struct process *p;

    assert(spin_held(&proctree_lock));
    list_for_each (p, &all_processes, all_link)
        if (p->pid == pid)
            return p;
    return NULL;
}

struct process *process_find_get(int pid)
{
    struct process *p;

    spin_lock(&proctree_lock);
    p = process_find(pid);
    if (p)
        process_get(p);
    spin_unlock(&proctree_lock);
    return p;
}

struct process *process_next_get(int after)
{
    struct process *p, *next = NULL;

    spin_lock(&proctree_lock);
    list_for_each (p, &all_processes, all_link)
        if (p->pid > after && (!next || p->pid < next->pid))
            next = p;
    if (next)
        process_get(next);
    spin_unlock(&proctree_lock);
    return next;
}

struct addrspace *process_addrspace_get(struct process *p)
{
    struct addrspace *as;

    spin_lock(&p->lock);
    as = p->as ? addrspace_get(p->as) : NULL;
    spin_unlock(&p->lock);
    return as;
}

char process_state_char(struct process *p)
{
    struct thread *t;
    char c = 'S';

    if (p->zombie)
        return 'Z';
    if (p->stopped)
        return 'T';
    spin_lock(&p->lock);
    list_for_each (t, &p->threads, proc_link) {
        if (t->state == THREAD_RUNNABLE)
            c = 'R';
        else if (c != 'R' && t->wait_mode == WAIT_UNINTERRUPTIBLE)
            c = 'D';
    }
    spin_unlock(&p->lock);
    return c;
}

size_t process_count(void)
{
    return nprocesses;
}

uint64_t rlimit_current(unsigned resource)
{
    struct process *p = current_process();

    return p ? p->limits[resource].rlim_cur : RLIM_INFINITY;
}
