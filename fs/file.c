/* SPDX-License-Identifier: MIT */
/*
 * Open files (struct file): what a descriptor, a memory mapping or a running program holds on to.
 * A file pins its dentry, and through it the inode and the mounted file system.
 *
 * Also here: what mm/ and proc/ ask of files (mm/vmfile.h, proc/files.h) that is not about
 * descriptors.
 */
#include "fs/dcache.h"
#include "lib/log.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"

#include <linux/fcntl.h>
#include <linux/mman.h>
#include <linux/mount.h>

/* Flags that say something about opening only. */
#define OPEN_ONLY (uint32_t)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)

static _Atomic size_t nfiles;

/* Linux's rule of thumb for file-max: a tenth of memory, at about a KiB each. */
static size_t max_files(void)
{
    return MAX(page_total_count() / 2, (size_t)1024);
}

size_t file_open_count(void)
{
    return atomic_load_explicit(&nfiles, memory_order_relaxed);
}

static uint8_t mode_of(const struct inode *ip, const struct file_ops *ops, int flags)
{
    static const uint8_t access[] = {FMODE_READ, FMODE_WRITE, FMODE_READ | FMODE_WRITE, 0};
    uint8_t mode = access[flags & O_ACCMODE];

    if (flags & O_PATH)
        return FMODE_PATH;
    if (S_ISREG(ip->mode) || S_ISDIR(ip->mode) || S_ISBLK(ip->mode))
        return mode | FMODE_POS | FMODE_PREAD;
    return ops->lseek ? mode | FMODE_PREAD : mode;
}

struct file *file_reserve(void)
{
    struct file *f;

    if (file_open_count() >= max_files() && !caller_is_root())
        return err_ptr(-ENFILE);
    f = kzalloc(sizeof(*f));
    if (!f)
        return err_ptr(-ENOMEM);
    atomic_fetch_add_explicit(&nfiles, 1, memory_order_relaxed);
    return f;
}

void file_unreserve(struct file *f)
{
    kfree(f);
    atomic_fetch_sub_explicit(&nfiles, 1, memory_order_relaxed);
}

void file_attach(struct file *f, struct dentry *d, const struct file_ops *ops, int flags)
{
    atomic_init(&f->refs, 1);
    f->ops = ops;
    f->dentry = dentry_ref(d);
    f->inode = d->inode;
    f->mode = mode_of(d->inode, ops, flags);
    atomic_init(&f->flags, (uint32_t)flags & ~OPEN_ONLY);
    mutex_init(&f->pos_lock, MUTEX_FILE_POS);
    if (f->mode & FMODE_WRITE)
        d->sb->writers++;
}

/* Leaves the file as it was reserved. */
void file_detach(struct file *f)
{
    flock_release(f->inode, f);
    if (f->ops->release)
        f->ops->release(f);
    if (f->mode & FMODE_WRITE)
        f->dentry->sb->writers--;
    f->inode->writers -= f->claim;
    f->claim = 0;
    dentry_put(f->dentry);
}

struct file *file_get(struct file *f)
{
    atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
    return f;
}

void file_put(struct file *f)
{
    if (atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
        return;
    file_detach(f);
    file_unreserve(f);
}

/* ---- For memory mappings ---------------------------------------------------------------------- */

struct mapping *file_mapping(struct file *f)
{
    return f->ops->cached ? &f->inode->mapping : NULL;
}

void file_map_identity(struct file *f, unsigned *major, unsigned *minor, uint64_t *ino)
{
    *major = dev_major(f->inode->sb->dev);
    *minor = dev_minor(f->inode->sb->dev);
    *ino = f->inode->ino;
}

int file_mmap_check(struct file *f, int prot, bool shared, uint8_t *max_prot)
{
    bool read_only = shared && !(f->mode & FMODE_WRITE), no_exec = f->inode->sb->flags & MS_NOEXEC;

    if (!(f->mode & FMODE_READ) || (read_only && prot & PROT_WRITE))
        return -EACCES;
    if (!file_mapping(f))
        return -ENODEV;
    *max_prot = PROT_READ | (read_only ? 0 : PROT_WRITE) | (no_exec ? 0 : PROT_EXEC);
    return no_exec && prot & PROT_EXEC ? -EPERM : 0;
}

/* ---- For exec --------------------------------------------------------------------------------- */

void exec_file_ids(struct file *f, uint32_t *uid, uint32_t *gid)
{
    struct inode *ip = f->inode;
    uint32_t mode = READ_ONCE(ip->mode);

    if (ip->sb->flags & MS_NOSUID)
        return;
    if (mode & S_ISUID)
        *uid = ip->uid;
    if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
        *gid = ip->gid;
}

ssize_t file_read_kernel(struct file *f, void *buf, size_t len, off_t pos)
{
    struct uio u = uio_kernel(buf, len);
    struct mapping *m = file_mapping(f);
    int err = m ? mapping_read(m, &u, pos) : -EINVAL;

    return u.left < len ? (ssize_t)(len - u.left) : err;
}
