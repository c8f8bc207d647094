/* SPDX-License-Identifier: MIT */
/*
 * Devices found in the device tree, and the two ways a driver touches one: named registers through
 * the accessors below, and interrupts. A driver is DRIVER(...) with a compatible string and a probe.
 */
#pragma once

#include "arch/fdt.h"
#include "lib/types.h"

struct device {
    const char *name; /* the node's, e.g. "virtio_mmio@10008000" */
    struct fdt_node node;
    paddr_t base; /* first "reg" entry */
    uint64_t size;
    volatile void *regs; /* mapped registers */
    unsigned irq;        /* first interrupt at the PLIC, 0 = none */
};

struct driver {
    const char *compatible;
    int (*probe)(struct device *dev); /* 0, or -ENODEV and the like; dev is copied if kept */
    unsigned stage;                   /* 0 interrupt controller, 1 console, 2 the rest */
};

#define DRIVER(name, compat, probe_fn, at_stage) \
    static const struct driver driver_##name     \
        __attribute__((used, section(".drivers"))) = {compat, probe_fn, at_stage}

extern const struct driver __drivers_start[], __drivers_end[];

/* Registers an interrupt handler (called with interrupts masked); may be called from a probe. */
int irq_register(unsigned irq, void (*handler)(void *arg), void *arg);
uint64_t irq_count(unsigned irq, unsigned hart_index); /* for /proc/interrupts */

static inline uint8_t mmio_read8(volatile void *p)
{
    return *(volatile uint8_t *)p;
}
static inline void mmio_write8(volatile void *p, uint8_t v)
{
    *(volatile uint8_t *)p = v;
}
static inline uint32_t mmio_read32(volatile void *p)
{
    return *(volatile uint32_t *)p;
}
static inline void mmio_write32(volatile void *p, uint32_t v)
{
    *(volatile uint32_t *)p = v;
}
/* Orders memory before a doorbell write, and a status read before memory reads. */
void mmio_barrier(void); /* arch/machine.c: fence iorw, iorw */
