/* SPDX-License-Identifier: MIT */
/*
 * The buffer cache: file-system metadata (superblock, bitmaps, inode tables, indirect blocks,
 * directories) by block, each in memory once. File contents live in the page cache instead. State
 * is per block, so that a journal can hold single blocks back and order their writes.
 *
 * Users serialise changes to a block's data among themselves, and mark it dirty after each change.
 * Writing takes no lock: what is stored while the device reads the block marks it dirty again.
 *
 * Locks: the cache lock (RANK_BUFFER) guards hash, LRU and counts; buf->lock (MUTEX_BUFFER) is held
 * while the block is read.
 */
#pragma once

#include "drivers/block.h"
#include "lib/wait.h"

struct buffer_cache; /* one per mounted device */

enum {
    BUF_UPTODATE = 1,
    BUF_DIRTY = 2,
    BUF_ERROR = 4,   /* the last read or write failed */
    BUF_WRITING = 8, /* a write is in flight: neither freed nor written a second time meanwhile */
    BUF_HELD = 16,   /* not to be written until its owner clears this (a journal) */
};

struct buf {
    struct buffer_cache *cache; /* (I) */
    uint64_t block;             /* (I) in units of the cache's block size */
    uint8_t *data;              /* (I) block_size bytes, direct-mapped */
    _Atomic uint32_t flags;     /* BUF_* */
    uint32_t refs;              /* cache lock */
    struct mutex lock;
    struct list hash_link, lru_link, dirty_link; /* cache lock */
    struct buf *io_next; /* owner of the write in flight: the next block of its request */
};

struct buffer_cache *buffer_cache_create(struct block_device *bd, unsigned block_size); /* NULL */
void buffer_cache_destroy(struct buffer_cache *c);            /* no users left; writes nothing */
struct buf *buf_read(struct buffer_cache *c, uint64_t block); /* err_ptr(-EIO, -ENOMEM) */
struct buf *buf_get_zeroed(struct buffer_cache *c, uint64_t block); /* fresh: not read; as above */
void buf_put(struct buf *b);
void buf_mark_dirty(struct buf *b);
/* A freed block: drops a dirty copy, and waits for one on its way to the disk. */
void buf_forget(struct buffer_cache *c, uint64_t block);
/* Writes dirty buffers, in block order; wait: until they are on the device (not yet flushed).
 * 0, or -EIO if a write failed since the last call that told so. */
int buffer_cache_sync(struct buffer_cache *c, bool wait);
size_t buffer_cache_pages(void); /* memory held, in pages: "Buffers" */
size_t buffer_cache_shrink(size_t want);

/* A bio for writing memory out: never NULL, so that being out of memory cannot stop what would
 * free some. May wait for another such request to end. */
struct bio *bio_get(enum bio_op op, uint64_t sector);
void bio_free(struct bio *bio); /* any context */
/* Appends n bytes for the sectors behind the present ones; false: full, or not adjacent. */
bool bio_append(struct bio *bio, uint64_t sector, void *addr, uint32_t n);
