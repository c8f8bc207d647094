/* SPDX-License-Identifier: MIT */
/*
 * The virtio-mmio transport, version 2 (VIRTIO 1.1, section 4.2), and split virtqueues (2.6).
 *
 * [1] A queue lies in one page: descriptors, then the available ring, then the used ring.
 * [2] A request is published by storing avail->idx after everything it points to; what the device
 *     wrote is read after used->idx. Both orders are made by mmio_barrier().
 * [3] The device is not trusted: an id outside the ring, or of no request, is dropped.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_mmio.h>

#include "drivers/virtio.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/page.h"

enum { NO_DESC = 0xffff };

_Static_assert(VIRTQ_MAX *(sizeof(struct vring_desc) + 2 + 8) + 16 <= PAGE_SIZE, "see [1]");
_Static_assert(VIRTIO_MMIO_INTERRUPT_ACK == 0x064, "virtio_ack");

static uint32_t reg_read(const struct virtio_device *dev, unsigned reg)
{
    return mmio_read32(dev->regs + reg);
}

static void reg_write(const struct virtio_device *dev, unsigned reg, uint32_t val)
{
    mmio_write32(dev->regs + reg, val);
}

static void add_status(struct virtio_device *dev, uint32_t bits)
{
    reg_write(dev, VIRTIO_MMIO_STATUS, reg_read(dev, VIRTIO_MMIO_STATUS) | bits);
}

static uint64_t offered_features(struct virtio_device *dev)
{
    uint64_t low;

    reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 0);
    low = reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES);
    reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, 1);
    return low | (uint64_t)reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32;
}

static void accept_features(struct virtio_device *dev, uint64_t features)
{
    dev->features = features;
    reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
    reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, features);
    reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
    reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
}

int virtio_start(struct virtio_device *dev, uint64_t wanted)
{
    uint64_t version_1 = 1UL << VIRTIO_F_VERSION_1, offered;

    reg_write(dev, VIRTIO_MMIO_STATUS, 0);
    add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    add_status(dev, VIRTIO_CONFIG_S_DRIVER);
    offered = offered_features(dev);
    if (!(offered & version_1)) {
        virtio_fail(dev);
        return -ENODEV;
    }
    accept_features(dev, offered & (wanted | version_1));
    add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
    if (!(reg_read(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK)) {
        virtio_fail(dev);
        return -ENODEV;
    }
    return 0;
}

void virtio_ready(struct virtio_device *dev)
{
    add_status(dev, VIRTIO_CONFIG_S_DRIVER_OK);
}

void virtio_fail(struct virtio_device *dev)
{
    add_status(dev, VIRTIO_CONFIG_S_FAILED);
}

void virtio_config(struct virtio_device *dev, unsigned offset, void *buf, size_t len)
{
    uint32_t generation;

    do {
        generation = reg_read(dev, VIRTIO_MMIO_CONFIG_GENERATION);
        for (size_t i = 0; i < len; i++)
            ((uint8_t *)buf)[i] = mmio_read8(dev->regs + VIRTIO_MMIO_CONFIG + offset + i);
    } while (reg_read(dev, VIRTIO_MMIO_CONFIG_GENERATION) != generation);
}

static void write_address(struct virtio_device *dev, unsigned low_reg, const void *p)
{
    paddr_t pa = va_to_pa(p);

    reg_write(dev, low_reg, pa);
    reg_write(dev, low_reg + 4, pa >> 32);
}

static unsigned queue_size(uint32_t device_max)
{
    unsigned size = VIRTQ_MAX;

    while (size > device_max)
        size /= 2;
    return size;
}

static void queue_layout(struct virtqueue *q, void *memory)
{
    q->desc = memory;
    q->avail = (void *)(q->desc + q->size);
    q->used = (void *)ALIGN_UP((uintptr_t)&q->avail->ring[q->size + 1], 4UL);
    for (unsigned i = 0; i < q->size; i++)
        q->desc[i].next = i + 1 < q->size ? i + 1 : NO_DESC;
    q->free_head = 0;
    q->nfree = q->size;
}

int virtio_queue_init(struct virtio_device *dev, struct virtqueue *q, unsigned index)
{
    struct page *page;

    memset(q, 0, sizeof(*q));
    reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, index);
    if (reg_read(dev, VIRTIO_MMIO_QUEUE_READY))
        return -EBUSY;
    q->dev = dev;
    q->index = index;
    q->size = queue_size(reg_read(dev, VIRTIO_MMIO_QUEUE_NUM_MAX));
    if (!q->size)
        return -ENODEV;
    page = page_alloc(ALLOC_ZERO);
    if (!page)
        return -ENOMEM;
    queue_layout(q, page_va(page));
    reg_write(dev, VIRTIO_MMIO_QUEUE_NUM, q->size);
    write_address(dev, VIRTIO_MMIO_QUEUE_DESC_LOW, q->desc);
    write_address(dev, VIRTIO_MMIO_QUEUE_AVAIL_LOW, q->avail);
    write_address(dev, VIRTIO_MMIO_QUEUE_USED_LOW, q->used);
    mmio_barrier();
    reg_write(dev, VIRTIO_MMIO_QUEUE_READY, 1);
    return 0;
}

static void describe(struct vring_desc *d, const struct virtq_buffer *b)
{
    assert(va_to_page(b->addr));
    d->addr = va_to_pa(b->addr);
    d->len = b->len;
    d->flags = b->device_writes ? VRING_DESC_F_WRITE : 0;
}

static void fill_indirect(struct vring_desc *d, struct vring_desc *table,
                          const struct virtq_buffer *bufs, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        describe(&table[i], &bufs[i]);
        table[i].next = i + 1;
        if (i + 1 < n)
            table[i].flags |= VRING_DESC_F_NEXT;
    }
    d->addr = va_to_pa(table);
    d->len = n * sizeof(*table);
    d->flags = VRING_DESC_F_INDIRECT;
}

/* The free descriptors are chained in the order in which they are handed out. */
static uint16_t fill_chain(struct virtqueue *q, const struct virtq_buffer *bufs, unsigned n)
{
    uint16_t last = q->free_head;

    for (unsigned i = 0; i < n; i++) {
        if (i)
            last = q->desc[last].next;
        describe(&q->desc[last], &bufs[i]);
        if (i + 1 < n)
            q->desc[last].flags |= VRING_DESC_F_NEXT;
    }
    return last;
}

bool virtq_add(struct virtqueue *q, const struct virtq_buffer *bufs, unsigned n,
               struct vring_desc *table, void *cookie)
{
    bool indirect = table && virtio_has(q->dev, VIRTIO_RING_F_INDIRECT_DESC);
    unsigned taken = indirect ? 1 : n;
    uint16_t head = q->free_head, last = head;

    if (q->nfree < taken)
        return false;
    if (indirect)
        fill_indirect(&q->desc[head], table, bufs, n);
    else
        last = fill_chain(q, bufs, n);
    q->free_head = q->desc[last].next;
    q->nfree -= taken;
    q->cookies[head] = cookie;
    q->avail->ring[q->avail->idx % q->size] = head;
    mmio_barrier();
    WRITE_ONCE(q->avail->idx, q->avail->idx + 1);
    return true;
}

void virtq_kick(struct virtqueue *q)
{
    mmio_barrier();
    if (!(READ_ONCE(q->used->flags) & VRING_USED_F_NO_NOTIFY))
        reg_write(q->dev, VIRTIO_MMIO_QUEUE_NOTIFY, q->index);
}

static void free_chain(struct virtqueue *q, uint16_t head)
{
    uint16_t last = head;

    q->nfree++;
    for (; q->desc[last].flags & VRING_DESC_F_NEXT; last = q->desc[last].next)
        q->nfree++;
    q->desc[last].next = q->free_head;
    q->free_head = head;
}

void *virtq_take(struct virtqueue *q, uint32_t *len)
{
    while (q->last_used != READ_ONCE(q->used->idx)) {
        struct vring_used_elem *e = &q->used->ring[q->last_used++ % q->size];
        void *cookie;
        uint32_t head;

        mmio_barrier();
        head = READ_ONCE(e->id);
        if (head >= q->size || !q->cookies[head])
            continue;
        cookie = q->cookies[head];
        q->cookies[head] = NULL;
        if (len)
            *len = READ_ONCE(e->len);
        free_chain(q, head);
        return cookie;
    }
    return NULL;
}

static int virtio_probe(struct device *node)
{
    struct virtio_device dev = {.name = node->name, .regs = node->regs, .irq = node->irq};
    uint32_t version;

    if (reg_read(&dev, VIRTIO_MMIO_MAGIC_VALUE) != 0x74726976)
        return -ENODEV;
    if (!reg_read(&dev, VIRTIO_MMIO_DEVICE_ID)) /* an empty slot */
        return -ENODEV;
    version = reg_read(&dev, VIRTIO_MMIO_VERSION);
    if (version != 2) {
        pr_warn("%s: virtio version %u; needs -global virtio-mmio.force-legacy=false\n", dev.name,
                version);
        return -ENODEV;
    }
    switch (reg_read(&dev, VIRTIO_MMIO_DEVICE_ID)) {
    case VIRTIO_ID_BLOCK: return virtio_blk_probe(&dev);
    case VIRTIO_ID_RNG: return virtio_rng_probe(&dev);
    default: return -ENODEV;
    }
}

DRIVER(virtio, "virtio,mmio", virtio_probe, 2);
