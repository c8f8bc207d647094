/* SPDX-License-Identifier: MIT */
/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0.0). A context is an
 * interrupt target: one privilege mode of one hart. Which context is whose S-mode stands in the
 * node's "interrupts-extended": the i-th pair names the interrupt input that context i drives.
 *
 * Every interrupt goes to the hart that probes the devices; other harts' contexts stay without
 * enabled sources. One claim per trap: if a second source is pending, the trap is taken again, and
 * the common case saves the read that would say "nothing more".
 */
#include "arch/arch.h"
#include "drivers/device.h"
#include "lib/log.h"
#include "lib/string.h"

enum { MAX_IRQS = 128, S_EXTERNAL = 9, NO_CONTEXT = -1 };

static struct {
    volatile uint8_t *regs;
    unsigned nirqs;         /* sources are 1..nirqs */
    unsigned target;        /* index of the hart that gets the interrupts */
    int context[MAX_HARTS]; /* (I) by hart index */
} plic;

static struct irq {
    void (*handler)(void *arg); /* (I) after boot */
    void *arg;
    uint64_t count[MAX_HARTS]; /* each written by its own hart only */
} irqs[MAX_IRQS];

static volatile uint32_t *priority_reg(unsigned irq)
{
    return (volatile uint32_t *)(plic.regs + 4 * irq);
}

static volatile uint32_t *enable_reg(int context, unsigned irq)
{
    return (volatile uint32_t *)(plic.regs + 0x2000 + 0x80 * context + 4 * (irq / 32));
}

static volatile uint32_t *threshold_reg(int context)
{
    return (volatile uint32_t *)(plic.regs + 0x200000 + 0x1000 * context);
}

static volatile uint32_t *claim_reg(int context)
{
    return (volatile uint32_t *)(plic.regs + 0x200004 + 0x1000 * context);
}

static void plic_interrupt(void)
{
    unsigned hart = arch_this_hart()->index;
    volatile uint32_t *claim = claim_reg(plic.context[hart]);
    uint32_t irq = mmio_read32(claim);

    if (!irq) /* another hart was faster, or the source withdrew */
        return;
    if (irq < MAX_IRQS && irqs[irq].handler) {
        irqs[irq].count[hart]++;
        irqs[irq].handler(irqs[irq].arg);
    }
    mmio_write32(claim, irq);
}

int irq_register(unsigned irq, void (*handler)(void *arg), void *arg)
{
    volatile uint32_t *enable;

    if (!plic.regs || irq == 0 || irq > plic.nirqs || irqs[irq].handler)
        return -EINVAL;
    irqs[irq].arg = arg;
    irqs[irq].handler = handler;
    mmio_barrier();
    mmio_write32(priority_reg(irq), 1);
    enable = enable_reg(plic.context[plic.target], irq);
    mmio_write32(enable, mmio_read32(enable) | 1U << irq % 32);
    return 0;
}

uint64_t irq_count(unsigned irq, unsigned hart_index)
{
    return irq < MAX_IRQS && hart_index < MAX_HARTS ? irqs[irq].count[hart_index] : 0;
}

void irq_hart_init(void)
{
    int context = plic.context[arch_this_hart()->index];

    if (!plic.regs || context == NO_CONTEXT)
        return;
    mmio_write32(threshold_reg(context), 0);
    arch_enable_external_irq();
}

/* The number of the hart whose own interrupt controller has this phandle; -1 if none. */
static int64_t hartid_of_controller(uint32_t phandle)
{
    struct fdt_node n = {0};
    uint64_t hartid = 0, size;
    int cpu_depth = 0;

    while (fdt_next(&n)) {
        const char *type = fdt_string(&n, "device_type");

        if (type && !strcmp(type, "cpu") && fdt_reg(&n, 0, &hartid, &size))
            cpu_depth = n.depth;
        if (cpu_depth && n.depth == cpu_depth + 1 && fdt_number(&n, "phandle", 0) == phandle)
            return hartid;
    }
    return -1;
}

static void assign_context(int context, int64_t hartid)
{
    for (unsigned h = 0; h < hart_count; h++)
        if (harts[h].hartid == hartid)
            plic.context[h] = context;
}

/* Firmware may have left sources enabled: nothing may arrive that nobody has asked for. */
static void silence(void)
{
    for (unsigned irq = 1; irq <= plic.nirqs; irq++)
        mmio_write32(priority_reg(irq), 0);
    for (unsigned h = 0; h < hart_count; h++)
        for (unsigned irq = 0; plic.context[h] != NO_CONTEXT && irq <= plic.nirqs; irq += 32)
            mmio_write32(enable_reg(plic.context[h], irq), 0);
}

static int plic_probe(struct device *dev)
{
    uint32_t phandle, input;
    unsigned context;

    if (plic.regs)
        return -EBUSY;
    for (unsigned h = 0; h < MAX_HARTS; h++)
        plic.context[h] = NO_CONTEXT;
    for (context = 0; fdt_cell(&dev->node, "interrupts-extended", 2 * context, &phandle) &&
                      fdt_cell(&dev->node, "interrupts-extended", 2 * context + 1, &input);
         context++)
        if (input == S_EXTERNAL)
            assign_context(context, hartid_of_controller(phandle));
    plic.target = arch_this_hart()->index;
    if (plic.context[plic.target] == NO_CONTEXT)
        return -EINVAL;
    plic.nirqs = MIN(fdt_number(&dev->node, "riscv,ndev", MAX_IRQS - 1), MAX_IRQS - 1UL);
    plic.regs = dev->regs;
    silence();
    arch_external_irq = plic_interrupt;
    irq_hart_init();
    return 0;
}

DRIVER(plic, "sifive,plic-1.0.0", plic_probe, 0);
DRIVER(plic_generic, "riscv,plic0", plic_probe, 0);
