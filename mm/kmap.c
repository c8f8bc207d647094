/* SPDX-License-Identifier: MIT */
/*
 * The kernel half of the address space, built once by the boot hart: RAM and the kernel image
 * direct-mapped, device registers, and root slot 511 with device windows and kernel stacks.
 *
 * Every root slot the kernel will ever use is filled here, before the first process copies the
 * root: later changes happen below the level at which tables are shared, so nobody's copy goes
 * stale. kmap_seal() marks that moment.
 */
#include "mm/kmap.h"

#include "arch/arch.h"
#include "arch/machine.h"
#include "lib/log.h"
#include "mm/page.h"

extern char kernel_start[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[],
    kernel_end[];

struct pagetable kernel_pagetable;
static uintptr_t next_window = KWINDOW_BASE;
static bool sealed;

/* The kernel image is cut out of the bank around it, and mapped by section. */
static void map_bank(paddr_t base, size_t len)
{
    paddr_t image = ALIGN_DOWN((paddr_t)kernel_start, PAGE_SIZE);
    paddr_t image_end = ALIGN_UP((paddr_t)kernel_end, PAGE_SIZE), end = base + len;
    struct pagetable *pt = &kernel_pagetable;

    if (image < base || image >= end) {
        pagetable_map_kernel(pt, base, base, len, PTE_R | PTE_W);
        return;
    }
    /* At the bank's start lies the firmware: not ours to touch, so not mapped. */
    base = machine_skip_firmware(base);
    if (base < image)
        pagetable_map_kernel(pt, base, base, image - base, PTE_R | PTE_W);
    pagetable_map_kernel(pt, image_end, image_end, end - image_end, PTE_R | PTE_W);
}

static void map_section(const char *from, const char *to, uint64_t flags)
{
    paddr_t a = ALIGN_DOWN((paddr_t)from, PAGE_SIZE), b = ALIGN_UP((paddr_t)to, PAGE_SIZE);

    if (b > a)
        pagetable_map_kernel(&kernel_pagetable, a, a, b - a, flags);
}

static pte_t *root_table(unsigned slot)
{
    struct page *p = page_alloc(ALLOC_ZERO);

    if (!p)
        panic("no memory for the kernel's page table");
    page_set(p, PG_TABLE);
    pte_set(&kernel_pagetable.root[slot], pte_make(page_to_pa(p), PTE_V));
    return page_va(p);
}

void kmap_init(void)
{
    struct page *root = page_alloc(ALLOC_ZERO);

    if (!root)
        panic("no memory for the kernel's page table");
    page_set(root, PG_TABLE);
    kernel_pagetable.root = page_va(root);
    kernel_pagetable.user_l1 = root_table(0);
    root_table(PTES_PER_TABLE - 1);
    machine_for_each_bank(map_bank);
    map_section(text_start, text_end, PTE_R | PTE_X);
    map_section(rodata_start, rodata_end, PTE_R);
    map_section(data_start, kernel_end, PTE_R | PTE_W);
    tlb_enable(va_to_pa(kernel_pagetable.root));
}

static volatile void *map_window(paddr_t base, size_t size)
{
    paddr_t first = ALIGN_DOWN(base, PAGE_SIZE), end = ALIGN_UP(base + size, PAGE_SIZE);
    uintptr_t va = next_window;

    if (end - first > KSTACK_BASE - next_window)
        panic("no room for a window on device 0x%lx", base);
    pagetable_map_kernel(&kernel_pagetable, va, first, end - first, PTE_R | PTE_W);
    next_window += end - first + PAGE_SIZE;
    return (volatile void *)(va + (base - first));
}

volatile void *kmap_device(paddr_t base, size_t size)
{
    paddr_t first = ALIGN_DOWN(base, MEGAPAGE_SIZE), end = ALIGN_UP(base + size, MEGAPAGE_SIZE);
    unsigned level;
    pte_t e;

    if (sealed)
        panic("device 0x%lx is mapped after the first process", base);
    /* A device in user memory's place, or outside the shared part of the first GiB, needs a window. */
    if (base < USER_TOP || base + size > GIGAPAGE_SIZE)
        return map_window(base, size);
    for (paddr_t pa = first; pa < end; pa += MEGAPAGE_SIZE)
        if (!pagetable_lookup(&kernel_pagetable, pa, &e, &level))
            pagetable_map_kernel(&kernel_pagetable, pa, pa, MEGAPAGE_SIZE, PTE_R | PTE_W);
    tlb_flush_local();
    return (volatile void *)base;
}

void kmap_seal(void)
{
    sealed = true;
}

bool kmap_check_wx(void)
{
    return pagetable_check(&kernel_pagetable);
}
