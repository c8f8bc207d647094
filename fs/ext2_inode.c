/* SPDX-License-Identifier: MIT */
/*
 * Inodes on disk: reading with every field checked, writing (fields that this driver does not know
 * are kept as they are), making, freeing.
 *
 * A new inode is written at once, so that a slot that cannot be read fails the creation; from then
 * on `on_disk` says that its number must be given back when it goes.
 */
#include "fs/ext2.h"
#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#define SECONDS_EPOCH 3u /* bits of an _extra field that extend the seconds */
#define MAX_LINK_TEXT PATH_MAX

struct inode *ext2_alloc_vfs_inode(struct superblock *sb)
{
    struct ext2_inode *ei = kmalloc(sizeof(*ei), ALLOC_ZERO);

    (void)sb;
    if (!ei)
        return NULL;
    mutex_init(&ei->map_lock, MUTEX_BLOCKMAP);
    list_init(&ei->orphan);
    return &ei->vfs;
}

void ext2_free_vfs_inode(struct inode *ip)
{
    kfree(ext2_inode_of(ip));
}

/* The inode's slot in its group's table; the caller puts it. err_ptr. */
static struct ext2_dinode *find_slot(struct ext2_fs *fs, uint64_t ino)
{
    const struct ext2_space *s = &fs->space[EXT2_INODES];
    uint32_t group = ext2_group_of(s, (uint32_t)ino);
    uint64_t byte = (ino - ext2_group_first(s, group)) * fs->inode_size;
    uint8_t *table =
        ext2_block(fs, ext2_group(fs, group)->bg_inode_table + (uint32_t)(byte >> fs->block_bits));

    return (void *)(is_err(table) ? table : table + (byte & (fs->block_size - 1)));
}

/* ---- Times ------------------------------------------------------------------------------------ */

/* The nanoseconds and high bits of a time, where the inode is large enough to have them. */
static uint32_t *extra_of(const struct ext2_fs *fs, struct ext2_dinode *di, uint32_t *extra)
{
    unsigned room = fs->inode_size - EXT2_OLD_INODE_SIZE;
    size_t end = (size_t)((uint8_t *)(extra + 1) - (uint8_t *)&di->i_extra_isize);

    return room && di->i_extra_isize <= room && end <= di->i_extra_isize ? extra : NULL;
}

static struct timespec64 decode_time(uint32_t sec, const uint32_t *extra)
{
    struct timespec64 t = {.sec = (int32_t)sec};

    if (extra) {
        t.sec += (int64_t)(*extra & SECONDS_EPOCH) << 32;
        t.nsec = *extra >> 2 < NSEC_PER_SEC ? *extra >> 2 : 0;
    }
    return t;
}

static uint32_t encode_time(struct timespec64 t, uint32_t *extra)
{
    if (extra)
        *extra = (uint32_t)((t.sec - (int32_t)t.sec) >> 32 & SECONDS_EPOCH) | (uint32_t)t.nsec << 2;
    return (uint32_t)t.sec;
}

/* ---- Reading ---------------------------------------------------------------------------------- */

static bool is_fast_symlink(const struct inode *ip)
{
    const struct ext2_fs *fs = ext2_fs_of(ip);
    const struct ext2_inode *ei = container_of(ip, const struct ext2_inode, vfs);
    uint64_t attributes = ei->xattr_block ? fs->block_size / 512 : 0;

    return S_ISLNK(ip->mode) && ip->blocks == attributes;
}

bool ext2_has_tree(const struct inode *ip)
{
    return S_ISREG(ip->mode) || S_ISDIR(ip->mode) || (S_ISLNK(ip->mode) && !is_fast_symlink(ip));
}

static const char *check_size(const struct inode *ip, uint64_t size)
{
    const struct ext2_fs *fs = ext2_fs_of(ip);

    if (S_ISREG(ip->mode) && size > ip->sb->max_size)
        return "file larger than possible";
    if (S_ISDIR(ip->mode) &&
        (!size || size % fs->block_size || size >> fs->block_bits > fs->space[EXT2_BLOCKS].count))
        return "bad directory size";
    if (is_fast_symlink(ip) && (!size || size >= EXT2_FAST_SYMLINK))
        return "bad length of a short symbolic link";
    if (S_ISLNK(ip->mode) && (!size || size > fs->block_size || size >= MAX_LINK_TEXT))
        return "bad length of a symbolic link";
    return NULL;
}

static void set_ops(struct inode *ip)
{
    if (S_ISREG(ip->mode)) {
        ip->ops = &ext2_file_inode_ops;
        ip->fops = &ext2_file_ops;
        ip->mapping.ops = &ext2_mapping_ops;
    } else if (S_ISDIR(ip->mode)) {
        ip->ops = &ext2_dir_ops;
        ip->fops = &ext2_dir_file_ops;
    } else if (S_ISLNK(ip->mode)) {
        ip->ops = &ext2_symlink_ops;
        ip->mapping.ops = &ext2_mapping_ops;
    } else {
        ip->ops = &ext2_special_ops;
    }
}

static const char *decode(struct inode *ip, struct ext2_dinode *di)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    uint64_t size = di->i_size;
    const char *wrong;

    ip->mode = di->i_mode;
    ip->nlink = di->i_links_count;
    ip->uid = di->i_uid | (uint32_t)di->i_uid_high << 16;
    ip->gid = di->i_gid | (uint32_t)di->i_gid_high << 16;
    ip->blocks = di->i_blocks;
    ip->atime = decode_time(di->i_atime, extra_of(fs, di, &di->i_atime_extra));
    ip->mtime = decode_time(di->i_mtime, extra_of(fs, di, &di->i_mtime_extra));
    ip->ctime = decode_time(di->i_ctime, extra_of(fs, di, &di->i_ctime_extra));
    ei->flags = di->i_flags;
    ei->xattr_block = di->i_file_acl;
    ei->on_disk = true;
    memcpy(ei->block, di->i_block, sizeof(ei->block));

    if (!ip->nlink)
        return "in use by a directory, but deleted";
    if (!S_ISREG(ip->mode) && !S_ISDIR(ip->mode) && !S_ISLNK(ip->mode) && !S_ISCHR(ip->mode) &&
        !S_ISBLK(ip->mode) && !S_ISFIFO(ip->mode) && !S_ISSOCK(ip->mode))
        return "unknown file type";
    if (ip->ino == EXT2_ROOT_INO && !S_ISDIR(ip->mode))
        return "the root is no directory";
    if (ei->flags & EXT2_FL_NOT_BLOCKS)
        return "stored in a way of ext4";
    if (ei->xattr_block && !ext2_block_valid(fs, ei->xattr_block))
        return "attribute block out of range";
    if (S_ISREG(ip->mode))
        size |= (uint64_t)di->i_size_high << 32;
    wrong = check_size(ip, size);
    if (wrong)
        return wrong;
    if (S_ISCHR(ip->mode) || S_ISBLK(ip->mode))
        ip->rdev = ei->block[0] ? make_dev(ei->block[0] >> 8 & 0xff, ei->block[0] & 0xff)
                                : ei->block[1]; /* the old encoding, or Linux's */
    atomic_store(&ip->mapping.size, size);
    set_ops(ip);
    return NULL;
}

int ext2_read_inode(struct inode *ip)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_dinode *di;
    const char *wrong;

    if (ip->ino > fs->space[EXT2_INODES].count ||
        (ip->ino < fs->first_ino && ip->ino != EXT2_ROOT_INO)) {
        ext2_error(fs, "inode number %lu is out of range", ip->ino);
        return -EIO;
    }
    di = find_slot(fs, ip->ino);
    if (is_err(di))
        return ptr_err(di);
    wrong = decode(ip, di);
    block_put(di);
    if (!wrong)
        return 0;
    ext2_error(fs, "inode %lu: %s (mode 0%o, flags 0x%x)", ip->ino, wrong, ip->mode,
               ext2_inode_of(ip)->flags);
    return -EIO;
}

/* ---- Writing ---------------------------------------------------------------------------------- */

static void encode(struct ext2_fs *fs, struct ext2_dinode *di, struct inode *ip)
{
    struct ext2_inode *ei = ext2_inode_of(ip);
    uint64_t size = inode_size(ip);

    di->i_mode = (uint16_t)ip->mode;
    di->i_links_count = (uint16_t)ip->nlink;
    di->i_uid = (uint16_t)ip->uid;
    di->i_uid_high = (uint16_t)(ip->uid >> 16);
    di->i_gid = (uint16_t)ip->gid;
    di->i_gid_high = (uint16_t)(ip->gid >> 16);
    di->i_size = (uint32_t)size;
    if (S_ISREG(ip->mode))
        di->i_size_high = (uint32_t)(size >> 32);
    di->i_atime = encode_time(ip->atime, extra_of(fs, di, &di->i_atime_extra));
    di->i_mtime = encode_time(ip->mtime, extra_of(fs, di, &di->i_mtime_extra));
    di->i_ctime = encode_time(ip->ctime, extra_of(fs, di, &di->i_ctime_extra));
    di->i_flags = ei->flags;
    di->i_file_acl = ei->xattr_block;
    mutex_lock(&ei->map_lock);
    di->i_blocks = (uint32_t)ip->blocks;
    memcpy(di->i_block, ei->block, sizeof(ei->block));
    mutex_unlock(&ei->map_lock);
    if (S_ISCHR(ip->mode) || S_ISBLK(ip->mode))
        di->i_block[0] = 0, di->i_block[1] = ip->rdev;
}

/* fresh: the slot's old contents are somebody else's. dtime: when it was freed, or 0. */
static int write_slot(struct inode *ip, bool fresh, int64_t dtime)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_dinode *di = find_slot(fs, ip->ino);

    if (is_err(di))
        return ptr_err(di);
    if (fresh) {
        memset(di, 0, fs->inode_size);
        if (fs->inode_size > EXT2_OLD_INODE_SIZE)
            di->i_extra_isize =
                MIN(fs->inode_size - EXT2_OLD_INODE_SIZE, (unsigned)EXT2_EXTRA_SIZE);
    }
    encode(fs, di, ip);
    di->i_dtime = (uint32_t)dtime;
    block_mark_dirty(di, fs->inode_size);
    block_put(di);
    return 0;
}

int ext2_write_inode(struct inode *ip, bool wait)
{
    (void)wait; /* sync writes the blocks out */
    return ext2_inode_of(ip)->on_disk ? write_slot(ip, false, 0) : 0;
}

/* ---- Birth and death -------------------------------------------------------------------------- */

int ext2_new_inode(struct inode *dir, uint32_t mode, uint32_t rdev, struct inode **out)
{
    struct ext2_fs *fs = ext2_fs_of(dir);
    struct inode *ip;
    uint32_t ino;
    int err = ext2_alloc_inode(dir, S_ISDIR(mode), &ino);

    if (err)
        return err;
    ip = inode_new(dir->sb, ino);
    err = -ENOMEM;
    if (ip) {
        inode_init_owner(ip, dir, mode);
        ip->rdev = rdev;
        set_ops(ip);
        err = write_slot(ip, true, 0);
    }
    if (err) {
        if (ip)
            ip->nlink = 0;
        inode_put(ip); /* first: nobody may get the number while it is in the cache */
        ext2_free_inode(fs, ino, S_ISDIR(mode));
        return err;
    }
    ext2_inode_of(ip)->on_disk = true;
    inode_mark_dirty(ip);
    *out = ip;
    return 0;
}

/* Extended attributes may be shared by several inodes. */
static void release_xattr_block(struct inode *ip)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    struct ext2_xattr_header *h = ei->xattr_block ? ext2_block(fs, ei->xattr_block) : NULL;
    bool last;

    if (!h)
        return;
    if (is_err(h) || h->h_magic != EXT2_XATTR_MAGIC) {
        ext2_error(fs, "inode %lu: attribute block %u is unreadable and lost", ip->ino,
                   ei->xattr_block);
        last = false;
    } else {
        mutex_lock(&fs->alloc_lock);
        last = h->h_refcount <= 1;
        if (!last)
            h->h_refcount--;
        mutex_unlock(&fs->alloc_lock);
        block_mark_dirty(h, sizeof(*h));
    }
    if (!is_err(h))
        block_put(h);
    if (last) {
        block_forget(fs->bd, ei->xattr_block, fs->block_bits);
        ext2_free_blocks(fs, ei->xattr_block, 1);
    }
    ip->blocks -= MIN(ip->blocks, (uint64_t)fs->block_size / 512);
    ei->xattr_block = 0;
}

/* Gives blocks and number back. The inode's pages are gone. */
static void free_on_disk(struct inode *ip)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    int err = 0;

    atomic_store(&ip->mapping.size, 0);
    if (ext2_has_tree(ip))
        err = ext2_free_range(ip, 0, UINT64_MAX);
    if (!err) {
        release_xattr_block(ip);
        memset(ei->block, 0, sizeof(ei->block));
        ip->rdev = 0;
        err = write_slot(ip, false, current_time().sec);
    }
    ei->on_disk = false;
    if (err) /* e2fsck finds it: in use, without a name */
        ext2_error(fs, "inode %lu cannot be freed: error %d", ip->ino, -err);
    else
        ext2_free_inode(fs, (uint32_t)ip->ino, S_ISDIR(ip->mode));
}

void ext2_evict_inode(struct inode *ip)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);

    if (ip->nlink) /* memory is wanted, by who may hold any lock: nothing is taken */
        return;
    mutex_lock(&fs->alloc_lock);
    list_del(&ei->orphan);
    mutex_unlock(&fs->alloc_lock);
    if (ei->on_disk && !ip->sb->read_only)
        free_on_disk(ip);
}

void ext2_add_orphan(struct inode *ip)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);

    mutex_lock(&fs->alloc_lock);
    if (list_empty(&ei->orphan))
        list_add(&fs->orphans, &ei->orphan);
    mutex_unlock(&fs->alloc_lock);
}

/* The next one that is not being evicted already, referenced. */
static struct inode *take_orphan(struct ext2_fs *fs)
{
    struct ext2_inode *ei;
    struct inode *ip = NULL;

    mutex_lock(&fs->alloc_lock);
    list_for_each (ei, &fs->orphans, orphan) {
        uint32_t refs = atomic_load(&ei->vfs.refs);

        while (refs && !atomic_compare_exchange_weak(&ei->vfs.refs, &refs, refs + 1))
            ;
        if (refs) {
            ip = &ei->vfs;
            list_del(&ei->orphan);
            break;
        }
    }
    mutex_unlock(&fs->alloc_lock);
    return ip;
}

void ext2_free_orphans(struct ext2_fs *fs)
{
    struct inode *ip;

    while ((ip = take_orphan(fs))) {
        inode_lock_nested(ip);
        if (ext2_has_tree(ip))
            mapping_truncate(&ip->mapping, 0);
        if (ext2_inode_of(ip)->on_disk)
            free_on_disk(ip);
        inode_unlock(ip);
        inode_put(ip);
    }
}

int ext2_truncate(struct inode *ip, uint64_t size)
{
    struct ext2_fs *fs = ext2_fs_of(ip);
    struct ext2_inode *ei = ext2_inode_of(ip);
    int err;

    if (ei->flags & (EXT2_FL_IMMUTABLE | EXT2_FL_APPEND))
        return -EPERM;
    err = mapping_truncate(&ip->mapping, size);
    inode_mark_dirty(ip);
    if (err)
        return err;
    ei->alloc_end = 0;
    return ext2_free_range(ip, ext2_size_blocks(fs, size), UINT64_MAX);
}
