/* SPDX-License-Identifier: MIT */
/*
 * The virtual file system: what every file system, device and pipe offers (super_ops, inode_ops,
 * file_ops), and the objects they share (superblock, inode, dentry, file).
 *
 * A dentry is a name in a directory and, since a file system is mounted in one place only, also a
 * path. Lookups go through the dentry cache (fs/dcache.c): hashed by (parent, name), negative
 * entries included. Every live inode is in the inode cache, once per (superblock, number).
 *
 * Locks: inode->lock (mutex) guards a directory's contents, a file's size and all attributes.
 * Order: MUTEX_RENAME, parent directory, child; never touch user memory with faults enabled while
 * holding it (page faults take the address space's lock, which comes later in the order).
 * Field marks: (I) immutable (a) atomic (i) inode->lock (d) dcache lock.
 */
#pragma once

#include <stdatomic.h>

#include <linux/stat.h>

#include "lib/list.h"
#include "lib/wait.h"
#include "mm/pagecache.h"
#include "mm/vmfile.h"

struct block_device;
struct dentry;
struct file;
struct inode;
struct superblock;
struct poll_table;

#define NAME_MAX 255
#define PATH_MAX 4096

struct timespec64 {
    int64_t sec;
    int64_t nsec;
};

static inline int first_error(int first, int second)
{
    return first ? first : second;
}

/* ---- File systems ---------------------------------------------------------------------------- */
struct fs_type {
    const char *name; /* "ext2", "tmpfs", "proc", "devtmpfs" */
    bool needs_device;
    /* Fills *sb (sb->root included). 0, -EINVAL (no such file system there), -EIO, -ENOMEM. If it
     * fails after sb->root was set, everything is undone as in unmounting; else by itself, with
     * inode_cache_drop_sb for the inodes it made, which would outlive *sb. */
    int (*mount)(struct superblock *sb, const char *options);
    struct list link;
};

struct fs_stat { /* in blocks of block_size bytes */
    uint32_t magic, block_size, name_max;
    uint64_t blocks, free_blocks, avail_blocks, files, free_files;
};

/* Every member may be NULL, except alloc_inode together with free_inode where an inode is embedded
 * in a larger object, and read_inode where inode_get is used. */
struct super_ops {
    void (*unmount)(struct superblock *sb); /* after sync and the last inode; frees fs_private */
    /* Metadata; the caller wrote the data. wait: until all is in the device, past its cache too. */
    int (*sync)(struct superblock *sb, bool wait);
    void (*statfs)(struct superblock *sb, struct fs_stat *st);
    int (*remount)(struct superblock *sb, bool read_only);
    /*
     * inode_get found nothing cached: allocate, and read from disk. ino is inode->ino. alloc_inode
     * only allocates, zeroed (NULL: no memory), and sets its own fields; the common ones are set up
     * afterwards: read_inode (or whoever called inode_new) then fills ops, fops, mapping.ops, mode,
     * owner, size... An inode whose read_inode failed goes straight to free_inode.
     */
    struct inode *(*alloc_inode)(struct superblock *sb);
    int (*read_inode)(struct inode *ip);
    /* Attributes changed: to the block that holds them. ip->lock held, or ip unreachable. */
    int (*write_inode)(struct inode *ip, bool wait);
    /*
     * The object goes away: the last reference is gone and nlink is 0 (free it on disk), or memory
     * is wanted. Its pages are gone already and its attributes written. Then free_inode. May sleep.
     */
    void (*evict_inode)(struct inode *ip);
    void (*free_inode)(struct inode *ip); /* only memory: under a spinlock */
};

struct superblock {
    const struct fs_type *type;  /* (I) */
    const struct super_ops *ops; /* (I) */
    struct block_device *bdev;   /* (I) NULL: none */
    struct dentry *root;         /* (I) */
    struct dentry *mountpoint;   /* (I) NULL for the root file system */
    char source[64];             /* (I) what was mounted, for /proc/mounts */
    uint32_t dev;                /* (I) st_dev */
    bool read_only;              /* (a) */
    uint64_t flags;              /* MS_* as mounted */
    unsigned block_size;         /* (I) */
    uint64_t max_size;           /* (I) largest file */
    struct mutex rename_lock;    /* MUTEX_RENAME */
    struct list inodes;          /* (icache lock) */
    struct list link;            /* (mount lock) all mounted ones */
    _Atomic unsigned writers;    /* files open for writing: they keep it from becoming read-only */
    void *fs_private;
};

/* For file systems with made-up names that cannot be mounted (pipes, shared memory). */
void superblock_init(struct superblock *sb, const struct fs_type *type);
/* The mounted ones in order of mounting, as lines of /proc/mounts; the length it would have. */
size_t mounts_text(char *buf, size_t size);

/* ---- Inodes ---------------------------------------------------------------------------------- */
/* Directory operations are called with the directory's lock held; names are not NUL-terminated
 * beyond len and contain no '/'. New inodes are returned referenced. */
struct inode_ops {
    /* -ENOENT, or 0 with *out NULL: no such name. Where names are created only through these
     * operations (create not NULL, or a device below), absence is remembered too. */
    int (*lookup)(struct inode *dir, const char *name, size_t len, struct inode **out);
    int (*create)(struct inode *dir, const char *name, size_t len, uint32_t mode,
                  struct inode **out);
    int (*mkdir)(struct inode *dir, const char *name, size_t len, uint32_t mode,
                 struct inode **out);
    int (*mknod)(struct inode *dir, const char *name, size_t len, uint32_t mode, uint32_t rdev,
                 struct inode **out);
    int (*symlink)(struct inode *dir, const char *name, size_t len, const char *target,
                   struct inode **out);
    int (*link)(struct inode *dir, const char *name, size_t len, struct inode *ip);
    int (*unlink)(struct inode *dir, const char *name, size_t len, struct inode *ip);
    int (*rmdir)(struct inode *dir, const char *name, size_t len, struct inode *ip);
    /* target: what new_name was, or NULL; removed in the same step. All locks held. */
    int (*rename)(struct inode *old_dir, const char *old_name, size_t old_len, struct inode *ip,
                  struct inode *new_dir, const char *new_name, size_t new_len,
                  struct inode *target);
    /* The whole target, NUL-terminated, kmalloc'ed: the caller frees it. err_ptr. */
    char *(*readlink)(struct inode *ip);
    int (*truncate)(struct inode *ip, uint64_t size); /* lock held: blocks and mapping */
    /* Refreshes what is made up on the fly (/proc sizes and owners). NULL: nothing to do. */
    void (*getattr)(struct inode *ip);
    /* A magic link (/proc/<pid>/exe, fd/N): the dentry it leads to, referenced. NULL op: use
     * readlink. err_ptr. */
    struct dentry *(*follow)(struct inode *ip);
    /* /proc: a name that may vanish at any time: false = look up again. NULL: always valid. The
     * directory's lock is held; may sleep. */
    bool (*still_valid)(struct inode *ip);
    /* Around each write of file data, lock held. before: may shorten *len, or refuse (-ENOSPC). */
    int (*before_write)(struct inode *ip, off_t pos, size_t *len);
    void (*after_write)(struct inode *ip);
};

struct inode {
    _Atomic uint32_t refs;                 /* (a) dentries, files, callers */
    uint64_t ino;                          /* (I) */
    struct superblock *sb;                 /* (I) */
    const struct inode_ops *ops;           /* (I) after read/creation */
    const struct file_ops *fops;           /* (I) for open; devices and FIFOs: see vfs_open */
    struct mutex lock;                     /* MUTEX_INODE: guards (i) */
    uint32_t mode;                         /* (i) S_IFMT bits immutable */
    uint32_t uid, gid;                     /* (i) */
    uint32_t nlink;                        /* (i) */
    uint32_t rdev;                         /* (I) makedev(major, minor), Linux's encoding */
    struct timespec64 atime, mtime, ctime; /* (i) */
    uint64_t blocks;                       /* (i) of 512 bytes */
    struct mapping mapping;                /* page cache; mapping.size is the file's size */
    bool busy;         /* (icache lock) being read, or on its way out: wait and look up again */
    struct pipe *pipe; /* FIFOs: (i) */
    struct list hash_link, sb_link, lru_link; /* (icache lock) */
    struct list dirty_link;                   /* (icache lock) linked: attributes to be written */
    void *fs_private;
    struct list locks;   /* fs/flock.c's */
    _Atomic int writers; /* (a) open regular files that may write; below 0: that are being run */
};

/* Some process runs it: it must not be written or cut. */
static inline bool inode_is_running(const struct inode *ip)
{
    return atomic_load_explicit(&ip->writers, memory_order_relaxed) < 0;
}

void inode_cache_init(void);
/* The cached or freshly read inode; err_ptr(-EIO, -ENOMEM, -ESTALE). */
struct inode *inode_get(struct superblock *sb, uint64_t ino);
/* A new inode object with number ino (file systems, after they allocated one): referenced, nlink 1.
 * NULL: no memory. May wait until an inode that had the number before is gone: hold no lock that
 * evict_inode takes. To give up on it: nlink = 0 and inode_put, which evicts it. */
struct inode *inode_new(struct superblock *sb, uint64_t ino);
struct inode *inode_ref(struct inode *ip);
void inode_put(struct inode *ip); /* may sleep: evicts at nlink 0, else keeps it cached */
void inode_mark_dirty(struct inode *ip);
int inode_sync(struct inode *ip, bool data_only); /* fsync: data, block tree, attributes, flush */
int inode_write_dirty(struct superblock *sb, bool wait); /* attributes; sb NULL: of all */
bool inode_cache_drop_sb(struct superblock *sb);   /* evicts the unused; false: some are in use */
bool inode_unlinked_in_use(struct superblock *sb); /* or being evicted just now */
size_t inode_cache_count(void);
size_t inode_cache_shrink(size_t want);
enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
/* Permission for the caller's fsuid/fsgid: 0, -EACCES, -EROFS. Never sleeps. */
int inode_permission(struct inode *ip, int mask);
int inode_permission_as(struct inode *ip, int mask, uint32_t uid, uint32_t gid);
bool inode_owner_or_root(struct inode *ip);
bool caller_is_root(void);          /* fsuid 0, or a kernel thread */
bool caller_in_group(uint32_t gid); /* fsgid or supplementary */
enum { TOUCH_ATIME = 1, TOUCH_MTIME = 2, TOUCH_CTIME = 4 };
void inode_touch(struct inode *ip, int which); /* TOUCH_*: sets times to now, marks dirty; locked */
void inode_accessed(struct inode *ip); /* after a read, lock not held: atime, as relatime says */
/* Written or given away by somebody else: set-id bits go. Lock held. */
void inode_kill_suid(struct inode *ip);
/* truncate(2): permission checked by the caller; limits, set-id bits, times. Takes the lock. */
int inode_set_size(struct inode *ip, uint64_t size);
struct timespec64 current_time(void);
/* A new inode's mode, owner (setgid directories) and times. */
void inode_init_owner(struct inode *ip, const struct inode *dir, uint32_t mode);

static inline uint64_t inode_size(const struct inode *ip)
{
    return atomic_load_explicit(&ip->mapping.size, memory_order_relaxed);
}

/* ---- Dentries -------------------------------------------------------------------------------- */
#define DENTRY_DEAD 0x80000000u /* in refs: out of the hash for good; the last user frees it */

struct dentry {
    _Atomic uint32_t refs;      /* (a) users, | DENTRY_DEAD; a child holds its parent */
    struct dentry *parent;      /* (d) itself for a file system's root */
    struct inode *inode;        /* (d) NULL: negative. With a user it only goes from NULL to set */
    struct superblock *sb;      /* (I) */
    struct superblock *mounted; /* (d) what is mounted here */
    char *name;                 /* (d) */
    uint16_t len;               /* (d) */
    uint32_t hash;              /* (d) */
    bool touched;               /* (d) found since the shrinker last looked */
    struct list hash_link;      /* (d) not linked: deleted, or never cached */
    struct list child_link, children, lru_link; /* (d) */
};

void dcache_init(void);
struct dentry *dentry_ref(struct dentry *d);
void dentry_put(struct dentry *d); /* NULL and err_ptr are fine. May sleep */
/* A file system's root "/", or a nameless file "pipe:[7]"; unhashed. Takes the inode's reference, on
 * failure (NULL) too. */
struct dentry *dentry_make_anon(const char *name, struct inode *ip);
/* The name goes (a process is gone, a file was unlinked): found no more, users keep it. */
void dentry_unhash(struct dentry *d);
/* Forgets every name below d that nobody uses. */
void dentry_prune(struct dentry *d);
size_t dcache_count(void);
size_t dcache_shrink(size_t want);
/* The path from the caller's root (or the absolute one), written at the end of buf; its start, or
 * err_ptr(-ENAMETOOLONG). A deleted name gets " (deleted)". */
char *dentry_path(struct dentry *d, char *buf, size_t size);

/* ---- Lookup (fs/namei.c) --------------------------------------------------------------------- */
/* path is a kernel string, followed to its end. A referenced, positive dentry, or err_ptr. */
struct dentry *path_lookup(const char *path);
/* A string from user memory: kmalloc'ed, or err_ptr(-EFAULT, -ENAMETOOLONG, -ENOMEM). */
char *path_from_user(uaddr_t upath);
struct file *vfs_open(int dirfd, const char *path, int flags, uint32_t mode);
/* Without asking for permission; takes its own reference on d. */
struct file *file_open_dentry(struct dentry *d, int flags);

/* ---- Open files ------------------------------------------------------------------------------ */
struct file_ops {
    int (*open)(struct inode *ip, struct file *f);
    void (*release)(struct file *f); /* last reference; may sleep */
    /* ubuf is user memory (faults allowed: no locks held by the caller but the file position's).
     * *pos is advanced. Bytes, 0 at the end, or an errno. */
    ssize_t (*read)(struct file *f, uaddr_t ubuf, size_t len, off_t *pos);
    ssize_t (*write)(struct file *f, uaddr_t ubuf, size_t len, off_t *pos);
    /* The same to and from any memory, as one step. They come before read and write, which are asked
     * piece by piece; sendfile and copy_file_range write with writev only. */
    ssize_t (*readv)(struct file *f, struct uio *u, off_t *pos);
    ssize_t (*writev)(struct file *f, struct uio *u, off_t *pos);
    /* NULL: the usual way for regular files, directories and block devices, -ESPIPE for others. A
     * character device with an lseek may also be read and written at a position. */
    off_t (*lseek)(struct file *f, off_t off, int whence);
    /* Adds entries with emit until it returns false; *pos is the file system's cookie. Directory
     * locked by the caller. */
    int (*iterate)(struct file *f, off_t *pos,
                   bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino,
                                unsigned type, off_t next),
                   void *arg);
    int (*ioctl)(struct file *f, unsigned cmd, uint64_t arg); /* -ENOTTY: not for this file */
    /* EPOLL* readiness now; registers on the wait queues that will tell of a change. */
    unsigned (*poll)(struct file *f, struct poll_table *pt);
    int (*fsync)(struct file *f, bool data_only);
    bool cached; /* in the page cache: can be mapped, and is synced as an inode */
};

enum { /* file->mode */
       FMODE_READ = 1,
       FMODE_WRITE = 2,
       FMODE_POS = 4,   /* has a position that threads must not race for */
       FMODE_PREAD = 8, /* pread, pwrite, lseek make sense */
       FMODE_PATH = 16, /* O_PATH: only a place */
};

struct file {
    _Atomic uint32_t refs;      /* (a) */
    uint8_t mode;               /* (I) after open; FMODE_* */
    int8_t claim;               /* (I) after open; its share of inode->writers */
    const struct file_ops *ops; /* (I) */
    struct inode *inode;        /* (I) referenced; pipes and the like have anonymous inodes */
    struct dentry *dentry;      /* (I) referenced */
    _Atomic uint32_t flags;     /* O_* status flags (O_ACCMODE immutable) */
    struct mutex pos_lock;      /* MUTEX_FILE_POS: guards pos between threads */
    off_t pos;
    void *private_data;
};

static inline bool file_has_flag(struct file *f, uint32_t flag)
{
    return atomic_load_explicit(&f->flags, memory_order_relaxed) & flag;
}

size_t file_open_count(void);
/* fd tables (fs/fdtable.c) */
struct files;
/* In two steps, so that running out of descriptors is found before anything is done. */
int fd_reserve(int flags, unsigned lowest);
void fd_publish(int fd, struct file *f); /* takes the reference */
void fd_unreserve(int fd);
/* The caller's file for one system call, without a reference where nobody else can close it. */
struct fdref {
    struct file *file; /* NULL: EBADF */
    bool counted;
};
struct fdref fd_borrow(int fd);      /* not for O_PATH files */
struct fdref fd_borrow_path(int fd); /* those too */
static inline void fd_return(struct fdref r)
{
    if (unlikely(r.counted))
        file_put(r.file);
}
/* For /proc/<pid>/fd, cwd, root: other processes' tables. Results are referenced. */
struct file *files_file_at(struct files *files, int fd); /* NULL: not open. O_PATH files too */
int files_next_fd(struct files *files, int from);        /* the first open one >= from, or -1 */
struct dentry *files_cwd(struct files *files);
struct dentry *files_root(struct files *files);

/* ---- poll ------------------------------------------------------------------------------------ */
/* pt NULL: only readiness is asked. ops->poll calls it before it looks at the state. */
void poll_add(struct poll_table *pt, struct waitq *wq);

/* ---- Registries ------------------------------------------------------------------------------ */
void fs_register(struct fs_type *t);
const struct file_ops *chrdev_find(uint32_t rdev); /* character devices: fs/devfs.c */
extern const struct file_ops blkdev_file_ops, fifo_file_ops, regular_file_ops;

static inline uint32_t make_dev(unsigned major, unsigned minor) /* Linux's 32-bit encoding */
{
    return (minor & 0xff) | (major & 0xfff) << 8 | (minor & ~0xffU) << 12;
}
static inline unsigned dev_major(uint32_t dev)
{
    return dev >> 8 & 0xfff;
}
static inline unsigned dev_minor(uint32_t dev)
{
    return (dev & 0xff) | (dev >> 12 & 0xfff00);
}

long pipe_fcntl(struct file *f, int cmd, uint64_t arg); /* F_GETPIPE_SZ, F_SETPIPE_SZ */
/* The owner's are given up: an open file's at its last close, a struct files's at any close. */
void flock_release(struct inode *ip, const void *owner);
long flock_fcntl(struct file *f, int fd, int cmd, uaddr_t arg);

/* Over `at`; NULL: it becomes the root. */
int vfs_mount(const char *source, struct dentry *at, const char *type, uint64_t flags,
              const char *options);
void vfs_sync_all(bool wait); /* false: begins what is due */
int vfs_sync_sb(struct superblock *sb);
void flusher_start(void);

/* Called by fs_init, in this order. */
void pipe_init(void);
void tmpfs_init(void);
void ext2_init(void);
void devfs_init(void);
void procfs_init(void);
extern struct dentry *vfs_root;
