/* SPDX-License-Identifier: MIT */
/*
 * Block devices: requests on contiguous sectors, scattered in memory, completed from an interrupt.
 * Buffers must be direct-mapped memory (never a stack: its address is not its physical address).
 */
#pragma once

#include "lib/list.h"
#include "lib/types.h"
#include "lib/wait.h"

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
    void *arg;
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
    struct list link;
    void *fs_private; /* the buffer cache of this device */
};

int block_register(struct block_device *bd); /* names it; never unregistered */
struct block_device *block_find(const char *name);
struct block_device *block_at(unsigned i); /* NULL past the last */
/* Checks the range (-EIO through done for requests beyond the end), then queues. */
void bio_submit(struct block_device *bd, struct bio *bio);
/* Synchronous helpers: 0 or -EIO. bio_flush succeeds at once where the device has no cache. */
int bio_wait(struct block_device *bd, struct bio *bio);
int block_flush(struct block_device *bd);

/* Character devices that drivers offer to the file layer. */
void uart_write(const char *s, size_t len); /* polled: panic, early */
size_t uart_put(const char *s, size_t len); /* buffered; returns bytes taken */
bool uart_reserve(size_t len); /* len bytes fit now; if not, uart_drained will tell of room */
void uart_throttle(bool stop); /* input: leave it where it is, for now. Any context */
extern void (*uart_receive)(const char *s, size_t len); /* tty's; called from the interrupt */
extern void (*uart_drained)(void);                      /* tty's: room in the output ring again */
size_t uart_output_pending(void);
size_t entropy_read(void *buf, size_t len); /* virtio-rng; may sleep; bytes given */
int rtc_read(uint64_t *ns_since_epoch);     /* 0 or -ENODEV */
