/* SPDX-License-Identifier: MIT */
/*
 * top: what the machine does, then the processes by the CPU time they took.
 *
 * Shown once by default, with shares since boot; -n COUNT repeats it every -d seconds, with shares
 * of the time that has passed in between.
 */
#include "user/box.h"
#include "user/memory.h"
#include "user/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

struct sample {
    struct process *processes;
    size_t count;
    double uptime;
};

static void print_uptime(const struct sample *now)
{
    unsigned long seconds = (unsigned long)now->uptime;
    char *load = read_file("/proc/loadavg", NULL);
    char clock_text[16] = "";
    time_t t = time(NULL);
    struct tm *tm = localtime(&t);
    size_t running = 0;

    for (size_t i = 0; i < now->count; i++)
        running += now->processes[i].state == 'R';
    if (tm)
        strftime(clock_text, sizeof(clock_text), "%H:%M:%S", tm);
    printf("top - %s up ", clock_text);
    if (seconds >= 24 * 3600)
        printf("%lu days, ", seconds / (24 * 3600));
    printf("%lu:%02lu:%02lu", seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    if (load) {
        char *end = load;

        for (int i = 0; i < 3 && end; i++)
            end = strchr(end + 1, ' ');
        printf(", load average: %.*s", end ? (int)(end - load) : (int)strcspn(load, "\n"), load);
    }
    printf("\nprocesses: %zu total, %zu running\n", now->count, running);
    free(load);
}

static void print_memory(void)
{
    struct memory m;

    if (!memory_read(&m))
        return;
    printf("memory: %" PRIu64 " KiB total, %" PRIu64 " free, %" PRIu64 " available, %" PRIu64
           " buffers and cache\n",
           m.total, m.free, m.available, m.buffers + m.cached);
}

/* "cpu0 user nice system idle iowait irq softirq …": shares of the hart's time since boot */
static void print_hart(const char *line)
{
    uint64_t t[8] = {0}, total = 0;
    unsigned hart;

    int fields = sscanf(line,
                        "cpu%u %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                        " %" SCNu64,
                        &hart, &t[0], &t[1], &t[2], &t[3], &t[4], &t[5], &t[6]);
    if (fields < 5)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(t); i++)
        total += t[i];
    double percent = total ? 100.0 / (double)total : 0;
    printf("hart %u: %5.1f%% user, %5.1f%% system, %5.1f%% interrupts, %5.1f%% idle\n", hart,
           percent * (double)(t[0] + t[1]), percent * (double)t[2], percent * (double)(t[5] + t[6]),
           percent * (double)(t[3] + t[4]));
}

static void print_harts(void)
{
    char *text = read_file("/proc/stat", NULL);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, "cpu", 3) == 0 && line[3] >= '0' && line[3] <= '9')
            print_hart(line);
    }
    free(text);
}

static int by_ticks(const void *a, const void *b)
{
    const struct process *x = a, *y = b;

    if (x->ticks != y->ticks)
        return x->ticks < y->ticks ? 1 : -1;
    return (x->pid > y->pid) - (x->pid < y->pid);
}

/* Makes ticks those since the earlier sample; a pid started anew counts from zero. */
static void subtract(struct sample *now, const struct sample *before)
{
    for (size_t i = 0, j = 0; i < now->count; i++) {
        struct process *p = &now->processes[i];

        while (j < before->count && before->processes[j].pid < p->pid)
            j++;
        if (j < before->count && before->processes[j].pid == p->pid &&
            before->processes[j].start == p->start)
            p->ticks -= before->processes[j].ticks;
    }
}

static void print_processes(const struct sample *now, double seconds)
{
    struct winsize size;
    bool tty = isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    int width = tty && size.ws_col > 60 ? size.ws_col - 49 : 100;
    double whole = seconds * (double)sysconf(_SC_CLK_TCK);

    qsort(now->processes, now->count, sizeof(now->processes[0]), by_ticks);
    printf("\n%5s %-8s %c %6s %7s %7s %7s %s\n", "PID", "USER", 'S', "%CPU", "TIME", "RSS", "VSZ",
           "COMMAND");
    for (size_t i = 0; i < now->count; i++) {
        const struct process *p = &now->processes[i];
        char time_text[16];

        process_format_time(p->ticks, time_text, sizeof(time_text));
        printf("%5d %-8s %c %6.1f %7s %7" PRIu64 " %7" PRIu64 " %.*s\n", p->pid,
               id_name(PASSWD, p->uid), p->state,
               whole > 0 ? 100.0 * (double)p->ticks / whole : 0.0, time_text, p->rss,
               p->vsize / 1024, width, p->command);
    }
}

static struct sample take_sample(void)
{
    struct sample s = {.uptime = process_uptime()};

    s.processes = process_list(&s.count);
    if (!s.processes)
        die("/proc");
    return s;
}

static void show(const struct sample *before)
{
    struct sample now = take_sample(), copy = now;
    double seconds = now.uptime - (before ? before->uptime : 0);

    print_uptime(&now);
    print_memory();
    print_harts();
    if (before)
        subtract(&copy, before);
    print_processes(&copy, seconds);
    free(now.processes);
}

int top_main(int argc, char **argv)
{
    uint64_t rounds = 1, pause = 2000000000;
    int opt;

    while ((opt = getopt(argc, argv, "bd:n:")) != -1) {
        switch (opt) {
        case 'b': break;
        case 'd':
            if (!parse_duration(optarg, &pause))
                diex("invalid interval '%s'", optarg);
            break;
        case 'n':
            if (!parse_u64(optarg, 10, &rounds))
                diex("invalid count '%s'", optarg);
            break;
        default: usage(1);
        }
    }
    show(NULL);
    while (rounds-- > 1) {
        struct timespec left = {(time_t)(pause / 1000000000), (long)(pause % 1000000000)};
        struct sample before = take_sample();

        fflush(stdout);
        while (nanosleep(&left, &left) != 0 && errno == EINTR)
            continue;
        putchar('\n');
        show(&before);
        free(before.processes);
    }
    return 0;
}
