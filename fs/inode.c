/* SPDX-License-Identifier: MIT */
/*
 * The inode cache: every inode in memory once per (superblock, number), referenced or not; and what
 * all file systems share about attributes: permission, owners, times, set-id bits.
 *
 *  [1] An inode is in the hash from its creation until its eviction is complete, so a number is
 *      never served by two objects. `busy` ones, being read or evicted, are waited for.
 *  [2] refs goes from 0 to 1, and from 1 to 0, only under icache_lock.
 *  [3] refs == 0 and not busy: on the LRU list, nlink > 0.
 *  [4] A dirty inode is on the dirty list; it leaves it, locked, just before its attributes are
 *      written. So who locks an inode that is not on the list knows that they are.
 *
 * Locks: icache_lock (spinlock) for hash, lists and the marks above; inode->lock for attributes.
 */
#include "fs/dcache.h"
#include "lib/log.h"
#include "mm/kmalloc.h"
#include "proc/process.h"
#include "proc/timer.h"

#include <linux/mount.h>

static struct spinlock icache_lock = SPINLOCK_INIT(RANK_ICACHE, "icache");
static struct waitq icache_wait = WAITQ_INIT(icache_wait);
static struct list *buckets;
static uint32_t bucket_mask;
static struct list lru = LIST_INIT(lru), dirty = LIST_INIT(dirty);
static size_t ninodes;
static struct kcache *plain_inodes;

struct list *hash_buckets(uint32_t *mask)
{
    struct list *b;
    size_t n = 256;

    while (n < 16384 && n * 32 < page_total_count())
        n *= 2;
    b = kmalloc(n * sizeof(*b), 0);
    BUG_ON(!b);
    for (size_t i = 0; i < n; i++)
        list_init(&b[i]);
    *mask = (uint32_t)n - 1;
    return b;
}

void inode_cache_init(void)
{
    buckets = hash_buckets(&bucket_mask);
    plain_inodes = kcache_create("inode", sizeof(struct inode));
    page_register_shrinker(inode_cache_shrink);
}

size_t inode_cache_count(void)
{
    return READ_ONCE(ninodes);
}

/* ---- Birth ------------------------------------------------------------------------------------ */

static struct inode *object_alloc(struct superblock *sb, uint64_t ino, bool busy)
{
    struct inode *ip =
        sb->ops->alloc_inode ? sb->ops->alloc_inode(sb) : kcache_alloc(plain_inodes, ALLOC_ZERO);

    if (!ip)
        return NULL;
    atomic_init(&ip->refs, 1);
    ip->ino = ino;
    ip->sb = sb;
    ip->nlink = 1;
    ip->busy = busy;
    mutex_init(&ip->lock, MUTEX_INODE);
    mapping_init(&ip->mapping, NULL);
    list_init(&ip->hash_link);
    list_init(&ip->sb_link);
    list_init(&ip->lru_link);
    list_init(&ip->dirty_link);
    list_init(&ip->locks);
    return ip;
}

static void object_free(struct inode *ip)
{
    assert(list_empty(&ip->locks));
    if (ip->sb->ops->free_inode)
        ip->sb->ops->free_inode(ip);
    else
        kcache_free(plain_inodes, ip);
}

static void remove_locked(struct inode *ip)
{
    list_del(&ip->hash_link);
    list_del(&ip->sb_link);
    list_del(&ip->lru_link);
    list_del(&ip->dirty_link);
    ninodes--;
}

/*
 * *out: the inode of that number, referenced; or add, which takes its place if there is none. False
 * if there is one that is not ready, or on its way out: ask again.
 */
static bool find_or_add(struct superblock *sb, uint64_t ino, struct inode *add, struct inode **out)
{
    uint64_t h = (ino ^ (uintptr_t)sb >> 4) * 0x9e3779b97f4a7c15UL;
    struct list *bucket = &buckets[h >> 40 & bucket_mask];
    struct inode *ip;
    bool ready = true;

    spin_lock(&icache_lock);
    list_for_each (ip, bucket, hash_link)
        if (ip->ino == ino && ip->sb == sb)
            break;
    if (&ip->hash_link == bucket) {
        ip = add;
        if (add) {
            list_add(bucket, &add->hash_link);
            list_add_tail(&sb->inodes, &add->sb_link);
            ninodes++;
        }
    } else if (ip->busy) {
        ready = false;
    } else {
        inode_ref(ip);
    }
    spin_unlock(&icache_lock);
    *out = ip;
    return ready;
}

struct inode *inode_get(struct superblock *sb, uint64_t ino)
{
    struct inode *ip, *new;
    int err;

    wait_event(&icache_wait, find_or_add(sb, ino, NULL, &ip));
    if (ip)
        return ip;
    new = object_alloc(sb, ino, true);
    if (!new)
        return err_ptr(-ENOMEM);
    wait_event(&icache_wait, find_or_add(sb, ino, new, &ip));
    if (ip != new) {
        object_free(new);
        return ip;
    }
    err = sb->ops->read_inode(ip);
    spin_lock(&icache_lock);
    ip->busy = false;
    if (err)
        remove_locked(ip);
    spin_unlock(&icache_lock);
    waitq_wake_all(&icache_wait);
    if (!err)
        return ip;
    mapping_destroy(&ip->mapping);
    object_free(ip);
    return err_ptr(err);
}

struct inode *inode_new(struct superblock *sb, uint64_t ino)
{
    struct inode *new = object_alloc(sb, ino, false), *ip;

    if (!new)
        return NULL;
    wait_event(&icache_wait, find_or_add(sb, ino, new, &ip));
    if (ip == new)
        return new;
    /* The file system gave a live inode's number away: a damaged bitmap. */
    inode_put(ip);
    object_free(new);
    return NULL;
}

struct inode *inode_ref(struct inode *ip)
{
    atomic_fetch_add_explicit(&ip->refs, 1, memory_order_relaxed);
    return ip;
}

/* ---- Death ------------------------------------------------------------------------------------ */

/* Nobody has a reference: from here on who wants the number waits. */
static void claim_locked(struct inode *ip)
{
    ip->busy = true;
    list_del(&ip->lru_link);
}

static void evict(struct inode *ip)
{
    mapping_destroy(&ip->mapping);
    if (ip->sb->ops->evict_inode)
        ip->sb->ops->evict_inode(ip);
    spin_lock(&icache_lock);
    remove_locked(ip);
    object_free(
        ip); /* within the lock: the superblock may go once its last inode is off the list */
    spin_unlock(&icache_lock);
    waitq_wake_all(&icache_wait);
}

void inode_put(struct inode *ip)
{
    bool last, gone;

    if (!ip)
        return;
    spin_lock(&icache_lock);
    last = atomic_fetch_sub_explicit(&ip->refs, 1, memory_order_acq_rel) == 1;
    gone = last && !ip->nlink;
    if (gone)
        claim_locked(ip);
    list_del(&ip->lru_link); /* it may be there from an earlier rest */
    if (last && !gone)
        list_add_tail(&lru, &ip->lru_link);
    spin_unlock(&icache_lock);
    if (gone)
        evict(ip);
}

/* Takes the next unused, clean inode off the LRU list and marks it; NULL after a full round. */
static struct inode *claim_oldest(size_t *scan)
{
    struct inode *ip, *found = NULL;

    spin_lock(&icache_lock);
    for (; *scan && !list_empty(&lru) && !found; (*scan)--) {
        ip = list_first(&lru, struct inode, lru_link);
        list_del(&ip->lru_link);
        if (atomic_load_explicit(&ip->refs, memory_order_relaxed))
            continue; /* in use again: comes back when it is put */
        /* Pages are the page cache's to take; an inode follows when its last page is gone. */
        if (!list_empty(&ip->dirty_link) || ip->mapping.npages) {
            list_add_tail(&lru, &ip->lru_link);
        } else {
            claim_locked(ip);
            found = ip;
        }
    }
    spin_unlock(&icache_lock);
    return found;
}

size_t inode_cache_shrink(size_t want)
{
    size_t objects = want * (PAGE_SIZE / sizeof(struct inode)), freed = 0;
    size_t scan = MIN(2 * objects, inode_cache_count());
    struct inode *ip;

    for (; freed < objects && (ip = claim_oldest(&scan)); freed++)
        evict(ip);
    return freed * sizeof(struct inode) / PAGE_SIZE;
}

/* *out: an unused one, or NULL. False if others are still evicting what is left: ask again. */
static bool claim_unused_of(struct superblock *sb, struct inode **out)
{
    struct inode *ip;
    bool evicting = false;

    *out = NULL;
    spin_lock(&icache_lock);
    list_for_each (ip, &sb->inodes, sb_link) {
        evicting |= ip->busy;
        if (!ip->busy && !atomic_load_explicit(&ip->refs, memory_order_relaxed)) {
            claim_locked(ip);
            *out = ip;
            break;
        }
    }
    spin_unlock(&icache_lock);
    return *out || !evicting;
}

bool inode_cache_drop_sb(struct superblock *sb)
{
    struct inode *ip;

    for (;;) {
        wait_event(&icache_wait, claim_unused_of(sb, &ip));
        if (!ip)
            return list_empty(&sb->inodes);
        evict(ip);
    }
}

bool inode_unlinked_in_use(struct superblock *sb)
{
    struct inode *ip;
    bool found = false;

    spin_lock(&icache_lock);
    list_for_each (ip, &sb->inodes, sb_link)
        found |= !ip->nlink;
    spin_unlock(&icache_lock);
    return found;
}

/* ---- Writing attributes back ------------------------------------------------------------------ */

void inode_mark_dirty(struct inode *ip)
{
    if (!ip->sb->ops->write_inode)
        return;
    spin_lock(&icache_lock);
    if (list_empty(&ip->dirty_link))
        list_add_tail(&dirty, &ip->dirty_link);
    spin_unlock(&icache_lock);
}

static int write_attributes(struct inode *ip, bool wait)
{
    bool was_dirty;
    int err = 0;

    inode_lock(ip);
    spin_lock(&icache_lock);
    was_dirty = !list_empty(&ip->dirty_link);
    list_del(&ip->dirty_link);
    spin_unlock(&icache_lock);
    if (was_dirty)
        err = ip->sb->ops->write_inode(ip, wait);
    if (err)
        inode_mark_dirty(ip);
    inode_unlock(ip);
    return err;
}

static struct inode *pick_dirty(struct superblock *sb)
{
    struct inode *ip, *found = NULL;

    spin_lock(&icache_lock);
    list_for_each (ip, &dirty, dirty_link) {
        if ((sb && ip->sb != sb) || ip->busy)
            continue;
        found = inode_ref(ip);
        break;
    }
    spin_unlock(&icache_lock);
    return found;
}

int inode_write_dirty(struct superblock *sb, bool wait)
{
    struct inode *ip;
    size_t left = 0;
    int first = 0;

    /* What becomes dirty meanwhile, or stays so because it cannot be written, is for the next round. */
    spin_lock(&icache_lock);
    list_for_each (ip, &dirty, dirty_link)
        left++;
    spin_unlock(&icache_lock);
    for (; left && (ip = pick_dirty(sb)); left--) {
        first = first_error(first, write_attributes(ip, wait));
        inode_put(ip);
    }
    return first;
}

int inode_sync(struct inode *ip, bool data_only)
{
    int err;

    (void)data_only; /* size and blocks travel with the attributes */
    mapping_writeback(&ip->mapping, true);
    err = write_attributes(ip, true);
    if (ip->sb->ops->sync)
        err = first_error(err, ip->sb->ops->sync(ip->sb, true));
    return first_error(err, mapping_take_error(&ip->mapping));
}

/* ---- Permission, owners, times ---------------------------------------------------------------- */

bool caller_is_root(void)
{
    return !current->proc || current->proc->fsuid == 0;
}

static bool in_groups(uint32_t gid)
{
    struct process *p = current->proc;

    for (unsigned i = 0; p && i < p->ngroups; i++)
        if (p->groups[i] == gid)
            return true;
    return false;
}

bool caller_in_group(uint32_t gid)
{
    return !current->proc || current->proc->fsgid == gid || in_groups(gid);
}

bool inode_owner_or_root(struct inode *ip)
{
    return caller_is_root() || current->proc->fsuid == ip->uid;
}

int inode_permission_as(struct inode *ip, int mask, uint32_t uid, uint32_t gid)
{
    uint32_t mode = READ_ONCE(ip->mode), bits = mode;

    if ((mask & MAY_WRITE) && ip->sb->read_only &&
        (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
        return -EROFS;
    if ((mask & MAY_EXEC) && S_ISREG(mode) && (ip->sb->flags & MS_NOEXEC))
        return -EACCES;
    if (uid == 0) {
        /* Root may do all but execute what nobody may execute. */
        if ((mask & MAY_EXEC) && !S_ISDIR(mode) && !(mode & 0111))
            return -EACCES;
        return 0;
    }
    if (uid == ip->uid)
        bits >>= 6;
    else if (gid == ip->gid || in_groups(ip->gid))
        bits >>= 3;
    return (mask & ~bits & 7) ? -EACCES : 0;
}

int inode_permission(struct inode *ip, int mask)
{
    struct process *p = current->proc;

    return inode_permission_as(ip, mask, p ? p->fsuid : 0, p ? p->fsgid : 0);
}

struct timespec64 current_time(void)
{
    uint64_t ns = clock_realtime_ns();

    return (struct timespec64){(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC)};
}

void inode_touch(struct inode *ip, int which)
{
    struct timespec64 now = current_time();

    if (which & TOUCH_ATIME)
        ip->atime = now;
    if (which & TOUCH_MTIME)
        ip->mtime = now;
    if (which & TOUCH_CTIME)
        ip->ctime = now;
    inode_mark_dirty(ip);
}

static bool not_after(const struct timespec64 *a, const struct timespec64 *b)
{
    return a->sec < b->sec || (a->sec == b->sec && a->nsec <= b->nsec);
}

void inode_accessed(struct inode *ip)
{
    const int64_t day = 24 * 60 * 60;

    if (ip->sb->read_only || (ip->sb->flags & MS_NOATIME))
        return;
    if ((ip->sb->flags & MS_NODIRATIME) && S_ISDIR(ip->mode))
        return;
    /* relatime: only the first read after a change, and once a day, are worth a write. */
    if (!(ip->sb->flags & MS_STRICTATIME) && !not_after(&ip->atime, &ip->mtime) &&
        !not_after(&ip->atime, &ip->ctime) && current_time().sec - ip->atime.sec < day)
        return;
    inode_lock(ip);
    inode_touch(ip, TOUCH_ATIME);
    inode_unlock(ip);
}

void inode_init_owner(struct inode *ip, const struct inode *dir, uint32_t mode)
{
    struct process *p = current->proc;

    ip->uid = p ? p->fsuid : 0;
    ip->gid = p ? p->fsgid : 0;
    if (dir && (dir->mode & S_ISGID)) {
        ip->gid = dir->gid;
        if (S_ISDIR(mode))
            mode |= S_ISGID;
        else if ((mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && !caller_is_root() &&
                 !caller_in_group(dir->gid))
            mode &= ~(uint32_t)S_ISGID;
    }
    ip->mode = mode;
    ip->atime = ip->mtime = ip->ctime = current_time();
}

void inode_kill_suid(struct inode *ip)
{
    uint32_t mode = ip->mode;

    if (!S_ISREG(mode) || !(mode & (S_ISUID | S_ISGID)))
        return;
    mode &= ~(uint32_t)S_ISUID;
    if (mode & S_IXGRP) /* without it the bit means mandatory locking, not set-id */
        mode &= ~(uint32_t)S_ISGID;
    ip->mode = mode;
    inode_mark_dirty(ip);
}

int inode_set_size(struct inode *ip, uint64_t size)
{
    struct process *p = current->proc;
    int err = size > ip->sb->max_size ? -EFBIG : 0;

    inode_lock(ip);
    if (!S_ISREG(ip->mode) || !ip->ops->truncate)
        err = -EINVAL;
    if (!err && p && size > inode_size(ip) && size > p->limits[RLIMIT_FSIZE].rlim_cur) {
        signal_send_thread(current, SIGXFSZ, NULL);
        err = -EFBIG;
    }
    if (!err)
        err = ip->ops->truncate(ip, size);
    if (!err) {
        if (!caller_is_root())
            inode_kill_suid(ip);
        inode_touch(ip, TOUCH_MTIME | TOUCH_CTIME);
    }
    inode_unlock(ip);
    return err;
}
