/* SPDX-License-Identifier: MIT */
/*
 * panic(): the other harts are halted where they stand, then one report is printed in a fixed order
 * and the machine powers off with failure, so that the host sees it. Backtraces follow the frame
 * pointers (the build keeps them): at fp-8 the return address, at fp-16 the caller's fp.
 */
#include <stdarg.h>

#include "arch/arch.h"
#include "arch/csr.h"
#include "lib/log.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmap.h"
#include "proc/process.h"

#define HALT_TIMEOUT_NS (NSEC_PER_SEC / 5)
#define MAX_BACKTRACE 40

extern const char text_start[], text_end[], bss_end[], data_start[];
/* Sorted symbol table appended by the build: count, then {address, name offset} pairs, names. */
extern const uint64_t ksyms_start[];

static _Atomic(int) panicking = -1;

const char *ksym_find(uintptr_t addr, uintptr_t *offset)
{
    uint64_t lo = 0, hi = ksyms_start[0];
    const uint64_t *pairs = ksyms_start + 1;

    while (lo < hi) {
        uint64_t mid = (lo + hi) / 2;

        if (pairs[2 * mid] <= addr)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (!lo)
        return NULL;
    *offset = addr - pairs[2 * (lo - 1)];
    return (const char *)ksyms_start + pairs[2 * (lo - 1) + 1];
}

static void print_symbol(uintptr_t pc)
{
    uintptr_t off = 0;
    const char *name = ksym_find(pc, &off);

    pr_err("  [<%016lx>] %s+0x%lx\n", pc, name ? name : "?", off);
}

static bool is_text(uintptr_t a)
{
    return a >= (uintptr_t)text_start && a < (uintptr_t)text_end;
}

/* Frame pointers may be garbage: only stacks and the kernel's data are looked at. */
static bool is_stack(uintptr_t a)
{
    unsigned slot;

    if (a & 7)
        return false;
    if (a >= (uintptr_t)data_start && a < (uintptr_t)bss_end)
        return true;
    return a >= KSTACK_BASE && a < KSTACK_BASE + KSTACK_SLOTS * KSTACK_SLOT &&
           !kstack_is_guard(a, &slot) && !kstack_is_guard(a - 16, &slot);
}

void backtrace_from(uintptr_t fp, uintptr_t pc)
{
    if (is_text(pc))
        print_symbol(pc);
    for (int i = 0; i < MAX_BACKTRACE && is_stack(fp - 16); i++) {
        uintptr_t ra = ((uintptr_t *)fp)[-1], prev = ((uintptr_t *)fp)[-2];

        if (!is_text(ra))
            break;
        print_symbol(ra - 4);
        if (prev <= fp && is_stack(prev))
            break;
        fp = prev;
    }
}

void arch_backtrace(const struct thread *t)
{
    if (t && t != current)
        backtrace_from(t->context.s[0], t->context.ra);
    else
        backtrace_from((uintptr_t)__builtin_frame_address(0), 0);
}

void print_trapframe(const struct trapframe *tf)
{
    static const char names[31][4] = {"ra", "sp",  "gp",  "tp", "t0", "t1", "t2", "s0",
                                      "s1", "a0",  "a1",  "a2", "a3", "a4", "a5", "a6",
                                      "a7", "s2",  "s3",  "s4", "s5", "s6", "s7", "s8",
                                      "s9", "s10", "s11", "t3", "t4", "t5", "t6"};
    const uint64_t *regs = &tf->ra;

    pr_err("  sepc %016lx scause %lx stval %016lx sstatus %lx\n", tf->epc, tf->cause, tf->tval,
           tf->status);
    for (unsigned i = 0; i < 31; i += 4) {
        char line[120];
        int n = 0;

        for (unsigned j = i; j < i + 4 && j < 31; j++)
            n += snprintf(line + n, sizeof(line) - (size_t)n, " %4s %016lx", names[j], regs[j]);
        pr_err("%s\n", line);
    }
}

void arch_halt_for_panic(void)
{
    struct hart *h = arch_this_hart();

    atomic_store(&h->halted_fp, (uintptr_t)__builtin_frame_address(0));
    arch_halt();
}

static void halt_others(struct hart *self)
{
    uint64_t give_up = arch_time_ns() + HALT_TIMEOUT_NS;

    for (unsigned i = 0; i < hart_count; i++)
        if (&harts[i] != self && harts[i].online)
            arch_send_ipi(&harts[i], IPI_HALT);
    for (unsigned i = 0; i < hart_count; i++)
        while (&harts[i] != self && harts[i].online && !harts[i].halted_fp &&
               arch_time_ns() < give_up)
            arch_cpu_relax();
}

static void report(struct hart *h, const char *msg)
{
    int tid = 0;
    const char *name = thread_name(current, &tid);

    pr_err("\npanic: %s\n", msg);
    pr_err("  hart %u (hartid %u), thread %s (%d)\n", h->index, h->hartid, name, tid);
    if (h->irq_frame)
        print_trapframe(h->irq_frame);
    pr_err("backtrace of hart %u:\n", h->index);
    arch_backtrace(NULL);
    if (h->irq_frame && h->irq_frame->status & SSTATUS_SPP) {
        pr_err("interrupted:\n");
        backtrace_from(h->irq_frame->s0, h->irq_frame->epc);
    }
    for (unsigned i = 0; i < hart_count; i++) {
        if (&harts[i] == h || !harts[i].online)
            continue;
        pr_err("backtrace of hart %u:%s\n", i, harts[i].halted_fp ? "" : " it does not answer");
        if (harts[i].halted_fp) {
            backtrace_from(harts[i].halted_fp, 0);
            if (harts[i].irq_frame)
                backtrace_from(harts[i].irq_frame->s0, harts[i].irq_frame->epc);
        }
    }
    pr_err("  held spinlock ranks of hart %u: 0x%lx\n", h->index, h->lock_mask);
}

void panic(const char *fmt, ...)
{
    static char msg[256];
    struct hart *h;
    int none = -1;
    va_list ap;

    arch_irq_disable();
    h = arch_this_hart();
    if (!atomic_compare_exchange_strong(&panicking, &none, (int)h->index)) {
        if (none != (int)h->index)
            arch_halt_for_panic();
        arch_power_off(true); /* a panic within the panic */
    }
    va_start(ap, fmt);
    vsnprintf(msg, sizeof(msg), fmt, ap);
    va_end(ap);
    log_console_level = LOG_ERR;
    halt_others(h);
    report(h, msg);
    arch_power_off(true);
}
