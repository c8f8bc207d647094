/* SPDX-License-Identifier: MIT */
/*
 * All that the rest of the kernel may ask of the machine. CSRs, SBI calls and inline assembly stay
 * in arch/. This header includes only lib/types.h and
 * constants, so that everything else may include it.
 */
#pragma once

#include <stdatomic.h>

#include "arch/offsets.h"
#include "lib/types.h"

#ifndef DEBUG
#define DEBUG 0
#endif

struct addrspace;
struct thread;
struct trapframe;
struct page;

#define MAX_HARTS 8

/* ---- The running thread and hart -------------------------------------------------------------
 * tp holds the current thread. The kernel is not preemptive, so arch_this_hart() stays true until
 * the caller sleeps.
 */
static inline struct thread *arch_current(void)
{
    struct thread *t;

    __asm__("mv %0, tp" : "=r"(t));
    return t;
}
#define current arch_current()

struct hart {                     /* (I) immutable after boot, (o) own hart only, (a) atomic */
    uintptr_t spare_stack_top;    /* (I) for stack overflow and panics */
    uint64_t *stats;              /* (I) its row of hart_stats */
    unsigned index;               /* (I) dense, 0 = the boot hart */
    unsigned hartid;              /* (I) the machine's number */
    struct thread *idle;          /* (I) */
    struct addrspace *as;         /* (o) whose table satp holds; NULL: the kernel's own */
    struct thread *fp_owner;      /* (o) whose FP registers are loaded */
    uint64_t satp;                /* (o) what satp holds */
    unsigned irq_depth;           /* (o) > 0 while an interrupt handler runs */
    _Atomic bool online;          /* (a) */
    _Atomic unsigned ipi_work;    /* (a) IPI_* requests */
    _Atomic(uintptr_t) halted_fp; /* (a) panic: where this hart's backtrace starts */
    struct trapframe *irq_frame;  /* (o) frame of the innermost trap, for panics */
    uint64_t lock_mask;           /* (o) DEBUG: ranks of held spinlocks */
};

extern struct hart harts[MAX_HARTS]; /* by index */
extern unsigned hart_count;          /* harts in the device tree, at most MAX_HARTS */

static inline struct hart *arch_this_hart(void)
{
    return *(struct hart **)((char *)current + T_HART);
}

enum { IPI_RESCHED = 1, IPI_HALT = 2, IPI_FENCE_I = 4 };
void arch_send_ipi(struct hart *h, unsigned work); /* any context */
void arch_start_harts(void); /* boot hart: starts all others, waits for them */

/* ---- Interrupts ------------------------------------------------------------------------------ */
typedef unsigned long irqflags_t;

static inline irqflags_t arch_irq_save(void)
{
    irqflags_t old;

    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(old)::"memory");
    return old & 2;
}

static inline void arch_irq_restore(irqflags_t flags)
{
    __asm__ volatile("csrs sstatus, %0" ::"r"(flags) : "memory");
}

static inline void arch_irq_enable(void)
{
    __asm__ volatile("csrsi sstatus, 2" ::: "memory");
}

static inline void arch_irq_disable(void)
{
    __asm__ volatile("csrci sstatus, 2" ::: "memory");
}

static inline bool arch_irqs_enabled(void)
{
    unsigned long s;

    __asm__ volatile("csrr %0, sstatus" : "=r"(s));
    return s & 2;
}

static inline void arch_cpu_relax(void)
{
    __asm__ volatile(".4byte 0x0100000f" ::: "memory"); /* pause (Zihintpause) */
}

/* Sleeps until an interrupt is pending, even with interrupts masked: no wakeup slips by. */
void arch_wait_for_interrupt(void);
bool arch_interrupted_user(void); /* in a handler: user mode was interrupted */

/* The PLIC driver's handler for external interrupts; set once, at boot. */
extern void (*arch_external_irq)(void);
void arch_enable_external_irq(void); /* this hart */

/* ---- Time ------------------------------------------------------------------------------------ */
extern uint32_t arch_ns_per_tick;         /* 10 MHz timebase: 100 */
static inline uint64_t arch_time_ns(void) /* monotonic since power-on */
{
    uint64_t t;

    __asm__ volatile("rdtime %0" : "=r"(t));
    return t * arch_ns_per_tick;
}
void arch_set_timer(uint64_t deadline_ns); /* this hart; NO_DEADLINE (UINT64_MAX) disarms */

/* ---- Address translation (arch/tlb.c: satp, sfence.vma, fence.i) ----------------------------- */
void tlb_load_root(paddr_t root);         /* satp + local fence, if another root is loaded */
void tlb_flush_local(void);               /* after PTEs were removed or restricted */
void tlb_flush_page_local(uaddr_t va);    /* the same, one page */
void tlb_flush_harts(unsigned hart_mask); /* by index; self included if in the mask */
void icache_flush_local(void);            /* after code was written, this hart */
void icache_flush_all(void);              /* the same on every hart */
void tlb_enable(paddr_t root);            /* boot hart: translation on */

/* ---- User memory -----------------------------------------------------------------------------
 * Each checks the range against USER_TOP first, then dereferences the pointer. Page faults are
 * served as if the program had faulted, so the caller may sleep: no spinlock, no inode lock.
 * 0 or -EFAULT. On failure a prefix may have been copied; kernel memory past it is zeroed
 * (copy_from_user). len == 0 succeeds for any pointer.
 */
int copy_from_user(void *dst, uaddr_t src, size_t len) must_check;
int copy_to_user(uaddr_t dst, const void *src, size_t len) must_check;
int clear_user(uaddr_t dst, size_t len) must_check;
/* Length without the NUL, -ENAMETOOLONG if there is none in size bytes, or -EFAULT. */
ssize_t strncpy_from_user(char *dst, uaddr_t src, size_t size) must_check;
/* As above but a page that is not there is not fetched: returns bytes NOT copied. Never sleeps. */
size_t copy_from_user_nofault(void *dst, uaddr_t src, size_t len) must_check;
size_t copy_to_user_nofault(uaddr_t dst, const void *src, size_t len) must_check;
/* Touches each page of the range, so that a nofault copy can then make progress. */
int fault_in_user(uaddr_t addr, size_t len, bool write) must_check;
int get_user_u32(uint32_t *val, uaddr_t addr) must_check;
int put_user_u32(uaddr_t addr, uint32_t val) must_check;
int get_user_u64(uint64_t *val, uaddr_t addr) must_check;
int put_user_u64(uaddr_t addr, uint64_t val) must_check;
/* Atomic compare-exchange on a user word (futexes). *old gets what was there. */
int cmpxchg_user_u32(uaddr_t addr, uint32_t expect, uint32_t val, uint32_t *old) must_check;

static inline bool user_range_ok(uaddr_t addr, size_t len)
{
    return len <= USER_TOP && addr <= USER_TOP - len;
}

/* ---- Threads (arch/switch.S, arch/thread.c) -------------------------------------------------- */
/* Saved callee-saved registers: what arch_switch exchanges. */
struct context {
    uintptr_t ra, sp, s[12];
};
struct fpstate {
    uint64_t f[32];
    uint32_t fcsr;
};

/* Switches stacks, returns in next; runs with interrupts masked. Returns the thread left behind. */
struct thread *arch_switch(struct thread *prev, struct thread *next);
/* Prepares a new kernel thread's context: it starts in entry(arg) with interrupts masked. */
void arch_thread_init_kernel(struct thread *t, void (*entry)(void *), void *arg);
/* A fork's child: returns to user mode from a copy of the parent's frame, with a0 = 0. */
void arch_thread_init_user(struct thread *child, const struct trapframe *tf, uaddr_t sp,
                           bool set_sp, uaddr_t tls, bool set_tls);
/* exec: the next return to user mode starts at pc with sp and zeroed registers. */
void arch_thread_exec(struct thread *t, uaddr_t pc, uaddr_t sp);
noreturn_fn void arch_enter_user(void); /* the current thread, as its trap frame says */
void arch_fp_save(struct thread *t);    /* current thread: registers to memory if dirty */
void arch_fp_discard(struct thread *t); /* memory holds the truth: reload before user mode */
struct trapframe *arch_user_frame(struct thread *t);
uaddr_t arch_user_sp(struct thread *t);
extern const unsigned long arch_hwcap;
extern char arch_isa_string[128]; /* the device tree's "riscv,isa" */

/* ---- Signals (arch/signal.c) ----------------------------------------------------------------- */
struct ksiginfo;
struct ksigaction;
/* Builds Linux's rt_sigframe on the user stack and aims the frame at the handler. 0 or -EFAULT. */
int arch_signal_deliver(struct thread *t, const struct ksigaction *act, const struct ksiginfo *info,
                        uint64_t old_mask);
/* rt_sigreturn: restores registers and gives the mask back. 0 or -EFAULT (then the caller kills). */
int arch_signal_return(struct thread *t, uint64_t *mask);
/* The page with the sigreturn trampoline and the vDSO's code, mapped R-X into each process. */
paddr_t arch_vdso_pa(void);
uaddr_t arch_vdso_sigreturn(uaddr_t vdso_base);

/* ---- Machine ---------------------------------------------------------------------------------- */
noreturn_fn void arch_power_off(bool failure);
noreturn_fn void arch_reboot(void);
noreturn_fn void arch_halt(void); /* this hart, for good */
/* Entropy from the device tree's rng-seed; returns bytes given. Used once. */
size_t arch_boot_seed(void *buf, size_t len);
void arch_backtrace(const struct thread *t); /* t == NULL: from here */

/* ---- What arch calls in the layers above (declared here, defined there) ----------------------- */
enum fault_access { FAULT_READ = 1, FAULT_WRITE = 2, FAULT_EXEC = 4 };
/* mm/fault.c: 0 = served, retry; -EFAULT no such mapping; -EACCES not allowed; -ENOMEM; -EIO
 * (beyond the file's end, or unreadable). */
int handle_page_fault(uaddr_t va, enum fault_access access, bool user);
/* proc/: */
void kmain(unsigned boot_hartid, paddr_t dtb);
noreturn_fn void secondary_main(struct hart *h);
void syscall_dispatch(struct trapframe *tf);
void trap_user_fault(struct trapframe *tf, int sig, int code, uaddr_t addr); /* sends the signal */
void thread_do_work(struct trapframe *tf); /* reschedule, deliver signals; interrupts on */
void sched_timer_interrupt(void);
void sched_ipi(void);
void thread_start(struct thread *prev); /* first thing a new thread runs: finishes the switch */
const char *thread_name(const struct thread *t, int *tid);
void thread_count_fault(bool major); /* the current thread's minflt, majflt */
