/* SPDX-License-Identifier: MIT */
/* Calls about the machine as a whole: its names, its state, its log, its end; and prctl. */
#include <linux/prctl.h>
#include <linux/random.h>
#include <linux/reboot.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

static struct spinlock name_lock = SPINLOCK_INIT(RANK_PID, "hostname");
static char host_name[__NEW_UTS_LEN + 1] = "unimap"; /* under name_lock */

#define KERNEL_RELEASE "6.12.0-unimap"
const char kernel_release[] = KERNEL_RELEASE;

/* ---- Names ----------------------------------------------------------------------------------- */

void machine_hostname(char *buf, size_t size)
{
    spin_lock(&name_lock);
    strlcpy(buf, host_name, size);
    spin_unlock(&name_lock);
}

/* The release is what C libraries compare with the oldest kernel they can work on. */
static const struct new_utsname names = {
    .sysname = "Unimap",
    .release = KERNEL_RELEASE,
    .version = "#1 SMP",
    .machine = "riscv64",
    .domainname = "(none)",
};

long sys_uname(uaddr_t buf)
{
    char node[sizeof(names.nodename)] = "";

    machine_hostname(node, sizeof(node));
    if (copy_to_user(buf, &names, sizeof(names)))
        return -EFAULT;
    return copy_to_user(buf + offsetof(struct new_utsname, nodename), node, sizeof(node));
}

long sys_sethostname(uaddr_t name, int len)
{
    char new[__NEW_UTS_LEN + 1] = "";

    if (!is_privileged())
        return -EPERM;
    if (len < 0 || len > __NEW_UTS_LEN)
        return -EINVAL;
    if (copy_from_user(new, name, (size_t)len))
        return -EFAULT;
    spin_lock(&name_lock);
    memcpy(host_name, new, sizeof(host_name));
    spin_unlock(&name_lock);
    return 0;
}

/* ---- State ----------------------------------------------------------------------------------- */

long sys_sysinfo(uaddr_t uinfo)
{
    struct sysinfo info = {0};
    uint64_t load[3];

    _Static_assert(SI_LOAD_SHIFT == 16, "the scheduler's fixed point");
    sched_load_average(load);
    for (int i = 0; i < 3; i++)
        info.loads[i] = load[i];
    info.uptime = (long)(arch_time_ns() / NSEC_PER_SEC);
    info.totalram = page_total_count() * PAGE_SIZE;
    info.freeram = page_free_count() * PAGE_SIZE;
    info.procs = (uint16_t)MIN(thread_count(), UINT16_MAX);
    info.mem_unit = 1;
    return copy_to_user(uinfo, &info, sizeof(info));
}

/* ---- The log --------------------------------------------------------------------------------- */

enum syslog_type { /* reading piece by piece (2, 9) is a log daemon's, which there is not */
                   SYSLOG_CLOSE = 0,
                   SYSLOG_OPEN = 1,
                   SYSLOG_READ_ALL = 3,
                   SYSLOG_READ_CLEAR = 4,
                   SYSLOG_CLEAR = 5,
                   SYSLOG_CONSOLE_OFF = 6,
                   SYSLOG_CONSOLE_ON = 7,
                   SYSLOG_CONSOLE_LEVEL = 8,
                   SYSLOG_SIZE_BUFFER = 10,
};

static uint64_t log_cleared; /* where reading begins */

/* The newest len bytes since the last clearing. */
static long read_newest(uaddr_t buf, size_t len, bool clear)
{
    uint64_t end = log_end(), off = MAX(log_start(), log_cleared);
    char *piece = kmalloc(PAGE_SIZE, 0);
    size_t done = 0, n;

    if (!piece)
        return -ENOMEM;
    if (end - off > len)
        off = end - len;
    while (off < end && (n = log_read(&off, piece, MIN(end - off, PAGE_SIZE)))) {
        if (copy_to_user(buf + done, piece, n)) {
            kfree(piece);
            return -EFAULT;
        }
        done += n;
    }
    kfree(piece);
    if (clear)
        log_cleared = end;
    return (long)done;
}

long sys_syslog(int type, uaddr_t buf, int len)
{
    if (type != SYSLOG_READ_ALL && type != SYSLOG_SIZE_BUFFER && !is_privileged())
        return -EPERM;
    switch (type) {
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN: return 0;
    case SYSLOG_READ_ALL:
    case SYSLOG_READ_CLEAR:
        if (!buf || len < 0)
            return -EINVAL;
        return len ? read_newest(buf, (size_t)len, type == SYSLOG_READ_CLEAR) : 0;
    case SYSLOG_CLEAR: log_cleared = log_end(); return 0;
    case SYSLOG_CONSOLE_OFF: log_console_level = LOG_ERR; return 0;
    case SYSLOG_CONSOLE_ON: log_console_level = LOG_INFO; return 0;
    case SYSLOG_CONSOLE_LEVEL:
        if (len < 1 || len > 8)
            return -EINVAL;
        log_console_level = (enum log_level)MAX(len - 1, (int)LOG_ERR);
        return 0;
    case SYSLOG_SIZE_BUFFER: return (long)MAX(log_end() - log_start(), PAGE_SIZE);
    default: return -EINVAL;
    }
}

/* ---- The end --------------------------------------------------------------------------------- */

static bool reboot_magic_ok(uint32_t magic1, uint32_t magic2)
{
    return magic1 == LINUX_REBOOT_MAGIC1 &&
           (magic2 == LINUX_REBOOT_MAGIC2 || magic2 == LINUX_REBOOT_MAGIC2A ||
            magic2 == LINUX_REBOOT_MAGIC2B || magic2 == LINUX_REBOOT_MAGIC2C);
}

long sys_reboot(uint32_t magic1, uint32_t magic2, uint32_t cmd, uaddr_t arg)
{
    (void)arg;
    if (!is_privileged())
        return -EPERM;
    if (!reboot_magic_ok(magic1, magic2))
        return -EINVAL;
    switch (cmd) {
    case LINUX_REBOOT_CMD_CAD_ON:
    case LINUX_REBOOT_CMD_CAD_OFF: return 0;
    case LINUX_REBOOT_CMD_HALT:
    case LINUX_REBOOT_CMD_POWER_OFF: fs_shutdown(); arch_power_off(false);
    case LINUX_REBOOT_CMD_RESTART: fs_shutdown(); arch_reboot();
    default: return -EINVAL;
    }
}

/* ---- Randomness, code ------------------------------------------------------------------------ */

/* Small requests are never cut short; a large one stops at a signal with what it has. */
long sys_getrandom(uaddr_t buf, size_t len, uint32_t flags)
{
    size_t done = 0, n;
    uint8_t piece[256];

    if (flags & ~(uint32_t)(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    for (len = MIN(len, (size_t)INT32_MAX); done < len; done += n) {
        n = MIN(len - done, sizeof(piece));
        random_bytes(piece, n);
        if (copy_to_user(buf + done, piece, n))
            return done ? (long)done : -EFAULT;
        sched_point();
        if (done >= sizeof(piece) && signal_deliverable(current))
            return (long)(done + n);
    }
    return (long)done;
}

long sys_riscv_flush_icache(uaddr_t start, uaddr_t end, uint64_t flags)
{
    (void)start;
    (void)end;
    if (flags & ~1UL) /* 1: this hart alone would do */
        return -EINVAL;
    icache_flush_all();
    return 0;
}

/* ---- prctl ----------------------------------------------------------------------------------- */

static long set_name(uaddr_t uname)
{
    char name[sizeof(current->name)];

    if (strncpy_from_user(name, uname, sizeof(name)) == -EFAULT)
        return -EFAULT;
    name[sizeof(name) - 1] = '\0'; /* longer ones are cut */
    strlcpy(current->name, name, sizeof(name));
    return 0;
}

static long get_name(uaddr_t uname)
{
    char name[sizeof(current->name)] = "";

    strlcpy(name, current->name, sizeof(name));
    return copy_to_user(uname, name, sizeof(name));
}

#define LAST_CAPABILITY 40

long sys_prctl(int option, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
    (void)a3, (void)a4, (void)a5;
    switch (option) {
    case PR_SET_NAME: return set_name(a2);
    case PR_GET_NAME: return get_name(a2);
    case PR_CAPBSET_READ: return a2 <= LAST_CAPABILITY ? 1 : -EINVAL;
    default: return -EINVAL;
    }
}
