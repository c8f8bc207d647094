/* SPDX-License-Identifier: MIT */
/*
 * The dentry cache's inner side, for path lookup (fs/namei.c) and mounting (fs/mount.c), and path
 * lookup's inner side for the system calls that need a parent directory and a last name.
 */
#pragma once

#include "fs/vfs.h"

extern struct spinlock dcache_lock; /* RANK_DCACHE: all fields marked (d) */

uint32_t dentry_hash(const struct dentry *parent, const char *name, size_t len);
/* dcache_lock held; the entry, without a reference, or NULL if nothing is known. */
struct dentry *dcache_find(const struct dentry *parent, const char *name, size_t len,
                           uint32_t hash);
static inline void dentry_ref_locked(struct dentry *d)
{
    atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
}

/* As dentry_path, from the given root; dcache_lock held. NULL: does not fit. */
char *dentry_path_locked(struct dentry *d, const struct dentry *root, char *buf, size_t size);

/* The rest: the parent's inode is locked, so that a name cannot come and go at the same time. */
struct dentry *dentry_alloc(struct dentry *parent, const char *name, size_t len); /* NULL */
void dentry_add(struct dentry *d, struct inode *ip); /* into the hash; takes ip's reference */
void dentry_instantiate(struct dentry *d, struct inode *ip); /* was negative; takes the reference */
void dentry_delete(struct dentry *d);                        /* the name was removed */
/* d takes the place of `to` (negative, or its file was just replaced). */
void dentry_move(struct dentry *d, struct dentry *to);
bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d); /* or the same */
bool dentry_covered(struct dentry *d);                                   /* mounted upon */
/* Through all that is mounted on d; consumes and returns a reference. */
struct dentry *dentry_top(struct dentry *d);

static inline bool dentry_is_dir(const struct dentry *d)
{
    return S_ISDIR(d->inode->mode);
}

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

enum last_type { LAST_NAME, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

struct walk {
    struct dentry *root; /* the caller's, referenced */
    struct dentry *dir;  /* where we are, referenced */
    const char *p;       /* the rest of the path */
    char *owned;         /* the buffer p points into, after a symbolic link */
    unsigned links;      /* followed so far */
    uint32_t uid, gid;   /* whose permissions count */
    const char *name;    /* the last component, once walk_to_parent is done */
    size_t len;
    enum last_type last;
    bool slash; /* something follows the last name: it must be a directory */
};

int walk_start(struct walk *w, int dirfd, const char *path, unsigned flags) must_check;
int walk_to_parent(struct walk *w) must_check;             /* w->dir: the last name's directory */
int walk_whole(struct walk *w, unsigned flags) must_check; /* w->dir: the result, positive */
void walk_end(struct walk *w);
/* w->dir's inode is locked: the last name's dentry (perhaps negative), referenced; err_ptr. */
struct dentry *walk_last_locked(struct walk *w);
/* The last name turned out to be the symbolic link d: goes on from its target. */
int walk_follow_last(struct walk *w, struct dentry *d) must_check;

/* Creates w's last name: a negative dentry in the locked directory w->dir. walk_create_end unlocks
 * and makes it ip (or nothing if err), ends the walk, and returns err. */
struct dentry *walk_create_begin(struct walk *w, int dirfd, const char *path, bool is_dir);
int walk_create_end(struct walk *w, struct dentry *d, int err, struct inode *ip);

/* fs/stat.c: the file that dirfd and path name, as AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH say. */
struct dentry *lookup_at(int dirfd, uaddr_t upath, int flags);

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
