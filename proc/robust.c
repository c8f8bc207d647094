/* SPDX-License-Identifier: MIT */
/*
 * Robust futexes: locks that a dying thread still holds are marked FUTEX_OWNER_DIED and one waiter
 * is woken. The list of them is the program's own, in its memory: nothing in it is trusted, the walk
 * is bounded, and whatever cannot be read ends it.
 */
#include <linux/futex.h>

#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

#define ROBUST_LIMIT 2048 /* entries walked: a list may be a ring */

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
        futex_wake_addr(addr, 1); /* it was just given up, the wake-up may not have been sent */
        return 0;
    }
    while ((now & FUTEX_TID_MASK) == (uint32_t)current->tid) {
        if (cmpxchg_user_u32(addr, now, (now & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
            return -EFAULT;
        if (seen == now) {
            if (now & FUTEX_WAITERS)
                futex_wake_addr(addr, 1);
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
