/* SPDX-License-Identifier: MIT */
/*
 * Reading /proc/<pid>: stat for the numbers, status for the owner, cmdline for the arguments.
 *
 * A process may end between any two reads: it is then left out. Field 2 of stat, the name in
 * parentheses, may itself hold spaces and parentheses, so the rest is counted from the last ')'.
 */
#include "user/process.h"

#include "user/box.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *read_entry(pid_t pid, const char *name, size_t *len)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
    return read_file(path, len);
}

static bool parse_stat(const char *text, struct process *p)
{
    const char *open = strchr(text, '('), *close = strrchr(text, ')');
    uint64_t user, system, rss_pages;

    if (!open || !close || close < open)
        return false;
    snprintf(p->name, sizeof(p->name), "%.*s", (int)(close - open - 1), open + 1);
    /* 3 state 4 ppid 5 pgrp 6 session 7 tty 8 tpgid … 14 utime 15 stime … 19 nice 20 threads
     * 22 start 23 vsize 24 rss */
    int fields = sscanf(close + 1,
                        " %c %d %d %d %*d %d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
                        " %*d %*d %*d %d %u %*d %" SCNu64 " %" SCNu64 " %" SCNu64,
                        &p->state, &p->ppid, &p->pgid, &p->sid, &p->foreground, &user, &system,
                        &p->nice, &p->threads, &p->start, &p->vsize, &rss_pages);
    if (fields != 12)
        return false;
    p->ticks = user + system;
    p->rss = rss_pages * (uint64_t)sysconf(_SC_PAGESIZE) / 1024;
    return true;
}

static void parse_status(const char *text, struct process *p)
{
    const char *line = text ? strstr(text, "\nUid:") : NULL;

    if (line)
        sscanf(line, "\nUid: %" SCNu32, &p->uid);
}

/* Arguments are separated by NULs; a kernel thread has none. */
static void set_command(struct process *p, const char *cmdline, size_t len)
{
    size_t used = 0;

    if (!cmdline || len == 0) {
        snprintf(p->command, sizeof(p->command), "[%s]", p->name);
    } else {
        while (len > 0 && cmdline[len - 1] == '\0')
            len--;
        for (size_t i = 0; i < len && used + 1 < sizeof(p->command); i++)
            p->command[used++] = cmdline[i] ? cmdline[i] : ' ';
        p->command[used] = '\0';
    }
    for (char *c = p->command; *c; c++)
        if (iscntrl((unsigned char)*c))
            *c = '?';
}

bool process_read(pid_t pid, struct process *out)
{
    size_t len = 0;
    char *stat_text = read_entry(pid, "stat", NULL);

    if (!stat_text)
        return false;
    *out = (struct process){.pid = pid};
    bool ok = parse_stat(stat_text, out);
    free(stat_text);
    if (!ok)
        return false;
    char *status_text = read_entry(pid, "status", NULL);
    parse_status(status_text, out);
    free(status_text);
    char *cmdline = read_entry(pid, "cmdline", &len);
    set_command(out, cmdline, len);
    free(cmdline);
    return true;
}

static int compare_pids(const void *a, const void *b)
{
    pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;

    return (x > y) - (x < y);
}

struct process *process_list(size_t *count)
{
    struct process *list = NULL;
    size_t room = 0;
    DIR *dir = opendir("/proc");
    struct dirent *d;
    uint64_t pid;

    *count = 0;
    if (!dir)
        return NULL;
    while ((d = readdir(dir)) != NULL) {
        if (!parse_u64(d->d_name, 10, &pid) || pid > INT32_MAX)
            continue;
        if (*count == room)
            list = xrealloc(list, (room = room ? 2 * room : 64) * sizeof(*list));
        if (process_read((pid_t)pid, &list[*count]))
            ++*count;
    }
    closedir(dir);
    if (!list)
        list = xcalloc(1, sizeof(*list));
    qsort(list, *count, sizeof(*list), compare_pids);
    return list;
}

void process_format_time(uint64_t ticks, char *out, size_t size)
{
    uint64_t seconds = ticks / (uint64_t)sysconf(_SC_CLK_TCK);

    if (seconds >= 3600)
        snprintf(out, size, "%" PRIu64 ":%02u:%02u", seconds / 3600, (unsigned)(seconds / 60 % 60),
                 (unsigned)(seconds % 60));
    else
        snprintf(out, size, "%u:%02u", (unsigned)(seconds / 60), (unsigned)(seconds % 60));
}

double process_uptime(void)
{
    char *text = read_file("/proc/uptime", NULL);
    double seconds = text ? strtod(text, NULL) : 0;

    free(text);
    return seconds;
}
