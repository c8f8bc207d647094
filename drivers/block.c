/* SPDX-License-Identifier: MIT */
/*
 * The registry of block devices, and what all requests have in common: range checks, counters,
 * waiting. Registration happens at boot only, so the list needs no lock.
 *
 * A waiter sleeps on a static queue, never on one in the request: the completing hart may
 * still be in the middle of the wakeup when the waiter has already seen the result.
 */
#include "drivers/block.h"
#include "lib/ktest.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

enum { MAX_DEVICES = 26, MINORS = 16 /* as Linux leaves room for partitions */ };

static struct block_device *devices[MAX_DEVICES];
static unsigned ndevices;
static struct waitq completed = WAITQ_INIT(completed);

struct flush {
    struct bio bio;
    int err;
    _Atomic bool done;
};

int block_register(struct block_device *bd)
{
    if (ndevices == MAX_DEVICES)
        return -ENOSPC;
    bd->minor = ndevices * MINORS;
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

struct block_device *block_of_minor(unsigned minor)
{
    return minor % MINORS ? NULL : block_at(minor / MINORS);
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

static void flushed(struct bio *bio, int err)
{
    struct flush *f = container_of(bio, struct flush, bio);

    f->err = err;
    /* The waiter may return, and *f vanish, as soon as it sees this. */
    atomic_store_explicit(&f->done, true, memory_order_release);
    waitq_wake_all(&completed);
}

int block_flush(struct block_device *bd)
{
    struct flush *f = kmalloc(sizeof(*f), ALLOC_ZERO | ALLOC_NOFS);
    int err;

    if (!f)
        return -ENOMEM;
    f->bio.op = BIO_FLUSH;
    f->bio.done = flushed;
    bio_submit(bd, &f->bio);
    wait_event(&completed, atomic_load_explicit(&f->done, memory_order_acquire));
    err = f->err;
    kfree(f);
    return err;
}

/* ---- Self tests ------------------------------------------------------------------------------ */

static _Atomic unsigned test_left, test_failed;

static void test_done(struct bio *bio, int err)
{
    if (err)
        test_failed++;
    kfree(bio);
    test_left--;
    waitq_wake_all(&completed);
}

static void test_read(struct block_device *bd, uint64_t sector, void *buf)
{
    struct bio *bio = kzalloc(sizeof(*bio));

    test_left++;
    if (!bio) {
        test_done(NULL, -ENOMEM);
        return;
    }
    bio->op = BIO_READ;
    bio->sector = sector;
    bio->nsegs = 1;
    bio->segs[0] = (struct bio_segment){buf, SECTOR_SIZE};
    bio->done = test_done;
    bio_submit(bd, bio);
}

/* How many of the reads so far failed. */
static unsigned test_failures(void)
{
    wait_event(&completed, !test_left);
    return atomic_exchange(&test_failed, 0);
}

KTEST(block_requests)
{
    struct block_device *bd = block_at(0);
    void *buf = kmalloc(SECTOR_SIZE, 0);

    KCHECK(buf);
    if (bd && buf) {
        test_read(bd, 0, buf);
        test_read(bd, bd->sectors - 1, buf);
        KCHECK(test_failures() == 0);
        test_read(bd, bd->sectors, buf);
        test_read(bd, UINT64_MAX, buf);
        KCHECK(test_failures() == 2);
        for (unsigned i = 0; i < 300; i++) /* more than the device has room for */
            test_read(bd, i % bd->sectors, buf);
        KCHECK(test_failures() == 0);
    }
    kfree(buf);
}
