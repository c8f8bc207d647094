/* SPDX-License-Identifier: MIT */
/*
 * The registry of block devices, and what all requests have in common: range checks, counters,
 * waiting. Registration happens at boot only, so the list needs no lock.
 *
 * A waiter sleeps on a static queue, never on one in its own stack frame: the completing hart may
 * still be in the middle of the wakeup when the waiter has already seen the result.
 */
#include "drivers/block.h"
#include "lib/ktest.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

enum { MAX_DEVICES = 26 };

static struct block_device *devices[MAX_DEVICES];
static unsigned ndevices;
static struct waitq completed = WAITQ_INIT(completed);

struct completion {
    int err;
    _Atomic bool done;
};

int block_register(struct block_device *bd)
{
    if (ndevices == MAX_DEVICES)
        return -ENOSPC;
    bd->minor = ndevices * 16; /* as Linux leaves room for partitions */
    snprintf(bd->name, sizeof(bd->name), "vd%c", 'a' + ndevices);
    block_cache_init(bd);
    devices[ndevices++] = bd;
    pr_info("%s: %lu sectors%s%s\n", bd->name, bd->sectors, bd->read_only ? ", read-only" : "",
            bd->has_flush ? ", write cache" : "");
    return 0;
}

struct block_device *block_at(unsigned i)
{
    return i < ndevices ? devices[i] : NULL;
}

struct block_device *block_find(const char *name)
{
    for (unsigned i = 0; i < ndevices; i++)
        if (!strcmp(devices[i]->name, name))
            return devices[i];
    return NULL;
}

size_t block_cached_pages(void)
{
    size_t n = 0;

    for (unsigned i = 0; i < ndevices; i++)
        n += READ_ONCE(devices[i]->mapping.npages);
    return n;
}

static uint64_t count_sectors(const struct bio *bio)
{
    uint64_t len = 0;

    for (unsigned i = 0; i < bio->nsegs; i++)
        len += bio->segs[i].len;
    return len / SECTOR_SIZE;
}

static bool bio_valid(const struct block_device *bd, const struct bio *bio, uint64_t sectors)
{
    if (bio->op == BIO_FLUSH)
        return bio->nsegs == 0;
    return bio->nsegs && sectors <= bd->sectors && bio->sector <= bd->sectors - sectors &&
           (bio->op == BIO_READ || !bd->read_only);
}

static void count_bio(const struct bio *bio, uint64_t sectors)
{
    if (bio->op == BIO_READ) {
        stat_inc(disk_reads);
        stat_add(disk_read_sectors, sectors);
    } else if (bio->op == BIO_WRITE) {
        stat_inc(disk_writes);
        stat_add(disk_write_sectors, sectors);
    } else {
        stat_inc(disk_flushes);
    }
}

void bio_submit(struct block_device *bd, struct bio *bio)
{
    uint64_t sectors;

    BUG_ON(bio->nsegs > BIO_MAX_SEGMENTS);
    sectors = count_sectors(bio);
    if (!bio_valid(bd, bio, sectors)) {
        bio->done(bio, -EIO);
        return;
    }
    if (bio->op == BIO_FLUSH && !bd->has_flush) {
        bio->done(bio, 0);
        return;
    }
    count_bio(bio, sectors);
    bd->submit(bd, bio);
}

static void complete(struct bio *bio, int err)
{
    struct completion *c = bio->arg;

    c->err = err;
    /* The waiter may return, and bio and *c vanish, as soon as it sees this. */
    atomic_store_explicit(&c->done, true, memory_order_release);
    waitq_wake_all(&completed);
}

static int bio_wait(struct block_device *bd, struct bio *bio)
{
    struct completion c = {0};

    bio->done = complete;
    bio->arg = &c;
    bio_submit(bd, bio);
    wait_event(&completed, atomic_load_explicit(&c.done, memory_order_acquire));
    return c.err;
}

int block_flush(struct block_device *bd)
{
    struct bio *bio;
    int err;

    if (!bd->has_flush)
        return 0;
    bio = kmalloc(sizeof(*bio), ALLOC_ZERO | ALLOC_NOFS);
    if (!bio)
        return -ENOMEM;
    bio->op = BIO_FLUSH;
    err = bio_wait(bd, bio);
    kfree(bio);
    return err;
}

/* ---- Self tests ------------------------------------------------------------------------------ */

static _Atomic unsigned test_left, test_failed;

static void test_done(struct bio *bio, int err)
{
    if (err)
        test_failed++;
    kfree(bio);
    if (atomic_fetch_sub(&test_left, 1) == 1)
        waitq_wake_all(&completed);
}

static struct bio *test_bio(uint64_t sector, void *buf)
{
    struct bio *bio = kzalloc(sizeof(*bio));

    if (bio) {
        bio->op = BIO_READ;
        bio->sector = sector;
        bio->nsegs = 1;
        bio->segs[0] = (struct bio_segment){buf, SECTOR_SIZE};
        bio->done = test_done;
    }
    return bio;
}

KTEST(block_requests_beyond_the_end_fail)
{
    struct block_device *bd = block_at(0);
    void *buf = kmalloc(SECTOR_SIZE, 0);
    struct bio *bio = test_bio(0, buf);

    KCHECK(buf && bio);
    if (bd && buf && bio) {
        KCHECK(bio_wait(bd, bio) == 0);
        bio->sector = bd->sectors - 1;
        KCHECK(bio_wait(bd, bio) == 0);
        bio->sector = bd->sectors;
        KCHECK(bio_wait(bd, bio) == -EIO);
        bio->sector = UINT64_MAX;
        KCHECK(bio_wait(bd, bio) == -EIO);
    }
    kfree(bio);
    kfree(buf);
}

KTEST(block_more_requests_than_the_device_has_room_for)
{
    struct block_device *bd = block_at(0);
    void *buf = kmalloc(SECTOR_SIZE, 0);
    unsigned failed_alloc = 0;

    KCHECK(buf);
    test_left = 1;
    test_failed = 0;
    for (unsigned i = 0; bd && i < 300; i++) {
        struct bio *bio = test_bio(i % bd->sectors, buf);

        if (!bio) {
            failed_alloc++;
            continue;
        }
        test_left++;
        bio_submit(bd, bio);
    }
    if (atomic_fetch_sub(&test_left, 1) > 1)
        wait_event(&completed, test_left == 0);
    kfree(buf);
    KCHECK(!test_failed && !failed_alloc);
}
