/* SPDX-License-Identifier: MIT */
/*
 * ps, top and free: what /proc tells of processes, harts and memory.
 *
 * A process may end between any two reads: it is then left out.
 */
#include "user/box.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct process {
    pid_t pid, ppid, pgid, sid, foreground;
    uint32_t uid;
    char state;
    uint64_t ticks;    /* user + system time, in 1/sysconf(_SC_CLK_TCK) s */
    uint64_t vsize;    /* bytes */
    uint64_t rss;      /* KiB */
    char command[256]; /* arguments, or [name] for a kernel thread; ready to print */
};

/* Field 2 of stat, the name in parentheses, may itself hold spaces and parentheses, so the rest is
 * counted from the last ')'. */
static bool parse_stat(const char *text, struct process *p)
{
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    uint64_t user = 0, system = 0, rss_pages = 0;

    if (!open || !close || close < open)
        return false;
    snprintf(p->command, sizeof(p->command), "[%.*s]", (int)(close - open - 1), open + 1);
    /* 3 state 4 ppid 5 pgrp 6 session 7 tty 8 tpgid … 14 utime 15 stime … 23 vsize 24 rss */
    int fields = sscanf(close + 1,
                        " %c %d %d %d %*d %d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                        " %*d %*d %*d %*d %*u %*d %*u %" SCNu64 " %" SCNu64,
                        &p->state, &p->ppid, &p->pgid, &p->sid, &p->foreground, &user, &system,
                        &p->vsize, &rss_pages);
    p->ticks = user + system;
    p->rss = rss_pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    return fields == 9;
}

static char *read_entry(pid_t pid, const char *name, size_t *len)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return read_file(path, len);
}

static bool read_process(pid_t pid, struct process *p)
{
    size_t len = 0;
    char *stat_text = read_entry(pid, "stat", NULL), *status_text, *cmdline;

    *p = (struct process){.pid = pid};
    if (!stat_text || !parse_stat(stat_text, p)) {
        free(stat_text);
        return false;
    }
    status_text = read_entry(pid, "status", NULL);
    const char *line = status_text ? strstr(status_text, "\nUid:") : NULL;
    if (line)
        sscanf(line, "\nUid: %" SCNu32, &p->uid);
    /* Arguments are separated by NULs; a kernel thread has none. */
    cmdline = read_entry(pid, "cmdline", &len);
    while (len > 0 && cmdline[len - 1] == '\0')
        len--;
    for (size_t i = 0; i < len; i++)
        cmdline[i] = cmdline[i] ? cmdline[i] : ' ';
    if (len > 0)
        snprintf(p->command, sizeof(p->command), "%s", cmdline);
    for (char *c = p->command; *c; c++)
        *c = iscntrl((unsigned char)*c) ? '?' : *c;
    free(stat_text);
    free(status_text);
    free(cmdline);
    return true;
}

static int by_pid(const void *a, const void *b)
{
    pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;

    return (x > y) - (x < y);
}

static struct process *read_processes(size_t *count)
{
    struct process *list = NULL;
    DIR *dir = opendir("/proc");
    struct dirent *d;
    uint64_t pid;

    if (!dir)
        die("/proc");
    for (*count = 0; (d = readdir(dir)) != NULL;) {
        list = grow(list, *count, sizeof(list[0]));
        if (parse_u64(d->d_name, 10, &pid) && pid <= INT32_MAX &&
            read_process((pid_t)pid, &list[*count]))
            ++*count;
    }
    closedir(dir);
    qsort(list, *count, sizeof(list[0]), by_pid);
    return list;
}

static const char *ticks_text(uint64_t ticks)
{
    static char text[32];
    uint64_t seconds = ticks / (uint64_t)sysconf(_SC_CLK_TCK);

    snprintf(text, sizeof(text), "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
    return text;
}

/* ps */

/* The state letter, then as usual: 's' session leader, '+' in the foreground. */
static const char *state_text(const struct process *p)
{
    static char text[8];

    snprintf(text, sizeof(text), "%c%s%s", p->state, p->sid == p->pid ? "s" : "",
             p->foreground == p->pgid && p->pgid > 0 ? "+" : "");
    return text;
}

int ps_main(int argc, char **argv)
{
    int width = terminal_width(), len;
    size_t count;

    read_options(&argc, &argv, "Aaefwx", 1);
    struct process *list = read_processes(&count);
    if (opt('f'))
        printf("%-8s %5s ", "USER", "PGID");
    printf("%5s %5s %-4s %7s %7s %s\n", "PID", "PPID", "STAT", "TIME", "RSS", "COMMAND");
    for (const struct process *p = list; p < list + count; p++) {
        len = opt('f') ? printf("%-8s %5d ", id_name(PASSWD, p->uid), p->pgid) : 0;
        len += printf("%5d %5d %-4s %7s %7" PRIu64 " ", p->pid, p->ppid, state_text(p),
                      ticks_text(p->ticks), p->rss);
        printf("%.*s\n", width == 0 ? INT32_MAX : width > len ? width - len : 0, p->command);
    }
    free(list);
    return 0;
}

/* free */

/* All in KiB; what the kernel does not tell is 0. */
struct memory {
    uint64_t total, unused, available, cache, shared, used;
};

static uint64_t field(const char *text, const char *name)
{
    const char *line = strstr(text, name);

    return line ? strtoull(line + strlen(name), NULL, 10) : 0;
}

static struct memory read_memory(void)
{
    char *text = read_file("/proc/meminfo", NULL);

    if (!text)
        die("/proc/meminfo");
    struct memory m = {
        .total = field(text, "MemTotal:"),
        .unused = field(text, "MemFree:"),
        .available = field(text, "MemAvailable:"),
        .cache = field(text, "Buffers:") + field(text, "\nCached:") + field(text, "SReclaimable:"),
        .shared = field(text, "Shmem:"),
    };
    free(text);
    m.used = m.total > m.unused + m.cache ? m.total - m.unused - m.cache : 0;
    return m;
}

int free_main(int argc, char **argv)
{
    read_options(&argc, &argv, "hkm", 1);
    struct memory m = read_memory();
    uint64_t amounts[] = {m.total, m.used, m.unused, m.shared, m.cache, m.available};
    char text[32];

    printf("%19s %11s %11s %11s %11s %11s\nMem:   ", "total", "used", "free", "shared",
           "buff/cache", "available");
    for (size_t i = 0; i < ARRAY_SIZE(amounts); i++) {
        if (opt('h'))
            format_human(amounts[i] * 1024, text, sizeof(text));
        else
            snprintf(text, sizeof(text), "%" PRIu64, opt('m') ? amounts[i] / 1024 : amounts[i]);
        printf(" %11s", text);
    }
    putchar('\n');
    return 0;
}

/* top: shares since boot */

/* "cpu0 user nice system idle iowait irq softirq …": shares of the hart's time since boot */
static void print_harts(void)
{
    char *text = read_file("/proc/stat", NULL);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        double t[7] = {0}, total = 0;
        unsigned hart;

        line += *line == '\n';
        if (strncmp(line, "cpu", 3) != 0 || !isdigit((unsigned char)line[3]) ||
            sscanf(line, "cpu%u %lf %lf %lf %lf %lf %lf %lf", &hart, &t[0], &t[1], &t[2], &t[3],
                   &t[4], &t[5], &t[6]) < 5)
            continue;
        for (size_t i = 0; i < ARRAY_SIZE(t); i++)
            total += t[i];
        double percent = total > 0 ? 100 / total : 0;
        printf("hart %u: %5.1f%% user, %5.1f%% system, %5.1f%% interrupts, %5.1f%% idle\n", hart,
               percent * (t[0] + t[1]), percent * t[2], percent * (t[5] + t[6]),
               percent * (t[3] + t[4]));
    }
    free(text);
}

static int by_ticks(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    if (x->ticks != y->ticks)
        return x->ticks < y->ticks ? 1 : -1;
    return by_pid(a, b);
}

int top_main(int argc, char **argv)
{
    int width = terminal_width() > 60 ? terminal_width() - 49 : 100;
    char *text = read_file("/proc/uptime", NULL);
    double uptime = text ? strtod(text, NULL) : 0;
    struct memory m = read_memory();
    unsigned long seconds = (unsigned long)uptime;
    size_t count, running = 0;

    read_options(&argc, &argv, "b", 1);
    struct process *list = read_processes(&count);
    for (size_t i = 0; i < count; i++)
        running += list[i].state == 'R';
    printf("top - %s up %lu days, %lu:%02lu:%02lu\n", format_time(time(NULL), "%H:%M:%S"),
           seconds / 86400, seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    printf("processes: %zu total, %zu running\n", count, running);
    printf("memory: %" PRIu64 " KiB total, %" PRIu64 " free, %" PRIu64 " available, %" PRIu64
           " buffers and cache\n",
           m.total, m.unused, m.available, m.cache);
    print_harts();
    qsort(list, count, sizeof(list[0]), by_ticks);
    printf("\n%5s %-8s S %6s %7s %7s %7s %s\n", "PID", "USER", "%CPU", "TIME", "RSS", "VSZ",
           "COMMAND");
    for (const struct process *p = list; p < list + count; p++) {
        double share = (double)p->ticks / (double)sysconf(_SC_CLK_TCK) / (uptime > 0 ? uptime : 1);

        printf("%5d %-8s %c %6.1f %7s %7" PRIu64 " %7" PRIu64 " %.*s\n", p->pid,
               id_name(PASSWD, p->uid), p->state, 100 * share, ticks_text(p->ticks), p->rss,
               p->vsize / 1024, width, p->command);
    }
    free(list);
    free(text);
    return 0;
}
