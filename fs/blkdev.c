/* SPDX-License-Identifier: MIT */
/*
 * Block devices as files (/dev/vda). Transfers go straight to the device through a bounce buffer,
 * past the page and buffer caches: what a mounted file system has not yet written is not seen.
 * Writes that do not fill whole sectors read the rest of the sector first.
 */
#include <linux/fs.h>

#include "arch/arch.h"
#include "drivers/block.h"
#include "fs/devices.h"
#include "fs/vfs.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/sched.h"
#include "proc/signal.h"

enum { BOUNCE = 65536 };

struct transfer {
    struct block_device *bd;
    struct bio *bio;
    uint8_t *bounce;
    size_t size; /* of the bounce buffer */
};

static struct block_device *device_of(struct file *f)
{
    return f->private_data;
}

static uint64_t byte_size(const struct block_device *bd)
{
    return bd->sectors * SECTOR_SIZE;
}

static int transfer_begin(struct transfer *t, struct block_device *bd)
{
    t->bd = bd;
    t->size = BOUNCE;
    t->bio = kmalloc(sizeof(*t->bio), 0);
    t->bounce = kmalloc(t->size, 0);
    if (!t->bounce) {
        t->size = PAGE_SIZE;
        t->bounce = kmalloc(t->size, 0);
    }
    return t->bio && t->bounce ? 0 : -ENOMEM;
}

static void transfer_end(struct transfer *t)
{
    kfree(t->bio);
    kfree(t->bounce);
}

/* Whole sectors between the bounce buffer at `at` and the device. */
static int transfer_sectors(struct transfer *t, enum bio_op op, uint64_t sector, uint8_t *at,
                            size_t len)
{
    memset(t->bio, 0, sizeof(*t->bio));
    t->bio->op = op;
    t->bio->sector = sector;
    t->bio->nsegs = 1;
    t->bio->segs[0] = (struct bio_segment){at, len};
    return bio_wait(t->bd, t->bio);
}

/* The sectors around [pos, pos + len) in the bounce buffer; len is cut to what fits. */
static size_t covering(const struct transfer *t, uint64_t pos, size_t *len)
{
    size_t skip = pos % SECTOR_SIZE;

    *len = MIN(*len, t->size - skip);
    return ALIGN_UP(skip + *len, (size_t)SECTOR_SIZE);
}

static int read_piece(struct transfer *t, uint64_t pos, size_t *len)
{
    size_t whole = covering(t, pos, len);

    return transfer_sectors(t, BIO_READ, pos / SECTOR_SIZE, t->bounce, whole);
}

/* Fetches the first and last sector where only part of them will be written. */
static int prepare_write(struct transfer *t, uint64_t pos, size_t len, size_t whole)
{
    size_t skip = pos % SECTOR_SIZE, last = whole - SECTOR_SIZE;
    uint64_t sector = pos / SECTOR_SIZE;
    int err = 0;

    if (skip || len < SECTOR_SIZE)
        err = transfer_sectors(t, BIO_READ, sector, t->bounce, SECTOR_SIZE);
    if (!err && last && (skip + len) % SECTOR_SIZE)
        err = transfer_sectors(t, BIO_READ, sector + last / SECTOR_SIZE, t->bounce + last,
                               SECTOR_SIZE);
    return err;
}

static int write_piece(struct transfer *t, uaddr_t ubuf, uint64_t pos, size_t *len)
{
    size_t whole = covering(t, pos, len);
    int err = prepare_write(t, pos, *len, whole);

    if (!err)
        err = copy_from_user(t->bounce + pos % SECTOR_SIZE, ubuf, *len);
    return err ? err : transfer_sectors(t, BIO_WRITE, pos / SECTOR_SIZE, t->bounce, whole);
}

static int one_piece(struct transfer *t, bool write, uaddr_t ubuf, void *kbuf, uint64_t pos,
                     size_t *len)
{
    int err;

    if (write)
        return write_piece(t, ubuf, pos, len);
    err = read_piece(t, pos, len);
    if (err)
        return err;
    if (!kbuf)
        return copy_to_user(ubuf, t->bounce + pos % SECTOR_SIZE, *len);
    memcpy(kbuf, t->bounce + pos % SECTOR_SIZE, *len);
    return 0;
}

static ssize_t transfer(struct block_device *bd, bool write, uaddr_t ubuf, void *kbuf, size_t len,
                        uint64_t pos)
{
    struct transfer t;
    size_t done = 0;
    int err = transfer_begin(&t, bd);

    while (!err && done < len) {
        size_t n = len - done;

        err =
            one_piece(&t, write, ubuf + done, kbuf ? (uint8_t *)kbuf + done : NULL, pos + done, &n);
        if (!err)
            done += n;
        if (signal_fatal_pending(current))
            break;
        sched_point();
    }
    transfer_end(&t);
    return done ? (ssize_t)done : err;
}

static size_t clip(const struct block_device *bd, off_t pos, size_t len)
{
    return (uint64_t)pos >= byte_size(bd) ? 0 : MIN(len, byte_size(bd) - pos);
}

static ssize_t blkdev_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    ssize_t n = transfer(device_of(f), false, ubuf, NULL, clip(device_of(f), *pos, len), *pos);

    if (n > 0)
        *pos += n;
    return n;
}

static ssize_t blkdev_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    size_t fits = clip(device_of(f), *pos, len);
    ssize_t n;

    if (len && !fits)
        return -ENOSPC;
    n = transfer(device_of(f), true, ubuf, NULL, fits, *pos);
    if (n > 0)
        *pos += n;
    return n;
}

static off_t blkdev_lseek(struct file *f, off_t off, int whence)
{
    uint64_t size = byte_size(device_of(f));
    off_t base = whence == SEEK_CUR ? f->pos : whence == SEEK_END ? (off_t)size : 0;

    if (whence < SEEK_SET || whence > SEEK_END || __builtin_add_overflow(base, off, &base) ||
        base < 0 || (uint64_t)base > size)
        return -EINVAL;
    return f->pos = base;
}

static int blkdev_open(struct inode *ip, struct file *f)
{
    struct block_device *bd;

    for (unsigned i = 0; (bd = block_at(i)); i++)
        if (ip->rdev == make_dev(BLOCK_MAJOR, bd->minor))
            break;
    if (!bd)
        return -ENXIO;
    if (bd->read_only && (f->mode & FMODE_WRITE))
        return -EROFS;
    f->private_data = bd;
    return 0;
}

static int blkdev_ioctl(struct file *f, unsigned cmd, uint64_t arg)
{
    struct block_device *bd = device_of(f);

    switch (cmd) {
    case BLKGETSIZE64: return put_user_u64(arg, byte_size(bd));
    case BLKGETSIZE: return put_user_u64(arg, bd->sectors);
    case BLKSSZGET: return put_user_u32(arg, SECTOR_SIZE);
    case BLKPBSZGET: return put_user_u32(arg, SECTOR_SIZE);
    case BLKBSZGET: return put_user_u32(arg, PAGE_SIZE);
    case BLKROGET: return put_user_u32(arg, bd->read_only);
    case BLKFLSBUF: return block_flush(bd);
    default: return -ENOTTY;
    }
}

static int blkdev_fsync(struct file *f, bool data_only)
{
    (void)data_only;
    return block_flush(device_of(f));
}

const struct file_ops blkdev_file_ops = {
    .open = blkdev_open,
    .read = blkdev_read,
    .write = blkdev_write,
    .lseek = blkdev_lseek,
    .ioctl = blkdev_ioctl,
    .fsync = blkdev_fsync,
};
