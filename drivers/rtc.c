/* SPDX-License-Identifier: MIT */
/*
 * The Goldfish real-time clock: nanoseconds since 1970 in two registers. Reading the low half
 * latches the high one. Its registers lie below USER_TOP, so they are reached through a window that
 * kmap_device made.
 */
#include "arch/arch.h"
#include "drivers/block.h"
#include "drivers/device.h"
#include "lib/spinlock.h"

enum { TIME_LOW = 0x00, TIME_HIGH = 0x04 };

static volatile uint8_t *regs;
static struct spinlock lock = SPINLOCK_INIT(RANK_LEAF, "rtc"); /* the two reads belong together */

int rtc_read(uint64_t *ns_since_epoch)
{
    irqflags_t flags;
    uint64_t low;

    if (!regs)
        return -ENODEV;
    flags = spin_lock_irqsave(&lock);
    low = mmio_read32(regs + TIME_LOW);
    *ns_since_epoch = (uint64_t)mmio_read32(regs + TIME_HIGH) << 32 | low;
    spin_unlock_irqrestore(&lock, flags);
    return 0;
}

static int rtc_probe(struct device *dev)
{
    regs = dev->regs;
    return 0;
}

DRIVER(rtc, "google,goldfish-rtc", rtc_probe, 2);
