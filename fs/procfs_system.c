/* SPDX-License-Identifier: MIT */
/*
 * What /proc says of the whole system, and /proc/sys. Formats as Linux has them where Linux has the
 * file; vmstat's first part is `name value` for each counter of lib/stats.h, then each hart's share.
 */
#include "arch/arch.h"
#include "drivers/block.h"
#include "drivers/device.h"
#include "drivers/random.h"
#include "fs/devices.h"
#include "fs/procfs.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "mm/kmap.h"
#include "mm/pagecache.h"
#include "proc/boot.h"
#include "proc/machine.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/timer.h"

enum { TICK_NS = 10000000, ALL = 1 << 20, MAX_IRQS = 128 };

/* ---- Memory ---------------------------------------------------------------------------------------- */

static size_t page_table_pages(void)
{
    size_t pages = pagetable_shared_count();
    struct process *p;

    for (int pid = 0; (p = process_next_get(pid)); process_put(p)) {
        struct addrspace *as = process_addrspace_get(p);

        pid = p->pid;
        if (!as)
            continue;
        pages += READ_ONCE(as->pt.own_tables);
        addrspace_put(as);
    }
    return pages;
}

static void memory_line(struct text *t, const char *name, size_t pages)
{
    text_printf(t, "%s:%*lu kB\n", name, (int)(23 - strlen(name)), pages * PAGE_SIZE / 1024);
}

static int show_meminfo(struct text *t, const struct proc_target *to)
{
    size_t all = pagecache_page_count(), dirty = pagecache_dirty_count();
    size_t buffers = block_cached_pages(), free = page_free_count();

    (void)to;
    memory_line(t, "MemTotal", page_total_count());
    memory_line(t, "MemFree", free);
    memory_line(t, "MemAvailable", free + (all > dirty ? all - dirty : 0));
    memory_line(t, "Buffers", buffers);
    memory_line(t, "Cached", all > buffers ? all - buffers : 0);
    memory_line(t, "SwapCached", 0);
    memory_line(t, "SwapTotal", 0);
    memory_line(t, "SwapFree", 0);
    memory_line(t, "Dirty", dirty);
    memory_line(t, "Slab", kcache_pages());
    memory_line(t, "SReclaimable", 0);
    memory_line(t, "SUnreclaim", kcache_pages());
    memory_line(t, "KernelStack", kstack_count() * KSTACK_PAGES);
    memory_line(t, "PageTables", page_table_pages());
    return 0;
}

static void value(struct text *t, const char *name, uint64_t v)
{
    text_printf(t, "%s %lu\n", name, v);
}

static int show_vmstat(struct text *t, const struct proc_target *to)
{
    (void)to;
    for (unsigned i = 0; i < STAT_COUNT; i++)
        value(t, stat_names[i], stat_total(i));
    value(t, "open_files", file_open_count());
    value(t, "threads", thread_count());
    value(t, "processes", process_count());
    value(t, "kernel_stacks", kstack_count());
    value(t, "kernel_stacks_cached_pages", kstack_cached_pages());
    value(t, "page_tables_shared", pagetable_shared_count());
    value(t, "nr_free_pages", page_free_count());
    value(t, "nr_file_pages", pagecache_page_count());
    value(t, "nr_dirty", pagecache_dirty_count());
    value(t, "nr_buffer_pages", block_cached_pages());
    value(t, "nr_slab_pages", kcache_pages());
    value(t, "nr_inodes", inode_cache_count());
    value(t, "nr_dentries", dcache_count());
    for (unsigned h = 0; h < hart_count; h++)
        for (unsigned i = 0; i < STAT_COUNT; i++)
            text_printf(t, "hart%u.%s %lu\n", h, stat_names[i], hart_stats[h][i]);
    return 0;
}

static int show_slabinfo(struct text *t, const struct proc_target *to)
{
    const char *name;
    size_t size, live, total;

    (void)to;
    for (unsigned i = 0; kcache_stat(i, &name, &size, &live, &total); i++)
        text_printf(t, "%s %lu %lu\n", name, live, total);
    return 0;
}

/* ---- Time and processors ----------------------------------------------------------------------------- */

static uint64_t all_idle_ns(void)
{
    uint64_t ns = 0;

    for (unsigned h = 0; h < hart_count; h++)
        ns += sched_idle_ns(h);
    return ns;
}

static void hundredths(struct text *t, uint64_t ns, const char *after)
{
    text_printf(t, "%lu.%02lu%s", ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / TICK_NS, after);
}

static int show_uptime(struct text *t, const struct proc_target *to)
{
    (void)to;
    hundredths(t, arch_time_ns(), " ");
    hundredths(t, all_idle_ns(), "\n");
    return 0;
}

static int last_pid(void)
{
    struct process *p;
    int last = 0;

    for (; (p = process_next_get(last)); process_put(p))
        last = p->pid;
    return last;
}

static int show_loadavg(struct text *t, const struct proc_target *to)
{
    uint64_t load[3];

    (void)to;
    sched_load_average(load);
    for (unsigned i = 0; i < 3; i++)
        text_printf(t, "%lu.%02lu ", load[i] >> 16, (load[i] & 0xffff) * 100 >> 16);
    text_printf(t, "%u/%lu %d\n", sched_runnable_count(), thread_count(), last_pid());
    return 0;
}

/* How the processes there are, and those that init reaped, divide their time. */
static void sum_cpu_times(uint64_t *user, uint64_t *sys)
{
    struct process *p;

    *user = init_process->child_utime_ns;
    *sys = init_process->child_stime_ns;
    for (int pid = 0; (p = process_next_get(pid)); process_put(p)) {
        uint64_t u, s;

        pid = p->pid;
        process_cpu_times(p, &u, &s);
        *user += u;
        *sys += s;
    }
}

/* Idle time is measured per hart; the rest is divided as the processes' times are. */
static void cpu_line(struct text *t, uint64_t total_ns, uint64_t idle_ns, uint64_t user,
                     uint64_t sys)
{
    uint64_t busy = total_ns > idle_ns ? (total_ns - idle_ns) / TICK_NS : 0;
    uint64_t known = (user + sys) / TICK_NS;
    uint64_t share = known ? busy * (user / TICK_NS) / known : 0;

    text_printf(t, " %lu 0 %lu %lu 0 0 0 0 0 0\n", share, busy - share, idle_ns / TICK_NS);
}

static int show_stat(struct text *t, const struct proc_target *to)
{
    uint64_t now = arch_time_ns(), user, sys;

    (void)to;
    sum_cpu_times(&user, &sys);
    text_printf(t, "cpu ");
    cpu_line(t, now * hart_count, all_idle_ns(), user, sys);
    for (unsigned h = 0; h < hart_count; h++) {
        text_printf(t, "cpu%u", h);
        cpu_line(t, now, sched_idle_ns(h), user, sys);
    }
    text_printf(
        t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\n",
        stat_total(STAT_interrupts), stat_total(STAT_context_switches),
        (clock_realtime_ns() - now) / NSEC_PER_SEC, stat_total(STAT_forks), sched_runnable_count());
    return 0;
}

static int show_cpuinfo(struct text *t, const struct proc_target *to)
{
    (void)to;
    for (unsigned h = 0; h < hart_count; h++)
        text_printf(t, "processor\t: %u\nhart\t\t: %u\nisa\t\t: %s\nmmu\t\t: sv39\n\n", h,
                    harts[h].hartid, arch_isa_string);
    return 0;
}

static void counts(struct text *t, uint64_t (*count)(unsigned what, unsigned hart), unsigned what,
                   const char *after)
{
    for (unsigned h = 0; h < hart_count; h++)
        text_printf(t, " %10lu", count(what, h));
    text_printf(t, "  %s\n", after);
}

static uint64_t hart_stat(unsigned stat, unsigned hart)
{
    return hart_stats[hart][stat];
}

static bool irq_seen(unsigned irq)
{
    for (unsigned h = 0; h < hart_count; h++)
        if (irq_count(irq, h))
            return true;
    return false;
}

static int show_interrupts(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "    ");
    for (unsigned h = 0; h < hart_count; h++)
        text_printf(t, "       CPU%u", h);
    text_printf(t, "\n");
    for (unsigned irq = 1; irq < MAX_IRQS; irq++) {
        if (!irq_seen(irq))
            continue;
        text_printf(t, "%3u:", irq);
        counts(t, irq_count, irq, "PLIC");
    }
    text_printf(t, "TMR:");
    counts(t, hart_stat, STAT_timer_interrupts, "timer interrupts");
    text_printf(t, "IPI:");
    counts(t, hart_stat, STAT_ipis, "interprocessor interrupts");
    return 0;
}

/* ---- Names ------------------------------------------------------------------------------------------- */

static int show_version(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "Unimap version %s (%s) #1 SMP\n", kernel_release, __VERSION__);
    return 0;
}

static int show_cmdline(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "%s\n", boot_cmdline);
    return 0;
}

static int show_filesystems(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "nodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\n\text2\n");
    return 0;
}

static int show_partitions(struct text *t, const struct proc_target *to)
{
    struct block_device *bd;

    (void)to;
    text_printf(t, "major minor  #blocks  name\n\n");
    for (unsigned i = 0; (bd = block_at(i)); i++)
        text_printf(t, "%4u  %7u %10lu %s\n", BLOCK_MAJOR, bd->minor,
                    bd->sectors * SECTOR_SIZE / 1024, bd->name);
    return 0;
}

static int show_self(struct text *t, const struct proc_target *to)
{
    (void)to;
    if (!current_process())
        return -ENOENT;
    text_printf(t, "%d", current_process()->pid);
    return 0;
}

static int show_thread_self(struct text *t, const struct proc_target *to)
{
    (void)to;
    if (!current_process())
        return -ENOENT;
    text_printf(t, "%d/task/%d", current_process()->pid, current->tid);
    return 0;
}

static int show_mounts(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "self/mounts");
    return 0;
}

/* ---- /proc/sys ----------------------------------------------------------------------------------------- */

static int show_hostname(struct text *t, const struct proc_target *to)
{
    char name[65];

    (void)to;
    machine_hostname(name, sizeof(name));
    text_printf(t, "%s\n", name);
    return 0;
}

static int show_ostype(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "Unimap\n");
    return 0;
}

static int show_osrelease(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "%s\n", kernel_release);
    return 0;
}

static int show_pid_max(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "32768\n");
    return 0;
}

static void show_uuid_of(struct text *t, uint8_t id[16])
{
    id[6] = (id[6] & 0x0f) | 0x40; /* version 4, variant 1 */
    id[8] = (id[8] & 0x3f) | 0x80;
    for (unsigned i = 0; i < 16; i++)
        text_printf(t, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
    text_printf(t, "\n");
}

static int show_uuid(struct text *t, const struct proc_target *to)
{
    uint8_t id[16];

    (void)to;
    random_bytes(id, sizeof(id));
    show_uuid_of(t, id);
    return 0;
}

static int show_boot_id(struct text *t, const struct proc_target *to)
{
    static struct spinlock lock = SPINLOCK_INIT(RANK_FILE, "boot_id");
    static uint8_t boot_id[16];
    static bool made;
    uint8_t id[16];

    (void)to;
    spin_lock(&lock);
    if (!made)
        random_bytes(boot_id, sizeof(boot_id));
    made = true;
    memcpy(id, boot_id, sizeof(id));
    spin_unlock(&lock);
    show_uuid_of(t, id);
    return 0;
}

static int show_zero(struct text *t, const struct proc_target *to)
{
    (void)to;
    text_printf(t, "0\n");
    return 0;
}

/* Accepted and without effect: memory is always given lazily and refused when there is none. */
static int write_ignored(const struct proc_target *to, char *input)
{
    (void)to, (void)input;
    return 0;
}

static size_t shrink_names(void)
{
    size_t before = dcache_count() + inode_cache_count();

    dcache_shrink(ALL);
    inode_cache_shrink(ALL);
    return before - (dcache_count() + inode_cache_count());
}

/* 1: page cache; 2: names, inodes, stacks; 3: both. A second look takes what had been
 * used shortly before the first. */
static int write_drop_caches(const struct proc_target *to, char *input)
{
    const char *end;
    uint64_t what = strtou64(input, &end);

    (void)to;
    if (*end || what < 1 || what > 3)
        return -EINVAL;
    for (int round = 0; round < 2; round++) {
        if (what & 1)
            pagecache_drop_clean();
        if (what & 2) {
            while (shrink_names())
                ;
            kstack_shrink(ALL);
            kcache_shrink();
        }
    }
    return 0;
}

#define FILE_ENTRY(name, show)                                   \
    {                                                            \
        name, S_IFREG | 0444, PROC_PLAIN, NULL, show, NULL, NULL \
    }
#define LINK_ENTRY(name, show)                                   \
    {                                                            \
        name, S_IFLNK | 0777, PROC_PLAIN, NULL, show, NULL, NULL \
    }
#define DIR_ENTRY(name, table)                                    \
    {                                                             \
        name, S_IFDIR | 0555, PROC_PLAIN, table, NULL, NULL, NULL \
    }

static const struct proc_entry random_entries[] = {FILE_ENTRY("boot_id", show_boot_id),
                                                   FILE_ENTRY("uuid", show_uuid),
                                                   {0}};

static const struct proc_entry kernel_entries[] = {
    FILE_ENTRY("hostname", show_hostname),   FILE_ENTRY("ostype", show_ostype),
    FILE_ENTRY("osrelease", show_osrelease), FILE_ENTRY("pid_max", show_pid_max),
    DIR_ENTRY("random", random_entries),     {0},
};

static const struct proc_entry vm_entries[] = {
    {"drop_caches", S_IFREG | 0200, PROC_PLAIN, NULL, NULL, write_drop_caches, NULL},
    {"overcommit_memory", S_IFREG | 0644, PROC_PLAIN, NULL, show_zero, write_ignored, NULL},
    {0},
};

static const struct proc_entry sys_entries[] = {DIR_ENTRY("kernel", kernel_entries),
                                                DIR_ENTRY("vm", vm_entries),
                                                {0}};

const struct proc_entry proc_root_entries[] = {
    LINK_ENTRY("self", show_self),
    LINK_ENTRY("thread-self", show_thread_self),
    FILE_ENTRY("meminfo", show_meminfo),
    FILE_ENTRY("vmstat", show_vmstat),
    FILE_ENTRY("slabinfo", show_slabinfo),
    FILE_ENTRY("uptime", show_uptime),
    FILE_ENTRY("loadavg", show_loadavg),
    FILE_ENTRY("stat", show_stat),
    FILE_ENTRY("cpuinfo", show_cpuinfo),
    FILE_ENTRY("interrupts", show_interrupts),
    FILE_ENTRY("version", show_version),
    FILE_ENTRY("cmdline", show_cmdline),
    FILE_ENTRY("filesystems", show_filesystems),
    FILE_ENTRY("partitions", show_partitions),
    LINK_ENTRY("mounts", show_mounts),
    DIR_ENTRY("sys", sys_entries),
    {0},
};
