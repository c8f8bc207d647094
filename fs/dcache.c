/* SPDX-License-Identifier: MIT */
/*
 * The dentry cache: the names that path lookup has met, absent ones included, as a tree that hangs
 * from each file system's root, and a hash by (parent, name) over all of them.
 *
 *  [1] A dentry holds a reference on its parent and, unless negative, on its inode.
 *  [2] A hashed dentry with no user stays in the cache until memory is wanted. One that is not
 *      hashed has DENTRY_DEAD in refs: nobody can find it, and its last user frees it. So giving a
 *      reference back is one atomic instruction.
 *  [3] New references come from holders of one, or from the hash under dcache_lock; so under that
 *      lock a dentry without users stays without.
 *  [4] Names change only with the parent directory's inode locked: what a lookup under that lock
 *      does not find is for the file system to answer.
 *
 * Locks: dcache_lock (spinlock) for the hash, the tree, the LRU list and every field marked (d).
 */
#include "fs/dcache.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

struct spinlock dcache_lock = SPINLOCK_INIT(RANK_DCACHE, "dcache");
static struct list *buckets;
static uint32_t bucket_mask;
static struct list lru = LIST_INIT(lru);
static size_t ndentries;
static struct kcache *dentry_cache;

void dcache_init(void)
{
    buckets = hash_buckets(&bucket_mask);
    dentry_cache = kcache_create("dentry", sizeof(struct dentry));
    page_register_shrinker(dcache_shrink);
}

size_t dcache_count(void)
{
    return READ_ONCE(ndentries);
}

static uint32_t hash_of(const struct dentry *parent, const char *name, size_t len)
{
    uint32_t h = (uint32_t)((uintptr_t)parent >> 4);

    for (size_t i = 0; i < len; i++)
        h = (h ^ (uint8_t)name[i]) * 0x01000193u;
    return h ^ h >> 15;
}

struct dentry *dcache_get(const struct dentry *parent, const char *name, size_t len)
{
    uint32_t hash = hash_of(parent, name, len);
    struct dentry *d;

    spin_lock(&dcache_lock);
    list_for_each (d, &buckets[hash & bucket_mask], hash_link) {
        if (d->hash != hash || d->parent != parent || d->len != len || memcmp(d->name, name, len))
            continue;
        d->touched = true;
        dentry_ref(d);
        spin_unlock(&dcache_lock);
        return d;
    }
    spin_unlock(&dcache_lock);
    return NULL;
}

/* ---- Life and death --------------------------------------------------------------------------- */

struct dentry *dentry_alloc(struct superblock *sb, struct dentry *parent, const char *name,
                            size_t len)
{
    struct dentry *d = kcache_alloc(dentry_cache, ALLOC_ZERO);

    if (!d)
        return NULL;
    d->name = kmalloc(len + 1, 0);
    if (!d->name) {
        kcache_free(dentry_cache, d);
        return NULL;
    }
    memcpy(d->name, name, len);
    d->name[len] = '\0';
    d->len = (uint16_t)len;
    d->hash = hash_of(parent, name, len);
    atomic_init(&d->refs, 1 | DENTRY_DEAD);
    d->parent = parent ? dentry_ref(parent) : d;
    d->sb = sb;
    list_init(&d->hash_link);
    list_init(&d->child_link);
    list_init(&d->children);
    list_init(&d->lru_link);
    spin_lock(&dcache_lock);
    if (parent)
        list_add(&parent->children, &d->child_link);
    ndentries++;
    spin_unlock(&dcache_lock);
    return d;
}

struct dentry *dentry_make_anon(const char *name, struct inode *ip)
{
    struct dentry *d = dentry_alloc(ip->sb, NULL, name, strlen(name));

    if (d)
        d->inode = ip;
    else
        inode_put(ip);
    return d;
}

struct dentry *dentry_ref(struct dentry *d)
{
    atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
    return d;
}

/* Nobody has or can get a reference. Returns the parent, whose reference passes to the caller. */
static struct dentry *destroy(struct dentry *d)
{
    struct dentry *parent = d->parent;

    spin_lock(&dcache_lock);
    list_del(&d->child_link);
    list_del(&d->lru_link);
    ndentries--;
    spin_unlock(&dcache_lock);
    inode_put(d->inode);
    kfree(d->name);
    kcache_free(dentry_cache, d);
    return parent == d ? NULL : parent;
}

void dentry_put(struct dentry *d)
{
    uint32_t old;

    while (d && !is_err(d)) {
        old = atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel);
        assert(old & ~DENTRY_DEAD);
        if (old != (1 | DENTRY_DEAD))
            return;
        d = destroy(d);
    }
}

static void hash_locked(struct dentry *d)
{
    list_add(&buckets[d->hash & bucket_mask], &d->hash_link);
    list_add_tail(&lru, &d->lru_link);
    atomic_fetch_and_explicit(&d->refs, ~DENTRY_DEAD, memory_order_acq_rel);
}

static void unhash_locked(struct dentry *d)
{
    list_del(&d->hash_link);
    list_del(&d->lru_link);
    atomic_fetch_or_explicit(&d->refs, DENTRY_DEAD, memory_order_acq_rel);
}

void dentry_set(struct dentry *d, struct inode *ip)
{
    spin_lock(&dcache_lock);
    assert(!d->inode);
    d->inode = ip;
    if (list_empty(&d->hash_link))
        hash_locked(d);
    spin_unlock(&dcache_lock);
}

void dentry_unhash(struct dentry *d)
{
    spin_lock(&dcache_lock);
    unhash_locked(d);
    spin_unlock(&dcache_lock);
}

void dentry_move(struct dentry *d, struct dentry *to)
{
    struct dentry *old_parent = d->parent;
    char *name = d->name;
    uint16_t len = d->len;

    dentry_ref(to->parent);
    spin_lock(&dcache_lock);
    unhash_locked(to);
    unhash_locked(d);
    /* `to` goes on under the old name, for whoever still has it open. */
    d->name = to->name;
    d->len = to->len;
    d->hash = to->hash;
    to->name = name;
    to->len = len;
    list_del(&d->child_link);
    d->parent = to->parent;
    list_add(&d->parent->children, &d->child_link);
    hash_locked(d);
    spin_unlock(&dcache_lock);
    dentry_put(old_parent);
}

/* ---- Giving memory back ----------------------------------------------------------------------- */

/* dcache_lock held: takes d out of the cache if it has no user. Then destroy it, lock dropped. */
static bool kill_locked(struct dentry *d)
{
    if (atomic_load_explicit(&d->refs, memory_order_acquire))
        return false;
    unhash_locked(d);
    return true;
}

size_t dcache_shrink(size_t want)
{
    size_t objects = want * (PAGE_SIZE / sizeof(struct dentry)), freed = 0;
    size_t scan = 2 * MIN(objects, dcache_count()); /* each at most twice: touched, not */
    struct dentry *d;

    spin_lock(&dcache_lock);
    for (; scan && freed < objects && !list_empty(&lru); scan--) {
        d = list_first(&lru, struct dentry, lru_link);
        if (!d->touched && kill_locked(d)) {
            spin_unlock(&dcache_lock);
            dentry_put(destroy(d));
            freed++;
            spin_lock(&dcache_lock);
            continue;
        }
        d->touched = false;
        list_del(&d->lru_link);
        list_add_tail(&lru, &d->lru_link);
    }
    spin_unlock(&dcache_lock);
    return freed * sizeof(struct dentry) / PAGE_SIZE;
}

/* A dentry below top that has no user (dead meanwhile), or NULL. */
static struct dentry *kill_one_below(struct dentry *top)
{
    struct dentry *d = top, *next;
    struct list *link;

    spin_lock(&dcache_lock);
    /* Depth first: a parent has no user once its children are gone, and is met on the way up. */
    for (link = d->children.next;;) {
        if (link != &d->children) {
            d = list_entry(link, struct dentry, child_link);
            link = d->children.next;
            continue;
        }
        if (d == top)
            break;
        next = d->parent;
        link = d->child_link.next;
        if (kill_locked(d)) {
            spin_unlock(&dcache_lock);
            return d;
        }
        d = next;
    }
    spin_unlock(&dcache_lock);
    return NULL;
}

void dentry_prune(struct dentry *d)
{
    struct dentry *victim;

    while ((victim = kill_one_below(d)))
        dentry_put(destroy(victim));
}

/* ---- The tree --------------------------------------------------------------------------------- */

bool dentry_is_ancestor(const struct dentry *a, const struct dentry *d)
{
    bool found;

    spin_lock(&dcache_lock);
    while (d != a && d->parent != d)
        d = d->parent;
    found = d == a;
    spin_unlock(&dcache_lock);
    return found;
}

struct dentry *dentry_top(struct dentry *d)
{
    struct dentry *under = d;

    if (!READ_ONCE(d->mounted))
        return d;
    spin_lock(&dcache_lock);
    while (d->mounted)
        d = d->mounted->root;
    dentry_ref(d);
    spin_unlock(&dcache_lock);
    dentry_put(under);
    return d;
}

/* Writes s before p, or returns NULL if it does not fit above buf. */
static char *prepend(char *p, const char *buf, const char *s, size_t len)
{
    if (!p || (size_t)(p - buf) < len)
        return NULL;
    return memcpy(p - len, s, len);
}

char *dentry_path_locked(struct dentry *d, const struct dentry *root, char *buf, size_t size)
{
    static const char deleted[] = " (deleted)";
    char *p = prepend(buf + size, buf, "", 1), *end = p;

    if (dentry_removed(d))
        end = p = prepend(p, buf, deleted, sizeof(deleted) - 1);
    while (d != root && p) {
        if (d->parent != d) {
            p = prepend(p, buf, d->name, d->len);
            p = prepend(p, buf, "/", 1);
            d = d->parent;
        } else if (d->sb->mountpoint) {
            d = d->sb->mountpoint;
        } else {
            if (d != d->sb->root) /* an anonymous file's name is no path */
                return prepend(p, buf, d->name, d->len);
            break;
        }
    }
    return p && p == end ? prepend(p, buf, "/", 1) : p;
}

char *dentry_path(struct dentry *d, char *buf, size_t size)
{
    struct dentry *root = current_root();
    char *p;

    spin_lock(&dcache_lock);
    p = dentry_path_locked(d, root, buf, size);
    spin_unlock(&dcache_lock);
    dentry_put(root);
    return p ? p : err_ptr(-ENAMETOOLONG);
}
