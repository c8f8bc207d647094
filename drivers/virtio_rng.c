/* SPDX-License-Identifier: MIT */
/*
 * The virtio entropy device (VIRTIO 1.1, section 5.4). One request at a time: readers queue up on
 * a mutex. The first bytes are fetched by polling during the probe, before anything can sleep, and
 * seed the random number generator.
 */
#include <linux/virtio_rng.h>

#include "drivers/block.h"
#include "drivers/random.h"
#include "drivers/virtio.h"
#include "lib/log.h"
#include "lib/string.h"
#include "lib/wait.h"
#include "mm/kmalloc.h"

enum { CHUNK = 64 };
#define FIRST_SEED_NS 100000000UL

static struct rng {
    struct virtio_device dev;
    struct mutex mutex;   /* one reader */
    struct spinlock lock; /* queue, done, len */
    struct virtqueue queue;
    struct waitq wait;
    uint8_t *buf; /* CHUNK bytes for the device */
    uint32_t len; /* bytes of the finished request */
    bool done;
} * rng;

static void collect_locked(struct rng *r)
{
    uint32_t len;

    while (virtq_take(&r->queue, &len)) {
        r->len = MIN(len, (uint32_t)CHUNK);
        r->done = true;
    }
}

static void rng_interrupt(void *arg)
{
    struct rng *r = arg;

    virtio_ack(&r->dev);
    spin_lock(&r->lock);
    collect_locked(r);
    spin_unlock(&r->lock);
    waitq_wake_all(&r->wait);
}

static void request(struct rng *r)
{
    struct virtq_buffer b = {r->buf, CHUNK, true};
    irqflags_t flags = spin_lock_irqsave(&r->lock);

    r->done = false;
    virtq_add(&r->queue, &b, 1, NULL, r);
    virtq_kick(&r->queue);
    spin_unlock_irqrestore(&r->lock, flags);
}

static bool finished(struct rng *r)
{
    irqflags_t flags = spin_lock_irqsave(&r->lock);
    bool done;

    collect_locked(r);
    done = r->done;
    spin_unlock_irqrestore(&r->lock, flags);
    return done;
}

size_t entropy_read(void *buf, size_t len)
{
    size_t total = 0;

    if (!rng)
        return 0;
    mutex_lock(&rng->mutex);
    while (total < len) {
        size_t n;

        request(rng);
        wait_event(&rng->wait, finished(rng));
        n = MIN(rng->len, len - total);
        if (!n)
            break;
        memcpy((uint8_t *)buf + total, rng->buf, n);
        total += n;
    }
    memset(rng->buf, 0, CHUNK);
    mutex_unlock(&rng->mutex);
    return total;
}

/* An answer that comes too late stays queued, and is the first reader's. */
static void first_seed(struct rng *r)
{
    uint64_t deadline = arch_time_ns() + FIRST_SEED_NS;

    request(r);
    while (!finished(r))
        if (arch_time_ns() > deadline)
            return;
    random_add_entropy(r->buf, r->len);
}

static int rng_start(struct rng *r)
{
    int err = virtio_start(&r->dev, 0);

    if (!err)
        err = virtio_queue_init(&r->dev, &r->queue, 0);
    if (!err)
        err = irq_register(r->dev.irq, rng_interrupt, r);
    if (err) {
        virtio_fail(&r->dev);
        return err;
    }
    virtio_ready(&r->dev);
    first_seed(r);
    rng = r;
    return 0;
}

int virtio_rng_probe(const struct virtio_device *dev)
{
    struct rng *r;

    if (rng)
        return 0;
    r = kzalloc(sizeof(*r));
    if (!r)
        return -ENOMEM;
    r->buf = kzalloc(CHUNK);
    if (!r->buf) {
        kfree(r);
        return -ENOMEM;
    }
    r->dev = *dev;
    mutex_init(&r->mutex, MUTEX_LEAF);
    spin_init(&r->lock, RANK_DRIVER, "virtio_rng");
    waitq_init(&r->wait);
    return rng_start(r);
}
