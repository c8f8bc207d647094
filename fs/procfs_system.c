/* SPDX-License-Identifier: MIT */
/*
 * What /proc says of the whole system, and /proc/sys. Formats as Linux has them where Linux has the
 * file; vmstat's first part is `name value` for each counter of lib/stats.h, then each hart's share.
 */
#include "arch/arch.h"
#include "drivers/block.h"
#include "drivers/device.h"
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
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/timer.h"

enum { TICK_NS = 10000000, ALL = 1 << 20, MAX_IRQS = 128 };

struct sums {                 /* over all processes */
    uint64_t user_ns, sys_ns; /* with those that init reaped */
    size_t page_tables;
    int last_pid;
};

static struct sums sum_processes(void)
{
    const struct usage *reaped = &init_process->children_used;
    struct sums s = {reaped->utime_ns, reaped->stime_ns, 0, 0};
    struct process *p;

    for (; (p = process_next_get(s.last_pid)); process_put(p)) {
        struct addrspace *as = process_addrspace_get(p);
        struct usage used = process_usage(p);

        s.user_ns += used.utime_ns;
        s.sys_ns += used.stime_ns;
        s.page_tables += as ? READ_ONCE(as->pt.own_tables) : 0;
        s.last_pid = p->pid;
        addrspace_put(as);
    }
    return s;
}

/* ---- Memory ---------------------------------------------------------------------------------- */

static void memory_line(struct text *t, const char *name, size_t pages)
{
    text_printf(t, "%s:%*lu kB\n", name, (int)(23 - strlen(name)), pages * PAGE_SIZE / 1024);
}

static void show_meminfo(struct text *t)
{
    size_t all = pagecache_page_count(), dirty = pagecache_dirty_count();
    size_t buffers = block_cached_pages(), free = page_free_count();

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
    memory_line(t, "PageTables", pagetable_shared_count() + sum_processes().page_tables);
}

static void value(struct text *t, const char *name, uint64_t v)
{
    text_printf(t, "%s %lu\n", name, v);
}

static void show_vmstat(struct text *t)
{
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
}

static void show_slabinfo(struct text *t)
{
    const char *name;
    size_t size, live, total;

    for (unsigned i = 0; kcache_stat(i, &name, &size, &live, &total); i++)
        text_printf(t, "%s %lu %lu\n", name, live, total);
}

/* ---- Time and processors --------------------------------------------------------------------- */

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

static void show_uptime(struct text *t)
{
    hundredths(t, arch_time_ns(), " ");
    hundredths(t, all_idle_ns(), "\n");
}

static void show_loadavg(struct text *t)
{
    uint64_t load[3];

    sched_load_average(load);
    for (unsigned i = 0; i < 3; i++)
        text_printf(t, "%lu.%02lu ", load[i] >> 16, (load[i] & 0xffff) * 100 >> 16);
    text_printf(t, "%u/%lu %d\n", sched_runnable_count(), thread_count(), sum_processes().last_pid);
}

/* Idle time is measured per hart; the rest is divided as the processes' times are. */
static void cpu_line(struct text *t, uint64_t total_ns, uint64_t idle_ns, const struct sums *s)
{
    uint64_t busy = total_ns > idle_ns ? (total_ns - idle_ns) / TICK_NS : 0;
    uint64_t known = (s->user_ns + s->sys_ns) / TICK_NS;
    uint64_t user = known ? busy * (s->user_ns / TICK_NS) / known : 0;

    text_printf(t, " %lu 0 %lu %lu 0 0 0 0 0 0\n", user, busy - user, idle_ns / TICK_NS);
}

static void show_stat(struct text *t)
{
    uint64_t now = arch_time_ns();
    struct sums s = sum_processes();

    text_put(t, "cpu ");
    cpu_line(t, now * hart_count, all_idle_ns(), &s);
    for (unsigned h = 0; h < hart_count; h++) {
        text_printf(t, "cpu%u", h);
        cpu_line(t, now, sched_idle_ns(h), &s);
    }
    text_printf(
        t, "intr %lu\nctxt %lu\nbtime %lu\nprocesses %lu\nprocs_running %u\nprocs_blocked 0\n",
        stat_total(STAT_interrupts), stat_total(STAT_context_switches),
        (clock_realtime_ns() - now) / NSEC_PER_SEC, stat_total(STAT_forks), sched_runnable_count());
}

static void show_cpuinfo(struct text *t)
{
    for (unsigned h = 0; h < hart_count; h++)
        text_printf(t, "processor\t: %u\nhart\t\t: %u\nisa\t\t: %s\nmmu\t\t: sv39\n\n", h,
                    harts[h].hartid, arch_isa_string);
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

static void show_interrupts(struct text *t)
{
    text_put(t, "    ");
    for (unsigned h = 0; h < hart_count; h++)
        text_printf(t, "       CPU%u", h);
    text_put(t, "\n");
    for (unsigned irq = 1; irq < MAX_IRQS; irq++) {
        if (!irq_seen(irq))
            continue;
        text_printf(t, "%3u:", irq);
        counts(t, irq_count, irq, "PLIC");
    }
    text_put(t, "TMR:");
    counts(t, hart_stat, STAT_timer_interrupts, "timer interrupts");
    text_put(t, "IPI:");
    counts(t, hart_stat, STAT_ipis, "interprocessor interrupts");
}

/* ---- Names ----------------------------------------------------------------------------------- */

static void show_version(struct text *t)
{
    text_printf(t, "Unimap version %s (%s) #1 SMP\n", kernel_release, __VERSION__);
}

static void show_partitions(struct text *t)
{
    struct block_device *bd;

    text_put(t, "major minor  #blocks  name\n\n");
    for (unsigned i = 0; (bd = block_at(i)); i++)
        text_printf(t, "%4u  %7u %10lu %s\n", BLOCK_MAJOR, bd->minor,
                    bd->sectors * SECTOR_SIZE / 1024, bd->name);
}

static void show_self(struct text *t)
{
    text_printf(t, "%d", current_process()->pid);
}

static void show_thread_self(struct text *t)
{
    text_printf(t, "%d/task/%d", current_process()->pid, current->tid);
}

static void show_hostname(struct text *t)
{
    char name[65];

    machine_hostname(name, sizeof(name));
    text_printf(t, "%s\n", name);
}

/* ---- /proc/sys ------------------------------------------------------------------------------- */

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

static const struct proc_entry kernel_entries[] = {
    {"hostname", S_IFREG | 0444, .print = show_hostname},
    {"ostype", S_IFREG | 0444, .text = "Unimap"},
    {"osrelease", S_IFREG | 0444, .text = kernel_release},
    {"pid_max", S_IFREG | 0444, .text = "32768"},
    {0},
};

static const struct proc_entry vm_entries[] = {
    {"drop_caches", S_IFREG | 0200, .write = write_drop_caches},
    {"overcommit_memory", S_IFREG | 0644, .text = "0", .write = write_ignored},
    {0},
};

static const struct proc_entry sys_entries[] = {
    {"kernel", S_IFDIR | 0555, .children = kernel_entries},
    {"vm", S_IFDIR | 0555, .children = vm_entries},
    {0},
};

const struct proc_entry proc_root_entries[] = {
    {"self", S_IFLNK | 0777, .print = show_self},
    {"thread-self", S_IFLNK | 0777, .print = show_thread_self},
    {"meminfo", S_IFREG | 0444, .print = show_meminfo},
    {"vmstat", S_IFREG | 0444, .print = show_vmstat},
    {"slabinfo", S_IFREG | 0444, .print = show_slabinfo},
    {"uptime", S_IFREG | 0444, .print = show_uptime},
    {"loadavg", S_IFREG | 0444, .print = show_loadavg},
    {"stat", S_IFREG | 0444, .print = show_stat},
    {"cpuinfo", S_IFREG | 0444, .print = show_cpuinfo},
    {"interrupts", S_IFREG | 0444, .print = show_interrupts},
    {"version", S_IFREG | 0444, .print = show_version},
    {"cmdline", S_IFREG | 0444, .text = boot_cmdline},
    {"filesystems", S_IFREG | 0444, .text = "nodev\tproc\nnodev\ttmpfs\nnodev\tdevtmpfs\n\text2"},
    {"partitions", S_IFREG | 0444, .print = show_partitions},
    {"mounts", S_IFLNK | 0777, .text = "self/mounts"},
    {"sys", S_IFDIR | 0555, .children = sys_entries},
    {0},
};
