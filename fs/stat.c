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

/* What copy says about the file d (or an error), whose reference goes. */
static long tell(struct dentry *d, int (*copy)(struct dentry *d, uaddr_t buf), uaddr_t buf)
{
    int err;

    if (is_err(d))
        return ptr_err(d);
    if (d->inode->ops->getattr)
        d->inode->ops->getattr(d->inode);
    err = copy(d, buf);
    dentry_put(d);
    return err;
}

/* ---- stat ------------------------------------------------------------------------------------- */

static int copy_stat(struct dentry *d, uaddr_t buf)
{
    struct inode *ip = d->inode;
    struct stat st = {0};

    st.st_dev = ip->sb->dev;
    st.st_ino = ip->ino;
    st.st_mode = ip->mode;
    st.st_nlink = ip->nlink;
    st.st_uid = ip->uid;
    st.st_gid = ip->gid;
    st.st_rdev = ip->rdev;
    st.st_size = (long)inode_size(ip);
    st.st_blksize = (int)ip->sb->block_size;
    st.st_blocks = (long)ip->blocks;
    st.st_atime = ip->atime.sec;
    st.st_atime_nsec = (unsigned long)ip->atime.nsec;
    st.st_mtime = ip->mtime.sec;
    st.st_mtime_nsec = (unsigned long)ip->mtime.nsec;
    st.st_ctime = ip->ctime.sec;
    st.st_ctime_nsec = (unsigned long)ip->ctime.nsec;
    return copy_to_user(buf, &st, sizeof(st));
}

long sys_newfstatat(int dirfd, uaddr_t path, uaddr_t buf, int flags)
{
    return tell(lookup_at(dirfd, path, flags & ~AT_NO_AUTOMOUNT), copy_stat, buf);
}

long sys_fstat(int fd, uaddr_t buf)
{
    return tell(fd_dentry(fd_borrow_path(fd)), copy_stat, buf);
}

static struct statx_timestamp statx_time(struct timespec64 t)
{
    return (struct statx_timestamp){.tv_sec = t.sec, .tv_nsec = (uint32_t)t.nsec};
}

static int copy_statx(struct dentry *d, uaddr_t buf)
{
    struct inode *ip = d->inode;
    struct statx st = {.stx_mask = STATX_BASIC_STATS};

    st.stx_blksize = ip->sb->block_size;
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
    if ((flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (mask & STATX__RESERVED))
        return -EINVAL;
    flags &= ~(AT_NO_AUTOMOUNT | AT_STATX_SYNC_TYPE);
    return tell(lookup_at(dirfd, path, flags), copy_statx, buf);
}

/* ---- statfs ----------------------------------------------------------------------------------- */

#define ST_VALID 0x0020
#define ST_NOATIME 0x0400

static int copy_statfs(struct dentry *d, uaddr_t buf)
{
    struct superblock *sb = d->sb;
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
    out.f_flags = ST_VALID | (sb->read_only ? MS_RDONLY : 0) |
                  (sb->flags & MS_NOATIME ? ST_NOATIME : 0) |
                  (long)(sb->flags & (MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_SYNCHRONOUS));
    return copy_to_user(buf, &out, sizeof(out));
}

long sys_statfs(uaddr_t path, uaddr_t buf)
{
    return tell(lookup_at(AT_FDCWD, path, 0), copy_statfs, buf);
}

long sys_fstatfs(int fd, uaddr_t buf)
{
    return tell(fd_dentry(fd_borrow_path(fd)), copy_statfs, buf);
}

/* ---- access ----------------------------------------------------------------------------------- */

long sys_faccessat2(int dirfd, uaddr_t path, int mode, int flags)
{
    unsigned ids = flags & AT_EACCESS ? 0 : WALK_REAL_IDS;
    struct walk w;
    int err;

    if ((mode & ~7) || (flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)))
        return -EINVAL;
    err = walk_user_path(&w, dirfd, path, (unsigned)flags | ids);
    if (!err && mode)
        err = inode_permission_as(w.dir->inode, mode, w.uid, w.gid);
    walk_end(&w);
    return err;
}

long sys_faccessat(int dirfd, uaddr_t path, int mode)
{
    return sys_faccessat2(dirfd, path, mode, 0);
}

/* ---- readlink --------------------------------------------------------------------------------- */

static long copy_link(struct inode *ip, uaddr_t buf, size_t size)
{
    char *text = ip->ops->readlink(ip);
    size_t len;
    long ret;

    if (is_err(text))
        return ptr_err(text);
    inode_accessed(ip);
    len = MIN(strlen(text), size);
    ret = copy_to_user(buf, text, len) ? -EFAULT : (long)len;
    kfree(text);
    return ret;
}

long sys_readlinkat(int dirfd, uaddr_t path, uaddr_t buf, int size)
{
    struct walk w;
    long ret;

    if (size <= 0)
        return -EINVAL;
    ret = walk_user_path(&w, dirfd, path, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH);
    if (!ret && !S_ISLNK(w.dir->inode->mode))
        ret = *w.owned ? -EINVAL : -ENOENT; /* ENOENT: "", the descriptor itself */
    if (!ret)
        ret = copy_link(w.dir->inode, buf, (size_t)size);
    walk_end(&w);
    return ret;
}

/* ---- Extended attributes: no file has any, and no file system can keep them -------------------- */

static int no_attributes(struct dentry *d, uaddr_t buf)
{
    (void)d, (void)buf;
    return -EOPNOTSUPP;
}

long sys_getxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t size)
{
    (void)name, (void)size;
    return tell(lookup_at(AT_FDCWD, path, 0), no_attributes, value);
}

long sys_lgetxattr(uaddr_t path, uaddr_t name, uaddr_t value, size_t size)
{
    (void)name, (void)size;
    return tell(lookup_at(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW), no_attributes, value);
}

long sys_fgetxattr(int fd, uaddr_t name, uaddr_t value, size_t size)
{
    (void)name, (void)size;
    return tell(fd_dentry(fd_borrow(fd)), no_attributes, value);
}

long sys_listxattr(uaddr_t path, uaddr_t list, size_t size)
{
    return sys_getxattr(path, 0, list, size);
}

long sys_llistxattr(uaddr_t path, uaddr_t list, size_t size)
{
    return sys_lgetxattr(path, 0, list, size);
}

long sys_flistxattr(int fd, uaddr_t list, size_t size)
{
    return sys_fgetxattr(fd, 0, list, size);
}
