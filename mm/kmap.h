/* SPDX-License-Identifier: MIT */
/*
 * The kernel half of every page table: built once at boot, shared by reference, never changed
 * afterwards above the level at which it is shared.
 */
#pragma once

#include "mm/pagetable.h"

#define KSTACK_PAGES 4UL
#define KSTACK_SIZE (KSTACK_PAGES * PAGE_SIZE)
/* A stack's slot is twice its size and the lower half stays unmapped: the guard. Bit 14 of a valid
 * stack pointer is therefore always set, which the trap entry tests. */
#define KSTACK_SLOT (2 * KSTACK_SIZE)
#define KWINDOW_BASE 0xffffffffc0000000UL /* device windows, 1 GiB of root slot 511 in all */
#define KSTACK_BASE 0xffffffffd0000000UL
#define KSTACK_SLOTS 8192UL

extern struct pagetable kernel_pagetable;

void kmap_init(void); /* boot hart: direct map, W^X */
/* Registers of a device: identity-mapped above USER_TOP, in a window below it. Boot only. */
volatile void *kmap_device(paddr_t base, size_t size);
void kmap_seal(void);     /* before the first process: no more devices */
bool kmap_check_wx(void); /* walks: nothing writable and executable */

/* Kernel stacks: top address, or 0 when memory is short. Freed stacks are kept for reuse. */
uintptr_t kstack_alloc(void);
void kstack_free(uintptr_t top);
bool kstack_is_guard(uintptr_t va, unsigned *slot); /* va lies in a guard page */
size_t kstack_count(void);                          /* in use */
size_t kstack_cached_pages(void);
size_t kstack_shrink(size_t want); /* shrinker: gives cached stacks back; pages freed */
