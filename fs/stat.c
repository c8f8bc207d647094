/* SPDX-License-Identifier: MIT */
/* What files are like: stat, statx, statfs, access, readlink, extended attributes (there are none).
 */
#include "fs/dcache.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/syscalls.h"

#include <asm/stat.h>
#include <asm/statfs.h>
#include <linux/fcntl.h>
#include <linux/mount.h>

#define STATX_KNOWN (STATX_BASIC_STATS)

struct dentry *lookup_at(int dirfd, uaddr_t upath, int flags)
{
    unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);

    return path_lookup_user(dirfd, upath, lookup);
}

/* ---- stat ------------------------------------------------------------------------------------- */

static void refresh(struct inode *ip)
{
    if (ip->ops->getattr)
        ip->ops->getattr(ip);
}

static int block_size_of(const struct inode *ip)
{
    return ip->sb->block_size ? (int)ip->sb->block_size : (int)PAGE_SIZE;
}

static int copy_stat(struct inode *ip, uaddr_t buf)
{
    struct stat st = {0};

    refresh(ip);
    st.st_dev = ip->sb->dev;
    st.st_ino = ip->ino;
    st.st_mode = ip->mode;
    st.st_nlink = ip->nlink;
    st.st_uid = ip->uid;
    st.st_gid = ip->gid;
    st.st_rdev = ip->rdev;
    st.st_size = (long)inode_size(ip);
    st.st_blksize = block_size_of(ip);
    st.st_blocks = (long)ip->blocks;
    st.st_atime = ip->atime.sec;
    st.st_atime_nsec = (unsigned long)ip->atime.nsec;
    st.st_mtime = ip->mtime.sec;
    st.st_mtime_nsec = (unsigned long)ip->mtime.nsec;
    st.st_ctime = ip->ctime.sec;
    st.st_ctime_nsec = (unsigned long)ip->ctime.nsec;
    return copy_to_user(buf, &st, sizeof(st));
}

/* The C library's fstat: worth telling apart before a path is copied and walked. */
static bool means_fd(int dirfd, uaddr_t path, int flags)
{
    char c;

    return (flags & AT_EMPTY_PATH) && dirfd >= 0 && !copy_from_user(&c, path, 1) && !c;
}

long sys_newfstatat(int dirfd, uaddr_t path, uaddr_t buf, int flags)
{
    struct dentry *d;
    int err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    if (means_fd(dirfd, path, flags))
        return sys_fstat(dirfd, buf);
    d = lookup_at(dirfd, path, flags);
    if (is_err(d))
        return ptr_err(d);
    err = copy_stat(d->inode, buf);
    dentry_put(d);
    return err;
}

long sys_fstat(int fd, uaddr_t buf)
{
    struct fdref r = fd_borrow_path(fd);
    int err = r.file ? copy_stat(r.file->inode, buf) : -EBADF;

    fd_return(r);
    return err;
}

static struct statx_timestamp statx_time(struct timespec64 t)
{
    return (struct statx_timestamp){.tv_sec = t.sec, .tv_nsec = (uint32_t)t.nsec};
}

static int copy_statx(struct dentry *d, uaddr_t buf)
{
    struct inode *ip = d->inode;
    struct statx st = {.stx_mask = STATX_KNOWN};

    refresh(ip);
    st.stx_blksize = (uint32_t)block_size_of(ip);
    st.stx_nlink = ip->nlink;
    st.stx_uid = ip->uid;
    st.stx_gid = ip->gid;
    st.stx_mode = (uint16_t)ip->mode;
    st.stx_ino = ip->ino;
    st.stx_size = inode_size(ip);
    st.stx_blocks = ip->blocks;
    st.stx_atime = statx_time(ip->atime);
    st.stx_mtime = statx_time(ip->mtime);
    st.stx_ctime = statx_time(ip->ctime);
    st.stx_rdev_major = dev_major(ip->rdev);
    st.stx_rdev_minor = dev_minor(ip->rdev);
    st.stx_dev_major = dev_major(ip->sb->dev);
    st.stx_dev_minor = dev_minor(ip->sb->dev);
    st.stx_attributes_mask = STATX_ATTR_MOUNT_ROOT;
    if (d == ip->sb->root)
        st.stx_attributes = STATX_ATTR_MOUNT_ROOT;
    return copy_to_user(buf, &st, sizeof(st));
}

long sys_statx(int dirfd, uaddr_t path, int flags, uint32_t mask, uaddr_t buf)
{
    struct dentry *d;
    int err;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE))
        return -EINVAL;
    if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (mask & STATX__RESERVED))
        return -EINVAL;
    d = lookup_at(dirfd, path, flags);
    if (is_err(d))
        return ptr_err(d);
    err = copy_statx(d, buf);
    dentry_put(d);
    return err;
}

/* ---- statfs ----------------------------------------------------------------------------------- */

#define ST_VALID 0x0020
#define ST_NOATIME 0x0400

static uint64_t statfs_flags(const struct superblock *sb)
{
    uint64_t f = sb->flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS);

    if (sb->flags & MS_NOATIME)
        f |= ST_NOATIME;
    return f | ST_VALID | (sb->read_only ? MS_RDONLY : 0);
}

static int copy_statfs(struct superblock *sb, uaddr_t buf)
{
    struct fs_stat st = {.block_size = PAGE_SIZE, .name_max = NAME_MAX};
    struct statfs out = {0};

    if (sb->ops->statfs)
        sb->ops->statfs(sb, &st);
    out.f_type = st.magic;
    out.f_bsize = out.f_frsize = st.block_size;
    out.f_blocks = (long)st.blocks;
    out.f_bfree = (long)st.free_blocks;
    out.f_bavail = (long)st.avail_blocks;
    out.f_files = (long)st.files;
    out.f_ffree = (long)st.free_files;
    out.f_fsid.val[0] = (int)sb->dev;
    out.f_namelen = st.name_max;
    out.f_flags = (long)statfs_flags(sb);
    return copy_to_user(buf, &out, sizeof(out));
}

long sys_statfs(uaddr_t path, uaddr_t buf)
{
    struct dentry *d = lookup_at(AT_FDCWD, path, 0);
    int err;

    if (is_err(d))
        return ptr_err(d);
    err = copy_statfs(d->sb, buf);
    dentry_put(d);
    return err;
}

long sys_fstatfs(int fd, uaddr_t buf)
{
    struct fdref r = fd_borrow_path(fd);
    int err = r.file ? copy_statfs(r.file->dentry->sb, buf) : -EBADF;

    fd_return(r);
    return err;
}

/* ---- access ----------------------------------------------------------------------------------- */

static int check_access(int dirfd, const char *path, int mode, int flags)
{
    unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    struct walk w;
    int err;

    if (!(flags & AT_EACCESS))
        lookup |= LOOKUP_REAL_IDS;
    err = walk_start(&w, dirfd, path, lookup);
    if (err)
        return err;
    err = walk_whole(&w, lookup);
    if (!err && mode)
        err = inode_permission_as(w.dir->inode, mode, w.uid, w.gid);
    walk_end(&w);
    return err;
}

long sys_faccessat2(int dirfd, uaddr_t upath, int mode, int flags)
{
    char *path;
    long err;

    if ((mode & ~7) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    path = path_from_user(upath, flags & AT_EMPTY_PATH);
    err = is_err(path) ? ptr_err(path) : check_access(dirfd, path, mode, flags);
    path_free(path);
    return err;
}

long sys_faccessat(int dirfd, uaddr_t path, int mode)
{
    return sys_faccessat2(dirfd, path, mode, 0);
}

/* ---- readlink --------------------------------------------------------------------------------- */

static long copy_link(struct inode *ip, bool empty_path, uaddr_t buf, size_t size)
{
    char *text;
    size_t len;
    long ret;

    if (!S_ISLNK(ip->mode) || !ip->ops->readlink)
        return empty_path ? -ENOENT : -EINVAL;
    text = ip->ops->readlink(ip);
    if (is_err(text))
        return ptr_err(text);
    inode_accessed(ip);
    len = MIN(strlen(text), size);
    ret = copy_to_user(buf, text, len) ? -EFAULT : (long)len;
    kfree(text);
    return ret;
}

long sys_readlinkat(int dirfd, uaddr_t upath, uaddr_t buf, int size)
{
    struct dentry *d;
    char *path;
    long ret;

    if (size <= 0)
        return -EINVAL;
    path = path_from_user(upath, true);
    if (is_err(path))
        return ptr_err(path);
    d = path_lookup(dirfd, path, LOOKUP_EMPTY);
    ret = is_err(d) ? ptr_err(d) : copy_link(d->inode, !*path, buf, (size_t)size);
    path_free(path);
    if (!is_err(d))
        dentry_put(d);
    return ret;
}

/* ---- Extended attributes: no file has any, and no file system can keep them -------------------- */

static long no_xattr_at(uaddr_t path, int flags)
{
    struct dentry *d = lookup_at(AT_FDCWD, path, flags);

    if (is_err(d))
        return ptr_err(d);
    dentry_put(d);
    return -EOPNOTSUPP;
}

static long no_xattr_of(int fd)
{
    struct fdref r = fd_borrow(fd);
    long err = r.file ? -EOPNOTSUPP : -EBADF;

    fd_return(r);
    return err;
}

long sys_getxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t size)
{
    (void)name, (void)value, (void)size;
    return no_xattr_at(path, 0);
}

long sys_lgetxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t size)
{
    (void)name, (void)value, (void)size;
    return no_xattr_at(path, AT_SYMLINK_NOFOLLOW);
}

long sys_fgetxattr(int fd, uaddr_t name, uaddr_t value, size_t size)
{
    (void)name, (void)value, (void)size;
    return no_xattr_of(fd);
}

long sys_listxattr(uaddr_t path, uaddr_t list, size_t size)
{
    (void)list, (void)size;
    return no_xattr_at(path, 0);
}

long sys_llistxattr(uaddr_t path, uaddr_t list, size_t size)
{
    (void)list, (void)size;
    return no_xattr_at(path, AT_SYMLINK_NOFOLLOW);
}

long sys_flistxattr(int fd, uaddr_t list, size_t size)
{
    (void)list, (void)size;
    return no_xattr_of(fd);
}
