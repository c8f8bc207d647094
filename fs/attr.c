/* SPDX-License-Identifier: MIT */
/* Changing what files are like: chmod, chown, utimensat, truncate. Each change is checked and made
 * under the inode's lock. */
#include "fs/dcache.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/time.h>

#define UTIME_NOW 0x3fffffffL
#define UTIME_OMIT 0x3ffffffeL
#define KEEP_ID UINT32_MAX

/* ---- chmod ------------------------------------------------------------------------------------ */

static int set_mode(struct inode *ip, uint32_t mode)
{
    if (ip->sb->read_only)
        return -EROFS;
    if (!inode_owner_or_root(ip))
        return -EPERM;
    if (!caller_is_root() && !caller_in_group(ip->gid))
        mode &= ~(uint32_t)S_ISGID;
    ip->mode = (ip->mode & S_IFMT) | (mode & 07777);
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

static int change_mode(struct inode *ip, uint32_t mode)
{
    int err;

    if (S_ISLNK(ip->mode))
        return -EOPNOTSUPP;
    inode_lock(ip);
    err = set_mode(ip, mode);
    inode_unlock(ip);
    return err;
}

long sys_fchmod(int fd, uint32_t mode)
{
    struct fdref r = fd_borrow(fd);
    int err = r.file ? change_mode(r.file->inode, mode) : -EBADF;

    fd_return(r);
    return err;
}

long sys_fchmodat2(int dirfd, uaddr_t path, uint32_t mode, int flags)
{
    struct dentry *d;
    int err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    d = lookup_at(dirfd, path, flags);
    if (is_err(d))
        return ptr_err(d);
    err = change_mode(d->inode, mode);
    dentry_put(d);
    return err;
}

long sys_fchmodat(int dirfd, uaddr_t path, uint32_t mode)
{
    return sys_fchmodat2(dirfd, path, mode, 0);
}

/* ---- chown ------------------------------------------------------------------------------------ */

/* Only root gives files away; an owner may choose among the groups it is in. */
static bool may_chown(struct inode *ip, uint32_t uid, uint32_t gid)
{
    if (caller_is_root())
        return true;
    if (current->proc->fsuid != ip->uid || (uid != KEEP_ID && uid != ip->uid))
        return false;
    return gid == KEEP_ID || gid == ip->gid || caller_in_group(gid);
}

static int set_owner(struct inode *ip, uint32_t uid, uint32_t gid)
{
    if (ip->sb->read_only)
        return -EROFS;
    if (!may_chown(ip, uid, gid))
        return -EPERM;
    if (uid != KEEP_ID)
        ip->uid = uid;
    if (gid != KEEP_ID)
        ip->gid = gid;
    if (!S_ISDIR(ip->mode))
        inode_kill_suid(ip); /* root's chown too */
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

static int change_owner(struct inode *ip, uint32_t uid, uint32_t gid)
{
    int err;

    inode_lock(ip);
    err = set_owner(ip, uid, gid);
    inode_unlock(ip);
    return err;
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
    struct fdref r = fd_borrow(fd);
    int err = r.file ? change_owner(r.file->inode, uid, gid) : -EBADF;

    fd_return(r);
    return err;
}

long sys_fchownat(int dirfd, uaddr_t path, uint32_t uid, uint32_t gid, int flags)
{
    struct dentry *d;
    int err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    d = lookup_at(dirfd, path, flags);
    if (is_err(d))
        return ptr_err(d);
    err = change_owner(d->inode, uid, gid);
    dentry_put(d);
    return err;
}

/* ---- utimensat -------------------------------------------------------------------------------- */

static int check_time(const struct timespec64 *t)
{
    if (t->nsec == UTIME_NOW || t->nsec == UTIME_OMIT)
        return 0;
    return t->nsec < 0 || t->nsec >= (int64_t)NSEC_PER_SEC ? -EINVAL : 0;
}

static void set_time(struct timespec64 *to, const struct timespec64 *from, struct timespec64 now)
{
    if (from->nsec == UTIME_NOW)
        *to = now;
    else if (from->nsec != UTIME_OMIT)
        *to = *from;
}

static int set_times(struct inode *ip, const struct timespec64 t[2])
{
    bool both_now = t[0].nsec == UTIME_NOW && t[1].nsec == UTIME_NOW;
    struct timespec64 now = current_time();
    int err;

    if (ip->sb->read_only)
        return -EROFS;
    if (!inode_owner_or_root(ip)) {
        /* Who may write may set both to now: writing would have done the same. */
        err = both_now ? inode_permission(ip, MAY_WRITE) : -EPERM;
        if (err)
            return err;
    }
    set_time(&ip->atime, &t[0], now);
    set_time(&ip->mtime, &t[1], now);
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

static struct dentry *times_target(int dirfd, uaddr_t path, int flags)
{
    struct dentry *d;
    struct fdref r;

    if (path || dirfd == AT_FDCWD)
        return path ? lookup_at(dirfd, path, flags) : err_ptr(-EFAULT);
    r = fd_borrow(dirfd); /* futimens */
    d = r.file && !flags ? dentry_ref(r.file->dentry) : err_ptr(flags ? -EINVAL : -EBADF);
    fd_return(r);
    return d;
}

long sys_utimensat(int dirfd, uaddr_t path, uaddr_t utimes, int flags)
{
    struct timespec64 t[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    struct dentry *d;
    int err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (utimes && copy_from_user(t, utimes, sizeof(t)))
        return -EFAULT;
    if (check_time(&t[0]) || check_time(&t[1]))
        return -EINVAL;
    if (t[0].nsec == UTIME_OMIT && t[1].nsec == UTIME_OMIT)
        return 0;
    d = times_target(dirfd, path, flags);
    if (is_err(d))
        return ptr_err(d);
    inode_lock(d->inode);
    err = set_times(d->inode, t);
    inode_unlock(d->inode);
    dentry_put(d);
    return err;
}

/* ---- truncate --------------------------------------------------------------------------------- */

static int truncate_path(struct inode *ip, off_t len)
{
    int err;

    if (S_ISDIR(ip->mode))
        return -EISDIR;
    if (!S_ISREG(ip->mode))
        return -EINVAL;
    err = inode_permission(ip, MAY_WRITE);
    return err ? err : inode_set_size(ip, (uint64_t)len);
}

long sys_truncate(uaddr_t path, off_t len)
{
    struct dentry *d;
    int err;

    if (len < 0)
        return -EINVAL;
    d = lookup_at(AT_FDCWD, path, 0);
    if (is_err(d))
        return ptr_err(d);
    err = truncate_path(d->inode, len);
    dentry_put(d);
    return err;
}

long sys_ftruncate(int fd, off_t len)
{
    struct fdref r;
    int err = -EINVAL;

    if (len < 0)
        return -EINVAL;
    r = fd_borrow(fd);
    if (!r.file)
        return -EBADF;
    if (S_ISREG(r.file->inode->mode) && (r.file->mode & FMODE_WRITE))
        err = inode_set_size(r.file->inode, (uint64_t)len);
    fd_return(r);
    return err;
}
