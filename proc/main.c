/* SPDX-License-Identifier: MIT */
/*
 * The order in which the kernel comes to life, and nothing else. The boot hart's first stack
 * belongs to its idle thread; everything that may sleep runs in the thread "kinit", which becomes
 * process 1.
 */
#include "arch/arch.h"
#include "arch/machine.h"
#include "lib/ktest.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "mm/kmap.h"
#include "mm/page.h"
#include "mm/pagecache.h"
#include "proc/boot.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/sched.h"

extern char boot_stack_top[];
uint64_t boot_start_ns;
struct thread boot_thread; /* tp points here from boot.S on; later the boot hart's idle thread */

/* ---- Memory ---- */

static void add_bank(paddr_t base, size_t len)
{
    struct page *map = (struct page *)machine_carve((len >> PAGE_SHIFT) * sizeof(struct page));

    page_add_bank(base, len, map);
}

static void memory_init(void)
{
    extern char kernel_start[], kernel_end[];
    paddr_t initrd;
    size_t size;

    /* The image itself; the firmware's part is reserved by the device tree. */
    machine_reserve((paddr_t)kernel_start, (size_t)(kernel_end - kernel_start));
    if (boot_initrd(&initrd, &size))
        machine_reserve(initrd, size);
    machine_for_each_bank(add_bank);
    machine_for_each_free_range(page_free_range);
    kmalloc_init();
    kmap_init();
    if (!kmap_check_wx())
        panic("the kernel's page table breaks its own rules (W^X, or U above USER_TOP)");
}

/* ---- Threads of the machine ---- */

static void adopt_boot_thread(void)
{
    strlcpy(boot_thread.name, "idle0", sizeof(boot_thread.name));
    boot_thread.kstack_top = (uintptr_t)boot_stack_top;
    boot_thread.refs = 1;
    sched_init_hart(&harts[0], &boot_thread);
}

static void make_idle_threads(void)
{
    for (unsigned i = 1; i < hart_count; i++) {
        struct thread *t = thread_create("idle");

        if (is_err(t))
            panic("no memory for the idle thread of hart %u", i);
        t->name[4] = (char)('0' + i);
        sched_init_hart(&harts[i], t);
    }
}

void secondary_main(struct hart *h)
{
    hart_init();
    h->satp = harts[0].satp;
    atomic_store_explicit(&h->online, true, memory_order_release);
    sched_idle_loop();
}

/* ---- Process 1 ---- */

static void print_line(void *arg, const char *line)
{
    (void)arg;
    klog(LOG_INFO, "%s", line);
}

void vmprint_first_exec(struct process *p)
{
    static bool done;

    if (p != init_process || done)
        return;
    done = true;
    if (!boot_number("vmprint", 1))
        return;
    mutex_lock(&p->as->lock);
    vmprint(&p->as->pt, print_line, NULL);
    mutex_unlock(&p->as->lock);
}

static void set_default_limits(struct process *p)
{
    for (unsigned i = 0; i < RLIM_NLIMITS; i++)
        p->limits[i] = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
    /* glibc sizes thread stacks after it, and user memory is 192 MiB: a modest default. */
    p->limits[RLIMIT_STACK].rlim_cur = 1 << 20;
    p->limits[RLIMIT_NOFILE] = (struct rlimit){1024, 4096};
    p->limits[RLIMIT_CORE].rlim_cur = 0;
    p->limits[RLIMIT_MEMLOCK] = (struct rlimit){8 << 20, 8 << 20};
    p->limits[RLIMIT_NICE] = (struct rlimit){0, 0};
    p->limits[RLIMIT_RTPRIO] = (struct rlimit){0, 0};
    p->limits[RLIMIT_SIGPENDING] = (struct rlimit){1024, 1024};
}

/* Turns this kernel thread into process 1. Its number was reserved by being the first. */
static void become_process_one(void)
{
    struct process *p = process_create();
    struct files *files = files_create();
    int err;

    if (!p || !files)
        panic("no memory for process 1");
    set_default_limits(p);
    p->files = files;
    p->exit_signal = SIGCHLD;
    current->sig_mask = 0;
    spin_lock(&proctree_lock);
    process_link(p, current, NULL);
    spin_unlock(&proctree_lock);
    p->pgid = p->sid = p->pid;
    init_process = p;
    err = fs_open_console(files);
    if (err)
        pr_warn("init has no console: error %d\n", err);
}

static void run_init(void)
{
    static char chosen[256];
    const char *paths[] = {"/sbin/init", "/bin/init", "/bin/sh"};
    unsigned n = ARRAY_SIZE(paths);
    int err;

    if (boot_arg("init", chosen, sizeof(chosen))) {
        paths[0] = chosen;
        n = 1;
    }
    for (unsigned i = 0; i < n; i++) {
        err = process_exec(paths[i]);
        if (!err)
            return;
        pr_err("%s cannot be executed: error %d\n", paths[i], err);
    }
    panic("no init found: tried %s; boot with init=PATH",
          n == 1 ? chosen : "/sbin/init, /bin/init, /bin/sh");
}

static void kinit(void *arg)
{
    char root[64] = "/dev/vda";
    int err;

    (void)arg;
    drivers_init();
    clock_init();
    kmap_seal();
    pagecache_init();
    fs_init();
    page_register_shrinker(kstack_shrink);
    signal_init();
    if (boot_flag("selftest"))
        ktest_run_all();
    boot_arg("root", root, sizeof(root));
    err = fs_mount_root(root);
    if (err)
        panic("cannot mount the root file system %s: error %d (root=, and QEMU's -drive?)", root,
              err);
    pr_info("%lu ms to init, %zu of %zu MiB free\n", (arch_time_ns() - boot_start_ns) / 1000000,
            page_free_count() >> 8, page_total_count() >> 8);
    become_process_one();
    run_init();
    arch_enter_user();
}

void kmain(unsigned boot_hartid, paddr_t dtb)
{
    machine_discover(boot_hartid, dtb);
    boot_start_ns = arch_time_ns();
    boot_args_init();
    if (boot_flag("quiet"))
        log_console_level = LOG_ERR;
    hart_init();
    memory_init();
    process_init();
    addrspace_init();
    sched_init();
    adopt_boot_thread();
    syscall_init();
    pr_info("Unimap: %u hart%s, boot hart %u, %zu MiB, Sv39, one page table per process\n",
            hart_count, hart_count == 1 ? "" : "s", harts[0].hartid, page_total_count() >> 8);
    if (!kthread_create("kinit", kinit, NULL))
        panic("no memory for the first thread");
    make_idle_threads();
    harts[0].online = true;
    arch_start_harts();
    sched_idle_loop();
}
