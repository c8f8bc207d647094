/* SPDX-License-Identifier: MIT */
/* fcntl(2), and the part of ioctl(2) that is the same for all files. */
#include "fs/dcache.h"
#include "fs/fdtable.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#include <asm/ioctls.h>
#include <linux/fcntl.h>
#include <linux/fs.h>

#define SETTABLE_FLAGS (uint32_t)(O_APPEND | O_NONBLOCK | O_NOATIME | FASYNC | O_DIRECT)

static long set_flags(struct file *f, uint32_t arg)
{
    uint32_t flags = atomic_load(&f->flags);

    if ((arg & O_NOATIME) && !(flags & O_NOATIME) && !inode_owner_or_root(f->inode))
        return -EPERM;
    atomic_store(&f->flags, (flags & ~SETTABLE_FLAGS) | (arg & SETTABLE_FLAGS));
    return 0;
}

static long duplicate(struct file *f, uint64_t lowest, int flags)
{
    if (lowest >= current->proc->limits[RLIMIT_NOFILE].rlim_cur || lowest > INT32_MAX)
        return -EINVAL;
    return fd_dup(f, (unsigned)lowest, flags);
}

static long fcntl_file(struct file *f, int fd, int cmd, uint64_t arg)
{
    switch (cmd) { /* what may be asked of a descriptor that is only a place in the tree, too */
    case F_DUPFD: return duplicate(f, arg, 0);
    case F_DUPFD_CLOEXEC: return duplicate(f, arg, O_CLOEXEC);
    case F_GETFD: return fd_cloexec(fd) ? FD_CLOEXEC : 0;
    case F_SETFD: fd_set_cloexec(fd, arg & FD_CLOEXEC); return 0;
    case F_GETFL: return (long)atomic_load(&f->flags);
    }
    if (f->mode & FMODE_PATH)
        return -EBADF;
    switch (cmd) {
    case F_SETFL: return set_flags(f, (uint32_t)arg);
    case F_GETLK:
    case F_SETLK:
    case F_SETLKW: return flock_fcntl(f, fd, cmd, arg);
    case F_GETPIPE_SZ:
    case F_SETPIPE_SZ: return pipe_fcntl(f, cmd, arg);
    case F_SETOWN: /* only for SIGIO, which nothing here sends */
    case F_GETOWN: return 0;
    default: return -EINVAL;
    }
}

long sys_fcntl(int fd, int cmd, uint64_t arg)
{
    struct fdref r = fd_borrow_path(fd);
    long ret = r.file ? fcntl_file(r.file, fd, cmd, arg) : -EBADF;

    fd_return(r);
    return ret;
}

static long set_nonblock(struct file *f, uaddr_t arg)
{
    uint32_t on;

    if (get_user_u32(&on, arg))
        return -EFAULT;
    if (on)
        atomic_fetch_or(&f->flags, (uint32_t)O_NONBLOCK);
    else
        atomic_fetch_and(&f->flags, ~(uint32_t)O_NONBLOCK);
    return 0;
}

static long ioctl_regular(struct file *f, uint32_t cmd, uint64_t arg)
{
    uint64_t size = inode_size(f->inode), pos = (uint64_t)READ_ONCE(f->pos);

    if (cmd == FIONREAD && S_ISREG(f->inode->mode))
        return put_user_u32(arg, size > pos ? (uint32_t)(size - pos) : 0);
    if (cmd == FIGETBSZ && f->inode->sb->block_size)
        return put_user_u32(arg, f->inode->sb->block_size);
    return -ENOTTY;
}

long sys_ioctl(int fd, uint32_t cmd, uint64_t arg)
{
    struct fdref r = fd_borrow(fd);
    long ret = -ENOTTY;

    if (!r.file)
        return -EBADF;
    if (cmd == FIOCLEX || cmd == FIONCLEX) {
        fd_set_cloexec(fd, cmd == FIOCLEX);
        ret = 0;
    } else if (cmd == FIONBIO) {
        ret = set_nonblock(r.file, arg);
    } else {
        if (r.file->ops->ioctl)
            ret = r.file->ops->ioctl(r.file, cmd, arg);
        if (ret == -ENOTTY)
            ret = ioctl_regular(r.file, cmd, arg);
    }
    fd_return(r);
    return ret;
}
