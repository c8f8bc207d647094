/* SPDX-License-Identifier: MIT */
/*
 * File locks: flock(2), which belongs to an open file, and fcntl(2)'s record locks, which belong to
 * a process (its descriptor table) or, as F_OFD_*, to an open file too. Both kinds lie in one list
 * per inode and never conflict across kinds.
 *
 * Record locks of one owner never overlap and are kept sorted and merged; a request that splits one
 * needs a spare, allocated beforehand. Waiting for a lock that its holder will only give up after
 * us is not detected (EDEADLK): a signal ends it.
 *
 * Locks: list->lock (spinlock) guards the list; waiters look again whenever anything is released.
 */
#include "fs/dcache.h"
#include "lib/log.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#define TO_END INT64_MAX

struct file_lock {
    struct list link;
    const void *owner; /* struct file or struct files: only compared */
    int pid;           /* for F_GETLK; -1 for locks of open files */
    bool whole;        /* flock(2)'s kind */
    bool exclusive;
    off_t start, end; /* inclusive; TO_END: whatever the size */
};

struct lock_list {
    struct spinlock lock; /* RANK_FILE */
    struct list list;
    struct waitq wait;
};

/* ---- The list of an inode --------------------------------------------------------------------- */

static struct lock_list *lock_list_of(struct inode *ip)
{
    struct lock_list *have = atomic_load(&ip->locks), *l;

    if (have)
        return have;
    l = kzalloc(sizeof(*l));
    if (!l)
        return NULL;
    spin_init(&l->lock, RANK_FILE, "file locks");
    list_init(&l->list);
    waitq_init(&l->wait);
    if (atomic_compare_exchange_strong(&ip->locks, &have, l))
        return l;
    kfree(l); /* somebody was faster */
    return have;
}

void flock_free(struct inode *ip)
{
    struct lock_list *l = atomic_load(&ip->locks);

    assert(!l || list_empty(&l->list));
    kfree(l);
}

static bool overlaps(const struct file_lock *a, const struct file_lock *b)
{
    return a->start <= b->end && b->start <= a->end;
}

static bool conflicts(const struct file_lock *a, const struct file_lock *b)
{
    return a->whole == b->whole && a->owner != b->owner && (a->exclusive || b->exclusive) &&
           overlaps(a, b);
}

static struct file_lock *conflict_locked(struct lock_list *l, const struct file_lock *want)
{
    struct file_lock *have;

    list_for_each (have, &l->list, link)
        if (conflicts(have, want))
            return have;
    return NULL;
}

static void free_lock(struct file_lock *fl)
{
    list_del(&fl->link);
    kfree(fl);
}

/* The owner gives [start, end] up. Uses *spare if one of its locks has to be split in two. */
static void remove_locked(struct lock_list *l, const struct file_lock *range,
                          struct file_lock **spare)
{
    struct file_lock *have, *next, *tail;

    list_for_each_safe (have, next, &l->list, link) {
        if (have->owner != range->owner || have->whole != range->whole || !overlaps(have, range))
            continue;
        if (have->start < range->start && have->end > range->end) {
            tail = *spare;
            *spare = NULL;
            *tail = *have;
            tail->start = range->end + 1;
            have->end = range->start - 1;
            list_add(&have->link, &tail->link);
        } else if (have->start < range->start) {
            have->end = range->start - 1;
        } else if (have->end > range->end) {
            have->start = range->end + 1;
        } else {
            free_lock(have);
        }
    }
}

/* fl, just added, swallows neighbours of its owner and kind. */
static void merge_locked(struct lock_list *l, struct file_lock *fl)
{
    struct file_lock *have, *next;

    list_for_each_safe (have, next, &l->list, link) {
        if (have == fl || have->owner != fl->owner || have->whole != fl->whole ||
            have->exclusive != fl->exclusive)
            continue;
        if (have->end != TO_END && have->end + 1 == fl->start)
            fl->start = have->start;
        else if (fl->end != TO_END && fl->end + 1 == have->start)
            fl->end = have->end;
        else
            continue;
        free_lock(have);
    }
}

/* 0 = done (fl is in the list now, or its range given up if unlock), -EAGAIN. */
static int try_lock(struct lock_list *l, struct file_lock *fl, bool unlock,
                    struct file_lock **spare)
{
    int err = 0;

    spin_lock(&l->lock);
    if (!unlock && conflict_locked(l, fl)) {
        err = -EAGAIN;
    } else {
        remove_locked(l, fl, spare);
        if (!unlock) {
            list_add_tail(&l->list, &fl->link);
            merge_locked(l, fl);
        }
    }
    spin_unlock(&l->lock);
    if (!err)
        waitq_wake_all(&l->wait); /* what was given up, or turned from exclusive to shared */
    return err;
}

static int apply(struct inode *ip, const struct file_lock *want, bool unlock, bool wait)
{
    struct lock_list *l = lock_list_of(ip);
    struct file_lock *fl = kmalloc(sizeof(*fl), 0), *spare = kmalloc(sizeof(*spare), 0);
    int err = l && fl && spare ? 0 : -ENOLCK, result = 0;

    if (!err) {
        *fl = *want;
        result = try_lock(l, fl, unlock, &spare);
        if (result && wait)
            err = wait_event_interruptible(&l->wait,
                                           (result = try_lock(l, fl, unlock, &spare)) != -EAGAIN);
    }
    if (err || result || unlock)
        kfree(fl);
    kfree(spare);
    return err ? err : result;
}

static void release_owner(struct inode *ip, const void *owner, bool whole)
{
    struct lock_list *l = atomic_load(&ip->locks);
    struct file_lock *have, *next;
    bool any = false;

    if (!l)
        return;
    spin_lock(&l->lock);
    list_for_each_safe (have, next, &l->list, link) {
        if (have->owner != owner || have->whole != whole)
            continue;
        free_lock(have);
        any = true;
    }
    spin_unlock(&l->lock);
    if (any)
        waitq_wake_all(&l->wait);
}

void flock_release_file(struct file *f)
{
    release_owner(f->inode, f, true);
    release_owner(f->inode, f, false);
}

void flock_release_posix(struct file *f, struct files *owner)
{
    release_owner(f->inode, owner, false);
}

/* ---- flock(2) --------------------------------------------------------------------------------- */

static long flock_file(struct file *f, int op)
{
    struct file_lock want = {.owner = f, .pid = -1, .whole = true, .end = TO_END};
    int kind = op & ~LOCK_NB;

    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
        return -EINVAL;
    want.exclusive = kind == LOCK_EX;
    return apply(f->inode, &want, kind == LOCK_UN, !(op & LOCK_NB));
}

long sys_flock(int fd, int op)
{
    struct file *f = fd_get(fd);
    long err;

    if (!f)
        return -EBADF;
    err = flock_file(f, op);
    file_put(f);
    return err;
}

/* ---- Record locks ----------------------------------------------------------------------------- */

/* The range that a struct flock means. */
static int get_range(struct file *f, const struct flock *u, struct file_lock *fl)
{
    off_t base;

    switch (u->l_whence) {
    case SEEK_SET: base = 0; break;
    case SEEK_CUR: base = f->pos; break;
    case SEEK_END: base = (off_t)inode_size(f->inode); break;
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(base, u->l_start, &fl->start))
        return -EOVERFLOW;
    fl->end = TO_END;
    if (u->l_len > 0 && __builtin_add_overflow(fl->start, u->l_len - 1, &fl->end))
        return -EOVERFLOW;
    if (u->l_len < 0) {
        fl->end = fl->start - 1;
        fl->start += u->l_len;
    }
    return fl->start < 0 ? -EINVAL : 0;
}

static int check_mode(struct file *f, int type)
{
    if (type == F_RDLCK)
        return f->mode & FMODE_READ ? 0 : -EBADF;
    if (type == F_WRLCK)
        return f->mode & FMODE_WRITE ? 0 : -EBADF;
    return type == F_UNLCK ? 0 : -EINVAL;
}

static long get_lock(struct inode *ip, struct file_lock *want, struct flock *u, uaddr_t arg)
{
    struct lock_list *l = lock_list_of(ip);
    struct file_lock *have;

    if (!l)
        return -ENOLCK;
    spin_lock(&l->lock);
    have = conflict_locked(l, want);
    u->l_type = F_UNLCK;
    if (have) {
        u->l_type = have->exclusive ? F_WRLCK : F_RDLCK;
        u->l_whence = SEEK_SET;
        u->l_start = have->start;
        u->l_len = have->end == TO_END ? 0 : have->end - have->start + 1;
        u->l_pid = have->pid;
    }
    spin_unlock(&l->lock);
    return copy_to_user(arg, u, sizeof(*u));
}

static long set_lock(struct file *f, int cmd, const struct file_lock *want, int type)
{
    int err = check_mode(f, type);

    if (err)
        return err;
    return apply(f->inode, want, type == F_UNLCK, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
}

long flock_fcntl(struct file *f, int cmd, uaddr_t arg)
{
    bool of_file = cmd == F_OFD_GETLK || cmd == F_OFD_SETLK || cmd == F_OFD_SETLKW;
    struct file_lock want = {.owner = of_file ? (void *)f : (void *)current->proc->files,
                             .pid = of_file ? -1 : current->proc->pid};
    struct flock u;
    int err;

    if (copy_from_user(&u, arg, sizeof(u)))
        return -EFAULT;
    if (of_file && u.l_pid)
        return -EINVAL;
    err = get_range(f, &u, &want);
    if (err)
        return err;
    want.exclusive = u.l_type == F_WRLCK;
    if (cmd != F_GETLK && cmd != F_OFD_GETLK)
        return set_lock(f, cmd, &want, u.l_type);
    if (u.l_type != F_RDLCK && u.l_type != F_WRLCK)
        return -EINVAL;
    return get_lock(f->inode, &want, &u, arg);
}
