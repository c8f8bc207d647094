/* SPDX-License-Identifier: MIT */
/* Changing what files are like: chmod, chown, utimensat, truncate. Each change is checked and made
 * under the inode's lock. */
#include "fs/dcache.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>

#define UTIME_NOW 0x3fffffffL
#define UTIME_OMIT 0x3ffffffeL
#define KEEP_ID UINT32_MAX

/* What a call wants changed; each takes its own. */
struct change {
    uint32_t mode;
    uint32_t uid, gid;          /* or KEEP_ID */
    struct timespec64 times[2]; /* read, written */
};

/* Applies it to the file d (or an error), whose reference goes. */
static long change(struct dentry *d, int (*set)(struct inode *ip, const struct change *to),
                   const struct change *to)
{
    struct inode *ip;
    int err = -EROFS;

    if (is_err(d))
        return ptr_err(d);
    ip = d->inode;
    inode_lock(ip);
    if (!ip->sb->read_only)
        err = set(ip, to);
    if (!err)
        inode_touch(ip, TOUCH_CTIME);
    inode_unlock(ip);
    dentry_put(d);
    return err;
}

/* ---- chmod ------------------------------------------------------------------------------------ */

static int set_mode(struct inode *ip, const struct change *to)
{
    uint32_t mode = to->mode & 07777;

    if (S_ISLNK(ip->mode))
        return -EOPNOTSUPP;
    if (!inode_owner_or_root(ip))
        return -EPERM;
    if (!caller_is_root() && !caller_in_group(ip->gid))
        mode &= ~(uint32_t)S_ISGID;
    ip->mode = (ip->mode & S_IFMT) | mode;
    return 0;
}

long sys_fchmod(int fd, uint32_t mode)
{
    return change(fd_dentry(fd_borrow(fd)), set_mode, &(struct change){.mode = mode});
}

long sys_fchmodat2(int dirfd, uaddr_t path, uint32_t mode, int flags)
{
    return change(lookup_at(dirfd, path, flags), set_mode, &(struct change){.mode = mode});
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

static int set_owner(struct inode *ip, const struct change *to)
{
    if (!may_chown(ip, to->uid, to->gid))
        return -EPERM;
    if (to->uid != KEEP_ID)
        ip->uid = to->uid;
    if (to->gid != KEEP_ID)
        ip->gid = to->gid;
    if (!S_ISDIR(ip->mode))
        inode_kill_suid(ip); /* root's chown too */
    return 0;
}

long sys_fchown(int fd, uint32_t uid, uint32_t gid)
{
    return change(fd_dentry(fd_borrow(fd)), set_owner, &(struct change){.uid = uid, .gid = gid});
}

long sys_fchownat(int dirfd, uaddr_t path, uint32_t uid, uint32_t gid, int flags)
{
    return change(lookup_at(dirfd, path, flags), set_owner,
                  &(struct change){.uid = uid, .gid = gid});
}

/* ---- utimensat -------------------------------------------------------------------------------- */

static int check_time(const struct timespec64 *t)
{
    if (t->nsec == UTIME_NOW || t->nsec == UTIME_OMIT)
        return 0;
    return t->nsec < 0 || t->nsec >= (int64_t)NSEC_PER_SEC ? -EINVAL : 0;
}

static void set_time(struct timespec64 *to, const struct timespec64 *from)
{
    if (from->nsec == UTIME_NOW)
        *to = current_time();
    else if (from->nsec != UTIME_OMIT)
        *to = *from;
}

static int set_times(struct inode *ip, const struct change *to)
{
    const struct timespec64 *t = to->times;
    bool both_now = t[0].nsec == UTIME_NOW && t[1].nsec == UTIME_NOW;
    int err = 0;

    /* Who may write may set both to now: writing would have done the same. */
    if (!inode_owner_or_root(ip))
        err = both_now ? inode_permission(ip, MAY_WRITE) : -EPERM;
    if (err)
        return err;
    set_time(&ip->atime, &t[0]);
    set_time(&ip->mtime, &t[1]);
    return 0;
}

long sys_utimensat(int dirfd, uaddr_t path, uaddr_t utimes, int flags)
{
    struct change to = {.times = {{0, UTIME_NOW}, {0, UTIME_NOW}}};
    const struct timespec64 *t = to.times;

    if (utimes && copy_from_user(to.times, utimes, sizeof(to.times)))
        return -EFAULT;
    if (check_time(&t[0]) || check_time(&t[1]))
        return -EINVAL;
    if (t[0].nsec == UTIME_OMIT && t[1].nsec == UTIME_OMIT)
        return 0;
    if (path || dirfd == AT_FDCWD)
        return change(lookup_at(dirfd, path, flags), set_times, &to);
    return flags ? -EINVAL : change(fd_dentry(fd_borrow(dirfd)), set_times, &to); /* futimens */
}

/* ---- truncate --------------------------------------------------------------------------------- */

long sys_truncate(uaddr_t path, off_t len)
{
    struct dentry *d = len < 0 ? err_ptr(-EINVAL) : lookup_at(AT_FDCWD, path, 0);
    int err;

    if (is_err(d))
        return ptr_err(d);
    err = inode_permission(d->inode, MAY_WRITE);
    if (S_ISDIR(d->inode->mode))
        err = -EISDIR;
    if (!err && inode_is_running(d->inode))
        err = -ETXTBSY;
    if (!err)
        err = inode_set_size(d->inode, (uint64_t)len);
    dentry_put(d);
    return err;
}

long sys_ftruncate(int fd, off_t len)
{
    struct fdref r = fd_borrow(fd);
    int err = r.file ? -EINVAL : -EBADF;

    if (r.file && len >= 0 && (r.file->mode & FMODE_WRITE))
        err = inode_set_size(r.file->inode, (uint64_t)len);
    fd_return(r);
    return err;
}
