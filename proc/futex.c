/* SPDX-License-Identifier: MIT */
/*
 * Futexes. A key says which word is meant: (address space, address) for memory that only this space
 * sees, (mapping, byte offset) for shared mappings, whatever their address. Keys are only compared,
 * never followed, so they hold no reference: should a mapping go away under a sleeper and its
 * address be used again, the sleeper may be woken once too often, which futexes allow.
 *
 * [1] A waiter lies on its sleeper's stack. It is on its key's list until woken or given up.
 * [2] The word is compared and the waiter listed in one hold of futex_lock, so a waker that changed
 *     it first and looked at the list second cannot miss the waiter. Under the lock the word is read
 *     without serving page faults; a page that is not there is fetched outside, and all is tried
 *     again.
 * [3] A sleeper takes futex_lock once more before it returns: the waker is then through with its
 *     wait queue.
 *
 * Robust futexes, which a dying thread still holds, are marked FUTEX_OWNER_DIED and one waiter is
 * woken. The list of them is the program's own, in its memory: nothing in it is trusted, the walk is
 * bounded, and whatever cannot be read ends it.
 *
 * Lock: futex_lock, RANK_FUTEX, for all lists and the waiters on them.
 */
#include <linux/futex.h>

#include "lib/wait.h"
#include "mm/addrspace.h"
#include "proc/clock.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

#define BUCKET_BITS 8
#define ROBUST_LIMIT 2048 /* entries walked: a list may be a ring */

struct futex_key {
    const void *object;
    uint64_t offset;
};

struct futex_waiter {
    struct list link;
    struct futex_key key;
    uint32_t bitset;
    bool woken;
    struct waitq wq;
};

static struct spinlock futex_lock = SPINLOCK_INIT(RANK_FUTEX, "futex");
static struct list buckets[1 << BUCKET_BITS]; /* of waiters, by key */

/* ---- Keys ------------------------------------------------------------------------------------ */

static struct list *bucket_of(const struct futex_key *k)
{
    uint64_t h = ((uintptr_t)k->object >> 4) * 0x9e3779b97f4a7c15UL + (k->offset >> 2);
    struct list *b = &buckets[(h * 0x9e3779b97f4a7c15UL) >> (64 - BUCKET_BITS)];

    if (unlikely(!b->next)) /* used for the first time */
        list_init(b);
    return b;
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

/* Takes futex_lock and reads the word under it: 0, or -EFAULT without the lock. */
static int lock_and_read(uaddr_t addr, uint32_t *now)
{
    for (;;) {
        spin_lock(&futex_lock);
        if (!copy_from_user_nofault(now, addr, sizeof(*now)))
            return 0;
        spin_unlock(&futex_lock);
        if (fault_in_user(addr, sizeof(*now), false))
            return -EFAULT;
    }
}

/* ---- Waiting --------------------------------------------------------------------------------- */

static long wait_until(uaddr_t addr, bool private, uint32_t val, uint32_t bitset, uint64_t deadline)
{
    struct futex_waiter w = {.bitset = bitset};
    int err = find_key(addr, private, &w.key);
    uint32_t now;

    if (!err)
        err = lock_and_read(addr, &now);
    if (err)
        return err;
    if (now == val) {
        waitq_init(&w.wq);
        list_add_tail(bucket_of(&w.key), &w.link);
    }
    spin_unlock(&futex_lock);
    if (now != val)
        return -EAGAIN;
    err = wait_event_deadline(&w.wq, READ_ONCE(w.woken), WAIT_INTERRUPTIBLE, deadline);
    spin_lock(&futex_lock);
    list_del(&w.link);
    spin_unlock(&futex_lock);
    return w.woken ? 0 : err;
}

/* FUTEX_WAIT's time-out is relative, and a stop does not make it begin anew. */
static long futex_wait(uaddr_t addr, int op, uint32_t val, uint32_t bitset, uaddr_t utimeout)
{
    uint64_t ns, deadline = NO_DEADLINE;
    long err;

    if (!bitset)
        return -EINVAL;
    if (utimeout) {
        err = timespec_from_user(utimeout, &ns);
        if (err)
            return err;
        ns = (op & FUTEX_CMD_MASK) == FUTEX_WAIT ? deadline_after(ns)
                                                 : clock_deadline(op & FUTEX_CLOCK_REALTIME, ns);
        deadline = signal_restart_deadline(ns);
    }
    err = wait_until(addr, op & FUTEX_PRIVATE_FLAG, val, bitset, deadline);
    if (err != -ERESTARTSYS || !utimeout)
        return err;
    current->restart_deadline_ns = deadline;
    return -ERESTARTNOHAND;
}

/* ---- Waking ---------------------------------------------------------------------------------- */

/* Wakes up to nwake waiters and moves up to nmove more to another word; how many both are. */
static long wake_locked(const struct futex_key *key, long nwake, uint32_t bitset, long nmove,
                        const struct futex_key *to)
{
    struct futex_waiter *w, *tmp;
    long done = 0;

    list_for_each_safe (w, tmp, bucket_of(key), link) {
        if (done == nwake + nmove)
            break;
        if (!same_key(&w->key, key) || !(w->bitset & bitset))
            continue;
        list_del(&w->link);
        if (done++ < nwake) {
            WRITE_ONCE(w->woken, true);
            waitq_wake_all(&w->wq);
        } else {
            w->key = *to;
            list_add_tail(bucket_of(to), &w->link);
        }
    }
    return done;
}

static long wake_key(const struct futex_key *key, int n, uint32_t bitset)
{
    long woken;

    spin_lock(&futex_lock);
    woken = wake_locked(key, MAX(n, 1), bitset, 0, NULL);
    spin_unlock(&futex_lock);
    return woken;
}

static long futex_wake(uaddr_t addr, bool private, int n, uint32_t bitset)
{
    struct futex_key key;
    int err = find_key(addr, private, &key);

    if (err)
        return err;
    return bitset ? wake_key(&key, n, bitset) : -EINVAL;
}

void futex_wake_addr(uaddr_t addr)
{
    (void)futex_wake(addr, false, 1, FUTEX_BITSET_MATCH_ANY);
}

/* ---- Two words ------------------------------------------------------------------------------- */

static int find_keys(uaddr_t addr, uaddr_t addr2, bool private, struct futex_key keys[2])
{
    int err = find_key(addr, private, &keys[0]);

    return err ? err : find_key(addr2, private, &keys[1]);
}

/* cmp NULL: FUTEX_REQUEUE, no comparison. */
static long futex_requeue(uaddr_t addr, uaddr_t addr2, bool private, int nwake, int nmove,
                          const uint32_t *cmp)
{
    struct futex_key keys[2];
    uint32_t now = 0;
    long done = -EAGAIN;
    int err;

    if (nwake < 0 || nmove < 0)
        return -EINVAL;
    err = find_keys(addr, addr2, private, keys);
    if (err)
        return err;
    if (!cmp)
        spin_lock(&futex_lock);
    else if (lock_and_read(addr, &now))
        return -EFAULT;
    if (same_key(&keys[0], &keys[1])) /* onto itself it would move for ever */
        nmove = 0;
    if (!cmp || now == *cmp)
        done = wake_locked(&keys[0], nwake, FUTEX_BITSET_MATCH_ANY, nmove, &keys[1]);
    spin_unlock(&futex_lock);
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
 * The word changes before the lists are looked at, as with any waker; that is all the order that
 * waiters need, so they are woken one word after the other.
 */
static long futex_wake_op(uaddr_t addr, uaddr_t addr2, bool private, int n, int n2, uint32_t op)
{
    struct futex_key keys[2];
    int err = find_keys(addr, addr2, private, keys), matched;

    if (err)
        return err;
    matched = modify_word(addr2, op);
    if (matched < 0)
        return matched;
    return wake_key(&keys[0], n, FUTEX_BITSET_MATCH_ANY) +
           (matched ? wake_key(&keys[1], n2, FUTEX_BITSET_MATCH_ANY) : 0);
}

/* ---- Robust lists ----------------------------------------------------------------------------- */

/* Bit 0 of a link marks priority-inheriting locks, which exist only in name here. */
static int read_link(uaddr_t at, uaddr_t *link)
{
    int err = get_user_u64(link, at);

    *link &= ~1UL;
    return err;
}

/* pending: the thread died between taking the lock and listing it, or the other way round. */
static int release_word(uaddr_t addr, bool pending)
{
    uint32_t now, seen;

    if (addr & 3 || get_user_u32(&now, addr))
        return -EFAULT;
    if (pending && !now) {
        futex_wake_addr(addr); /* it was just given up, the wake-up may not have been sent */
        return 0;
    }
    while ((now & FUTEX_TID_MASK) == (uint32_t)current->tid) {
        if (cmpxchg_user_u32(addr, now, (now & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
            return -EFAULT;
        if (seen == now) {
            if (now & FUTEX_WAITERS)
                futex_wake_addr(addr);
            return 0;
        }
        now = seen;
    }
    return 0;
}

void futex_exit_robust(struct thread *t)
{
    uaddr_t head = t->robust_list, entry, pending;
    uint64_t offset;

    t->robust_list = 0;
    if (!head || read_link(head, &entry) ||
        get_user_u64(&offset, head + offsetof(struct robust_list_head, futex_offset)) ||
        read_link(head + offsetof(struct robust_list_head, list_op_pending), &pending))
        return;
    for (unsigned n = 0; entry != head && n < ROBUST_LIMIT; n++) {
        uaddr_t next = 0;
        int err = read_link(entry, &next);

        if (entry != pending && release_word(entry + offset, false))
            return;
        if (err)
            return;
        entry = next;
        sched_point();
    }
    if (pending)
        (void)release_word(pending + offset, true);
}

long sys_set_robust_list(uaddr_t head, size_t len)
{
    if (len != sizeof(struct robust_list_head))
        return -EINVAL;
    current->robust_list = head;
    return 0;
}

long sys_get_robust_list(int tid, uaddr_t uhead, uaddr_t ulen)
{
    struct thread *t = user_thread_get(tid);
    const struct process *self = current->proc;
    uaddr_t head;
    bool allowed;

    if (!t)
        return -ESRCH;
    head = t->robust_list;
    allowed = t->proc == self || self->euid == 0 || self->euid == t->proc->uid;
    thread_put(t);
    if (!allowed)
        return -EPERM;
    if (put_user_u64(ulen, sizeof(struct robust_list_head)) || put_user_u64(uhead, head))
        return -EFAULT;
    return 0;
}

/* ---- The system call -------------------------------------------------------------------------- */

long sys_futex(uaddr_t addr, int op, uint32_t val, uaddr_t timeout, uaddr_t addr2, uint32_t val3)
{
    bool private = op & FUTEX_PRIVATE_FLAG;
    int cmd = op & FUTEX_CMD_MASK, val2 = (int)timeout; /* the same argument */

    if (op & FUTEX_CLOCK_REALTIME && cmd != FUTEX_WAIT_BITSET)
        return -ENOSYS;
    switch (cmd) {
    case FUTEX_WAIT: return futex_wait(addr, op, val, FUTEX_BITSET_MATCH_ANY, timeout);
    case FUTEX_WAIT_BITSET: return futex_wait(addr, op, val, val3, timeout);
    case FUTEX_WAKE: return futex_wake(addr, private, (int)val, FUTEX_BITSET_MATCH_ANY);
    case FUTEX_WAKE_BITSET: return futex_wake(addr, private, (int)val, val3);
    case FUTEX_REQUEUE: return futex_requeue(addr, addr2, private, (int)val, val2, NULL);
    case FUTEX_CMP_REQUEUE: return futex_requeue(addr, addr2, private, (int)val, val2, &val3);
    case FUTEX_WAKE_OP: return futex_wake_op(addr, addr2, private, (int)val, val2, val3);
    default: return -ENOSYS;
    }
}
