/* SPDX-License-Identifier: MIT */
/*
 * File locks: flock(2), which belongs to an open file, and fcntl(2)'s record locks, which belong to
 * a process (its descriptor table). Both kinds lie in one list per inode and never conflict across
 * kinds.
 *
 * Record locks of one owner never overlap; a request that splits one needs a spare, allocated
 * beforehand. Waiting for a lock that its holder will only give up after us is not detected
 * (EDEADLK): a signal ends it.
 *
 * Locks: flock_lock (spinlock) guards all lists; who waits looks again whenever any lock goes.
 */
#include "fs/dcache.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/fs.h>

#define TO_END INT64_MAX
#define FLOCK_KIND (-1)

struct file_lock {
    struct list link;
    const void *owner; /* struct file or struct files: only compared */
    int pid;           /* for F_GETLK; FLOCK_KIND: flock(2)'s */
    short type;        /* F_RDLCK, F_WRLCK; in a request F_UNLCK too */
    off_t start, end;  /* inclusive; TO_END: whatever the size */
};

static struct spinlock flock_lock = SPINLOCK_INIT(RANK_FILE, "file locks");
static struct waitq flock_wait = WAITQ_INIT(flock_wait);

/* ---- The list of an inode --------------------------------------------------------------------- */

static bool overlaps(const struct file_lock *a, const struct file_lock *b)
{
    return a->start <= b->end && b->start <= a->end;
}

static bool conflicts(const struct file_lock *a, const struct file_lock *b)
{
    return (a->pid == FLOCK_KIND) == (b->pid == FLOCK_KIND) && a->owner != b->owner &&
           (a->type == F_WRLCK || b->type == F_WRLCK) && overlaps(a, b);
}

static struct file_lock *conflict_locked(struct inode *ip, const struct file_lock *want)
{
    struct file_lock *have;

    list_for_each (have, &ip->locks, link)
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
static void remove_locked(struct inode *ip, const struct file_lock *range, struct file_lock **spare)
{
    struct file_lock *have, *next, *tail;

    list_for_each_safe (have, next, &ip->locks, link) {
        if (have->owner != range->owner || !overlaps(have, range))
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

/* False: fl conflicts with another's. Else it is in the list, or for F_UNLCK its range given up. */
static bool try_lock(struct inode *ip, struct file_lock *fl, struct file_lock **spare)
{
    bool unlock = fl->type == F_UNLCK, ok;

    spin_lock(&flock_lock);
    ok = unlock || !conflict_locked(ip, fl);
    if (ok)
        remove_locked(ip, fl, spare);
    if (ok && !unlock)
        list_add_tail(&ip->locks, &fl->link);
    spin_unlock(&flock_lock);
    if (ok)
        waitq_wake_all(&flock_wait); /* what was given up, or turned from exclusive to shared */
    return ok;
}

static int apply(struct inode *ip, const struct file_lock *want, bool wait)
{
    struct file_lock *fl = kmalloc(sizeof(*fl), 0), *spare = kmalloc(sizeof(*spare), 0);
    int err = -ENOLCK;

    if (fl && spare) {
        *fl = *want;
        if (wait)
            err = wait_event_interruptible(&flock_wait, try_lock(ip, fl, &spare));
        else
            err = try_lock(ip, fl, &spare) ? 0 : -EAGAIN;
    }
    if (err || want->type == F_UNLCK)
        kfree(fl);
    kfree(spare);
    return err;
}

void flock_release(struct inode *ip, const void *owner)
{
    struct file_lock *have, *next;

    if (likely(list_empty(&ip->locks)))
        return;
    spin_lock(&flock_lock);
    list_for_each_safe (have, next, &ip->locks, link)
        if (have->owner == owner)
            free_lock(have);
    spin_unlock(&flock_lock);
    waitq_wake_all(&flock_wait);
}

/* ---- flock(2) --------------------------------------------------------------------------------- */

static long flock_file(struct file *f, int op)
{
    struct file_lock want = {.owner = f, .pid = FLOCK_KIND, .end = TO_END};

    switch (op & ~LOCK_NB) {
    case LOCK_SH: want.type = F_RDLCK; break;
    case LOCK_EX: want.type = F_WRLCK; break;
    case LOCK_UN: want.type = F_UNLCK; break;
    default: return -EINVAL;
    }
    return apply(f->inode, &want, !(op & LOCK_NB));
}

long sys_flock(int fd, int op)
{
    struct fdref r = fd_borrow(fd);
    long err = r.file ? flock_file(r.file, op) : -EBADF;

    fd_return(r);
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
    if (fl->start < 0)
        return -EINVAL;
    fl->end = TO_END;
    if (u->l_len > 0 && __builtin_add_overflow(fl->start, u->l_len - 1, &fl->end))
        return -EOVERFLOW;
    if (u->l_len < 0) {
        fl->end = fl->start - 1;
        fl->start += u->l_len;
    }
    return fl->start < 0 ? -EINVAL : 0;
}

static long get_lock(struct inode *ip, struct file_lock *want, struct flock *u, uaddr_t arg)
{
    struct file_lock *have;

    spin_lock(&flock_lock);
    have = conflict_locked(ip, want);
    u->l_type = F_UNLCK;
    if (have) {
        u->l_type = have->type;
        u->l_whence = SEEK_SET;
        u->l_start = have->start;
        u->l_len = have->end == TO_END ? 0 : have->end - have->start + 1;
        u->l_pid = have->pid;
    }
    spin_unlock(&flock_lock);
    return copy_to_user(arg, u, sizeof(*u));
}

/* Waits if need be. A thread may have closed fd meanwhile, which would have given the lock up. */
static long set_lock(struct file *f, int fd, const struct file_lock *want, bool wait)
{
    struct file *now;
    int err = apply(f->inode, want, wait);

    if (err || want->type == F_UNLCK)
        return err;
    now = files_file_at(current->proc->files, fd);
    if (now)
        file_put(now);
    if (now == f)
        return 0;
    flock_release(f->inode, want->owner);
    return -EBADF;
}

long flock_fcntl(struct file *f, int fd, int cmd, uaddr_t arg)
{
    static const uint8_t needed[] = {
        [F_RDLCK] = FMODE_READ, [F_WRLCK] = FMODE_WRITE, [F_UNLCK] = 0};
    struct file_lock want = {.owner = current->proc->files, .pid = current->proc->pid};
    struct flock u;
    int err;

    if (copy_from_user(&u, arg, sizeof(u)))
        return -EFAULT;
    if (u.l_type < 0 || u.l_type >= (int)ARRAY_SIZE(needed))
        return -EINVAL;
    want.type = u.l_type;
    err = get_range(f, &u, &want);
    if (err)
        return err;
    if (cmd == F_GETLK)
        return u.l_type == F_UNLCK ? -EINVAL : get_lock(f->inode, &want, &u, arg);
    if ((f->mode & needed[u.l_type]) != needed[u.l_type])
        return -EBADF;
    return set_lock(f, fd, &want, cmd == F_SETLKW);
}
