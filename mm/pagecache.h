/* SPDX-License-Identifier: MIT */
/*
 * The page cache: the pages of each file, in memory once. read, write, mmap and exec meet here.
 *
 * A mapping is the cached contents of one inode (or of one anonymous shared object, then without
 * read_pages/write_pages). Pages live in a radix tree by index. The tree holds one reference.
 *
 * Life of a page: allocated and inserted PG_LOCKED; read_pages fills it; page_end_read() sets
 * PG_UPTODATE (unless it failed) and unlocks. PG_DIRTY pages are written by writeback: PG_DIRTY off,
 * PG_WRITEBACK on, write_pages, page_end_write(). A clean page with no reference but the tree's may
 * be reclaimed; pages of a mapping without backing store are never dirty-clean: they are not
 * reclaimed.
 *
 * Locks: mapping->lock (spinlock) guards the tree and counts. PG_LOCKED is a sleeping lock per page
 * and comes before it. Truncation holds the inode's lock, then page locks.
 */
#pragma once

#include "lib/wait.h"
#include "mm/page.h"
#include "mm/radix.h"
#include "mm/uio.h"

struct mapping;

struct mapping_ops {
    /*
     * Starts reading n pages with consecutive indices, all locked and not up to date; calls
     * page_end_read for each, now or from an interrupt. Never fails itself.
     */
    void (*read_pages)(struct mapping *m, struct page **pages, unsigned n);
    /* The same for writing: pages have PG_WRITEBACK; page_end_write for each. May sleep. */
    void (*write_pages)(struct mapping *m, struct page **pages, unsigned n);
    /*
     * Makes the byte range [from, to) of a locked page writable: allocates blocks. 0, -ENOSPC...
     * Also called before a shared mapping's page is made writable. The page is up to date, or the
     * range is all of it: what gets a block is in memory then, so the caller must mark the page
     * dirty before it unlocks it, even if it changes nothing after all.
     */
    int (*prepare_write)(struct mapping *m, struct page *p, unsigned from, unsigned to);
};

struct mapping {                   /* (m) lock, (c) the cache lock in pagecache.c, (a) atomic */
    struct spinlock lock;          /* RANK_MAPPING; guards the tree and counts */
    struct radix_tree tree;        /* (m) pages by index */
    size_t npages;                 /* (m) cached */
    _Atomic size_t nwriteback;     /* (a) pages with PG_WRITEBACK */
    const struct mapping_ops *ops; /* (I) NULL: memory only (tmpfs, shared anonymous) */
    _Atomic uint64_t size;         /* bytes; pages wholly beyond it do not exist (SIGBUS) */
    struct list dirty;             /* (c) dirty pages, by page->link, oldest first */
    struct list dirty_link;        /* (c) on the list of mappings with dirty pages */
    _Atomic int error;     /* first write error since the last fsync told it, 0 or -EIO/-ENOSPC */
    _Atomic unsigned maps; /* areas that map it, in all address spaces */
    _Atomic unsigned writable_maps; /* shared writable VMAs: their pages count as dirty */
    /* Read-ahead; races between readers only cost a guess. */
    uint64_t next_read; /* the index a sequential reader asks for next */
    uint64_t ra_mark;   /* a hit here starts reading the next window */
    unsigned ra_pages;  /* current window */
};

void mapping_init(struct mapping *m, const struct mapping_ops *ops);
/* Drops every page (waits for I/O, discards dirty contents). The owner guarantees no more users. */
void mapping_destroy(struct mapping *m);

/*
 * The page at index, up to date, with a reference for the caller; read (with read-ahead) if it is
 * not there. err_ptr(-EIO), err_ptr(-ENOMEM). Does not look at size. May sleep.
 */
struct page *mapping_read_page(struct mapping *m, uint64_t index);
/* As above, but only if it is there and up to date now: never sleeps. NULL otherwise. */
struct page *mapping_find_page(struct mapping *m, uint64_t index);
/* The same for n pages: out[i] is the one at first + i, or NULL. Returns how many were found. */
unsigned pagecache_lookup_range(struct mapping *m, uint64_t first, unsigned n, struct page **out);
/*
 * read(2)/write(2) for cached files, pos in bytes; 0 or an error, and what was done is off u->left.
 * write extends m->size: then the caller holds the inode lock (not for read, nor for a device, where
 * nothing is written beyond the end). write does not
 * fault user memory in: where a page of it is missing that is -EFAULT (uio_fetch without the lock,
 * then go on).
 */
int mapping_read(struct mapping *m, struct uio *u, off_t pos);
int mapping_write(struct mapping *m, struct uio *u, off_t pos);

/* Cuts or grows: drops pages beyond, zeroes the last page's tail, sets size. Inode lock held. */
int mapping_truncate(struct mapping *m, uint64_t size);
/* Takes the pages from index `from` on out of every address space that maps them: a file became
 * shorter, touching them is SIGBUS from now on. In mm/addrspace.c; the inode lock may be held. */
void addrspace_unmap_file(struct mapping *m, uint64_t from);

void page_lock(struct page *p); /* PG_LOCKED, sleeps */
bool page_trylock(struct page *p);
void page_unlock(struct page *p);
void page_wait_writeback(struct page *p);
void page_end_read(struct page *p, int err);  /* any context */
void page_end_write(struct page *p, int err); /* any context; an error is kept in mapping->error */
void page_mark_dirty(struct page *p);         /* page locked or otherwise pinned in its mapping */

/* Starts writing a mapping's dirty pages; wait: until all are on disk (see error). */
void mapping_writeback(struct mapping *m, bool wait);
int mapping_take_error(struct mapping *m); /* 0 or the error, which is told once */
void pagecache_sync_all(bool wait);        /* every mapping's dirty pages */
size_t pagecache_drop_clean(void);         /* frees what it can: drop_caches, shrinker */

size_t pagecache_page_count(void);
size_t pagecache_dirty_count(void);
void pagecache_init(void); /* caches, shrinker */
/* The flusher (in fs) sleeps until a round is wanted or its time has come. */
void pagecache_wait_wanted(uint64_t deadline);
void pagecache_wake_flusher(void);
