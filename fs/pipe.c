/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs: a ring of bytes on pages that are allocated when first needed. When the ring runs
 * empty it starts over at its first page, so a pipe that is read as fast as it is written has one.
 *
 *  [1] A write of at most PIPE_BUF bytes goes in whole or not at all, so a writer waits until
 *      PIPE_BUF bytes are free, and readers wake writers only then.
 *  [2] Readers wait only for an empty pipe, so writers wake them only when it was empty.
 *  [3] pipe->files counts the open files on it; a FIFO's inode points to its pipe while that is > 0.
 *
 * Locks: inode->lock for [3] and opening; pipe->lock (of the same rank, never both) for the ring.
 * User memory is touched with pipe->lock held: page faults never take it. poll reads the counts
 * without a lock.
 */
#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <asm/ioctls.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/limits.h>

#define DEFAULT_PAGES 16u
#define MAX_BYTES (1u << 20)

struct pipe {
    struct mutex lock;
    struct waitq read_wait, write_wait;
    size_t start, len; /* the ring: where the oldest byte is, bytes in it */
    unsigned npages;
    struct page **pages;                 /* each NULL until first needed */
    unsigned readers, writers;           /* open ends */
    unsigned reader_opens, writer_opens; /* ever */
    unsigned files;                      /* inode->lock */
};

static struct superblock pipe_sb;
static const struct fs_type pipe_type = {.name = "pipefs"};
static const struct super_ops pipe_super_ops;
static const struct inode_ops pipe_inode_ops;
static _Atomic uint64_t last_ino;

static size_t capacity(const struct pipe *p)
{
    return p->npages * PAGE_SIZE;
}

/* ---- Life ------------------------------------------------------------------------------------- */

/* pipe->lock held: the same bytes in a ring of npages. */
static int resize(struct pipe *p, unsigned npages)
{
    size_t offset = p->start & PAGE_MASK;
    unsigned used = p->len ? (unsigned)(ALIGN_UP(offset + p->len, PAGE_SIZE) >> PAGE_SHIFT) : 0;
    struct page **pages;

    if (npages == p->npages)
        return 0;
    if (used > npages)
        return -EBUSY;
    pages = kzalloc(npages * sizeof(*pages));
    if (!pages)
        return -ENOMEM;
    if (used >
        p->npages) { /* the newest bytes share the oldest ones' page: now they get their own */
        pages[p->npages] = page_alloc(0);
        if (!pages[p->npages]) {
            kfree(pages);
            return -ENOMEM;
        }
        memcpy(page_va(pages[p->npages]), page_va(p->pages[p->start >> PAGE_SHIFT]), PAGE_SIZE);
    }
    for (unsigned i = 0; i < p->npages; i++) {
        struct page *page = p->pages[(i + (p->start >> PAGE_SHIFT)) % p->npages];

        if (i < used)
            pages[i] = page;
        else if (page)
            page_put(page);
    }
    kfree(p->pages);
    p->pages = pages;
    p->npages = npages;
    p->start = used ? offset : 0;
    return 0;
}

static struct pipe *pipe_alloc(void)
{
    struct pipe *p = kzalloc(sizeof(*p));

    if (!p)
        return NULL;
    mutex_init(&p->lock, MUTEX_INODE);
    waitq_init(&p->read_wait);
    waitq_init(&p->write_wait);
    if (!resize(p, DEFAULT_PAGES))
        return p;
    kfree(p);
    return NULL;
}

static void pipe_free(struct pipe *p)
{
    for (unsigned i = 0; i < p->npages; i++)
        if (p->pages[i])
            page_put(p->pages[i]);
    kfree(p->pages);
    kfree(p);
}

static void wake_everybody(struct pipe *p)
{
    waitq_wake_all(&p->read_wait);
    waitq_wake_all(&p->write_wait);
}

/* ---- The ring --------------------------------------------------------------------------------- */

/* pipe->lock held, the pipe not empty. Bytes taken, or -EFAULT. */
static ssize_t take(struct pipe *p, struct uio *u)
{
    size_t total = u->left;

    while (p->len && u->left) {
        size_t n = MIN(MIN(p->len, u->left), PAGE_SIZE - (p->start & PAGE_MASK));
        char *from = (char *)page_va(p->pages[p->start >> PAGE_SHIFT]) + (p->start & PAGE_MASK);
        size_t moved = uio_put(u, from, n);

        p->start += moved;
        if (p->start == capacity(p))
            p->start = 0;
        WRITE_ONCE(p->len, p->len - moved);
        if (moved < n)
            break;
    }
    if (!p->len)
        p->start = 0;
    return u->left < total ? (ssize_t)(total - u->left) : -EFAULT;
}

/* pipe->lock held: puts at most `room` bytes in. 0, -EFAULT, -ENOMEM. */
static int put(struct pipe *p, struct uio *u, size_t room)
{
    while (room && u->left) {
        size_t end = p->start + p->len, at = end < capacity(p) ? end : end - capacity(p);
        size_t n = MIN(MIN(room, u->left), PAGE_SIZE - (at & PAGE_MASK)), moved;
        struct page **slot = &p->pages[at >> PAGE_SHIFT];

        if (!*slot)
            *slot = page_alloc(0);
        if (!*slot)
            return -ENOMEM;
        moved = uio_get(u, (char *)page_va(*slot) + (at & PAGE_MASK), n);
        room -= moved;
        WRITE_ONCE(p->len, p->len + moved);
        if (moved < n)
            return -EFAULT;
    }
    return 0;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

static bool readable(const struct pipe *p)
{
    return READ_ONCE(p->len) || !READ_ONCE(p->writers);
}

static ssize_t pipe_readv(struct file *f, struct uio *u, off_t *pos)
{
    struct pipe *p = f->private_data;
    bool wake;
    ssize_t n;

    (void)pos;
    if (!u->left)
        return 0;
    mutex_lock(&p->lock);
    while (unlikely(!p->len)) {
        n = p->writers ? -EAGAIN : 0;
        mutex_unlock(&p->lock);
        if (!n || file_has_flag(f, O_NONBLOCK))
            return n;
        n = wait_event_interruptible(&p->read_wait, readable(p));
        if (n)
            return n;
        mutex_lock(&p->lock);
    }
    n = take(p, u);
    wake = capacity(p) - p->len >= PIPE_BUF; /* [1] */
    mutex_unlock(&p->lock);
    if (wake)
        waitq_wake_all(&p->write_wait);
    return n;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

/* Room for at least `need` bytes, or nobody left to read them. */
static bool writable(const struct pipe *p, size_t need)
{
    return capacity(p) - READ_ONCE(p->len) >= need || !READ_ONCE(p->readers);
}

/* One round, pipe->lock held. 0, or why it ended; -EAGAIN: no room for `need`. */
static int write_some(struct pipe *p, struct uio *u, size_t need, bool *was_empty)
{
    size_t room = capacity(p) - p->len;

    if (!p->readers)
        return -EPIPE;
    if (room < need)
        return -EAGAIN;
    *was_empty = !p->len;
    return put(p, u, room);
}

static ssize_t pipe_writev(struct file *f, struct uio *u, off_t *pos)
{
    struct pipe *p = f->private_data;
    size_t total = u->left, need = total <= PIPE_BUF ? total : 1;
    bool was_empty;
    int err = 0;

    (void)pos;
    while (u->left && !err) {
        was_empty = false;
        mutex_lock(&p->lock);
        err = write_some(p, u, need, &was_empty);
        mutex_unlock(&p->lock);
        if (was_empty) /* [2] */
            waitq_wake_all(&p->read_wait);
        if (err == -EAGAIN && !file_has_flag(f, O_NONBLOCK))
            err = wait_event_interruptible(&p->write_wait,
                                           writable(p, MIN(u->left, (size_t)PIPE_BUF)));
    }
    if (err == -EPIPE)
        signal_send_thread(current, SIGPIPE, NULL);
    return u->left < total ? (ssize_t)(total - u->left) : err;
}

/* ---- poll, ioctl, fcntl ----------------------------------------------------------------------- */

static bool is_reader(struct file *f)
{
    return f->mode & FMODE_READ;
}

static bool is_writer(struct file *f)
{
    return f->mode & FMODE_WRITE;
}

/* f->pos tells whether the other end came: -1, or how often it was open already. */
static bool partner_came(const struct pipe *p, struct file *f)
{
    return f->pos != (off_t)READ_ONCE(*(is_reader(f) ? &p->writer_opens : &p->reader_opens));
}

static unsigned pipe_poll(struct file *f, struct poll_table *pt)
{
    struct pipe *p = f->private_data;
    unsigned events = 0;

    if (is_reader(f)) {
        poll_add(pt, &p->read_wait);
        if (READ_ONCE(p->len))
            events |= EPOLLIN | EPOLLRDNORM;
        /* A FIFO that no writer has opened since this end was: not hung up, only quiet. */
        if (!READ_ONCE(p->writers) && partner_came(p, f))
            events |= EPOLLHUP;
    }
    if (is_writer(f)) {
        poll_add(pt, &p->write_wait);
        if (capacity(p) - READ_ONCE(p->len) >= PIPE_BUF)
            events |= EPOLLOUT | EPOLLWRNORM;
        if (!READ_ONCE(p->readers))
            events |= EPOLLERR;
    }
    return events;
}

static int pipe_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct pipe *p = f->private_data;

    return cmd == FIONREAD ? put_user_u32(arg, (uint32_t)READ_ONCE(p->len)) : -ENOTTY;
}

static long set_size(struct pipe *p, uint64_t bytes)
{
    unsigned npages = 1;
    long err;

    if (bytes > INT32_MAX)
        return -EINVAL;
    while (npages * PAGE_SIZE < bytes)
        npages *= 2;
    if (npages * PAGE_SIZE > MAX_BYTES && !caller_is_root())
        return -EPERM;
    mutex_lock(&p->lock);
    err = resize(p, npages);
    mutex_unlock(&p->lock);
    wake_everybody(p);
    return err ? err : (long)(npages * PAGE_SIZE);
}

long pipe_fcntl(struct file *f, int cmd, uint64_t arg)
{
    struct pipe *p = f->private_data;

    if (f->ops != &fifo_file_ops)
        return -EBADF;
    return cmd == F_GETPIPE_SZ ? (long)capacity(p) : set_size(p, arg);
}

/* ---- Opening and closing ---------------------------------------------------------------------- */

static int attach(struct inode *ip, struct file *f)
{
    struct pipe *p;

    inode_lock(ip);
    p = ip->pipe ? ip->pipe : pipe_alloc();
    if (p) {
        f->private_data = ip->pipe = p;
        p->files++;
        p->readers += is_reader(f);
        p->reader_opens += is_reader(f);
        p->writers += is_writer(f);
        p->writer_opens += is_writer(f);
        if (is_reader(f) ? p->writers : p->readers)
            f->pos = -1;
        else
            f->pos = is_reader(f) ? p->writer_opens : p->reader_opens;
    }
    inode_unlock(ip);
    return p ? 0 : -ENOMEM;
}

static void pipe_release(struct file *f)
{
    struct pipe *p = f->private_data;
    struct inode *ip = f->inode;
    bool last;

    inode_lock(ip);
    WRITE_ONCE(p->readers, p->readers - is_reader(f));
    WRITE_ONCE(p->writers, p->writers - is_writer(f));
    last = !--p->files;
    if (last)
        ip->pipe = NULL;
    else
        wake_everybody(p); /* while the lock keeps the last one from freeing it */
    if (last && ip->sb == &pipe_sb)
        ip->nlink = 0; /* nobody can come back to it */
    inode_unlock(ip);
    if (last)
        pipe_free(p);
}

static int fifo_open(struct inode *ip, struct file *f)
{
    int err = attach(ip, f);
    struct pipe *p = f->private_data;

    if (err)
        return err;
    wake_everybody(p);
    if (ip->sb == &pipe_sb) { /* a pipe's end waits for nobody, through /proc neither */
        f->pos = -1;
        return 0;
    }
    if (!file_has_flag(f, O_NONBLOCK))
        err = wait_event_interruptible(is_reader(f) ? &p->read_wait : &p->write_wait,
                                       partner_came(p, f));
    else if (!is_reader(f) && !partner_came(p, f))
        err = -ENXIO;
    if (err)
        pipe_release(f);
    return err;
}

const struct file_ops fifo_file_ops = {
    .open = fifo_open,
    .release = pipe_release,
    .readv = pipe_readv,
    .writev = pipe_writev,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
};

/* ---- pipe2 ------------------------------------------------------------------------------------ */

static struct dentry *make_pipe_dentry(void)
{
    uint64_t ino = atomic_fetch_add(&last_ino, 1) + 1;
    struct inode *ip = inode_new(&pipe_sb, ino);
    char name[32];

    if (!ip)
        return NULL;
    inode_init_owner(ip, NULL, S_IFIFO | 0600);
    ip->ops = &pipe_inode_ops;
    ip->fops = &fifo_file_ops;
    snprintf(name, sizeof(name), "pipe:[%lu]", ino);
    ip->nlink = 0; /* until a file is open: then giving up is giving the dentry back */
    return dentry_make_anon(name, ip);
}

static int open_ends(struct file *ends[2], int flags)
{
    struct dentry *d = make_pipe_dentry();

    if (!d)
        return -ENOMEM;
    ends[0] = file_open_dentry(d, O_RDONLY | flags);
    if (!is_err(ends[0])) {
        d->inode->nlink = 1;
        ends[1] = file_open_dentry(d, O_WRONLY | flags);
        if (is_err(ends[1]))
            file_put(ends[0]);
    }
    dentry_put(d);
    return is_err(ends[0]) ? ptr_err(ends[0]) : is_err(ends[1]) ? ptr_err(ends[1]) : 0;
}

long sys_pipe2(uaddr_t ufds, int flags)
{
    struct file *ends[2];
    int fds[2], err;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK))
        return -EINVAL;
    err = open_ends(ends, flags & O_NONBLOCK);
    if (err)
        return err;
    fds[0] = fd_reserve(flags, 0);
    fds[1] = fds[0] < 0 ? fds[0] : fd_reserve(flags, 0);
    if (fds[1] < 0)
        err = fds[1];
    else if (copy_to_user(ufds, fds, sizeof(fds)))
        err = -EFAULT;
    for (unsigned i = 0; i < 2; i++) {
        if (!err) {
            fd_publish(fds[i], ends[i]);
            continue;
        }
        if (fds[i] >= 0)
            fd_unreserve(fds[i]);
        file_put(ends[i]);
    }
    return err;
}

void pipe_init(void)
{
    superblock_init(&pipe_sb, &pipe_type);
    pipe_sb.ops = &pipe_super_ops;
}
