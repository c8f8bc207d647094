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

static struct waitq flusher_wait = WAITQ_INIT(flusher_wait);
static _Atomic uint32_t flush_now;

int vfs_sync_sb(struct superblock *sb)
{
    int err = first_error(pagecache_sync_all(true), inode_write_dirty(sb, true));

    return first_error(err, sb->ops->sync ? sb->ops->sync(sb, true) : 0);
}

void vfs_sync_all(bool wait)
{
    struct superblock *sb;

    mutex_lock(&mount_lock);
    if (wait)
        pagecache_sync_all(true);
    else
        pagecache_background();
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
        wait_event_deadline(&flusher_wait, atomic_load(&flush_now), WAIT_UNINTERRUPTIBLE,
                            arch_time_ns() + FLUSH_INTERVAL_NS);
        atomic_store(&flush_now, false);
        vfs_sync_all(false);
    }
}

/* Dirty pages pile up: it shall not wait for the clock. Any context. */
static void flusher_kick(void)
{
    if (!atomic_exchange(&flush_now, 1))
        waitq_wake_all(&flusher_wait);
}

void flusher_start(void)
{
    pagecache_wake_flusher = flusher_kick;
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
    else if (S_ISDIR(r.file->inode->mode))
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
