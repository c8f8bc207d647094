/* SPDX-License-Identifier: MIT */
/*
 * The dentry cache's inner side, for path lookup (fs/namei.c) and mounting (fs/mount.c), and path
 * lookup's inner side for the system calls that need a parent directory and a last name.
 */
#pragma once

#include "fs/vfs.h"

extern struct spinlock dcache_lock; /* RANK_DCACHE: all fields marked (d) */

/* fs/mount.c: the mounted superblocks in order of mounting; either lock to look, both to change. */
extern struct mutex mount_lock; /* MUTEX_MOUNT */
extern struct list mounts;
/* Somebody opens the device's own file for writing: -EBUSY while it is mounted for writing too. */
int mount_add_writer(struct block_device *bd);

/* fs/inode.c: empty hash chains, as many as memory deserves (mask + 1). At boot: panics without
 * memory. */
struct list *hash_buckets(uint32_t *mask);
/* What is known of the name, referenced and perhaps negative; NULL: nothing. */
struct dentry *dcache_get(const struct dentry *parent, const char *name, size_t len);

/* As dentry_path, from the given root; dcache_lock held. NULL: does not fit. */
char *dentry_path_locked(struct dentry *d, const struct dentry *root, char *buf, size_t size);

/* The rest: the parent's inode is locked, so that a name cannot come and go at the same time. */
/* Not yet in the hash; parent NULL: its own. NULL: no memory. */
struct dentry *dentry_alloc(struct superblock *sb, struct dentry *parent, const char *name,
                            size_t len);
/* d, new or negative until now, names ip (or nothing): found from now on. Takes ip's reference. */
void dentry_set(struct dentry *d, struct inode *ip);
/* d takes the place of `to` (negative, or its file was just replaced). */
void dentry_move(struct dentry *d, struct dentry *to);
bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d); /* or the same */
/* The name is gone; what it named may live on. */
static inline bool dentry_removed(const struct dentry *d)
{
    return list_empty(&d->hash_link) && d->parent != d;
}
/* Through all that is mounted on d; consumes and returns a reference. */
struct dentry *dentry_top(struct dentry *d);

/* Inode locks nest parent before child; siblings are ordered by address or MUTEX_RENAME, which a
 * single rank cannot express: the second and later ones are taken without the rank check. */
static inline void inode_lock(struct inode *ip)
{
    mutex_lock(&ip->lock);
}
static inline void inode_lock_nested(struct inode *ip)
{
    if (!mutex_trylock(&ip->lock))
        mutex_lock_slow(&ip->lock);
}
static inline void inode_unlock(struct inode *ip)
{
    mutex_unlock(&ip->lock);
}

#define WALK_PARENT (1u << 30)   /* only to the directory of the last name */
#define WALK_REAL_IDS (1u << 29) /* permissions for the real uid and gid: access(2) */

enum last_type { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

struct walk {
    struct dentry *root; /* the caller's, referenced */
    struct dentry *dir;  /* where we are, referenced; or an error */
    const char *rest;    /* of the path: what follows the current name and its slashes */
    char *owned;         /* the buffer that rest points into, if it is ours */
    unsigned flags;      /* AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH, WALK_* */
    unsigned links;      /* followed so far */
    uint32_t uid, gid;   /* whose permissions count */
    const char *name;    /* the current name: with WALK_PARENT at the end the last one */
    size_t len;
    enum last_type last;
    bool slash; /* something follows the name: it must be a directory */
};

/* w->dir becomes what the path names, or with WALK_PARENT its last name's directory. Whatever
 * the result, walk_end follows. owned: path, if it is to be freed then. */
int walk_path(struct walk *w, int dirfd, const char *path, char *owned, unsigned flags) must_check;
int walk_user_path(struct walk *w, int dirfd, uaddr_t upath, unsigned flags) must_check;
void walk_end(struct walk *w);
/* w->dir's inode is locked: the last name's dentry (perhaps negative), referenced; err_ptr. */
struct dentry *walk_last_locked(struct walk *w);
/* The last name turned out to be the symbolic link d: goes on from its target. */
int walk_follow_last(struct walk *w, struct dentry *d) must_check;

/* The file that dirfd and path name, as AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH say; err_ptr(-EINVAL)
 * for other flags. */
struct dentry *lookup_at(int dirfd, uaddr_t upath, int flags);
/* The file of a borrowed descriptor, which it gives back; err_ptr(-EBADF). */
struct dentry *fd_dentry(struct fdref r);

/* fs/namespace.c: what a new name shall be. */
struct new_name {
    uint32_t mode;      /* with S_IFMT; the umask is not yet applied */
    uint32_t rdev;      /* of a device */
    const char *target; /* of a symbolic link */
    struct inode *link; /* a further name of this file, and nothing new */
};
/* In the locked directory w->dir, d (w's last name) becomes n. */
int create_locked(struct walk *w, struct dentry *d, const struct new_name *n) must_check;
/* fs/file.c: memory for a file is found before anything is done that a failure could not undo;
 * file_attach then cannot fail. err_ptr(-ENFILE, -ENOMEM). */
struct file *file_reserve(void);
void file_unreserve(struct file *f);
void file_attach(struct file *f, struct dentry *d, const struct file_ops *ops, int flags);
void file_detach(struct file *f);

/* fs/cwd.c */
uint32_t current_umask(void);
struct dentry *current_cwd(void);  /* referenced */
struct dentry *current_root(void); /* referenced */
