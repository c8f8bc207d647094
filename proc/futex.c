/* SPDX-License-Identifier: MIT */
/*
 * Futexes. A key says which word is meant: (address space, address) for memory that only this space
 * sees, (mapping, byte offset) for shared mappings, whatever their address. Keys are only compared,
 * never followed, so they hold no reference: should a mapping go away under a sleeper and its
 * address be used again, the sleeper may be woken once too often, which futexes allow.
 *
 * [1] A waiter lies on its sleeper's stack. It is on the bucket's list from before the word is
 *     compared until woken, requeued or given up; list and key change under the bucket's lock.
 * [2] The word is compared with that lock held, so a waker that changed it first and looked at the
 *     bucket second cannot miss the waiter. Under the lock the word is read without serving page
 *     faults; a page that is not there is fetched outside, and all is tried again.
 * [3] A sleeper takes the bucket's lock once more before it returns: the waker is then through with
 *     its wait queue. waiter->bucket changes only under both locks of a requeue.
 *
 * Lock: bucket->lock, RANK_FUTEX. A second one is only tried for, see lock_pair.
 */
#include <linux/futex.h>

#include "lib/wait.h"
#include "mm/addrspace.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define BUCKET_BITS 8

struct futex_key {
    const void *object;
    uint64_t offset;
};

struct futex_bucket {
    struct spinlock lock;
    struct list waiters;
};

struct futex_waiter {
    struct list link;
    struct futex_key key;
    struct futex_bucket *_Atomic bucket;
    uint32_t bitset;
    bool woken;
    struct waitq wq;
};

static struct futex_bucket buckets[1 << BUCKET_BITS] = {
    [0 ...(1 << BUCKET_BITS) - 1] = {.lock = SPINLOCK_INIT(RANK_FUTEX, "futex")},
};

/* ---- Keys ------------------------------------------------------------------------------------ */

static struct futex_bucket *bucket_of(const struct futex_key *k)
{
    uint64_t h = ((uintptr_t)k->object >> 4) * 0x9e3779b97f4a7c15UL + (k->offset >> 2);

    return &buckets[(h * 0x9e3779b97f4a7c15UL) >> (64 - BUCKET_BITS)];
}

static bool same_key(const struct futex_key *a, const struct futex_key *b)
{
    return a->object == b->object && a->offset == b->offset;
}

static int find_shared_key(uaddr_t addr, struct futex_key *key)
{
    struct addrspace *as = current->as;
    const struct vma *v;

    mutex_lock(&as->lock);
    v = vma_find(as, addr);
    if (v && (v->flags & VMA_SHARED) && v->mapping)
        *key = (struct futex_key){v->mapping, (v->pgoff << PAGE_SHIFT) + (addr - v->start)};
    mutex_unlock(&as->lock);
    return v ? 0 : -EFAULT;
}

static int find_key(uaddr_t addr, bool private, struct futex_key *key)
{
    if (addr & 3)
        return -EINVAL;
    if (!user_range_ok(addr, sizeof(uint32_t)))
        return -EFAULT;
    *key = (struct futex_key){current->as, addr};
    return private ? 0 : find_shared_key(addr, key);
}

static void lock_bucket(struct futex_bucket *b)
{
    spin_lock(&b->lock);
    if (unlikely(!b->waiters.next)) /* used for the first time */
        list_init(&b->waiters);
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static void enqueue(struct futex_waiter *w, struct futex_bucket *b)
{
    atomic_store_explicit(&w->bucket, b, memory_order_relaxed);
    list_add_tail(&b->waiters, &w->link);
}

/* Whatever bucket it has been moved to by now. */
static struct futex_bucket *lock_bucket_of(struct futex_waiter *w)
{
    for (;;) {
        struct futex_bucket *b = atomic_load_explicit(&w->bucket, memory_order_relaxed);

        spin_lock(&b->lock);
        if (atomic_load_explicit(&w->bucket, memory_order_relaxed) == b)
            return b;
        spin_unlock(&b->lock);
    }
}

/* On the list, if the word still holds val: 0, -EAGAIN, -EFAULT. */
static int enqueue_if_equal(struct futex_waiter *w, uaddr_t addr, uint32_t val)
{
    struct futex_bucket *b = bucket_of(&w->key);
    uint32_t now;

    for (;;) {
        lock_bucket(b);
        if (!copy_from_user_nofault(&now, addr, sizeof(now)))
            break;
        spin_unlock(&b->lock);
        if (fault_in_user(addr, sizeof(now), false))
            return -EFAULT;
    }
    if (now == val)
        enqueue(w, b);
    spin_unlock(&b->lock);
    return now == val ? 0 : -EAGAIN;
}

/* Off the list; true if a waker was there first. */
static bool leave(struct futex_waiter *w)
{
    struct futex_bucket *b = lock_bucket_of(w);

    list_del(&w->link);
    spin_unlock(&b->lock);
    return w->woken;
}

static long futex_wait(uaddr_t addr, bool private, uint32_t val, uint32_t bitset, uint64_t deadline)
{
    struct futex_waiter w = {.bitset = bitset};
    int err = find_key(addr, private, &w.key);

    if (err)
        return err;
    waitq_init(&w.wq);
    err = enqueue_if_equal(&w, addr, val);
    if (err)
        return err;
    err = wait_event_deadline(&w.wq, READ_ONCE(w.woken), WAIT_INTERRUPTIBLE, deadline);
    return leave(&w) ? 0 : err;
}

/* ---- Waking ---------------------------------------------------------------------------------- */

static void wake_waiter(struct futex_waiter *w)
{
    list_del(&w->link);
    WRITE_ONCE(w->woken, true);
    waitq_wake_all(&w->wq);
}

static int wake_locked(struct futex_bucket *b, const struct futex_key *key, int n, uint32_t bitset)
{
    struct futex_waiter *w, *tmp;
    int woken = 0;

    list_for_each_safe (w, tmp, &b->waiters, link) {
        if (woken >= n)
            break;
        if (!same_key(&w->key, key) || !(w->bitset & bitset))
            continue;
        wake_waiter(w);
        woken++;
    }
    return woken;
}

static int wake_key(const struct futex_key *key, int n, uint32_t bitset)
{
    struct futex_bucket *b = bucket_of(key);
    int woken;

    lock_bucket(b);
    woken = wake_locked(b, key, n, bitset);
    spin_unlock(&b->lock);
    return woken;
}

static long futex_wake(uaddr_t addr, bool private, int n, uint32_t bitset)
{
    struct futex_key key;
    int err = find_key(addr, private, &key);

    if (err)
        return err;
    return bitset ? wake_key(&key, MAX(n, 1), bitset) : -EINVAL;
}

void futex_wake_addr(uaddr_t addr, int n)
{
    (void)futex_wake(addr, false, n, FUTEX_BITSET_MATCH_ANY);
}

/* ---- Two words ------------------------------------------------------------------------------- */

/* Equal ranks cannot be taken one after the other; a try breaks the possible deadlock instead. */
static void lock_pair(struct futex_bucket *a, struct futex_bucket *b)
{
    for (;;) {
        lock_bucket(a);
        if (a == b || spin_trylock(&b->lock))
            break;
        spin_unlock(&a->lock);
        arch_cpu_relax();
    }
    if (unlikely(!b->waiters.next))
        list_init(&b->waiters);
}

static void unlock_pair(struct futex_bucket *a, struct futex_bucket *b)
{
    if (a != b)
        spin_unlock(&b->lock);
    spin_unlock(&a->lock);
}

/* Both buckets locked. Moves up to n waiters of `from` to the other word. */
static int move_waiters(struct futex_bucket *a, const struct futex_key *from,
                        struct futex_bucket *b, const struct futex_key *to, int n)
{
    struct futex_waiter *w, *tmp;
    int moved = 0;

    list_for_each_safe (w, tmp, &a->waiters, link) {
        if (moved >= n)
            break;
        if (!same_key(&w->key, from))
            continue;
        list_del(&w->link);
        w->key = *to;
        enqueue(w, b);
        moved++;
    }
    return moved;
}

/* cmp NULL: FUTEX_REQUEUE, no comparison. */
static long futex_requeue(uaddr_t addr, uaddr_t addr2, bool private, int nwake, int nmove,
                          const uint32_t *cmp)
{
    struct futex_key key, key2;
    struct futex_bucket *a, *b;
    uint32_t now;
    long done;
    int err;

    if (nwake < 0 || nmove < 0)
        return -EINVAL;
    err = find_key(addr, private, &key);
    if (!err)
        err = find_key(addr2, private, &key2);
    if (err)
        return err;
    a = bucket_of(&key);
    b = bucket_of(&key2);
    lock_pair(a, b);
    while (cmp && copy_from_user_nofault(&now, addr, sizeof(now))) {
        unlock_pair(a, b);
        if (fault_in_user(addr, sizeof(now), false))
            return -EFAULT;
        lock_pair(a, b);
    }
    if (cmp && now != *cmp) {
        done = -EAGAIN;
    } else {
        done = wake_locked(a, &key, nwake, FUTEX_BITSET_MATCH_ANY);
        /* Onto itself it would move for ever. */
        done += same_key(&key, &key2) ? 0 : move_waiters(a, &key, b, &key2, nmove);
    }
    unlock_pair(a, b);
    return done;
}

static int apply_op(uint32_t op, uint32_t arg, uint32_t old, uint32_t *new)
{
    switch (op) {
    case FUTEX_OP_SET: *new = arg; return 0;
    case FUTEX_OP_ADD: *new = old + arg; return 0;
    case FUTEX_OP_OR: *new = old | arg; return 0;
    case FUTEX_OP_ANDN: *new = old & ~arg; return 0;
    case FUTEX_OP_XOR: *new = old ^ arg; return 0;
    default: return -ENOSYS;
    }
}

static int compare_op(uint32_t op, int32_t old, int32_t arg)
{
    switch (op) {
    case FUTEX_OP_CMP_EQ: return old == arg;
    case FUTEX_OP_CMP_NE: return old != arg;
    case FUTEX_OP_CMP_LT: return old < arg;
    case FUTEX_OP_CMP_LE: return old <= arg;
    case FUTEX_OP_CMP_GT: return old > arg;
    case FUTEX_OP_CMP_GE: return old >= arg;
    default: return -ENOSYS;
    }
}

/* The encoded operation on the word, atomically: the comparison's outcome (0 or 1), or an error. */
static int modify_word(uaddr_t addr, uint32_t encoded)
{
    uint32_t op = encoded >> 28 & 7, cmp = encoded >> 24 & 15, old, seen, new;
    int32_t oparg = (int32_t)(encoded << 8) >> 20, cmparg = (int32_t)(encoded << 20) >> 20;
    int err;

    if (encoded >> 28 & FUTEX_OP_OPARG_SHIFT)
        oparg = (int32_t)(1u << (oparg & 31));
    if (get_user_u32(&old, addr))
        return -EFAULT;
    for (;;) {
        err = apply_op(op, (uint32_t)oparg, old, &new);
        if (err)
            return err;
        if (cmpxchg_user_u32(addr, old, new, &seen))
            return -EFAULT;
        if (seen == old)
            return compare_op(cmp, (int32_t)old, cmparg);
        old = seen;
    }
}

/*
 * The word changes before either bucket is looked at, as with any waker; that is all the order that
 * waiters need, so the buckets are locked one after the other.
 */
static long futex_wake_op(uaddr_t addr, uaddr_t addr2, bool private, int n, int n2, uint32_t op)
{
    struct futex_key key, key2;
    int err = find_key(addr, private, &key), matched;
    long woken;

    if (!err)
        err = find_key(addr2, private, &key2);
    if (err)
        return err;
    matched = modify_word(addr2, op);
    if (matched < 0)
        return matched;
    woken = wake_key(&key, MAX(n, 1), FUTEX_BITSET_MATCH_ANY);
    if (matched)
        woken += wake_key(&key2, MAX(n2, 1), FUTEX_BITSET_MATCH_ANY);
    return woken;
}

/* ---- The system call -------------------------------------------------------------------------- */

static int read_timeout(uaddr_t utimeout, uint64_t *ns)
{
    struct __kernel_timespec ts;

    if (copy_from_user(&ts, utimeout, sizeof(ts)))
        return -EFAULT;
    if (!timespec_valid(&ts))
        return -EINVAL;
    *ns = timespec_to_ns(&ts);
    return 0;
}

/* FUTEX_WAIT: the time-out is relative, and a stop does not make it begin anew. */
static long wait_relative(uaddr_t addr, bool private, uint32_t val, uaddr_t utimeout)
{
    uint64_t ns, deadline;
    long err;

    if (!utimeout)
        return futex_wait(addr, private, val, FUTEX_BITSET_MATCH_ANY, NO_DEADLINE);
    err = read_timeout(utimeout, &ns);
    if (err)
        return err;
    deadline = signal_restart_deadline(deadline_after(ns));
    err = futex_wait(addr, private, val, FUTEX_BITSET_MATCH_ANY, deadline);
    if (err != -ERESTARTSYS)
        return err;
    signal_keep_deadline(deadline);
    return -ERESTARTNOHAND;
}

static long wait_absolute(uaddr_t addr, bool private, uint32_t val, uint32_t bitset,
                          uaddr_t utimeout, bool realtime)
{
    uint64_t ns, now, deadline = NO_DEADLINE;
    long err;

    if (!bitset)
        return -EINVAL;
    if (utimeout) {
        err = read_timeout(utimeout, &ns);
        if (err)
            return err;
        now = clock_realtime_ns();
        if (ns < CLOCK_MAX_NS)
            deadline = !realtime ? ns : ns <= now ? 0 : deadline_after(ns - now);
    }
    err = futex_wait(addr, private, val, bitset, deadline);
    return err == -ERESTARTSYS && utimeout ? -ERESTARTNOHAND : err;
}

long sys_futex(uaddr_t addr, int op, uint32_t val, uaddr_t timeout, uaddr_t addr2, uint32_t val3)
{
    bool private = op & FUTEX_PRIVATE_FLAG, realtime = op & FUTEX_CLOCK_REALTIME;
    int cmd = op & FUTEX_CMD_MASK, val2 = (int)timeout; /* the same argument */

    if (realtime && cmd != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    switch (cmd) {
    case FUTEX_WAIT: return wait_relative(addr, private, val, timeout);
    case FUTEX_WAIT_BITSET: return wait_absolute(addr, private, val, val3, timeout, realtime);
    case FUTEX_WAKE: return futex_wake(addr, private, (int)val, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET: return futex_wake(addr, private, (int)val, val3);
    case FUTEX_REQUEUE: return futex_requeue(addr, addr2, private, (int)val, val2, NULL);
    case FUTEX_CMP_REQUEUE: return futex_requeue(addr, addr2, private, (int)val, val2, &val3);
    case FUTEX_WAKE_OP: return futex_wake_op(addr, addr2, private, (int)val, val2, val3);
    default: return -ENOSYS;
    }
}
