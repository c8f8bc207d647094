/* SPDX-License-Identifier: MIT */
/*
 * Moving data between descriptors and user memory. Lengths and ranges are checked here once (a
 * vector of pieces is copied in once, so it cannot change under us); the file's operations see
 * user ranges below USER_TOP, at most MAX_RW_COUNT bytes in all.
 *
 * A file's position is locked for regular files, directories and block devices only, and only where
 * somebody else may use the same struct file: a reader that sleeps on a pipe or terminal must not
 * stop others.
 */
#include "fs/dcache.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/eventpoll.h>
#include <linux/fadvise.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/uio.h>

#define MAX_RW_COUNT ((size_t)INT32_MAX & ~PAGE_MASK)
#define FEW_IOV 8

enum direction { READ = FMODE_READ, WRITE = FMODE_WRITE };

/* ---- Position --------------------------------------------------------------------------------- */

static bool pos_lock(struct fdref r)
{
    struct file *f = r.file;

    if (!(f->mode & FMODE_POS))
        return false;
    if (!r.counted && atomic_load_explicit(&f->refs, memory_order_acquire) == 1)
        return false;
    mutex_lock(&f->pos_lock);
    return true;
}

static void pos_unlock(struct file *f, bool locked)
{
    if (locked)
        mutex_unlock(&f->pos_lock);
}

/* ---- Reading and writing ---------------------------------------------------------------------- */

/* What a call moves: the pieces, checked, and where the transfer stands. */
struct request {
    struct uio uio;
    struct user_iov *iov;
    struct user_iov few[FEW_IOV];
};

static int request_check(struct request *q, unsigned n)
{
    q->uio = (struct uio){.iov = q->iov};
    for (unsigned i = 0; i < n; i++) {
        struct user_iov *v = &q->iov[i];

        if ((ssize_t)v->len < 0)
            return -EINVAL;
        if (v->len && !user_range_ok(v->base, v->len))
            return -EFAULT;
        v->len = MIN(v->len, MAX_RW_COUNT - q->uio.left);
        q->uio.left += v->len;
    }
    return 0;
}

static void request_free(struct request *q)
{
    if (q->iov != q->few)
        kfree(q->iov);
}

/* base is the memory, len bytes; or for a vector an array of len pieces. */
static int request_init(struct request *q, bool vector, uaddr_t base, size_t len)
{
    int err;

    _Static_assert(sizeof(struct user_iov) == sizeof(struct iovec), "copied as it is");
    q->iov = q->few;
    if (!vector) {
        q->few[0] = (struct user_iov){base, len};
        return request_check(q, 1);
    }
    if (len > UIO_MAXIOV)
        return -EINVAL;
    if (len > FEW_IOV)
        q->iov = kmalloc(len * sizeof(struct user_iov), 0);
    if (!q->iov)
        return -ENOMEM;
    err = copy_from_user(q->iov, base, len * sizeof(struct user_iov));
    if (!err)
        err = request_check(q, (unsigned)len);
    if (err)
        request_free(q);
    return err;
}

/* After a full piece from a terminal or the like, the next one must not wait for more input. */
static bool may_go_on(struct file *f, enum direction dir)
{
    if (dir == WRITE || (f->mode & FMODE_POS) || !f->ops->poll)
        return true;
    return f->ops->poll(f, NULL) & EPOLLIN;
}

static ssize_t transfer_pieces(struct file *f, enum direction dir, struct uio *u, off_t *pos)
{
    ssize_t (*move)(struct file *, uaddr_t, size_t, off_t *) =
        dir == READ ? f->ops->read : f->ops->write;
    ssize_t done = 0, n;

    if (!u->left)
        return move(f, 0, 0, pos);
    for (const struct user_iov *v = u->iov; u->left; u->left -= v->len, v++) {
        if (!v->len)
            continue;
        if (done && !may_go_on(f, dir))
            break;
        n = move(f, v->base, v->len, pos);
        if (n < 0)
            return done ? done : n;
        done += n;
        if ((size_t)n < v->len)
            break;
    }
    return done;
}

static ssize_t transfer(struct file *f, enum direction dir, struct uio *u, off_t *pos)
{
    if (dir == READ && f->ops->readv)
        return f->ops->readv(f, u, pos);
    if (dir == WRITE && f->ops->writev)
        return f->ops->writev(f, u, pos);
    if (dir == READ ? f->ops->read != NULL : f->ops->write != NULL)
        return transfer_pieces(f, dir, u, pos);
    return S_ISDIR(f->inode->mode) ? -EISDIR : -EINVAL;
}

/* All of read, pwritev and so on. pos NULL: the file's own position. */
static long rw(int fd, enum direction dir, bool vector, uaddr_t base, size_t len, off_t *pos)
{
    struct fdref r;
    struct request q;
    ssize_t n = -EBADF;
    bool locked;

    if (pos && *pos < 0)
        return -EINVAL;
    r = fd_borrow(fd);
    if (unlikely(!r.file))
        return -EBADF;
    if (pos && !(r.file->mode & FMODE_PREAD))
        n = -ESPIPE;
    else if (likely(r.file->mode & dir))
        n = request_init(&q, vector, base, len);
    if (!n) {
        locked = pos ? false : pos_lock(r);
        n = transfer(r.file, dir, &q.uio, pos ? pos : &r.file->pos);
        pos_unlock(r.file, locked);
        request_free(&q);
    }
    fd_return(r);
    return n;
}

long sys_read(int fd, uaddr_t buf, size_t len)
{
    return rw(fd, READ, false, buf, len, NULL);
}

long sys_write(int fd, uaddr_t buf, size_t len)
{
    return rw(fd, WRITE, false, buf, len, NULL);
}

long sys_pread64(int fd, uaddr_t buf, size_t len, off_t pos)
{
    return rw(fd, READ, false, buf, len, &pos);
}

long sys_pwrite64(int fd, uaddr_t buf, size_t len, off_t pos)
{
    return rw(fd, WRITE, false, buf, len, &pos);
}

/* A negative number of pieces is too large a one. */
long sys_readv(int fd, uaddr_t iov, int n)
{
    return rw(fd, READ, true, iov, (size_t)n, NULL);
}

long sys_writev(int fd, uaddr_t iov, int n)
{
    return rw(fd, WRITE, true, iov, (size_t)n, NULL);
}

/* On a 64-bit machine the position fits one argument, and the upper half is nothing. */
long sys_preadv(int fd, uaddr_t iov, int n, off_t pos, uint64_t pos_high)
{
    (void)pos_high;
    return rw(fd, READ, true, iov, (size_t)n, &pos);
}

long sys_pwritev(int fd, uaddr_t iov, int n, off_t pos, uint64_t pos_high)
{
    (void)pos_high;
    return rw(fd, WRITE, true, iov, (size_t)n, &pos);
}

/* ---- lseek ------------------------------------------------------------------------------------ */

static off_t seek_usual(struct file *f, off_t off, int whence)
{
    off_t size = (off_t)inode_size(f->inode), base;

    switch (whence) {
    case SEEK_SET: base = 0; break;
    case SEEK_CUR: base = f->pos; break;
    case SEEK_END: base = size; break;
    case SEEK_DATA: /* every file counts as one piece of data, with a hole behind it */
        return off < 0 || off >= size ? -ENXIO : (f->pos = off);
    case SEEK_HOLE: return off < 0 || off >= size ? -ENXIO : (f->pos = size);
    default: return -EINVAL;
    }
    if (__builtin_add_overflow(base, off, &off))
        return -EOVERFLOW;
    if (off < 0 || (S_ISREG(f->inode->mode) && (uint64_t)off > f->inode->sb->max_size))
        return -EINVAL;
    return f->pos = off;
}

long sys_lseek(int fd, off_t off, int whence)
{
    struct fdref r = fd_borrow(fd);
    off_t pos = -ESPIPE;
    bool locked;

    if (!r.file)
        return -EBADF;
    locked = pos_lock(r);
    if (r.file->ops->lseek)
        pos = r.file->ops->lseek(r.file, off, whence);
    else if (r.file->mode & FMODE_POS)
        pos = seek_usual(r.file, off, whence);
    pos_unlock(r.file, locked);
    fd_return(r);
    return pos;
}

/* ---- From file to file ------------------------------------------------------------------------ */

/* Out of the page cache, page by page. */
static ssize_t send(struct file *in, off_t *in_pos, struct file *out, off_t *out_pos, size_t len)
{
    ssize_t n = 1;
    size_t done = 0;

    len = MIN(len, MAX_RW_COUNT);
    while (done < len && n > 0) {
        uint64_t at = (uint64_t)*in_pos, size = inode_size(in->inode);
        size_t offset = at & PAGE_MASK;
        struct page *p;
        struct uio u;

        if (at >= size)
            break;
        p = mapping_read_page(file_mapping(in), at >> PAGE_SHIFT);
        if (is_err(p))
            return done ? (ssize_t)done : ptr_err(p);
        u = uio_kernel((char *)page_va(p) + offset,
                       MIN(MIN(len - done, PAGE_SIZE - offset), size - at));
        n = out->ops->writev(out, &u, out_pos);
        page_put(p);
        sched_point();
        if (n > 0) {
            *in_pos += n;
            done += (size_t)n;
        }
    }
    return done ? (ssize_t)done : MIN(n, (ssize_t)0);
}

/* An offset in user memory, or 0: the file's own position. */
static int get_offset(const struct file *f, uaddr_t uoff, off_t *pos)
{
    uint64_t v = (uint64_t)f->pos;

    if (uoff && get_user_u64(&v, uoff))
        return -EFAULT;
    *pos = (off_t)v;
    return uoff && *pos < 0 ? -EINVAL : 0;
}

static int put_offset(struct file *f, uaddr_t uoff, off_t pos)
{
    if (uoff)
        return put_user_u64(uoff, (uint64_t)pos);
    f->pos = pos;
    return 0;
}

static ssize_t send_at(struct file *in, uaddr_t in_off, struct file *out, uaddr_t out_off,
                       size_t len)
{
    off_t in_pos, out_pos;
    ssize_t n;

    if (!(in->mode & FMODE_READ) || !(out->mode & FMODE_WRITE))
        return -EBADF;
    if (!file_mapping(in) || !out->ops->writev || (ssize_t)len < 0)
        return -EINVAL;
    n = get_offset(in, in_off, &in_pos);
    if (!n)
        n = get_offset(out, out_off, &out_pos);
    if (!n)
        n = send(in, &in_pos, out, &out_pos, len);
    if (n < 0)
        return n;
    return put_offset(in, in_off, in_pos) || put_offset(out, out_off, out_pos) ? -EFAULT : n;
}

long sys_sendfile(int out_fd, int in_fd, uaddr_t offset, size_t count)
{
    struct fdref in = fd_borrow(in_fd), out = fd_borrow(out_fd);
    ssize_t n = -EBADF;

    if (in.file && out.file)
        n = send_at(in.file, offset, out.file, 0, count);
    fd_return(in);
    fd_return(out);
    return n;
}

static int check_copy(struct file *in, struct file *out, uint32_t flags)
{
    if (!in || !out)
        return -EBADF;
    if (flags)
        return -EINVAL;
    if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
        return -EISDIR;
    if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
        return -EINVAL;
    if (atomic_load(&out->flags) & O_APPEND)
        return -EBADF;
    /* Over another file system programs copy by themselves: /proc's sizes are not to be believed. */
    if (in->inode->sb->type != out->inode->sb->type || in->inode == out->inode)
        return in->inode == out->inode ? -EINVAL : -EXDEV;
    return 0;
}

long sys_copy_file_range(int in_fd, uaddr_t in_off, int out_fd, uaddr_t out_off, size_t len,
                         uint32_t flags)
{
    struct fdref in = fd_borrow(in_fd), out = fd_borrow(out_fd);
    ssize_t n = check_copy(in.file, out.file, flags);

    if (!n)
        n = send_at(in.file, in_off, out.file, out_off, MIN(len, MAX_RW_COUNT));
    fd_return(in);
    fd_return(out);
    return n;
}

/* ---- Hints and preallocation ------------------------------------------------------------------ */

long sys_fadvise64(int fd, off_t off, off_t len, int advice)
{
    struct fdref r = fd_borrow(fd);
    long ret = 0;

    (void)off;
    if (!r.file)
        return -EBADF;
    if (S_ISFIFO(r.file->inode->mode))
        ret = -ESPIPE;
    else if (len < 0 || advice < POSIX_FADV_NORMAL || advice > POSIX_FADV_NOREUSE)
        ret = -EINVAL;
    fd_return(r);
    return ret;
}

/* The C library then writes zeroes itself. */
long sys_fallocate(int fd, int mode, off_t off, off_t len)
{
    struct fdref r = fd_borrow(fd);
    long ret = -EOPNOTSUPP;

    (void)mode;
    if (!r.file || !(r.file->mode & FMODE_WRITE))
        ret = -EBADF;
    else if (off < 0 || len <= 0)
        ret = -EINVAL;
    else if (!S_ISREG(r.file->inode->mode))
        ret = S_ISFIFO(r.file->inode->mode) ? -ESPIPE : -ENODEV;
    fd_return(r);
    return ret;
}
