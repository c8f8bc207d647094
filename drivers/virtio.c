/* SPDX-License-Identifier: MIT */
/*
 * The virtio-mmio transport, version 2 (VIRTIO 1.1, section 4.2), and split virtqueues (2.6).
 *
 * [1] A queue lies in one page: descriptors, then the available ring, then the used ring.
 * [2] A request is published by storing avail->idx after everything it points to; what the device
 *     wrote is read after used->idx. Both orders are made by mmio_barrier().
 * [3] The device is not trusted: an id outside the ring, or of no request, is dropped.
 */
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

void virtio_add_status(struct virtio_device *dev, uint32_t bits)
{
    reg_write(dev, VIRTIO_MMIO_STATUS, reg_read(dev, VIRTIO_MMIO_STATUS) | bits);
}

static int negotiate(struct virtio_device *dev, uint64_t wanted)
{
    uint64_t demanded = 1UL << VIRTIO_F_VERSION_1 | 1UL << VIRTIO_RING_F_INDIRECT_DESC;

    reg_write(dev, VIRTIO_MMIO_STATUS, 0);
    virtio_add_status(dev, VIRTIO_CONFIG_S_ACKNOWLEDGE);
    virtio_add_status(dev, VIRTIO_CONFIG_S_DRIVER);
    dev->features = 0;
    for (unsigned half = 0; half < 2; half++) {
        reg_write(dev, VIRTIO_MMIO_DEVICE_FEATURES_SEL, half);
        dev->features |= (uint64_t)reg_read(dev, VIRTIO_MMIO_DEVICE_FEATURES) << 32 * half;
    }
    dev->features &= wanted | demanded;
    if ((dev->features & demanded) != demanded)
        return -ENODEV;
    for (unsigned half = 0; half < 2; half++) {
        reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES_SEL, half);
        reg_write(dev, VIRTIO_MMIO_DRIVER_FEATURES, dev->features >> 32 * half);
    }
    virtio_add_status(dev, VIRTIO_CONFIG_S_FEATURES_OK);
    return reg_read(dev, VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_FEATURES_OK ? 0 : -ENODEV;
}

uint32_t virtio_config(const struct virtio_device *dev, unsigned offset)
{
    return reg_read(dev, VIRTIO_MMIO_CONFIG + offset);
}

static void write_address(struct virtio_device *dev, unsigned low_reg, const void *p)
{
    paddr_t pa = va_to_pa(p);

    reg_write(dev, low_reg, pa);
    reg_write(dev, low_reg + 4, pa >> 32);
}

static void queue_layout(struct virtqueue *q, void *memory)
{
    q->desc = memory;
    q->avail = (void *)(q->desc + q->size);
    q->used = (void *)ALIGN_UP((uintptr_t)&q->avail->ring[q->size + 1], 4UL);
    for (unsigned i = 0; i < q->size; i++)
        q->desc[i].next = i + 1 < q->size ? i + 1 : NO_DESC;
}

static int queue_init(struct virtio_device *dev, struct virtqueue *q)
{
    struct page *page;
    uint32_t most;

    memset(q, 0, sizeof(*q));
    reg_write(dev, VIRTIO_MMIO_QUEUE_SEL, 0);
    most = reg_read(dev, VIRTIO_MMIO_QUEUE_NUM_MAX);
    if (!most || reg_read(dev, VIRTIO_MMIO_QUEUE_READY))
        return -ENODEV;
    q->dev = dev;
    for (q->size = VIRTQ_MAX; q->size > most; q->size /= 2)
        ;
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

int virtio_start(struct virtio_device *dev, uint64_t wanted, struct virtqueue *q)
{
    int err = negotiate(dev, wanted);

    if (!err)
        err = queue_init(dev, q);
    if (err)
        virtio_add_status(dev, VIRTIO_CONFIG_S_FAILED);
    return err;
}

/* ---- Requests --------------------------------------------------------------------------------- */

void virtq_describe(struct vring_desc *table, unsigned *n, void *addr, uint32_t len,
                    bool device_writes)
{
    assert(va_to_page(addr));
    if (*n)
        table[*n - 1].flags |= VRING_DESC_F_NEXT;
    table[*n] = (struct vring_desc){.addr = va_to_pa(addr),
                                    .len = len,
                                    .flags = device_writes ? VRING_DESC_F_WRITE : 0,
                                    .next = *n + 1};
    (*n)++;
}

bool virtq_add(struct virtqueue *q, struct vring_desc *table, unsigned n, void *cookie)
{
    uint16_t head = q->free_head;
    struct vring_desc *d;

    if (head == NO_DESC)
        return false;
    d = &q->desc[head];
    q->free_head = d->next;
    d->addr = va_to_pa(table);
    d->len = n * sizeof(*table);
    d->flags = VRING_DESC_F_INDIRECT;
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
        reg_write(q->dev, VIRTIO_MMIO_QUEUE_NOTIFY, 0);
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
        q->desc[head].next = q->free_head;
        q->free_head = head;
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
