/* SPDX-License-Identifier: MIT */
/*
 * Writing back: sync and its relatives, and the flusher, a kernel thread that writes what is dirty
 * every five seconds, or earlier when the page cache asks for it.
 *
 * Order, in every case: file contents (which decides their blocks), then inodes, then the metadata
 * blocks that both have changed, then the device's own cache. mount_lock keeps file systems mounted
 * meanwhile; see fs/mount.c.
 */
#include "fs/dcache.h"
#include "lib/log.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define FLUSH_INTERVAL_NS (5 * NSEC_PER_SEC)

int vfs_sync_sb(struct superblock *sb)
{
    int err;

    pagecache_sync_all(true);
    err = inode_write_dirty(sb, true);

    return first_error(err, sb->ops->sync ? sb->ops->sync(sb, true) : 0);
}

void vfs_sync_all(bool wait)
{
    struct superblock *sb;

    mutex_lock(&mount_lock);
    pagecache_sync_all(wait);
    inode_write_dirty(NULL, wait);
    list_for_each (sb, &mounts, link)
        if (sb->ops->sync)
            sb->ops->sync(sb, wait);
    mutex_unlock(&mount_lock);
}

/* ---- The flusher ------------------------------------------------------------------------------ */

static void flusher(void *arg)
{
    (void)arg;
    for (;;) {
        pagecache_wait_wanted(arch_time_ns() + FLUSH_INTERVAL_NS);
        vfs_sync_all(false);
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
    long err = r.file ? vfs_sync_sb(r.file->dentry->sb) : -EBADF;

    fd_return(r);
    return err;
}
