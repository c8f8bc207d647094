/* SPDX-License-Identifier: MIT */
/*
 * Block devices as files (/dev/vda): the device's own page cache, where a mounted file system has
 * its metadata as well. Its files' contents are elsewhere: here they are what the disk held when it
 * was read, so opening the device forgets what can be read again. Nobody writes here while a file
 * system does: what that has checked stays as it was.
 */
#include <linux/fs.h>

#include "arch/arch.h"
#include "drivers/block.h"
#include "fs/dcache.h"
#include "fs/devices.h"

#define MAX_TRIES 100 /* as for regular files: fetched pages may be gone at once */

static struct block_device *device_of(struct file *f)
{
    return f->private_data;
}

static uint64_t byte_size(const struct block_device *bd)
{
    return bd->sectors * SECTOR_SIZE;
}

static ssize_t blkdev_readv(struct file *f, struct uio *u, off_t *pos)
{
    size_t total = u->left, done;
    int err = mapping_read(&device_of(f)->mapping, u, *pos);

    done = total - u->left;
    *pos += (off_t)done;
    return done ? (ssize_t)done : err;
}

static ssize_t blkdev_writev(struct file *f, struct uio *u, off_t *pos)
{
    struct block_device *bd = device_of(f);
    uint64_t size = byte_size(bd);
    size_t total = u->left, done;
    unsigned tries = 0;
    int err;

    if (total && (uint64_t)*pos >= size)
        return -ENOSPC;
    u->left = total = MIN(total, size - (uint64_t)*pos);
    do {
        size_t before = u->left;

        err = mapping_write(&bd->mapping, u, *pos);
        *pos += (off_t)(before - u->left);
        tries = u->left < before ? 0 : tries + 1;
    } while (err == -EFAULT && tries < MAX_TRIES && !uio_fetch(u));
    done = total - u->left;
    return done ? (ssize_t)done : err;
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
    struct block_device *bd = block_of_minor(dev_minor(ip->rdev));
    int err = 0;

    if (dev_major(ip->rdev) != BLOCK_MAJOR || !bd)
        return -ENXIO;
    if (bd->read_only && (f->mode & FMODE_WRITE))
        return -EROFS;
    if (f->mode & FMODE_WRITE)
        err = mount_add_writer(bd);
    if (err)
        return err;
    pagecache_drop_clean();
    f->private_data = bd;
    return 0;
}

static void blkdev_release(struct file *f)
{
    if (f->mode & FMODE_WRITE)
        device_of(f)->writers--;
}

static int blkdev_fsync(struct file *f, bool data_only)
{
    int err = block_cache_sync(device_of(f), true), err2 = block_flush(device_of(f));

    (void)data_only;
    return err ? err : err2;
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
    case BLKFLSBUF: return blkdev_fsync(f, false);
    default: return -ENOTTY;
    }
}

const struct file_ops blkdev_file_ops = {
    .open = blkdev_open,
    .release = blkdev_release,
    .readv = blkdev_readv,
    .writev = blkdev_writev,
    .lseek = blkdev_lseek,
    .ioctl = blkdev_ioctl,
    .fsync = blkdev_fsync,
};
