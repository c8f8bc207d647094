/* SPDX-License-Identifier: MIT */
/*
 * What the boot hart learns about the machine before anything else runs: the device tree, memory,
 * timebase, timer extension, boot seed. (Sstc: stimecmp is CSR 0x14D; nine times cheaper than SBI.)
 */
#include "arch/machine.h"

#include "arch/arch.h"
#include "arch/csr.h"
#include "arch/fdt.h"
#include "drivers/device.h"
#include "lib/log.h"
#include "lib/string.h"
#include "proc/process.h"

paddr_t arch_dtb;
uint32_t arch_ns_per_tick = 100;
char arch_isa_string[128];
static bool have_sstc;

void mmio_barrier(void)
{
    __asm__ volatile("fence iorw, iorw" ::: "memory");
}

void arch_set_timer(uint64_t deadline_ns)
{
    uint64_t ticks;

    /* "Never" is once a second, which costs an idle hart nothing: the end of time is a deadline to
     * which QEMU's virtual clock would jump when everything is idle (-icount sleep=off). */
    if (deadline_ns == UINT64_MAX)
        deadline_ns = arch_time_ns() + NSEC_PER_SEC;
    ticks = deadline_ns / arch_ns_per_tick + 1;
    if (have_sstc)
        __asm__ volatile("csrw 0x14d, %0" ::"r"(ticks));
    else
        sbi_call(SBI_EXT_TIME, 0, ticks, 0, 0, 0);
}

static void discover_clock(void)
{
    struct fdt_node n = {0};
    uint64_t freq = 0;
    const char *isa;

    if (fdt_find_path(&n, "/cpus"))
        freq = fdt_number(&n, "timebase-frequency", 0);
    memset(&n, 0, sizeof(n));
    while (fdt_next(&n)) {
        isa = fdt_string(&n, "riscv,isa");
        if (!isa)
            continue;
        strlcpy(arch_isa_string, isa, sizeof(arch_isa_string));
        have_sstc = strstr(isa, "_sstc") != NULL;
        if (!freq)
            freq = fdt_number(&n, "timebase-frequency", 0);
        break;
    }
    if (!freq || freq > NSEC_PER_SEC)
        panic("the device tree gives no usable timebase-frequency (%lu)", freq);
    arch_ns_per_tick = (uint32_t)(NSEC_PER_SEC / freq);
}

/* ---- Memory: banks minus what must be kept ---- */

struct range {
    paddr_t from, to;
};

#define MAX_RESERVED 32
static struct range reserved[MAX_RESERVED];
static unsigned nreserved;
static unsigned nfirmware; /* the first so many are what the device tree says */

void machine_reserve(paddr_t base, size_t size)
{
    if (!size)
        return;
    if (nreserved == MAX_RESERVED)
        panic("more than %d reserved memory ranges", MAX_RESERVED);
    reserved[nreserved++] =
        (struct range){ALIGN_DOWN(base, PAGE_SIZE), ALIGN_UP(base + size, PAGE_SIZE)};
}

static void reserve_from_device_tree(void)
{
    struct fdt_node n = {0};
    uint64_t base, size;
    int depth;

    machine_reserve(arch_dtb, fdt_total_size());
    for (unsigned i = 0; fdt_reservation(i, &base, &size); i++)
        machine_reserve(base, size);
    if (!fdt_find_path(&n, "/reserved-memory"))
        return;
    depth = n.depth;
    while (fdt_next(&n) && n.depth > depth)
        for (unsigned i = 0; fdt_reg(&n, i, &base, &size); i++)
            machine_reserve(base, size);
}

void machine_discover(unsigned boot_hartid, paddr_t dtb)
{
    current->hart = &harts[0];
    log_console_write = sbi_console_write;
    arch_dtb = dtb;
    if (!fdt_init((const void *)dtb))
        panic("no device tree at 0x%lx", dtb);
    discover_clock();
    harts_discover(boot_hartid);
    reserve_from_device_tree();
    nfirmware = nreserved;
}

size_t arch_boot_seed(void *buf, size_t len)
{
    struct fdt_node n = {0};
    uint32_t have = 0;
    const void *seed;

    if (!fdt_find_path(&n, "/chosen"))
        return 0;
    seed = fdt_prop(&n, "rng-seed", &have);
    if (!seed)
        return 0;
    memcpy(buf, seed, MIN(len, have));
    return MIN(len, have);
}

void machine_for_each_bank(void (*fn)(paddr_t base, size_t len))
{
    struct fdt_node n = {0};
    uint64_t base, size;
    const char *type;

    while (fdt_next(&n)) {
        type = fdt_string(&n, "device_type");
        if (!type || strcmp(type, "memory") != 0 || !fdt_is_enabled(&n))
            continue;
        for (unsigned i = 0; fdt_reg(&n, i, &base, &size); i++) {
            paddr_t from = ALIGN_UP(base, PAGE_SIZE), to = ALIGN_DOWN(base + size, PAGE_SIZE);

            if (to > from)
                fn(from, to - from);
        }
    }
}

/* Calls fn for what is left of [from, to) once every reserved range is cut out. */
static void subtract_reserved(paddr_t from, paddr_t to, void (*fn)(paddr_t, paddr_t))
{
    while (from < to) {
        struct range next = {to, to};

        for (unsigned i = 0; i < nreserved; i++)
            if (reserved[i].to > from && reserved[i].from < next.from)
                next = reserved[i];
        if (next.from > from)
            fn(from, next.from);
        from = MAX(from, next.to);
    }
}

static void (*free_range_fn)(paddr_t from, paddr_t to);

static void free_bank(paddr_t base, size_t len)
{
    subtract_reserved(base, base + len, free_range_fn);
}

void machine_for_each_free_range(void (*fn)(paddr_t from, paddr_t to))
{
    free_range_fn = fn;
    machine_for_each_bank(free_bank);
}

static size_t carve_size;
static paddr_t carved;

static void carve(paddr_t from, paddr_t to)
{
    if (!carved && to - from >= carve_size)
        carved = from;
}

paddr_t machine_carve(size_t size)
{
    carve_size = ALIGN_UP(size, PAGE_SIZE);
    carved = 0;
    machine_for_each_free_range(carve);
    if (!carved)
        panic("no room for %zu bytes of memory map", size);
    machine_reserve(carved, carve_size);
    return carved;
}

paddr_t machine_skip_firmware(paddr_t pa)
{
    for (unsigned i = 0; i < nfirmware; i++)
        if (pa >= reserved[i].from && pa < reserved[i].to)
            pa = reserved[i].to;
    return pa;
}
