/* SPDX-License-Identifier: MIT */
/* Control and status registers (Privileged Architecture 1.12) and SBI calls; arch/ only. */
#pragma once

#include "arch/offsets.h"
#include "arch/trapframe.h"
#include "lib/types.h"

#define csr_read(csr)                                            \
    ({                                                           \
        unsigned long v_;                                        \
        __asm__ volatile("csrr %0, " #csr : "=r"(v_)::"memory"); \
        v_;                                                      \
    })
#define csr_write(csr, v) __asm__ volatile("csrw " #csr ", %0" ::"rK"(v) : "memory")
#define csr_set(csr, v) __asm__ volatile("csrs " #csr ", %0" ::"rK"(v) : "memory")
#define csr_clear(csr, v) __asm__ volatile("csrc " #csr ", %0" ::"rK"(v) : "memory")

#define SSTATUS_SIE (1UL << 1)
#define SSTATUS_SPIE (1UL << 5)
#define SSTATUS_SPP (1UL << 8)
#define SSTATUS_FS (3UL << 13)
#define SSTATUS_FS_INITIAL (1UL << 13)
#define SSTATUS_FS_CLEAN (2UL << 13)
#define SSTATUS_FS_DIRTY (3UL << 13)

#define SIE_SSIE (1UL << 1)
#define SIE_STIE (1UL << 5)
#define SIE_SEIE (1UL << 9)

#define SATP_SV39 (8UL << 60)

#define CAUSE_INTERRUPT (1UL << 63)
#define IRQ_SOFT 1
#define IRQ_TIMER 5
#define IRQ_EXTERNAL 9

enum {
    CAUSE_FETCH_MISALIGNED = 0,
    CAUSE_FETCH_ACCESS = 1,
    CAUSE_ILLEGAL = 2,
    CAUSE_BREAKPOINT = 3,
    CAUSE_LOAD_MISALIGNED = 4,
    CAUSE_LOAD_ACCESS = 5,
    CAUSE_STORE_MISALIGNED = 6,
    CAUSE_STORE_ACCESS = 7,
    CAUSE_USER_ECALL = 8,
    CAUSE_FETCH_PAGE = 12,
    CAUSE_LOAD_PAGE = 13,
    CAUSE_STORE_PAGE = 15,
};

/* SBI 1.0: extension and function numbers. */
#define SBI_EXT_BASE 0x10
#define SBI_EXT_TIME 0x54494d45
#define SBI_EXT_IPI 0x735049
#define SBI_EXT_RFENCE 0x52464e43
#define SBI_EXT_HSM 0x48534d
#define SBI_EXT_SRST 0x53525354
#define SBI_LEGACY_PUTCHAR 0x1

#define SBI_ERR_ALREADY_AVAILABLE (-6L)
#define SBI_HART_STOPPED 1

#ifndef UACCESS_GUARD
#define UACCESS_GUARD 0
#endif

/* UACCESS=guard: a trap out of a user-copy routine must not leave user memory open behind it. The
 * return restores sstatus from the frame. */
static inline void user_access_close(void)
{
    if (UACCESS_GUARD)
        csr_clear(sstatus, (unsigned long)SSTATUS_SUM);
}

struct sbi_ret {
    long error, value;
};

struct sbi_ret sbi_call(unsigned long ext, unsigned long fn, unsigned long a0, unsigned long a1,
                        unsigned long a2, unsigned long a3);
/* The hart mask of SBI for one hart, as (mask, base). */
#define SBI_MASK_ONE(hartid) 1UL, (hartid)

void sbi_console_write(const char *s, size_t len);
void arch_halt_for_panic(void); /* IPI_HALT: parks this hart, its stack left to be looked at */
extern paddr_t arch_dtb;
void hart_init(void); /* this hart's CSRs */
const char *ksym_find(uintptr_t addr, uintptr_t *offset);
void backtrace_from(uintptr_t fp, uintptr_t pc);
void print_trapframe(const struct trapframe *tf);
bool extable_find(uintptr_t pc, uintptr_t *fixup);
