/* SPDX-License-Identifier: MIT */
/*
 * Virtio devices on the MMIO transport, and their split virtqueues (VIRTIO 1.1, sections 2.6, 4.2).
 * A queue's owner serialises all calls on it with its own lock; interrupt handlers take it too.
 */
#pragma once

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "drivers/device.h"
#include "lib/types.h"

#define VIRTQ_MAX 128

struct virtio_device {
    const char *name;
    volatile uint8_t *regs;
    unsigned irq;
    uint64_t features; /* negotiated */
};

struct virtqueue { /* each request takes one descriptor, which points to its own table of them */
    struct virtio_device *dev;
    unsigned size;
    struct vring_desc *desc;
    struct vring_avail *avail;
    struct vring_used *used;
    uint16_t free_head;       /* unused descriptors, chained by next; NO_DESC at the end */
    uint16_t last_used;       /* what was taken off the used ring so far */
    void *cookies[VIRTQ_MAX]; /* by descriptor */
};

static inline bool virtio_has(const struct virtio_device *dev, unsigned feature)
{
    return dev->features >> feature & 1;
}

/* Resets the device, negotiates `wanted` (feature bits; VERSION_1 and INDIRECT_DESC are demanded),
 * sets up its queue 0. 0, -ENODEV, -ENOMEM: the device has been given up then. */
int virtio_start(struct virtio_device *dev, uint64_t wanted, struct virtqueue *q);
void virtio_add_status(struct virtio_device *dev, uint32_t bits); /* DRIVER_OK or FAILED */
/* A word of the device's configuration; what we read never changes. */
uint32_t virtio_config(const struct virtio_device *dev, unsigned offset);

/* Adds a buffer to a request's table of n descriptors so far: what the device reads comes first.
 * Buffers and table are direct-mapped and live as long as the request. */
void virtq_describe(struct vring_desc *table, unsigned *n, void *addr, uint32_t len,
                    bool device_writes);
/* Queues the request. False: no room now. Not seen by the device before virtq_kick. */
bool virtq_add(struct virtqueue *q, struct vring_desc *table, unsigned n, void *cookie);
void virtq_kick(struct virtqueue *q);
/* The cookie of the next finished request, NULL if there is none. */
void *virtq_take(struct virtqueue *q, uint32_t *len);

/* Tells the device that its interrupt was seen. Must come before the used ring is looked at. */
static inline void virtio_ack(struct virtio_device *dev)
{
    /* Both causes at once, unread: reading the status first would cost one exit more. */
    mmio_write32(dev->regs + 0x064, 3);
    mmio_barrier();
}

/* By device number; each is called once per device and copies *dev. */
int virtio_blk_probe(const struct virtio_device *dev);
int virtio_rng_probe(const struct virtio_device *dev);
