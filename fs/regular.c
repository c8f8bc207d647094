/* SPDX-License-Identifier: MIT */
/*
 * Regular files: reading and writing through the page cache, the same for every file system that
 * keeps file contents there.
 *
 * A write holds the inode's lock, which makes it one step for other writers and for O_APPEND. User
 * memory must not be faulted in under that lock: where a page of the source is missing, the lock is
 * dropped, the page fetched, and the write goes on.
 */
#include "fs/dcache.h"
#include "proc/process.h"

#include <linux/fcntl.h>

static ssize_t regular_readv(struct file *f, struct uio *u, off_t *pos)
{
    size_t total = u->left, done;
    int err = mapping_read(&f->inode->mapping, u, *pos);

    done = total - u->left;
    *pos += (off_t)done;
    if (!file_has_flag(f, O_NOATIME))
        inode_accessed(f->inode);
    return done ? (ssize_t)done : err;
}

/* How much of len may be written at pos. */
static int limit_write(struct inode *ip, off_t pos, size_t *len)
{
    uint64_t limit = ip->sb->max_size;
    struct process *p = current->proc;

    if (p && p->limits[RLIMIT_FSIZE].rlim_cur < limit) {
        limit = p->limits[RLIMIT_FSIZE].rlim_cur;
        if ((uint64_t)pos >= limit)
            signal_send_thread(current, SIGXFSZ, NULL);
    }
    if ((uint64_t)pos >= limit)
        return -EFBIG;
    *len = MIN(*len, limit - (uint64_t)pos);
    return ip->ops->before_write ? ip->ops->before_write(ip, pos, len) : 0;
}

/* Inode locked. Writes until the end, or a page of the source that is missing: -EFAULT. */
static int write_locked(struct file *f, struct uio *u, off_t *pos)
{
    struct inode *ip = f->inode;
    size_t len = u->left, beyond, done;
    int err;

    if (file_has_flag(f, O_APPEND))
        *pos = (off_t)inode_size(ip);
    err = limit_write(ip, *pos, &len);
    if (err)
        return err;
    if (!caller_is_root())
        inode_kill_suid(ip);
    beyond = u->left - len;
    u->left = len;
    err = mapping_write(&ip->mapping, u, *pos);
    done = len - u->left;
    *pos += (off_t)done;
    u->left += beyond;
    if (ip->ops->after_write)
        ip->ops->after_write(ip);
    if (done)
        inode_touch(ip, TOUCH_MTIME | TOUCH_CTIME);
    return err;
}

static ssize_t regular_writev(struct file *f, struct uio *u, off_t *pos)
{
    size_t total = u->left, before;
    unsigned tries = 0;
    int err;

    if (!total)
        return 0;
    /* What is appended must not be torn because a page of the source has to be fetched half-way. */
    if (file_has_flag(f, O_APPEND))
        err = uio_fetch(u); /* told below, where it matters */
    do {
        before = u->left;
        inode_lock(f->inode);
        err = write_locked(f, u, pos);
        inode_unlock(f->inode);
        tries = u->left < before ? 0 : tries + 1;
        /* Memory so short that fetched pages are gone at once is the writer's failure in the end. */
    } while (err == -EFAULT && tries < 100 && !uio_fetch(u));
    if (u->left == total)
        return err;
    err = file_has_flag(f, O_DSYNC) ? inode_sync(f->inode, false) : 0;
    return err ? err : (ssize_t)(total - u->left);
}

const struct file_ops regular_file_ops = {
    .readv = regular_readv,
    .writev = regular_writev,
    .cached = true,
};
