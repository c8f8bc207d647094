/* SPDX-License-Identifier: MIT */
/*
 * Harts: finding them in the device tree, starting the secondaries (SBI HSM), the CSRs each one
 * sets once. harts[] is dense by index, the boot hart first, whatever its number is.
 */
#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/fdt.h"
#include "arch/machine.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "proc/process.h"

#define SPARE_STACK_SIZE 8192
#define START_TIMEOUT_NS (5 * NSEC_PER_SEC)
#define START_LOOK_NS 1000000UL

struct hart harts[MAX_HARTS];
unsigned hart_count;
static uint8_t spare_stacks[MAX_HARTS][SPARE_STACK_SIZE] __attribute__((aligned(16)));

void secondary_start(void);
void trap_entry(void);

static void add_hart(unsigned hartid)
{
    struct hart *h;

    if (hart_count == MAX_HARTS) {
        pr_warn("hart %u is left out: at most %d are used\n", hartid, MAX_HARTS);
        return;
    }
    h = &harts[hart_count];
    h->stats = hart_stats[hart_count];
    h->index = hart_count;
    h->hartid = hartid;
    h->spare_stack_top = (uintptr_t)spare_stacks[hart_count] + SPARE_STACK_SIZE;
    hart_count++;
}

void harts_discover(unsigned boot_hartid)
{
    struct fdt_node n = {0};
    uint64_t id, size;
    const char *type;

    add_hart(boot_hartid);
    while (fdt_next(&n)) {
        type = fdt_string(&n, "device_type");
        if (!type || strcmp(type, "cpu") != 0 || !fdt_is_enabled(&n))
            continue;
        if (fdt_reg(&n, 0, &id, &size) && id != boot_hartid)
            add_hart((unsigned)id);
    }
}

void hart_init(void)
{
    csr_write(stvec, (unsigned long)trap_entry);
    /* SUM set once and left alone costs nothing, and survives traps. FS on,
     * so that the switch may save and load FP registers. */
    csr_set(sstatus, SSTATUS_FS_INITIAL);
    csr_clear(sstatus, (unsigned long)SSTATUS_SUM);
    if (!UACCESS_GUARD)
        csr_set(sstatus, (unsigned long)SSTATUS_SUM);
    csr_write(scounteren, 7UL); /* user mode may read cycle, time, instret */
    csr_write(sie, SIE_SSIE | SIE_STIE | SIE_SEIE);
    arch_set_timer(UINT64_MAX);
}

void arch_enable_external_irq(void)
{
    csr_set(sie, SIE_SEIE);
}

static bool is_stopped(const struct hart *h)
{
    struct sbi_ret r = sbi_call(SBI_EXT_HSM, 2, h->hartid, 0, 0, 0);

    return !r.error && r.value == SBI_HART_STOPPED;
}

/* A hart that came up in the wrong place stops itself again (boot.S): start it once more. */
static void start_hart(struct hart *h)
{
    uint64_t give_up = arch_time_ns() + START_TIMEOUT_NS, look = 0;
    struct sbi_ret r;

    while (!atomic_load_explicit(&h->online, memory_order_acquire)) {
        uint64_t now = arch_time_ns();

        if (now > give_up) {
            pr_warn("hart %u does not answer\n", h->hartid);
            return;
        }
        if (now >= look && is_stopped(h)) {
            r = sbi_call(SBI_EXT_HSM, 0, h->hartid, (unsigned long)secondary_start,
                         (unsigned long)h->idle, 0);
            if (r.error && r.error != SBI_ERR_ALREADY_AVAILABLE) {
                pr_warn("hart %u does not start: SBI error %ld\n", h->hartid, r.error);
                return;
            }
        }
        if (now >= look)
            look = now + START_LOOK_NS;
        arch_cpu_relax();
    }
}

/* One after the other: firmware before OpenSBI 1.3 publishes a hart's start address late, and harts
 * that wake in the same window could miss it. */
void arch_start_harts(void)
{
    for (unsigned i = 1; i < hart_count; i++)
        start_hart(&harts[i]);
}
