/* SPDX-License-Identifier: MIT */
/*
 * Block devices: requests on contiguous sectors, scattered in memory, completed from an interrupt.
 * Buffers must be direct-mapped memory (never a stack: its address is not its physical address).
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"
#include "lib/wait.h"
#include "mm/pagecache.h"

#define SECTOR_SIZE 512
#define BIO_MAX_SEGMENTS 32

enum bio_op { BIO_READ, BIO_WRITE, BIO_FLUSH };

struct bio_segment {
    void *addr;
    uint32_t len; /* multiple of SECTOR_SIZE */
};

struct bio {
    enum bio_op op;
    uint64_t sector;
    unsigned nsegs;
    struct bio_segment segs[BIO_MAX_SEGMENTS];
    /* Called once, from an interrupt handler or from bio_submit. err: 0 or -EIO. May free the bio. */
    void (*done)(struct bio *bio, int err);
    struct list link; /* the driver's */
};

struct block_device {
    char name[16]; /* "vda" */
    unsigned minor;
    uint64_t sectors;
    bool read_only;
    bool has_flush;
    void (*submit)(struct block_device *bd, struct bio *bio); /* queues; may sleep for a slot */
    void *driver_data;
    struct mapping mapping;   /* the device's own page cache */
    _Atomic unsigned writers; /* of the device's own file: it is not mounted meanwhile */
};

int block_register(struct block_device *bd); /* names it; never unregistered */
struct block_device *block_find(const char *name);
struct block_device *block_at(unsigned i); /* NULL past the last */
struct block_device *block_of_minor(unsigned minor);
/* Checks the range (-EIO through done for requests beyond the end), then queues. */
void bio_submit(struct block_device *bd, struct bio *bio);
int block_flush(struct block_device *bd); /* 0, -EIO, -ENOMEM; waits */

size_t block_cached_pages(void); /* of all devices' own contents: "Buffers" */

/* ---- drivers/blockcache.c -------------------------------------------------------------------- */
/* Requests made of page cache pages, to be read or written as mapping_ops tells. */
struct page_io {
    struct block_device *bd;
    enum bio_op op;  /* writing: the pages have PG_WRITEBACK */
    struct bio *bio; /* being put together */
    uint64_t next_sector;
};
/* Calls `add` for each `step` bytes of each page, which calls page_io_add for what is on the disk;
 * `ahead` bytes of the pages lie from there on. Its errors are the page's. */
void page_io_run(struct page_io *io, struct page **pages, unsigned n, unsigned step,
                 int (*add)(struct page_io *io, struct page *p, unsigned off, unsigned ahead));
void page_io_add(struct page_io *io, struct page *p, unsigned off, unsigned len, uint64_t sector);

/*
 * File-system metadata in the device's page cache, by block of 1 << bits bytes, at most a page. What
 * comes back is the block's contents, referenced: err_ptr(-EIO, -ENOMEM). Users serialise changes to
 * a block among themselves, and mark it dirty after each; writing takes no lock.
 */
void *block_get(struct block_device *bd, uint64_t block, unsigned bits);
void *block_get_zeroed(struct block_device *bd, uint64_t block, unsigned bits); /* fresh; dirty */
void block_put(const void *data);
void block_mark_dirty(const void *data, unsigned size);
/* A freed block: it will not be written any more, and is not being written either. */
void block_forget(struct block_device *bd, uint64_t block, unsigned bits);
uint64_t block_number(const void *data, unsigned bits);
void block_cache_init(struct block_device *bd);
/* Writes what is dirty; wait: until it is on the device (not yet flushed), 0 or the error since. */
int block_cache_sync(struct block_device *bd, bool wait);
int block_cache_drop(
    struct block_device *bd); /* the same, then forgets all: nobody holds a block */

/* Character devices that drivers offer to the file layer. */
void uart_write(const char *s, size_t len); /* polled: panic, early */
size_t uart_put(const char *s, size_t len); /* buffered; returns bytes taken */
bool uart_reserve(size_t len); /* len bytes fit now; if not, uart_drained will tell of room */
void uart_throttle(bool stop); /* input: leave it where it is, for now. Any context */
extern void (*uart_receive)(const char *s, size_t len); /* tty's; called from the interrupt */
extern void (*uart_drained)(void);                      /* tty's: room in the output ring again */
size_t uart_output_pending(void);
int rtc_read(uint64_t *ns_since_epoch); /* 0 or -ENODEV */
