/* SPDX-License-Identifier: MIT */
/*
 * The virtio block device (VIRTIO 1.1, section 5.2). Requests come from a fixed pool, so that
 * nothing is allocated on the way to the disk; a bio that finds the pool or the ring full waits on
 * `pending` and is started by the completion that makes room.
 *
 * [1] The interrupt is acknowledged before the used ring is scanned: what finishes after the scan
 *     raises it again, and no completion is lost.
 * [2] bio->done is called without the lock; it may submit again.
 * [3] Header, status and indirect table lie in the request: direct-mapped, never on a stack.
 */
#include <linux/virtio_blk.h>

#include "drivers/block.h"
#include "drivers/virtio.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

enum { POOL_SIZE = 32, MAX_BUFFERS = BIO_MAX_SEGMENTS + 2 };

struct request {
    struct virtio_blk_outhdr header;
    uint8_t status;
    struct bio *bio;
    struct list link; /* disk->free */
    struct vring_desc table[MAX_BUFFERS];
};

struct disk {
    struct virtio_device dev;
    struct block_device bd;
    struct spinlock lock; /* guards everything below */
    struct virtqueue queue;
    struct list free;    /* unused requests */
    struct list pending; /* bios that wait for room, oldest first */
    struct request pool[POOL_SIZE];
};

/* Lock held. False: no room now. */
static bool start(struct disk *d, struct bio *bio)
{
    static const uint32_t types[] = {[BIO_READ] = VIRTIO_BLK_T_IN,
                                     [BIO_WRITE] = VIRTIO_BLK_T_OUT,
                                     [BIO_FLUSH] = VIRTIO_BLK_T_FLUSH};
    struct request *rq = list_first(&d->free, struct request, link);
    unsigned n = 0;

    if (list_empty(&d->free))
        return false;
    rq->bio = bio;
    rq->status = 0xff;
    rq->header = (struct virtio_blk_outhdr){.type = types[bio->op],
                                            .sector = bio->op == BIO_FLUSH ? 0 : bio->sector};
    virtq_describe(rq->table, &n, &rq->header, sizeof(rq->header), false);
    for (unsigned i = 0; i < bio->nsegs; i++)
        virtq_describe(rq->table, &n, bio->segs[i].addr, bio->segs[i].len, bio->op == BIO_READ);
    virtq_describe(rq->table, &n, &rq->status, 1, true);
    if (!virtq_add(&d->queue, rq->table, n, rq))
        return false;
    list_del(&rq->link);
    return true;
}

/* Lock held. */
static void start_pending(struct disk *d)
{
    bool started = false;

    while (!list_empty(&d->pending)) {
        struct bio *bio = list_first(&d->pending, struct bio, link);

        if (!start(d, bio))
            break;
        list_del(&bio->link);
        started = true;
    }
    if (started)
        virtq_kick(&d->queue);
}

static void blk_submit(struct block_device *bd, struct bio *bio)
{
    struct disk *d = bd->driver_data;
    irqflags_t flags = spin_lock_irqsave(&d->lock);

    list_add_tail(&d->pending, &bio->link);
    start_pending(d);
    spin_unlock_irqrestore(&d->lock, flags);
}

static void blk_interrupt(void *arg)
{
    struct disk *d = arg;
    struct request *rq;

    virtio_ack(&d->dev);
    spin_lock(&d->lock);
    while ((rq = virtq_take(&d->queue, NULL))) {
        struct bio *bio = rq->bio;
        int err = READ_ONCE(rq->status) == VIRTIO_BLK_S_OK ? 0 : -EIO;

        list_add(&d->free, &rq->link);
        spin_unlock(&d->lock);
        bio->done(bio, err);
        spin_lock(&d->lock);
    }
    start_pending(d);
    spin_unlock(&d->lock);
}

static int read_config(struct disk *d)
{
    uint32_t seg_max = BIO_MAX_SEGMENTS;

    d->bd.sectors =
        virtio_config(&d->dev, offsetof(struct virtio_blk_config, capacity)) |
        (uint64_t)virtio_config(&d->dev, offsetof(struct virtio_blk_config, capacity) + 4) << 32;
    if (virtio_has(&d->dev, VIRTIO_BLK_F_SEG_MAX))
        seg_max = virtio_config(&d->dev, offsetof(struct virtio_blk_config, seg_max));
    if (seg_max < BIO_MAX_SEGMENTS) {
        pr_warn("%s: takes %u segments only, %u are needed\n", d->dev.name, seg_max,
                BIO_MAX_SEGMENTS);
        return -EINVAL;
    }
    d->bd.read_only = virtio_has(&d->dev, VIRTIO_BLK_F_RO);
    d->bd.has_flush = virtio_has(&d->dev, VIRTIO_BLK_F_FLUSH);
    return 0;
}

/* What a failed start leaves allocated stays so: the device may know those addresses. */
int virtio_blk_probe(const struct virtio_device *dev)
{
    struct disk *d = kzalloc(sizeof(*d));
    int err;

    if (!d)
        return -ENOMEM;
    d->dev = *dev;
    d->bd.submit = blk_submit;
    d->bd.driver_data = d;
    spin_init(&d->lock, RANK_DRIVER, "virtio_blk");
    list_init(&d->free);
    list_init(&d->pending);
    for (unsigned i = 0; i < POOL_SIZE; i++)
        list_add(&d->free, &d->pool[i].link);
    err = virtio_start(
        &d->dev, 1UL << VIRTIO_BLK_F_RO | 1UL << VIRTIO_BLK_F_FLUSH | 1UL << VIRTIO_BLK_F_SEG_MAX,
        &d->queue);
    if (err)
        return err;
    err = read_config(d);
    if (!err)
        err = irq_register(d->dev.irq, blk_interrupt, d);
    if (err) {
        virtio_add_status(&d->dev, VIRTIO_CONFIG_S_FAILED);
        return err;
    }
    virtio_add_status(&d->dev, VIRTIO_CONFIG_S_DRIVER_OK);
    return block_register(&d->bd);
}
