/* SPDX-License-Identifier: MIT */
/* The machine as the device tree describes it: used by kmain, once, on the boot hart. */
#pragma once

#include "lib/types.h"

/* Early console, device tree, clock, harts; current->hart works afterwards. Panics if hopeless. */
void machine_discover(unsigned boot_hartid, paddr_t dtb);
void harts_discover(unsigned boot_hartid);
void hart_init(void); /* each hart, itself */

/* Memory that must not be handed out, before machine_for_each_free_range. */
void machine_reserve(paddr_t base, size_t size);
void machine_for_each_bank(void (*fn)(paddr_t base, size_t len));
void machine_for_each_free_range(void (*fn)(paddr_t from, paddr_t to));
/* The end of the firmware's ranges from pa on, or pa itself. */
paddr_t machine_skip_firmware(paddr_t pa);
/* Takes size bytes out of free memory, for good: the memory map itself. */
paddr_t machine_carve(size_t size);
