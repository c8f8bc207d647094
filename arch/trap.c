/* SPDX-License-Identifier: MIT */
/*
 * Traps, after trampoline.S saved the registers. From user mode everything ends in a system call, a
 * served fault or a signal; from the kernel in an interrupt handler, a served or refused access to
 * user memory (exception table), or a panic.
 *
 * Interrupt handlers run with interrupts masked and do not nest. Exceptions run with interrupts as
 * the interrupted code had them.
 */
#include <asm/siginfo.h>
#include <asm/signal.h>

#include "arch/arch.h"
#include "arch/csr.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "mm/kmap.h"
#include "proc/process.h"

void trap_from_user(struct trapframe *tf);
void trap_from_kernel(struct trapframe *tf);
noreturn_fn void trap_stack_overflow(struct trapframe *tf);

void (*arch_external_irq)(void);

struct cause_info {
    const char *name;
    int sig, code; /* what user mode gets; 0 = handled elsewhere */
    enum fault_access access;
};

static const struct cause_info causes[] = {
    [CAUSE_FETCH_MISALIGNED] = {"instruction address misaligned", SIGBUS, BUS_ADRALN, 0},
    [CAUSE_FETCH_ACCESS] = {"instruction access fault", SIGSEGV, SEGV_ACCERR, 0},
    [CAUSE_ILLEGAL] = {"illegal instruction", SIGILL, ILL_ILLOPC, 0},
    [CAUSE_BREAKPOINT] = {"breakpoint", SIGTRAP, TRAP_BRKPT, 0},
    [CAUSE_LOAD_MISALIGNED] = {"load address misaligned", SIGBUS, BUS_ADRALN, 0},
    [CAUSE_LOAD_ACCESS] = {"load access fault", SIGSEGV, SEGV_ACCERR, 0},
    [CAUSE_STORE_MISALIGNED] = {"store address misaligned", SIGBUS, BUS_ADRALN, 0},
    [CAUSE_STORE_ACCESS] = {"store access fault", SIGSEGV, SEGV_ACCERR, 0},
    [CAUSE_USER_ECALL] = {"environment call from user mode", 0, 0, 0},
    [CAUSE_FETCH_PAGE] = {"instruction page fault", SIGSEGV, SEGV_MAPERR, FAULT_EXEC},
    [CAUSE_LOAD_PAGE] = {"load page fault", SIGSEGV, SEGV_MAPERR, FAULT_READ},
    [CAUSE_STORE_PAGE] = {"store page fault", SIGSEGV, SEGV_MAPERR, FAULT_WRITE},
};

static const struct cause_info *cause_info(uint64_t cause)
{
    static const struct cause_info unknown = {"unknown cause", SIGILL, ILL_ILLTRP, 0};

    if (cause >= ARRAY_SIZE(causes) || !causes[cause].name)
        return &unknown;
    return &causes[cause];
}

static void handle_ipi(struct hart *h)
{
    unsigned work;

    stat_inc(ipis);
    /* Clear the interrupt before reading the requests: one that comes later raises it again. */
    csr_clear(sip, SIE_SSIE);
    work = atomic_exchange_explicit(&h->ipi_work, 0, memory_order_seq_cst);
    if (work & IPI_HALT)
        arch_halt_for_panic();
    if (work & IPI_RESCHED)
        sched_ipi();
}

static void handle_interrupt(struct trapframe *tf)
{
    struct hart *h = arch_this_hart();

    stat_inc(interrupts);
    h->irq_depth++;
    h->irq_frame = tf;
    switch (tf->cause & ~CAUSE_INTERRUPT) {
    case IRQ_SOFT: handle_ipi(h); break;
    case IRQ_TIMER:
        stat_inc(timer_interrupts);
        sched_timer_interrupt();
        break;
    case IRQ_EXTERNAL:
        if (arch_external_irq)
            arch_external_irq();
        break;
    default: panic("interrupt %lu is not ours", tf->cause & ~CAUSE_INTERRUPT);
    }
    h->irq_frame = NULL;
    h->irq_depth--;
}

bool arch_interrupted_user(void)
{
    return !(arch_this_hart()->irq_frame->status & SSTATUS_SPP);
}

void trap_from_user(struct trapframe *tf)
{
    const struct cause_info *info;
    int err;

    current->restart_ok = false;
    if (tf->cause & CAUSE_INTERRUPT) {
        handle_interrupt(tf);
        return;
    }
    arch_irq_enable();
    info = cause_info(tf->cause);
    if (!info->access) {
        trap_user_fault(tf, info->sig, info->code,
                        tf->cause == CAUSE_ILLEGAL || tf->cause == CAUSE_BREAKPOINT ? tf->epc
                                                                                    : tf->tval);
        return;
    }
    err = handle_page_fault(tf->tval, info->access, true);
    if (err == -EACCES)
        trap_user_fault(tf, SIGSEGV, SEGV_ACCERR, tf->tval);
    else if (err == -EIO)
        trap_user_fault(tf, SIGBUS, BUS_ADRERR, tf->tval);
    else if (err == -ENOMEM)
        trap_user_fault(tf, SIGKILL, SI_KERNEL, tf->tval);
    else if (err)
        trap_user_fault(tf, SIGSEGV, SEGV_MAPERR, tf->tval);
}

/* A user-copy routine touched user memory: serve the fault, or land at its fix-up. */
static bool fixup_user_access(struct trapframe *tf, const struct cause_info *info)
{
    uintptr_t fixup;
    int err = -EFAULT;

    if (!extable_find(tf->epc, &fixup))
        return false;
    if (info->access && !current->nofault && tf->tval < USER_TOP) {
        if (tf->status & SSTATUS_SPIE)
            arch_irq_enable();
        err = handle_page_fault(tf->tval, info->access, false);
        arch_irq_disable();
    }
    if (err)
        tf->epc = fixup;
    return true;
}

void trap_from_kernel(struct trapframe *tf)
{
    const struct cause_info *info;
    unsigned slot;

    user_access_close();
    if (tf->cause & CAUSE_INTERRUPT) {
        handle_interrupt(tf);
        return;
    }
    info = cause_info(tf->cause);
    if (fixup_user_access(tf, info))
        return;
    arch_this_hart()->irq_frame = tf;
    if (info->access && tf->tval < USER_TOP)
        panic("kernel touched user memory outside the copy routines: %s at 0x%lx", info->name,
              tf->tval);
    if (info->access && kstack_is_guard(tf->tval, &slot))
        panic("kernel stack overflow of thread %s: %s in the guard of stack %u",
              thread_name(current, NULL), info->name, slot);
    panic("%s in the kernel at 0x%lx, address 0x%lx", info->name, tf->epc, tf->tval);
}

void trap_stack_overflow(struct trapframe *tf)
{
    int tid;
    const char *name = thread_name(current, &tid);

    arch_this_hart()->irq_frame = tf;
    panic("kernel stack overflow of thread %s (%d): sp 0x%lx, %s", name, tid, tf->sp,
          cause_info(tf->cause)->name);
}

extern const struct ex_entry {
    uint64_t insn, fixup;
} __ex_table_start[], __ex_table_end[];

bool extable_find(uintptr_t pc, uintptr_t *fixup)
{
    for (const struct ex_entry *e = __ex_table_start; e < __ex_table_end; e++) {
        if (e->insn == pc) {
            *fixup = e->fixup;
            return true;
        }
    }
    return false;
}
