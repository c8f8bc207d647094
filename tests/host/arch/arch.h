/* SPDX-License-Identifier: MIT */
/* The machine's contract for host tests: the real header, with what is assembly done otherwise. */
#pragma once

#define arch_current riscv_current
#define arch_this_hart riscv_this_hart
#define arch_irq_save riscv_irq_save
#define arch_irq_restore riscv_irq_restore
#define arch_irq_enable riscv_irq_enable
#define arch_irq_disable riscv_irq_disable
#define arch_irqs_enabled riscv_irqs_enabled
#define arch_cpu_relax riscv_cpu_relax
#define arch_time_ns riscv_time_ns
#include_next "arch/arch.h"
#undef arch_current
#undef arch_this_hart
#undef arch_irq_save
#undef arch_irq_restore
#undef arch_irq_enable
#undef arch_irq_disable
#undef arch_irqs_enabled
#undef arch_cpu_relax
#undef arch_time_ns

extern struct thread *host_thread; /* defined by the tests that need them */
extern struct hart host_hart;
extern uint64_t host_time_ns;

static inline struct thread *arch_current(void)
{
    return host_thread;
}
static inline struct hart *arch_this_hart(void)
{
    return &host_hart;
}
static inline irqflags_t arch_irq_save(void)
{
    return 0;
}
static inline void arch_irq_restore(irqflags_t flags)
{
    (void)flags;
}
static inline void arch_irq_enable(void)
{
}
static inline void arch_irq_disable(void)
{
}
static inline bool arch_irqs_enabled(void)
{
    return true;
}
static inline void arch_cpu_relax(void)
{
}
static inline uint64_t arch_time_ns(void)
{
    return host_time_ns;
}
