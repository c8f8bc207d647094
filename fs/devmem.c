/* SPDX-License-Identifier: MIT */
/*
 * The character devices without hardware: null, zero, full, random, urandom; the minor number tells
 * which. Long transfers go in pieces, with a chance for others and for a fatal signal in between.
 */
#include "arch/arch.h"
#include "drivers/random.h"
#include "fs/devices.h"
#include "fs/vfs.h"
#include "proc/sched.h"
#include "proc/signal.h"

enum { PIECE = 65536, RANDOM_PIECE = 256 };

/* Moves user memory by pieces; what was moved before an error counts. */
static ssize_t by_pieces(uaddr_t ubuf, size_t len, size_t piece, int (*move)(uaddr_t at, size_t n))
{
    size_t done = 0;

    while (done < len) {
        size_t n = MIN(len - done, piece);
        int err = move(ubuf + done, n);

        if (err)
            return done ? (ssize_t)done : err;
        done += n;
        if (done < len && signal_fatal_pending(current))
            break;
        sched_point();
    }
    return done;
}

static int give_random(uaddr_t to, size_t n)
{
    uint8_t piece[RANDOM_PIECE];

    random_bytes(piece, n);
    return copy_to_user(to, piece, n);
}

static ssize_t mem_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    (void)pos;
    switch (dev_minor(f->inode->rdev)) {
    case MEM_NULL: return 0;
    case MEM_ZERO:
    case MEM_FULL: return by_pieces(ubuf, len, PIECE, clear_user);
    default: return by_pieces(ubuf, len, RANDOM_PIECE, give_random);
    }
}

static ssize_t mem_writev(struct file *f, struct uio *u, off_t *pos)
{
    uint8_t piece[RANDOM_PIECE];
    size_t len = u->left, n;

    (void)pos;
    switch (dev_minor(f->inode->rdev)) {
    case MEM_NULL:
    case MEM_ZERO: return (ssize_t)len;
    case MEM_FULL: return -ENOSPC;
    }
    while ((n = uio_get(u, piece, sizeof(piece))) && !signal_fatal_pending(current)) {
        random_add_entropy(piece, n);
        sched_point();
    }
    return u->left < len || !len ? (ssize_t)(len - u->left) : -EFAULT;
}

static off_t stay_at_zero(struct file *f, off_t off, int whence)
{
    (void)off, (void)whence;
    return f->pos = 0;
}

const struct file_ops mem_file_ops = {.read = mem_read,
                                      .writev = mem_writev,
                                      .lseek = stay_at_zero};
