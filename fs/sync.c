/* SPDX-License-Identifier: MIT */
/*
 * Writing back: sync and its relatives, and the flusher, a kernel thread that writes what is dirty
 * every five seconds, or earlier when the page cache asks for it.
 *
 * Order, in every case: file contents (which decides their blocks), then inodes, then the metadata
 * blocks that both have changed, then the device's own cache. mount_lock keeps file systems mounted
 * meanwhile; see fs/mount.c.
 */
#include "fs/mount.h"
#include "lib/log.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fs.h>

#define FLUSH_INTERVAL_NS (5 * NSEC_PER_SEC)

/* Data and inodes are written. */
static int sync_metadata(struct superblock *sb, bool wait)
{
    return sb->ops->sync ? sb->ops->sync(sb, wait) : 0;
}

int vfs_sync_sb(struct superblock *sb, bool wait)
{
    int err, err2;

    pagecache_sync_all(wait);
    err = inode_write_dirty(sb, wait);
    err2 = sync_metadata(sb, wait);
    return err ? err : err2;
}

void vfs_sync_all(bool wait)
{
    struct superblock *sb;

    mutex_lock(&mount_lock);
    pagecache_sync_all(wait);
    inode_write_dirty(NULL, wait);
    list_for_each (sb, &mounts, link)
        sync_metadata(sb, wait);
    mutex_unlock(&mount_lock);
}

/* ---- The flusher ------------------------------------------------------------------------------ */

static void flusher(void *arg)
{
    struct superblock *sb;

    (void)arg;
    for (;;) {
        pagecache_wait_wanted(arch_time_ns() + FLUSH_INTERVAL_NS);
        mutex_lock(&mount_lock);
        pagecache_sync_all(false);
        inode_write_dirty(NULL, false);
        list_for_each (sb, &mounts, link)
            sync_metadata(sb, false);
        mutex_unlock(&mount_lock);
    }
}

void flusher_start(void)
{
    if (!kthread_create("flusher", flusher, NULL))
        panic("no memory for the flusher");
}

/* ---- System calls ----------------------------------------------------------------------------- */

long sys_sync(void)
{
    vfs_sync_all(true);
    return 0;
}

static long sync_file(int fd, bool data_only)
{
    struct fdref r = fd_borrow(fd);
    long err = -EINVAL;

    if (!r.file)
        return -EBADF;
    if (r.file->ops->fsync)
        err = r.file->ops->fsync(r.file, data_only);
    else if (r.file->ops->cached || S_ISDIR(r.file->inode->mode))
        err = inode_sync(r.file->inode, data_only);
    fd_return(r);
    return err;
}

long sys_fsync(int fd)
{
    return sync_file(fd, false);
}

long sys_fdatasync(int fd)
{
    return sync_file(fd, true);
}

long sys_syncfs(int fd)
{
    struct fdref r = fd_borrow(fd);
    long err = r.file ? vfs_sync_sb(r.file->dentry->sb, true) : -EBADF;

    fd_return(r);
    return err;
}
