/* SPDX-License-Identifier: MIT */
/*
 * Finds devices: walks the device tree once per stage and gives each enabled node to the first
 * driver that names one of its compatible strings. Stages exist because drivers need each other:
 * interrupts before the console, the console before anything that may have something to say.
 */
#include "drivers/device.h"
#include "lib/log.h"
#include "mm/kmap.h"
#include "proc/files.h"

enum { STAGES = 3 };

static const struct driver *find_driver(const struct fdt_node *n, unsigned stage)
{
    for (const struct driver *d = __drivers_start; d < __drivers_end; d++)
        if (d->stage == stage && fdt_is_compatible(n, d->compatible))
            return d;
    return NULL;
}

static void probe_node(const struct fdt_node *n, const struct driver *driver)
{
    struct device dev = {.name = n->name, .node = *n};
    uint32_t irq = 0;
    int err;

    if (!fdt_reg(n, 0, &dev.base, &dev.size) || !dev.size) {
        pr_warn("%s: no registers in the device tree\n", n->name);
        return;
    }
    dev.regs = kmap_device(dev.base, dev.size);
    fdt_cell(n, "interrupts", 0, &irq);
    dev.irq = irq;
    err = driver->probe(&dev);
    if (err && err != -ENODEV)
        pr_warn("%s: %s does not work: error %d\n", n->name, driver->compatible, -err);
}

void drivers_init(void)
{
    for (unsigned stage = 0; stage < STAGES; stage++) {
        struct fdt_node n = {0};

        while (fdt_next(&n)) {
            const struct driver *driver = find_driver(&n, stage);

            if (driver && fdt_is_enabled(&n))
                probe_node(&n, driver);
        }
    }
}
