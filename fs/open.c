/* SPDX-License-Identifier: MIT */
/*
 * Opening: from a path and O_* flags to a struct file. Creation and the check that the name is free
 * happen under the directory's lock, so that O_EXCL means what it says; permission is checked on
 * existing files only (who creates a file may open it in any mode).
 */
#include "fs/dcache.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/mount.h>

#define FOR_EXEC (1 << 30) /* of vfs_open's flags only: may be executed, and need not be readable */

/* O_PATH: the file can be named through it, and nothing else. */
static const struct file_ops path_file_ops;

static int may_open(struct inode *ip, int flags)
{
    static const int access[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};
    int mask = access[flags & O_ACCMODE] | (flags & O_TRUNC ? MAY_WRITE : 0);

    if (flags & FOR_EXEC)
        return S_ISREG(ip->mode) ? inode_permission(ip, MAY_EXEC) : -EACCES;
    if (S_ISLNK(ip->mode))
        return -ELOOP;
    if (S_ISDIR(ip->mode) && ((mask & MAY_WRITE) || (flags & O_CREAT)))
        return -EISDIR;
    if ((S_ISCHR(ip->mode) || S_ISBLK(ip->mode)) && (ip->sb->flags & MS_NODEV))
        return -EACCES;
    if ((flags & O_NOATIME) && !inode_owner_or_root(ip))
        return -EPERM;
    return inode_permission(ip, mask);
}

static const struct file_ops *ops_for(struct inode *ip)
{
    if (S_ISCHR(ip->mode))
        return chrdev_find(ip->rdev);
    if (S_ISBLK(ip->mode))
        return &blkdev_file_ops;
    if (S_ISFIFO(ip->mode))
        return &fifo_file_ops;
    return S_ISSOCK(ip->mode) ? NULL : ip->fops;
}

/* A program that runs is not written, nor is one run that is open for writing: what the file takes
 * part in, +1 writing, -1 running; false if others do the opposite. */
static bool claim_contents(struct inode *ip, int claim)
{
    int n = atomic_load(&ip->writers);

    do
        if (n * claim < 0)
            return false;
    while (!atomic_compare_exchange_weak(&ip->writers, &n, n + claim));
    return true;
}

/* d in the reserved file f. On failure f is as it was. */
static int open_existing(struct file *f, struct dentry *d, int flags, bool created)
{
    struct inode *ip = d->inode;
    const struct file_ops *ops = flags & O_PATH ? &path_file_ops : ops_for(ip);
    int err = 0, claim = 0;

    if ((flags & O_DIRECTORY) && !S_ISDIR(ip->mode))
        return -ENOTDIR;
    if (!(flags & O_PATH) && !created)
        err = may_open(ip, flags);
    if (err)
        return err;
    if (!ops)
        return -ENXIO;
    if (S_ISREG(ip->mode) && !(flags & O_PATH))
        claim = flags & FOR_EXEC ? -1 : (flags & O_ACCMODE) != O_RDONLY;
    if (!claim_contents(ip, claim) || ((flags & O_TRUNC) && inode_is_running(ip)))
        return -ETXTBSY;
    file_attach(f, d, ops, flags & ~FOR_EXEC);
    f->claim = (int8_t)claim;
    err = ops->open ? ops->open(ip, f) : 0;
    if (err)
        f->ops = &path_file_ops; /* it was never open: nothing to release */
    else if ((flags & O_TRUNC) && !created && S_ISREG(ip->mode))
        err = inode_set_size(ip, 0);
    if (err)
        file_detach(f);
    return err;
}

struct file *file_open_dentry(struct dentry *d, int flags)
{
    struct file *f = file_reserve();
    int err = is_err(f) ? ptr_err(f) : open_existing(f, d, flags, true);

    if (!err)
        return f;
    if (!is_err(f))
        file_unreserve(f);
    return err_ptr(err);
}

/* The last name's dentry, created if need be; referenced. err_ptr(-EEXIST) as O_EXCL asks. */
static struct dentry *lookup_or_create(struct walk *w, int flags, uint32_t mode, bool *created)
{
    struct dentry *d;
    int err = 0;

    inode_lock(w->dir->inode);
    d = walk_last_locked(w);
    if (!is_err(d) && !d->inode) {
        err = create_locked(w, d, &(struct new_name){.mode = (mode & 07777) | S_IFREG});
        *created = !err;
    } else if (!is_err(d) && (flags & O_EXCL)) {
        err = -EEXIST;
    }
    inode_unlock(w->dir->inode);
    if (!err)
        return d;
    dentry_put(d);
    return err_ptr(err);
}

static int open_create(struct file *f, struct walk *w, int flags, uint32_t mode)
{
    struct dentry *d;
    bool created = false, follow = true;
    int err = 0;

    while (follow && !err) {
        if (w->last == LAST_ROOT && w->links) /* a magic link led straight to the file */
            return open_existing(f, w->dir, flags, false);
        if (w->last != LAST_NAME || w->slash)
            return -EISDIR;
        d = lookup_or_create(w, flags, mode, &created);
        if (is_err(d))
            return ptr_err(d);
        d = dentry_top(d);
        follow = S_ISLNK(d->inode->mode) && !(flags & O_NOFOLLOW);
        err = follow ? walk_follow_last(w, d) : open_existing(f, d, flags, created);
        dentry_put(d);
    }
    return err;
}

struct file *vfs_open(int dirfd, const char *path, int flags, uint32_t mode)
{
    unsigned follow = flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0;
    struct walk w;
    struct file *f;
    int err;

    if (flags & O_PATH)
        flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    if ((flags & O_TMPFILE) == O_TMPFILE)
        return err_ptr(-EOPNOTSUPP);
    if ((flags & O_CREAT) && (flags & O_DIRECTORY))
        return err_ptr(-EINVAL);
    f = file_reserve();
    if (is_err(f))
        return f;
    err = walk_path(&w, dirfd, path, NULL, flags & O_CREAT ? WALK_PARENT : follow);
    if (!err && (flags & O_CREAT))
        err = open_create(f, &w, flags, mode);
    else if (!err)
        err = open_existing(f, w.dir, flags, false);
    walk_end(&w);
    if (!err)
        return f;
    file_unreserve(f);
    return err_ptr(err);
}

struct file *exec_open(const char *path)
{
    return vfs_open(AT_FDCWD, path, O_RDONLY | O_LARGEFILE | FOR_EXEC, 0);
}

long sys_openat(int dirfd, uaddr_t upath, int flags, uint32_t mode)
{
    char *path = path_from_user(upath);
    struct file *f;
    int fd;

    if (is_err(path))
        return ptr_err(path);
    fd = fd_reserve(flags, 0);
    if (fd >= 0) {
        flags &= ~FOR_EXEC;
        f = vfs_open(dirfd, path, flags & O_PATH ? flags : flags | O_LARGEFILE, mode);
        if (!is_err(f)) {
            fd_publish(fd, f);
        } else {
            fd_unreserve(fd);
            fd = ptr_err(f);
        }
    }
    kfree(path);
    return fd;
}
