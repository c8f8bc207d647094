/* SPDX-License-Identifier: MIT */
/*
 * The virtio entropy device (VIRTIO 1.1, section 5.4): one request, whose answer seeds the random
 * number generator. That is polled for, since nothing can sleep during the probe.
 */
#include "arch/arch.h"
#include "drivers/random.h"
#include "drivers/virtio.h"
#include "lib/log.h"
#include "mm/kmalloc.h"

enum { SEED_SIZE = 64 };
#define PATIENCE_NS 100000000UL

struct rng { /* stays allocated: the device may answer at any time */
    struct virtio_device dev;
    struct virtqueue queue;
    struct vring_desc table[1];
    uint8_t seed[SEED_SIZE];
};

int virtio_rng_probe(const struct virtio_device *dev)
{
    uint64_t deadline = arch_time_ns() + PATIENCE_NS;
    struct rng *r = kzalloc(sizeof(*r));
    unsigned n = 0;
    uint32_t len;
    int err;

    if (!r)
        return -ENOMEM;
    r->dev = *dev;
    err = virtio_start(&r->dev, 0, &r->queue);
    if (err)
        return err;
    virtio_add_status(&r->dev, VIRTIO_CONFIG_S_DRIVER_OK);
    virtq_describe(r->table, &n, r->seed, SEED_SIZE, true);
    virtq_add(&r->queue, r->table, n, r);
    virtq_kick(&r->queue);
    while (!virtq_take(&r->queue, &len))
        if (arch_time_ns() > deadline)
            return -ETIMEDOUT;
    random_add_entropy(r->seed, MIN(len, (uint32_t)SEED_SIZE));
    return 0;
}
