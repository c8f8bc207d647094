/* SPDX-License-Identifier: MIT */
/*
 * ps: every process, one line each. -f adds the owner and the process group.
 */
#include "user/box.h"
#include "user/process.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int line_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col)
        return INT32_MAX;
    return size.ws_col;
}

/* The state letter, then as usual: '<' high, 'N' low priority, 's' session leader, 'l' threads. */
static void format_state(const struct process *p, char out[8])
{
    char *c = out;

    *c++ = p->state;
    if (p->nice)
        *c++ = p->nice < 0 ? '<' : 'N';
    if (p->sid == p->pid)
        *c++ = 's';
    if (p->threads > 1)
        *c++ = 'l';
    if (p->foreground == p->pgid && p->pgid > 0)
        *c++ = '+';
    *c = '\0';
}

static void print_process(const struct process *p, bool full, int width)
{
    char state[8], time[16], head[128];

    format_state(p, state);
    process_format_time(p->ticks, time, sizeof(time));
    int len = 0;
    if (full)
        len = snprintf(head, sizeof(head), "%-8s ", id_name(PASSWD, p->uid));
    len += snprintf(head + len, sizeof(head) - (size_t)len, "%5d %5d ", p->pid, p->ppid);
    if (full)
        len += snprintf(head + len, sizeof(head) - (size_t)len, "%5d ", p->pgid);
    len += snprintf(head + len, sizeof(head) - (size_t)len, "%-4s %7s %7" PRIu64 " ", state, time,
                    p->rss);
    printf("%s%.*s\n", head, width > len ? width - len : 0, p->command);
}

int ps_main(int argc, char **argv)
{
    bool full = false;
    size_t count;
    int opt;

    while ((opt = getopt(argc, argv, "Aaefwx")) != -1) {
        if (opt == '?')
            usage(1);
        full |= opt == 'f';
    }
    struct process *list = process_list(&count);
    if (!list)
        die("/proc");
    if (full)
        printf("%-8s ", "USER");
    printf("%5s %5s ", "PID", "PPID");
    if (full)
        printf("%5s ", "PGID");
    printf("%-4s %7s %7s %s\n", "STAT", "TIME", "RSS", "COMMAND");
    for (size_t i = 0; i < count; i++)
        print_process(&list[i], full, line_width());
    free(list);
    return 0;
}
