/* SPDX-License-Identifier: MIT */
/* The kernel's boot arguments ("bootargs" of the device tree's /chosen node). */
#pragma once

#include "lib/types.h"

extern uint64_t boot_start_ns; /* monotonic time of the kernel's first instructions */
void boot_args_init(void);     /* from the device tree; before all below */
extern char boot_cmdline[4096];
/* "name=value": copies the value (cut to size) and returns true; "name" alone gives "". */
bool boot_arg(const char *name, char *buf, size_t size);
bool boot_flag(const char *name); /* present, and not "=0" */
uint64_t boot_number(const char *name, uint64_t absent);
/* The initial RAM disk the device tree announces; false if there is none. */
bool boot_initrd(paddr_t *base, size_t *size);
