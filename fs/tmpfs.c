/* SPDX-License-Identifier: MIT */
/*
 * Files in memory: tmpfs, and the trees that other file systems build on it (fs/tmpfs.h). File
 * contents lie in the page cache with no disk behind; directories are lists of entries here.
 *
 *  [1] An entry holds a reference on its inode, so inodes live as long as they have a name; without
 *      one (nlink 0) the last reference evicts them.
 *  [2] Entries are in order of creation, each with a number never used again in its directory,
 *      which is its position for getdents64: removing some while reading loses none of the others.
 *  [3] Pages are counted per superblock, by comparing an inode's cached pages with what was counted
 *      for it whenever it is written; so a limit holds to within one write. Pages that come to be by
 *      touching a hole through a mapping are counted at the next write.
 *
 * Locks: inode->lock for a directory's entries and a file's count.
 */
#include "fs/tmpfs.h"
#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "proc/process.h"

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>

#define DOTS 2           /* positions of "." and ".." */
#define LINK_LIMIT 65000 /* names of one file: they are not counted against the size */

struct entry {
    struct list link; /* in order of creation */
    struct inode *ip;
    off_t pos;
    uint16_t len;
    char name[];
};

struct node {             /* inode->fs_private */
    struct inode *parent; /* a directory's; not referenced: it cannot go first */
    struct list entries;
    off_t next_pos;
    size_t counted; /* pages of a file, in tree->pages */
    char *target;   /* a symbolic link's */
};

struct tree { /* superblock->fs_private */
    _Atomic uint64_t last_ino;
    _Atomic size_t pages, inodes;
    size_t max_pages, max_inodes;
};

static const struct inode_ops tmpfs_inode_ops;
static const struct file_ops dir_file_ops;

static struct node *node_of(const struct inode *ip)
{
    return ip->fs_private;
}

static struct tree *tree_of(const struct inode *ip)
{
    return ip->sb->fs_private;
}

/* ---- Entries ---------------------------------------------------------------------------------- */

/* One after the other: what was looked up before is in the dentry cache. */
static struct entry *find_entry(struct inode *dir, const char *name, size_t len)
{
    struct entry *e;

    list_for_each (e, &node_of(dir)->entries, link)
        if (e->len == len && !memcmp(e->name, name, len))
            return e;
    return NULL;
}

/* Not yet in a directory. Takes its own reference on ip. NULL: no memory. */
static struct entry *new_entry(const char *name, size_t len, struct inode *ip)
{
    struct entry *e = kmalloc(sizeof(*e) + len, 0);

    if (!e)
        return NULL;
    memcpy(e->name, name, len);
    e->len = (uint16_t)len;
    e->ip = inode_ref(ip);
    return e;
}

static void insert_entry(struct inode *dir, struct entry *e)
{
    struct node *n = node_of(dir);

    e->pos = n->next_pos++;
    list_add_tail(&n->entries, &e->link);
    if (S_ISDIR(e->ip->mode)) {
        node_of(e->ip)->parent = dir;
        dir->nlink++;
    }
    atomic_fetch_add_explicit(&dir->mapping.size, 20, memory_order_relaxed); /* as Linux shows it */
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
}

static void drop_entry(struct inode *dir, struct entry *e)
{
    list_del(&e->link);
    if (S_ISDIR(e->ip->mode))
        dir->nlink--;
    atomic_fetch_sub_explicit(&dir->mapping.size, 20, memory_order_relaxed);
    inode_touch(dir, TOUCH_MTIME | TOUCH_CTIME);
    inode_put(e->ip);
    kfree(e);
}

/* ---- Inodes ----------------------------------------------------------------------------------- */

/* Referenced, without a name; dir NULL: for the kernel. */
static struct inode *new_inode(struct superblock *sb, struct inode *dir, uint32_t mode)
{
    struct tree *t = sb->fs_private;
    struct node *n;
    struct inode *ip;

    if (t->max_inodes && t->inodes >= t->max_inodes)
        return err_ptr(-ENOSPC);
    n = kzalloc(sizeof(*n));
    ip = n ? inode_new(sb, ++t->last_ino) : NULL;
    if (!ip) {
        kfree(n);
        return err_ptr(-ENOMEM);
    }
    t->inodes++;
    list_init(&n->entries);
    n->next_pos = DOTS;
    ip->fs_private = n;
    inode_init_owner(ip, dir, mode);
    if (S_ISDIR(ip->mode))
        ip->nlink = 2;
    ip->ops = &tmpfs_inode_ops;
    ip->fops = S_ISDIR(mode) ? &dir_file_ops : S_ISLNK(mode) ? NULL : &regular_file_ops;
    return ip;
}

/* Updates the count of pages (see [3]). Inode locked. */
static void settle(struct inode *ip)
{
    struct node *n = node_of(ip);
    size_t now = ip->mapping.npages;

    tree_of(ip)->pages += now - n->counted;
    n->counted = now;
    ip->blocks = now * (PAGE_SIZE / 512);
}

static void tmpfs_evict(struct inode *ip)
{
    struct node *n = node_of(ip);
    struct tree *t = tree_of(ip);

    /* Only unmounting gets here with entries: their inodes are next. */
    while (!list_empty(&n->entries))
        drop_entry(ip, list_first(&n->entries, struct entry, link));
    t->pages -= n->counted;
    t->inodes--;
    kfree(n->target);
    kfree(n);
}

/* ---- Directory operations --------------------------------------------------------------------- */

static int tmpfs_lookup(struct inode *dir, const char *name, size_t len, struct inode **out)
{
    struct entry *e = find_entry(dir, name, len);

    if (!e)
        return -ENOENT;
    *out = inode_ref(e->ip);
    return 0;
}

/* The last steps for a new inode; without memory it goes again. */
static int enter_new(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    struct entry *e = new_entry(name, len, ip);

    if (!e) {
        ip->nlink = 0;
        inode_put(ip);
        return -ENOSPC;
    }
    insert_entry(dir, e);
    return 0;
}

static int tmpfs_mknod(struct inode *dir, const char *name, size_t len, uint32_t mode,
                       uint32_t rdev, struct inode **out)
{
    struct inode *ip = new_inode(dir->sb, dir, mode);

    if (is_err(ip))
        return ptr_err(ip);
    ip->rdev = rdev;
    *out = ip;
    return enter_new(dir, name, len, ip);
}

/* Files and directories: the mode tells. */
static int tmpfs_create(struct inode *dir, const char *name, size_t len, uint32_t mode,
                        struct inode **out)
{
    return tmpfs_mknod(dir, name, len, mode, 0, out);
}

static int tmpfs_symlink(struct inode *dir, const char *name, size_t len, const char *target,
                         struct inode **out)
{
    size_t target_len = strlen(target);
    char *copy = kmalloc(target_len + 1, 0);
    struct inode *ip = copy ? new_inode(dir->sb, dir, S_IFLNK | 0777) : err_ptr(-ENOSPC);

    if (is_err(ip)) {
        kfree(copy);
        return ptr_err(ip);
    }
    memcpy(copy, target, target_len + 1);
    node_of(ip)->target = copy;
    atomic_store(&ip->mapping.size, target_len);
    *out = ip;
    return enter_new(dir, name, len, ip);
}

static int tmpfs_link(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    struct entry *e;

    if (ip->nlink >= LINK_LIMIT)
        return -EMLINK;
    e = new_entry(name, len, ip);
    if (!e)
        return -ENOSPC;
    insert_entry(dir, e);
    ip->nlink++;
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

/* unlink and rmdir. The caller still has a reference on ip. */
static int tmpfs_remove(struct inode *dir, const char *name, size_t len, struct inode *ip)
{
    if (S_ISDIR(ip->mode)) {
        if (!list_empty(&node_of(ip)->entries))
            return -ENOTEMPTY;
        ip->nlink--; /* "." */
    }
    drop_entry(dir, find_entry(dir, name, len));
    ip->nlink--;
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

static int tmpfs_rename(struct inode *old_dir, const char *old_name, size_t old_len,
                        struct inode *ip, struct inode *new_dir, const char *new_name,
                        size_t new_len, struct inode *target)
{
    struct entry *e = new_entry(new_name, new_len, ip);
    int err = e ? 0 : -ENOSPC;

    if (!err && target)
        err = tmpfs_remove(new_dir, new_name, new_len, target);
    if (err) {
        if (e)
            inode_put(ip);
        kfree(e);
        return err;
    }
    drop_entry(old_dir, find_entry(old_dir, old_name, old_len));
    insert_entry(new_dir, e);
    inode_touch(ip, TOUCH_CTIME);
    return 0;
}

/* ---- Reading directories, links --------------------------------------------------------------- */

static int tmpfs_iterate(struct file *f, off_t *pos,
                         bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
                                      unsigned type, off_t next),
                         void *arg)
{
    struct inode *dir = f->inode, *up = node_of(dir)->parent ? node_of(dir)->parent : dir;
    struct entry *e; /* its inode's file type bits are DT_* */

    for (; *pos < DOTS; ++*pos)
        if (!emit(arg, "..", *pos + 1, *pos ? up->ino : dir->ino, S_IFDIR >> 12, *pos + 1))
            return 0;
    list_for_each (e, &node_of(dir)->entries, link) {
        if (e->pos < *pos)
            continue;
        if (!emit(arg, e->name, e->len, e->ip->ino, e->ip->mode >> 12, e->pos + 1))
            return 0;
        *pos = e->pos + 1;
    }
    return 0;
}

static char *tmpfs_readlink(struct inode *ip)
{
    const char *target = node_of(ip)->target;
    size_t size = strlen(target) + 1;
    char *copy = kmalloc(size, 0);

    return copy ? memcpy(copy, target, size) : err_ptr(-ENOMEM);
}

/* ---- Files ------------------------------------------------------------------------------------ */

static int tmpfs_truncate(struct inode *ip, uint64_t size)
{
    int err = mapping_truncate(&ip->mapping, size);

    settle(ip);
    return err;
}

/* The first page that a write at pos may have to add; those below the size count as there. */
static uint64_t first_new_page(struct inode *ip, uint64_t pos)
{
    uint64_t size = inode_size(ip);

    return pos > size ? pos >> PAGE_SHIFT : (size + PAGE_MASK) >> PAGE_SHIFT;
}

static int tmpfs_before_write(struct inode *ip, off_t pos, size_t *len)
{
    struct tree *t = tree_of(ip);
    uint64_t last;

    settle(ip);
    if (!t->max_pages)
        return 0;
    last = first_new_page(ip, (uint64_t)pos);
    if (t->pages < t->max_pages)
        last += t->max_pages - t->pages;
    if ((uint64_t)pos + *len <= last << PAGE_SHIFT)
        return 0;
    if ((uint64_t)pos >= last << PAGE_SHIFT)
        return -ENOSPC;
    *len = (last << PAGE_SHIFT) - (uint64_t)pos;
    return 0;
}

static void tmpfs_getattr(struct inode *ip)
{
    inode_lock(ip);
    settle(ip);
    inode_unlock(ip);
}

/* For all of them: an inode is asked only what its type can answer. */
static const struct inode_ops tmpfs_inode_ops = {
    .lookup = tmpfs_lookup,
    .create = tmpfs_create,
    .mkdir = tmpfs_create,
    .mknod = tmpfs_mknod,
    .symlink = tmpfs_symlink,
    .link = tmpfs_link,
    .unlink = tmpfs_remove,
    .rmdir = tmpfs_remove,
    .rename = tmpfs_rename,
    .readlink = tmpfs_readlink,
    .truncate = tmpfs_truncate,
    .before_write = tmpfs_before_write,
    .after_write = settle,
    .getattr = tmpfs_getattr,
};

static const struct file_ops dir_file_ops = {.iterate = tmpfs_iterate};

/* ---- Superblocks ------------------------------------------------------------------------------ */

static void tmpfs_statfs(struct superblock *sb, struct fs_stat *st)
{
    struct tree *t = sb->fs_private;

    st->magic = TMPFS_MAGIC;
    st->blocks = t->max_pages;
    st->free_blocks = st->avail_blocks = t->pages < t->max_pages ? t->max_pages - t->pages : 0;
    st->files = t->max_inodes;
    st->free_files = t->inodes < t->max_inodes ? t->max_inodes - t->inodes : 0;
}

static void tmpfs_unmount(struct superblock *sb)
{
    kfree(sb->fs_private);
}

static const struct super_ops tmpfs_super_ops = {
    .unmount = tmpfs_unmount,
    .statfs = tmpfs_statfs,
    .evict_inode = tmpfs_evict,
};

/* A tree without anything in it and without limits. */
static struct tree *make_tree(struct superblock *sb)
{
    struct tree *t = kzalloc(sizeof(*t));

    sb->fs_private = t;
    sb->ops = &tmpfs_super_ops;
    sb->block_size = PAGE_SIZE;
    return t;
}

int tmpfs_fill_super(struct superblock *sb, uint32_t root_mode)
{
    struct tree *t = make_tree(sb);
    struct inode *root;

    if (!t)
        return -ENOMEM;
    t->max_pages = t->max_inodes = page_total_count() / 2;
    root = new_inode(sb, NULL, S_IFDIR | root_mode);
    if (!is_err(root))
        sb->root = dentry_make_anon("/", root);
    if (sb->root)
        return 0;
    inode_cache_drop_sb(sb);
    kfree(t);
    return -ENOMEM;
}

struct inode *tmpfs_add(struct inode *dir, const char *name, uint32_t mode, uint32_t rdev,
                        const char *target)
{
    size_t len = strlen(name);
    struct inode *ip = NULL;
    int err = -EEXIST;

    inode_lock(dir);
    if (!find_entry(dir, name, len)) {
        if (S_ISLNK(mode))
            err = tmpfs_symlink(dir, name, len, target, &ip);
        else
            err = tmpfs_mknod(dir, name, len, mode, rdev, &ip);
    }
    inode_unlock(dir);
    if (err)
        return err_ptr(err);
    inode_put(ip); /* its entry keeps it */
    return ip;
}

/* A number with k, m, g or % (of all memory) behind it, in pages; 0 if it is none. */
static size_t parse_pages(const char *s)
{
    size_t n = 0;

    while (*s >= '0' && *s <= '9' && n < SIZE_MAX / 16)
        n = n * 10 + (size_t)(*s++ - '0');
    switch (*s | 0x20) {
    case 'k': return n >> (PAGE_SHIFT - 10);
    case 'm': return n << (20 - PAGE_SHIFT);
    case 'g': return n << (30 - PAGE_SHIFT);
    case '%' | 0x20: return page_total_count() * MIN(n, (size_t)100) / 100;
    default: return n >> PAGE_SHIFT;
    }
}

static uint32_t parse_mode(const char *s)
{
    uint32_t mode = 0;

    while (*s >= '0' && *s <= '7')
        mode = mode * 8 + (uint32_t)(*s++ - '0');
    return mode & 07777;
}

static int tmpfs_mount(struct superblock *sb, const char *options)
{
    const char *size = strstr(options, "size="), *mode = strstr(options, "mode=");
    int err = tmpfs_fill_super(sb, mode ? parse_mode(mode + 5) : 01777);
    struct tree *t = sb->fs_private;

    if (!err && size)
        t->max_pages = parse_pages(size + 5);
    return err;
}

static struct fs_type tmpfs = {.name = "tmpfs", .mount = tmpfs_mount};

/* ---- Shared anonymous memory ------------------------------------------------------------------ */

static struct superblock shm_sb;

static struct dentry *shm_dentry(size_t len)
{
    struct inode *ip = new_inode(&shm_sb, NULL, S_IFREG | 0600);

    if (is_err(ip))
        return NULL;
    ip->nlink = 0; /* it never had a name */
    atomic_store(&ip->mapping.size, len);
    return dentry_make_anon("/dev/zero (deleted)", ip);
}

struct file *shared_anon_file(size_t len)
{
    struct dentry *d = shm_dentry(ALIGN_UP(len, PAGE_SIZE));
    struct file *f;

    if (!d)
        return err_ptr(-ENOMEM);
    f = file_open_dentry(d, O_RDWR);
    dentry_put(d);
    return f;
}

void tmpfs_init(void)
{
    fs_register(&tmpfs);
    superblock_init(&shm_sb, &tmpfs);
    BUG_ON(!make_tree(&shm_sb));
}
