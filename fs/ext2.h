/* SPDX-License-Identifier: MIT */
/*
 * What the files of the ext2 driver share. ext2_super.c: mounting; ext2_alloc.c: bitmaps and counts;
 * ext2_map.c: a file's block tree; ext2_data.c: file contents between page cache and disk;
 * ext2_inode.c: inodes on disk; ext2_dir.c: directory blocks; ext2_namei.c: directory operations.
 *
 * Everything read from the disk is checked where it is used: a block number before it is followed,
 * a directory entry before it is looked at. What is wrong is told (ext2_error) and becomes -EIO.
 *
 * Locks: inode->lock (directory contents, size), map_lock (block tree), alloc_lock (bitmaps, group
 * descriptors, counts), in this order. Looking up a block needs one of the first two.
 */
#pragma once

#include "drivers/block.h"
#include "fs/ext2_format.h"
#include "fs/vfs.h"

struct ext2_space { /* blocks or inodes, in groups of per_group: `count` of them from `first` on */
    uint32_t first, count, per_group;
};

struct ext2_fs { /* (I) unless marked; (A) alloc_lock */
    struct superblock *sb;
    struct block_device *bd;
    struct ext2_super *super;           /* (A) a referenced block, like the next */
    struct ext2_group_desc **gd_blocks; /* (A) contents */
    unsigned ngd_blocks;
    unsigned block_size, block_bits;
    unsigned inode_size;
    uint32_t pointers; /* in an indirect block */
    uint32_t groups;
    uint32_t first_ino, table_blocks;
    uint32_t overhead; /* blocks that never hold data */
    bool filetype;
    bool may_write;       /* no feature forbids it */
    uint16_t clean_state; /* s_state to write when all is written */
    struct mutex alloc_lock;
    struct ext2_space space[2]; /* by enum ext2_kind */
    struct list orphans;        /* (A) inodes without a name that are still in use */
    _Atomic unsigned errors_told;
};

struct ext2_inode {
    struct inode vfs;
    struct mutex map_lock;        /* guards (M); and vfs.blocks */
    uint32_t block[EXT2_NBLOCKS]; /* (M) as on disk; a short symbolic link's text */
    uint32_t alloc_end; /* (i) block after the last one that a write got beyond the size */
    uint32_t dir_hint;  /* (i) blocks before this one have no room worth looking for */
    uint32_t flags;     /* (i) EXT2_FL_* */
    uint32_t xattr_block;
    bool on_disk;       /* the inode's number is taken, its slot written */
    struct list orphan; /* (A) */
};

static inline struct ext2_fs *ext2_fs_of(const struct inode *ip)
{
    return ip->sb->fs_private;
}

static inline struct ext2_inode *ext2_inode_of(struct inode *ip)
{
    return container_of(ip, struct ext2_inode, vfs);
}

/* A pointer to a block that may hold data or pointers: never the superblock's. */
static inline bool ext2_block_valid(const struct ext2_fs *fs, uint32_t block)
{
    const struct ext2_space *s = &fs->space[EXT2_BLOCKS];

    return block > s->first && block - s->first < s->count;
}

static inline uint32_t ext2_size_blocks(const struct ext2_fs *fs, uint64_t size)
{
    return (uint32_t)((size + fs->block_size - 1) >> fs->block_bits);
}

/* Metadata blocks: see block_get. */
static inline void *ext2_block(const struct ext2_fs *fs, uint32_t block)
{
    return block_get(fs->bd, block, fs->block_bits);
}

static inline void ext2_block_dirty(const struct ext2_fs *fs, const void *block)
{
    block_mark_dirty(block, fs->block_size);
}

/* The image is damaged: tells so (a few times), remembers it in the superblock, and stops writing
 * if the superblock asks for that. */
void ext2_error(struct ext2_fs *fs, const char *fmt, ...) printf_like(2, 3);

/* ext2_alloc.c. Groups are numbered from 0, blocks and inodes as on disk. */
struct ext2_group_desc *ext2_group(struct ext2_fs *fs, uint32_t group);
uint32_t ext2_group_of(const struct ext2_space *s, uint32_t n);
uint32_t ext2_group_first(const struct ext2_space *s, uint32_t group);
uint32_t ext2_group_size(const struct ext2_space *s, uint32_t group);
bool ext2_group_has_super(const struct ext2_fs *fs, uint32_t group);
int ext2_alloc_block(struct ext2_fs *fs, uint32_t goal, uint32_t *block) must_check;
void ext2_free_blocks(struct ext2_fs *fs, uint32_t start, uint32_t count);
bool ext2_block_in_use(struct ext2_fs *fs, uint32_t block);
int ext2_alloc_inode(struct inode *dir, bool is_dir, uint32_t *ino) must_check;
void ext2_free_inode(struct ext2_fs *fs, uint32_t ino, bool was_dir);

/* ext2_map.c */
/* Where block `logical` is (*physical == 0: a hole), and how many of the next max blocks follow on
 * in the same way. The caller holds the inode or map_lock. */
int ext2_map(struct inode *ip, uint64_t logical, unsigned max, uint32_t *physical,
             unsigned *n) must_check;
/* The same for one block, which is allocated if it is a hole (*fresh); its contents are old then. */
int ext2_map_alloc(struct inode *ip, uint64_t logical, uint32_t *physical, bool *fresh) must_check;
int ext2_free_range(struct inode *ip, uint64_t from, uint64_t to); /* blocks from ... to - 1 */

/* ext2_data.c */
extern const struct mapping_ops ext2_mapping_ops;

/* ext2_inode.c */
struct inode *ext2_alloc_vfs_inode(struct superblock *sb);
void ext2_free_vfs_inode(struct inode *ip);
int ext2_read_inode(struct inode *ip);
int ext2_write_inode(struct inode *ip, bool wait);
void ext2_evict_inode(struct inode *ip);
int ext2_truncate(struct inode *ip, uint64_t size);
void ext2_add_orphan(struct inode *ip);     /* nlink just became 0 */
void ext2_free_orphans(struct ext2_fs *fs); /* before the disk is closed for good */
bool ext2_has_tree(const struct inode *ip); /* i_block holds block pointers */
/* A new inode of the given mode in dir, referenced and on disk. To give up: nlink = 0, inode_put. */
int ext2_new_inode(struct inode *dir, uint32_t mode, uint32_t rdev, struct inode **out) must_check;

/* ext2_dir.c. Directory locked. */
struct ext2_slot {
    uint8_t *block; /* referenced; NULL: none yet, or no more */
    struct ext2_dirent *entry;
    uint64_t pos; /* of the entry in the directory */
};
int ext2_dir_find(struct inode *dir, const char *name, size_t len,
                  struct ext2_slot *slot) must_check;
int ext2_dir_add(struct inode *dir, const char *name, size_t len, struct inode *ip) must_check;
void ext2_dir_remove(struct inode *dir, struct ext2_slot *slot); /* both put it */
void ext2_dir_replace(struct inode *dir, struct ext2_slot *slot, struct inode *ip);
int ext2_dir_is_empty(struct inode *dir) must_check; /* 0, -ENOTEMPTY, -EIO */
extern const struct file_ops ext2_dir_file_ops;

/* ext2_namei.c */
extern const struct inode_ops ext2_dir_ops, ext2_file_inode_ops, ext2_symlink_ops, ext2_special_ops;
extern struct file_ops ext2_file_ops; /* regular_file_ops and an open that honours inode flags */
void ext2_init_file_ops(void);
