/* SPDX-License-Identifier: MIT */
/*
 * getdents64: the entries are gathered in kernel memory, because user memory must not be faulted in
 * under the directory's lock, and copied out afterwards.
 */
#include "fs/dcache.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>

#define MAX_BATCH (4 * PAGE_SIZE)

struct dirent64 { /* Linux's struct linux_dirent64 */
    uint64_t ino;
    int64_t off; /* where the next one is read from */
    uint16_t reclen;
    uint8_t type;
    char name[];
};

struct batch {
    char *buf;
    size_t size, used;
    bool full; /* an entry did not fit */
};

static bool emit(void *arg, const char *name, size_t len, uint64_t ino, unsigned type, off_t next)
{
    struct batch *b = arg;
    size_t reclen = ALIGN_UP(offsetof(struct dirent64, name) + len + 1, (size_t)8);
    struct dirent64 *e = (struct dirent64 *)(b->buf + b->used);

    if (reclen > b->size - b->used) {
        b->full = true;
        return false;
    }
    memset(e, 0, reclen);
    *e = (struct dirent64){.ino = ino, .off = next, .reclen = (uint16_t)reclen};
    e->type = (uint8_t)type;
    memcpy(e->name, name, len);
    b->used += reclen;
    return true;
}

static long read_entries(struct file *f, struct batch *b, off_t *pos)
{
    int err = -ENOENT;

    inode_lock(f->inode);
    if (f->inode->nlink)
        err = f->ops->iterate(f, pos, emit, b);
    inode_unlock(f->inode);
    if (b->used)
        return (long)b->used;
    return !err && b->full ? -EINVAL : err;
}

static long getdents(struct file *f, uaddr_t buf, size_t len)
{
    struct batch b = {.size = MIN(len, MAX_BATCH)};
    off_t pos;
    long n;

    b.buf = kmalloc(MAX_BATCH, 0);
    if (!b.buf)
        return -ENOMEM;
    mutex_lock(&f->pos_lock);
    pos = f->pos;
    n = read_entries(f, &b, &pos);
    if (n > 0 && copy_to_user(buf, b.buf, (size_t)n))
        n = -EFAULT;
    if (n >= 0)
        f->pos = pos;
    mutex_unlock(&f->pos_lock);
    kfree(b.buf);
    if (!(atomic_load(&f->flags) & O_NOATIME))
        inode_accessed(f->inode);
    return n;
}

long sys_getdents64(int fd, uaddr_t buf, uint32_t len)
{
    struct fdref r = fd_borrow(fd);
    long n = -ENOTDIR;

    if (!r.file)
        return -EBADF;
    if (S_ISDIR(r.file->inode->mode) && r.file->ops->iterate)
        n = getdents(r.file, buf, len);
    fd_return(r);
    return n;
}
