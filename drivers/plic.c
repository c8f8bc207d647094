/* SPDX-License-Identifier: MIT */
/*
 * The platform-level interrupt controller (RISC-V PLIC specification 1.0.0). A context is an
 * interrupt target: one privilege mode of one hart. Which context is whose S-mode stands in the
 * node's "interrupts-extended": the i-th pair names the interrupt input that context i drives.
 *
 * Every interrupt goes to the hart that probes the devices; the others never enable theirs. One
 * claim per trap: if a second source is pending, the trap is taken again, and the common case saves
 * the read that would say "nothing more".
 */
#include "arch/arch.h"
#include "drivers/device.h"
#include "lib/log.h"
#include "lib/string.h"

enum { MAX_IRQS = 128, S_EXTERNAL = 9 };

static struct {
    volatile uint8_t *regs;
    unsigned nirqs;   /* sources are 1..nirqs */
    unsigned hart;    /* index of the one that gets the interrupts */
    unsigned context; /* its S-mode's */
} plic;

static struct irq {
    void (*handler)(void *arg); /* (I) after boot */
    void *arg;
    uint64_t count;
} irqs[MAX_IRQS];

static volatile uint8_t *priority_reg(unsigned irq)
{
    return plic.regs + 4 * irq;
}

static volatile uint8_t *enable_reg(unsigned irq)
{
    return plic.regs + 0x2000 + 0x80 * plic.context + 4 * (irq / 32);
}

static volatile uint8_t *threshold_reg(void)
{
    return plic.regs + 0x200000 + 0x1000 * plic.context;
}

static void plic_interrupt(void)
{
    volatile uint8_t *claim = threshold_reg() + 4;
    uint32_t irq = mmio_read32(claim);

    if (!irq) /* the source withdrew */
        return;
    if (irq < MAX_IRQS && irqs[irq].handler) {
        irqs[irq].count++;
        irqs[irq].handler(irqs[irq].arg);
    }
    mmio_write32(claim, irq);
}

int irq_register(unsigned irq, void (*handler)(void *arg), void *arg)
{
    if (!plic.regs || irq == 0 || irq > plic.nirqs || irqs[irq].handler)
        return -EINVAL;
    irqs[irq].arg = arg;
    irqs[irq].handler = handler;
    mmio_barrier();
    mmio_write32(priority_reg(irq), 1);
    mmio_write32(enable_reg(irq), mmio_read32(enable_reg(irq)) | 1U << irq % 32);
    return 0;
}

uint64_t irq_count(unsigned irq, unsigned hart_index)
{
    return irq < MAX_IRQS && hart_index == plic.hart ? irqs[irq].count : 0;
}

/* The phandle of a hart's own interrupt controller, a child of its node; 0 if there is none. */
static uint64_t controller_of(unsigned wanted)
{
    struct fdt_node n = {0};
    uint64_t hartid = 0, size;
    int cpu_depth = 0;

    while (fdt_next(&n)) {
        const char *type = fdt_string(&n, "device_type");

        if (type && !strcmp(type, "cpu") && fdt_reg(&n, 0, &hartid, &size))
            cpu_depth = n.depth;
        if (cpu_depth && n.depth == cpu_depth + 1 && hartid == wanted &&
            fdt_prop(&n, "interrupt-controller", NULL))
            return fdt_number(&n, "phandle", 0);
    }
    return 0;
}

static int plic_probe(struct device *dev)
{
    uint64_t ours = controller_of(arch_this_hart()->hartid);
    uint32_t phandle, input;

    if (plic.regs)
        return -EBUSY;
    for (unsigned i = 0;; i++) {
        if (!fdt_cell(&dev->node, "interrupts-extended", 2 * i, &phandle) ||
            !fdt_cell(&dev->node, "interrupts-extended", 2 * i + 1, &input))
            return -EINVAL;
        plic.context = i;
        if (phandle == ours && input == S_EXTERNAL)
            break;
    }
    plic.hart = arch_this_hart()->index;
    plic.nirqs = MIN(fdt_number(&dev->node, "riscv,ndev", MAX_IRQS - 1), MAX_IRQS - 1UL);
    plic.regs = dev->regs;
    /* Firmware may have left sources enabled: nothing may arrive that nobody has asked for. */
    for (unsigned irq = 1; irq <= plic.nirqs; irq++)
        mmio_write32(priority_reg(irq), 0);
    for (unsigned irq = 0; irq <= plic.nirqs; irq += 32)
        mmio_write32(enable_reg(irq), 0);
    mmio_write32(threshold_reg(), 0);
    arch_external_irq = plic_interrupt;
    arch_enable_external_irq();
    return 0;
}

DRIVER(plic, "sifive,plic-1.0.0", plic_probe, 0);
DRIVER(plic_generic, "riscv,plic0", plic_probe, 0);
