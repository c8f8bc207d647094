/* SPDX-License-Identifier: MIT */
/*
 * Block devices as files (/dev/vda): the device's own page cache, where a mounted file system has
 * its metadata as well. Its files' contents are elsewhere: here they are what the disk held when it
 * was read, so opening the device forgets what can be read again.
 */
#include <linux/fs.h>

#include "arch/arch.h"
#include "drivers/block.h"
#include "fs/devices.h"
#include "fs/vfs.h"

#define MAX_TRIES 100 /* as for regular files: fetched pages may be gone at once */

static struct block_device *device_of(struct file *f)
{
    return f->private_data;
}

static uint64_t byte_size(const struct block_device *bd)
{
    return bd->sectors * SECTOR_SIZE;
}

static ssize_t blkdev_read(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    ssize_t n = mapping_read(&device_of(f)->mapping, ubuf, NULL, len, *pos);

    if (n > 0)
        *pos += n;
    return n;
}

static ssize_t blkdev_read_kernel(struct file *f, void *buf, size_t len, off_t pos)
{
    return mapping_read(&device_of(f)->mapping, 0, buf, len, pos);
}

static ssize_t blkdev_write(struct file *f, uaddr_t ubuf, size_t len, off_t *pos)
{
    struct block_device *bd = device_of(f);
    uint64_t size = byte_size(bd);
    size_t done = 0;
    ssize_t n = 0;

    if (len && (uint64_t)*pos >= size)
        return -ENOSPC;
    len = MIN(len, size - (uint64_t)*pos);
    for (int tries = 0; done < len && tries < MAX_TRIES; tries++) {
        n = mapping_write(&bd->mapping, ubuf + done, NULL, len - done, *pos);
        if (n > 0) {
            done += (size_t)n;
            *pos += n;
            tries = 0;
        } else if (n != -EFAULT || fault_in_user(ubuf + done, 1, false)) {
            break;
        }
    }
    return done ? (ssize_t)done : n;
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

    if (dev_major(ip->rdev) != BLOCK_MAJOR || !bd)
        return -ENXIO;
    if (bd->read_only && (f->mode & FMODE_WRITE))
        return -EROFS;
    pagecache_drop_clean();
    f->private_data = bd;
    return 0;
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
    .read = blkdev_read,
    .write = blkdev_write,
    .read_kernel = blkdev_read_kernel,
    .lseek = blkdev_lseek,
    .ioctl = blkdev_ioctl,
    .fsync = blkdev_fsync,
};
