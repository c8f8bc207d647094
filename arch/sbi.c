/* SPDX-License-Identifier: MIT */
/*
 * The firmware's services (RISC-V SBI 1.0): console output before the UART driver, other harts,
 * interrupts between harts, power. Stateless; any context.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "lib/log.h"

struct sbi_ret sbi_call(unsigned long ext, unsigned long fn, unsigned long a0, unsigned long a1,
                        unsigned long a2, unsigned long a3)
{
    register unsigned long r0 __asm__("a0") = a0;
    register unsigned long r1 __asm__("a1") = a1;
    register unsigned long r2 __asm__("a2") = a2;
    register unsigned long r3 __asm__("a3") = a3;
    register unsigned long r6 __asm__("a6") = fn;
    register unsigned long r7 __asm__("a7") = ext;

    __asm__ volatile("ecall" : "+r"(r0), "+r"(r1) : "r"(r2), "r"(r3), "r"(r6), "r"(r7) : "memory");
    return (struct sbi_ret){(long)r0, (long)r1};
}

/* Legacy putchar: the only console that OpenSBI before 1.3 has. */
void sbi_console_write(const char *s, size_t len)
{
    for (; len; s++, len--) {
        if (*s == '\n')
            sbi_call(SBI_LEGACY_PUTCHAR, 0, '\r', 0, 0, 0);
        sbi_call(SBI_LEGACY_PUTCHAR, 0, (unsigned char)*s, 0, 0, 0);
    }
}

void arch_send_ipi(struct hart *h, unsigned work)
{
    /* The request must be visible before the interrupt; a request that is still pending has an
     * interrupt on its way. */
    if (atomic_fetch_or_explicit(&h->ipi_work, work, memory_order_seq_cst) & work)
        return;
    sbi_call(SBI_EXT_IPI, 0, SBI_MASK_ONE(h->hartid), 0, 0);
}

void arch_power_off(bool failure)
{
    arch_irq_disable();
    sbi_call(SBI_EXT_SRST, 0, 0, failure, 0, 0);
    arch_halt();
}

void arch_reboot(void)
{
    arch_irq_disable();
    sbi_call(SBI_EXT_SRST, 0, 1, 0, 0, 0);
    arch_halt();
}

void arch_halt(void)
{
    arch_irq_disable();
    csr_write(sie, 0UL);
    for (;;)
        __asm__ volatile("wfi");
}

void arch_wait_for_interrupt(void)
{
    __asm__ volatile("wfi" ::: "memory");
}
