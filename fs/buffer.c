/* SPDX-License-Identifier: MIT */
/*
 * The buffer cache (see the header).
 *
 *  [1] A buffer is in the hash from its creation until it is freed. With refs == 0 it is also on
 *      the LRU list, newest first.
 *  [2] BUF_DIRTY is set a moment before the buffer joins the dirty list, and cleared, under the
 *      lock, when it leaves: to be written (then it is BUF_WRITING) or forgotten.
 *  [3] A completed write touches its buffers and then the cache's count of requests, never more:
 *      the cache may be gone right after. Waiters sleep on a queue that outlives it.
 *
 * Locks: caches_lock (RANK_MOUNT) for the list of caches, then a cache's lock. sync_lock (mutex)
 * makes one writer at a time: two would only interleave their requests.
 */
#include "fs/buffer.h"

#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#define HASH_SIZE 512
#define SYNC_BATCH 1024 /* buffers sorted at a time */
#define SYNC_BATCH_MIN 16

struct buffer_cache {
    struct block_device *bd; /* (I) */
    unsigned block_size;     /* (I) */
    struct spinlock lock;
    struct list hash[HASH_SIZE];
    struct list lru, dirty;
    size_t count, ndirty;
    struct mutex sync_lock;
    _Atomic unsigned requests; /* writes in flight */
    _Atomic int error;         /* of a write nobody has been told of */
    struct list link;          /* caches_lock */
};

static struct spinlock caches_lock = SPINLOCK_INIT(RANK_MOUNT, "buffer caches");
static struct list caches = LIST_INIT(caches);
static _Atomic size_t total_bytes;
static struct kcache *buf_cache;
static struct waitq write_done = WAITQ_INIT(write_done);

static void write_dirty(struct buffer_cache *c);

/* ---- Requests --------------------------------------------------------------------------------- */

/* Two in reserve: a metadata block may have to be read while a request for data is being put
 * together. Each is given back when its I/O is done, whatever the state of memory. */
static struct reserve {
    struct bio bio;
    _Atomic uint32_t taken;
} data_reserve, read_reserve;
static struct waitq reserve_wait = WAITQ_INIT(reserve_wait);

static struct bio *get_bio(enum bio_op op, uint64_t sector, struct reserve *r)
{
    struct bio *bio = kmalloc(sizeof(*bio), ALLOC_NOFS);

    if (!bio) {
        wait_event(&reserve_wait, !atomic_exchange(&r->taken, 1));
        bio = &r->bio;
    }
    bio->op = op;
    bio->sector = sector;
    bio->nsegs = 0;
    bio->arg = NULL;
    list_init(&bio->link);
    return bio;
}

struct bio *bio_get(enum bio_op op, uint64_t sector)
{
    return get_bio(op, sector, &data_reserve);
}

void bio_free(struct bio *bio)
{
    struct reserve *r = container_of(bio, struct reserve, bio);

    if (r != &data_reserve && r != &read_reserve) {
        kfree(bio);
        return;
    }
    atomic_store(&r->taken, false);
    waitq_wake_all(&reserve_wait);
}

static uint64_t bio_end_sector(const struct bio *bio)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < bio->nsegs; i++)
        bytes += bio->segs[i].len;
    return bio->sector + bytes / SECTOR_SIZE;
}

bool bio_append(struct bio *bio, uint64_t sector, void *addr, uint32_t n)
{
    if (bio->nsegs == BIO_MAX_SEGMENTS || bio_end_sector(bio) != sector)
        return false;
    bio->segs[bio->nsegs++] = (struct bio_segment){addr, n};
    return true;
}

/* ---- Buffers ---------------------------------------------------------------------------------- */

static void *data_alloc(unsigned size)
{
    struct page *p;

    if (size < PAGE_SIZE)
        return kmalloc(size, 0);
    p = page_alloc(0);
    return p ? page_va(p) : NULL;
}

static void data_free(void *data, unsigned size)
{
    if (size < PAGE_SIZE)
        kfree(data);
    else
        page_put(va_to_page(data));
}

static void buf_destroy(struct buf *b)
{
    total_bytes -= b->cache->block_size;
    data_free(b->data, b->cache->block_size);
    kcache_free(buf_cache, b);
}

static void unlink_locked(struct buf *b)
{
    list_del(&b->hash_link);
    list_del(&b->lru_link);
    b->cache->count--;
}

/* Unlinks the least recently used clean buffer; NULL if there is none. */
static struct buf *take_unused_locked(struct buffer_cache *c)
{
    struct buf *b;

    for (b = list_last(&c->lru, struct buf, lru_link); &b->lru_link != &c->lru;
         b = list_last(&b->lru_link, struct buf, lru_link)) {
        if (b->flags & (BUF_DIRTY | BUF_WRITING | BUF_HELD))
            continue;
        unlink_locked(b);
        return b;
    }
    return NULL;
}

/* Out of memory: another block's buffer, so that what frees disk space does not fail. */
static struct buf *steal_buf(struct buffer_cache *c)
{
    struct buf *b;

    spin_lock(&c->lock);
    b = take_unused_locked(c);
    spin_unlock(&c->lock);
    if (b || !READ_ONCE(c->ndirty))
        return b;
    mutex_lock(&c->sync_lock);
    write_dirty(c);
    wait_event(&write_done, !c->requests);
    mutex_unlock(&c->sync_lock);
    spin_lock(&c->lock);
    b = take_unused_locked(c);
    spin_unlock(&c->lock);
    return b;
}

static struct buf *buf_alloc(struct buffer_cache *c)
{
    struct buf *b = kcache_alloc(buf_cache, ALLOC_ZERO);

    if (!b)
        return NULL;
    b->data = data_alloc(c->block_size);
    if (!b->data) {
        kcache_free(buf_cache, b);
        return NULL;
    }
    b->cache = c;
    total_bytes += c->block_size;
    return b;
}

static struct buf *buf_create(struct buffer_cache *c, uint64_t block)
{
    struct buf *b = buf_alloc(c);

    if (unlikely(!b))
        b = steal_buf(c);
    if (!b)
        return NULL;
    b->flags = 0;
    b->block = block;
    b->refs = 1;
    mutex_init(&b->lock, MUTEX_BUFFER);
    list_init(&b->hash_link);
    list_init(&b->lru_link);
    list_init(&b->dirty_link);
    return b;
}

static struct list *bucket(struct buffer_cache *c, uint64_t block)
{
    return &c->hash[(block ^ block >> 9) % HASH_SIZE];
}

static struct buf *find_locked(struct buffer_cache *c, uint64_t block)
{
    struct buf *b;

    list_for_each (b, bucket(c, block), hash_link)
        if (b->block == block)
            return b;
    return NULL;
}

static struct buf *find_ref(struct buffer_cache *c, uint64_t block)
{
    struct buf *b;

    spin_lock(&c->lock);
    b = find_locked(c, block);
    if (b && !b->refs++)
        list_del(&b->lru_link);
    spin_unlock(&c->lock);
    return b;
}

/* The buffer of a block, referenced, whatever its state; NULL: no memory. */
static struct buf *buf_get(struct buffer_cache *c, uint64_t block)
{
    struct buf *b = find_ref(c, block), *other;

    if (likely(b))
        return b;
    b = buf_create(c, block);
    if (!b)
        return NULL;
    spin_lock(&c->lock);
    other = find_locked(c, block);
    if (!other) {
        list_add(bucket(c, block), &b->hash_link);
        c->count++;
    } else if (!other->refs++) {
        list_del(&other->lru_link);
    }
    spin_unlock(&c->lock);
    if (!other)
        return b;
    buf_destroy(b);
    return other;
}

void buf_put(struct buf *b)
{
    struct buffer_cache *c = b->cache;

    spin_lock(&c->lock);
    BUG_ON(!b->refs);
    if (!--b->refs)
        list_add(&c->lru, &b->lru_link);
    spin_unlock(&c->lock);
}

static int read_block(struct buf *b)
{
    struct buffer_cache *c = b->cache;
    struct bio *bio = get_bio(BIO_READ, b->block * (c->block_size / SECTOR_SIZE), &read_reserve);
    int err;

    bio_append(bio, bio->sector, b->data, c->block_size);
    err = bio_wait(c->bd, bio);
    bio_free(bio);
    atomic_fetch_or(&b->flags, err ? BUF_ERROR : BUF_UPTODATE);
    return err;
}

struct buf *buf_read(struct buffer_cache *c, uint64_t block)
{
    struct buf *b = buf_get(c, block);
    int err = 0;

    if (!b)
        return err_ptr(-ENOMEM);
    if (likely(atomic_load_explicit(&b->flags, memory_order_acquire) & BUF_UPTODATE))
        return b;
    mutex_lock(&b->lock);
    if (!(b->flags & BUF_UPTODATE))
        err = read_block(b);
    mutex_unlock(&b->lock);
    if (!err)
        return b;
    buf_put(b);
    return err_ptr(-EIO);
}

struct buf *buf_get_zeroed(struct buffer_cache *c, uint64_t block)
{
    struct buf *b = buf_get(c, block);

    if (!b)
        return err_ptr(-ENOMEM);
    mutex_lock(&b->lock); /* a late reader of the block's former owner may be at it */
    memset(b->data, 0, c->block_size);
    atomic_fetch_or(&b->flags, BUF_UPTODATE);
    mutex_unlock(&b->lock);
    return b;
}

void buf_mark_dirty(struct buf *b)
{
    struct buffer_cache *c = b->cache;

    if (atomic_fetch_or(&b->flags, BUF_DIRTY) & BUF_DIRTY)
        return;
    spin_lock(&c->lock);
    list_add_tail(&c->dirty, &b->dirty_link);
    c->ndirty++;
    spin_unlock(&c->lock);
}

static void undirty_locked(struct buf *b)
{
    if (list_empty(&b->dirty_link))
        return;
    list_del(&b->dirty_link);
    b->cache->ndirty--;
    atomic_fetch_and(&b->flags, ~(uint32_t)BUF_DIRTY);
}

static bool not_writing(struct buf *b)
{
    return !(b->flags & BUF_WRITING);
}

void buf_forget(struct buffer_cache *c, uint64_t block)
{
    struct buf *b = find_ref(c, block);
    bool last;

    if (!b)
        return;
    spin_lock(&c->lock);
    undirty_locked(b);
    spin_unlock(&c->lock);
    wait_event(&write_done, not_writing(b));
    atomic_fetch_and(&b->flags, ~(uint32_t)BUF_UPTODATE);
    spin_lock(&c->lock);
    last = !--b->refs && list_empty(&b->dirty_link);
    if (last)
        unlink_locked(b);
    else if (!b->refs)
        list_add(&c->lru, &b->lru_link);
    spin_unlock(&c->lock);
    if (last)
        buf_destroy(b);
}

/* ---- Writing ---------------------------------------------------------------------------------- */

static void write_ended(struct bio *bio, int err)
{
    struct buf *b = bio->arg, *next;
    struct buffer_cache *c = b->cache;

    if (err)
        c->error = err;
    for (; b; b = next) {
        next = b->io_next;
        if (err)
            atomic_fetch_or(&b->flags, BUF_ERROR);
        atomic_fetch_and(&b->flags, ~(uint32_t)BUF_WRITING);
    }
    bio_free(bio);
    c->requests--; /* [3] */
    waitq_wake_all(&write_done);
}

static void submit(struct buffer_cache *c, struct bio *bio)
{
    bio->done = write_ended;
    c->requests++;
    bio_submit(c->bd, bio);
}

/* Sorted by block: neighbours share a request. */
static void write_batch(struct buffer_cache *c, struct buf **bufs, unsigned n)
{
    struct bio *bio = NULL;
    struct buf *last = NULL;

    for (unsigned i = 0; i < n; i++) {
        struct buf *b = bufs[i];
        uint64_t sector = b->block * (c->block_size / SECTOR_SIZE);

        b->io_next = NULL;
        if (bio && bio_append(bio, sector, b->data, c->block_size)) {
            last->io_next = b;
        } else {
            if (bio)
                submit(c, bio);
            bio = bio_get(BIO_WRITE, sector);
            bio->arg = b;
            bio_append(bio, sector, b->data, c->block_size);
        }
        last = b;
    }
    if (bio)
        submit(c, bio);
}

static void sift_down(struct buf **a, unsigned i, unsigned n)
{
    for (unsigned child; (child = 2 * i + 1) < n; i = child) {
        struct buf *t = a[i];

        if (child + 1 < n && a[child + 1]->block > a[child]->block)
            child++;
        if (a[child]->block <= t->block)
            return;
        a[i] = a[child];
        a[child] = t;
    }
}

static void sort_by_block(struct buf **a, unsigned n)
{
    for (unsigned i = n / 2; i--;)
        sift_down(a, i, n);
    while (n > 1) {
        struct buf *t = a[--n];

        a[n] = a[0];
        a[0] = t;
        sift_down(a, 0, n);
    }
}

/* Takes up to max buffers off the dirty list, marked as being written. Those that are held, or
 * whose previous write is not over, stay. */
static unsigned claim_dirty(struct buffer_cache *c, struct buf **bufs, unsigned max)
{
    unsigned n = 0;
    struct buf *b, *next;

    spin_lock(&c->lock);
    list_for_each_safe (b, next, &c->dirty, dirty_link) {
        if (n == max)
            break;
        if (b->flags & (BUF_HELD | BUF_WRITING))
            continue;
        undirty_locked(b);
        atomic_fetch_or(&b->flags, BUF_WRITING);
        bufs[n++] = b;
    }
    spin_unlock(&c->lock);
    return n;
}

static void write_dirty(struct buffer_cache *c)
{
    struct buf *few[SYNC_BATCH_MIN];
    struct buf **bufs = kmalloc(SYNC_BATCH * sizeof(*bufs), ALLOC_NOFS);
    unsigned max = bufs ? SYNC_BATCH : SYNC_BATCH_MIN, n;

    /* A round for what is dirty now, not for what becomes dirty meanwhile. */
    for (size_t left = READ_ONCE(c->ndirty); left; left -= MIN(left, (size_t)n)) {
        n = claim_dirty(c, bufs ? bufs : few, max);
        if (!n)
            break;
        sort_by_block(bufs ? bufs : few, n);
        write_batch(c, bufs ? bufs : few, n);
    }
    kfree(bufs);
}

int buffer_cache_sync(struct buffer_cache *c, bool wait)
{
    mutex_lock(&c->sync_lock);
    /* What is being written already may have changed since: wait first, then write that too. */
    if (wait)
        wait_event(&write_done, !c->requests);
    write_dirty(c);
    if (wait)
        wait_event(&write_done, !c->requests);
    mutex_unlock(&c->sync_lock);
    return wait ? atomic_exchange(&c->error, 0) : 0;
}

/* ---- Life of a cache, and memory --------------------------------------------------------------- */

size_t buffer_cache_pages(void)
{
    return total_bytes / PAGE_SIZE;
}

size_t buffer_cache_shrink(size_t want)
{
    size_t bytes = 0;
    struct buffer_cache *c;
    struct buf *b;

    spin_lock(&caches_lock);
    list_for_each (c, &caches, link) {
        spin_lock(&c->lock);
        while (bytes < want * PAGE_SIZE && (b = take_unused_locked(c))) {
            bytes += c->block_size;
            buf_destroy(b);
        }
        spin_unlock(&c->lock);
    }
    spin_unlock(&caches_lock);
    return bytes / PAGE_SIZE;
}

struct buffer_cache *buffer_cache_create(struct block_device *bd, unsigned block_size)
{
    struct buffer_cache *c = kmalloc(sizeof(*c), ALLOC_ZERO);

    if (!c)
        return NULL;
    if (!buf_cache) {
        buf_cache = kcache_create("buf", sizeof(struct buf));
        page_register_shrinker(buffer_cache_shrink);
    }
    c->bd = bd;
    c->block_size = block_size;
    spin_init(&c->lock, RANK_BUFFER, "buffer cache");
    mutex_init(&c->sync_lock, MUTEX_LEAF);
    for (unsigned i = 0; i < HASH_SIZE; i++)
        list_init(&c->hash[i]);
    list_init(&c->lru);
    list_init(&c->dirty);
    spin_lock(&caches_lock);
    list_add_tail(&caches, &c->link);
    spin_unlock(&caches_lock);
    return c;
}

void buffer_cache_destroy(struct buffer_cache *c)
{
    spin_lock(&caches_lock);
    list_del(&c->link);
    spin_unlock(&caches_lock);
    wait_event(&write_done, !c->requests);
    for (unsigned i = 0; i < HASH_SIZE; i++) {
        while (!list_empty(&c->hash[i])) {
            struct buf *b = list_first(&c->hash[i], struct buf, hash_link);

            if (b->refs)
                pr_err("%s: block %lu is still in use at unmount\n", c->bd->name, b->block);
            list_del(&b->hash_link);
            buf_destroy(b);
        }
    }
    kfree(c);
}
