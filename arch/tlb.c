/* SPDX-License-Identifier: MIT */
/*
 * Every satp write, sfence.vma and fence.i of the kernel but a secondary hart's first (boot.S), each
 * with the sentence that needs it.
 * Privileged Architecture 1.12, sections 4.1.11 and 4.2.1; SBI 1.0, chapter 8 (RFENCE).
 *
 * QEMU flushes its whole soft-TLB for any sfence.vma, operands or not, so callers batch: one fence
 * per operation. No ASIDs: a change of satp flushes there too, whatever they say.
 */
#include <stdatomic.h>

#include "arch/arch.h"
#include "arch/csr.h"
#include "lib/stats.h"

uint64_t kernel_satp; /* secondary harts load it in boot.S */

static inline void sfence_all(void)
{
    __asm__ volatile("sfence.vma" ::: "memory");
}

void icache_flush_local(void)
{
    /* This hart's fetches must see what it, or a device, stored (Zifencei). */
    __asm__ volatile("fence.i" ::: "memory");
}

void tlb_enable(paddr_t root)
{
    kernel_satp = SATP_SV39 | root >> PAGE_SHIFT;
    /* The tables were written by ordinary stores: they must be seen by the first walk. */
    sfence_all();
    csr_write(satp, kernel_satp);
    sfence_all();
    arch_this_hart()->satp = kernel_satp;
}

void tlb_load_root(paddr_t root)
{
    struct hart *h = arch_this_hart();
    uint64_t satp = SATP_SV39 | root >> PAGE_SHIFT;

    if (h->satp == satp)
        return;
    h->satp = satp;
    csr_write(satp, satp);
    /* Without ASIDs, what was cached for the last table would be taken for this one's. */
    sfence_all();
    /* The next program's code may have been stored by another hart since we last fetched it. */
    icache_flush_local();
    stat_inc(satp_writes);
}

void tlb_flush_local(void)
{
    /* PTEs were removed or restricted: this hart must not use what it cached of them. */
    sfence_all();
    stat_inc(local_fences);
}

void tlb_flush_page_local(uaddr_t va)
{
    /* One PTE was restricted or replaced, or made valid where a miss may be cached (4.3.2). */
    __asm__ volatile("sfence.vma %0, zero" ::"r"(va) : "memory");
    stat_inc(local_fences);
}

/* One SBI call for all targets whose hart numbers fit one mask word. */
static void rfence(unsigned long fn, unsigned hart_mask)
{
    unsigned long mask = 0, base = 0;

    for (unsigned i = 0; i < hart_count; i++) {
        unsigned long id = harts[i].hartid;

        if (!(hart_mask & 1u << i))
            continue;
        if (mask && (id < base || id - base >= 64)) {
            sbi_call(SBI_EXT_RFENCE, fn, mask, base, 0, 0);
            mask = 0;
        }
        if (!mask)
            base = id & ~63UL;
        mask |= 1UL << (id - base);
    }
    if (mask)
        sbi_call(SBI_EXT_RFENCE, fn, mask, base, 0, 0);
}

void tlb_flush_harts(unsigned hart_mask)
{
    unsigned self = 1u << arch_this_hart()->index;

    /* Other harts must have forgotten the PTEs before the caller reuses the pages behind them. The
     * call is synchronous, works while its targets have interrupts masked, and so cannot deadlock
     * under a lock. The fence orders our PTE stores before it. */
    if (hart_mask & ~self) {
        atomic_thread_fence(memory_order_seq_cst);
        rfence(1, hart_mask & ~self);
        stat_inc(remote_fences);
    }
    if (hart_mask & self)
        tlb_flush_local();
}

void icache_flush_all(void)
{
    unsigned others = 0;

    for (unsigned i = 0; i < hart_count; i++)
        if (harts[i].online && &harts[i] != arch_this_hart())
            others |= 1u << i;
    /* Stores of code are visible to instruction fetch of this hart only after its fence.i, and of
     * other harts only after theirs (Unprivileged ISA, chapter Zifencei). */
    atomic_thread_fence(memory_order_seq_cst);
    icache_flush_local();
    if (others)
        rfence(0, others);
}
