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

static ssize_t regular_read(struct file *f, uaddr_t buf, size_t len, off_t *pos)
{
    ssize_t n = mapping_read(&f->inode->mapping, buf, NULL, len, *pos);

    if (n > 0)
        *pos += n;
    if (!(atomic_load_explicit(&f->flags, memory_order_relaxed) & O_NOATIME))
        inode_accessed(f->inode);
    return n;
}

static ssize_t regular_read_kernel(struct file *f, void *buf, size_t len, off_t pos)
{
    return mapping_read(&f->inode->mapping, 0, buf, len, pos);
}

/* How much of len may be written at pos. */
static int limit_write(struct inode *ip, off_t pos, size_t *len)
{
    uint64_t limit = ip->sb->max_size;
    struct process *p = current->proc;

    if (p && p->limits[RLIMIT_FSIZE].rlim_cur < limit) {
        limit = p->limits[RLIMIT_FSIZE].rlim_cur;
        if ((uint64_t)pos >= limit) {
            signal_send_thread(current, SIGXFSZ, NULL);
            return -EFBIG;
        }
    }
    if ((uint64_t)pos >= limit)
        return -EFBIG;
    *len = MIN(*len, limit - (uint64_t)pos);
    return ip->ops->before_write ? ip->ops->before_write(ip, pos, len) : 0;
}

/* Where a write stands: pieces of user memory, or one of kernel memory. */
struct source {
    const struct user_iov *iov;
    const char *kernel; /* NULL: user memory */
    size_t done;        /* in all */
    size_t offset;      /* in *iov */
};

/* Inode locked. Bytes written now, fewer than len when a page of the source is missing. */
static ssize_t write_piece(struct inode *ip, struct source *src, size_t len, off_t pos)
{
    ssize_t n;

    if (src->kernel)
        return mapping_write(&ip->mapping, 0, src->kernel + src->done, len, pos);
    while (src->offset == src->iov->len) {
        src->iov++;
        src->offset = 0;
    }
    len = MIN(len, src->iov->len - src->offset);
    n = mapping_write(&ip->mapping, src->iov->base + src->offset, NULL, len, pos);
    if (n > 0)
        src->offset += (size_t)n;
    return n;
}

static ssize_t write_locked(struct file *f, struct source *src, size_t len, off_t *pos)
{
    struct inode *ip = f->inode;
    ssize_t n = 0;
    int err;

    if (atomic_load_explicit(&f->flags, memory_order_relaxed) & O_APPEND)
        *pos = (off_t)inode_size(ip);
    err = limit_write(ip, *pos, &len);
    if (err)
        return err;
    if (!caller_is_root())
        inode_kill_suid(ip);
    while (len && (n = write_piece(ip, src, len, *pos)) > 0) {
        *pos += n;
        src->done += (size_t)n;
        len -= (size_t)n;
    }
    if (ip->ops->after_write)
        ip->ops->after_write(ip);
    if (src->done)
        inode_touch(ip, TOUCH_MTIME | TOUCH_CTIME);
    return n < 0 ? n : 0;
}

static int fetch_source(const struct source *src)
{
    size_t left = src->iov->len - src->offset;

    if (src->kernel)
        return -EFAULT;
    return fault_in_user(src->iov->base + src->offset, MIN(left, 16 * PAGE_SIZE), false);
}

static ssize_t write_source(struct file *f, struct source *src, size_t len, off_t *pos)
{
    size_t before;
    ssize_t err;
    unsigned tries = 0;

    do {
        before = src->done;
        inode_lock(f->inode);
        err = write_locked(f, src, len - src->done, pos);
        inode_unlock(f->inode);
        tries = src->done > before ? 0 : tries + 1;
        /* Memory so short that fetched pages are gone at once is the writer's failure in the end. */
    } while (err == -EFAULT && tries < 100 && !fetch_source(src));
    if (!src->done)
        return err;
    if (atomic_load_explicit(&f->flags, memory_order_relaxed) & O_DSYNC) {
        err = inode_sync(f->inode, false);
        if (err)
            return err;
    }
    return (ssize_t)src->done;
}

/* What is appended must not be torn because a page of the source has to be fetched half-way. */
static void fetch_before_append(const struct user_iov *iov, unsigned n)
{
    size_t most = 16 * PAGE_SIZE;

    for (unsigned i = 0; i < n && most; i++) {
        size_t len = MIN(iov[i].len, most);

        if (fault_in_user(iov[i].base, len, false))
            return;
        most -= len;
    }
}

static ssize_t regular_writev(struct file *f, const struct user_iov *iov, unsigned n, off_t *pos)
{
    struct source src = {.iov = iov};
    size_t len = 0;

    for (unsigned i = 0; i < n; i++)
        len += iov[i].len;
    if (atomic_load_explicit(&f->flags, memory_order_relaxed) & O_APPEND)
        fetch_before_append(iov, n);
    return len ? write_source(f, &src, len, pos) : 0;
}

static ssize_t regular_write(struct file *f, uaddr_t buf, size_t len, off_t *pos)
{
    struct user_iov iov = {buf, len};

    return regular_writev(f, &iov, 1, pos);
}

static ssize_t regular_write_kernel(struct file *f, const void *buf, size_t len, off_t *pos)
{
    struct source src = {.kernel = buf};

    return len ? write_source(f, &src, len, pos) : 0;
}

static int regular_fsync(struct file *f, bool data_only)
{
    return inode_sync(f->inode, data_only);
}

static struct mapping *regular_mapping(struct file *f)
{
    return &f->inode->mapping;
}

const struct file_ops regular_file_ops = {
    .read = regular_read,
    .write = regular_write,
    .writev = regular_writev,
    .read_kernel = regular_read_kernel,
    .write_kernel = regular_write_kernel,
    .fsync = regular_fsync,
    .mapping = regular_mapping,
};
