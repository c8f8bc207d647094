/* SPDX-License-Identifier: MIT */
/*
 * date, sleep and time: asking the clock, waiting for it, and measuring with it.
 */
#include "user/box.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* date */

/* strftime has no %N (nanoseconds): it is filled in first. "%%N" stays as it is. */
static char *fill_nanoseconds(const char *format, long ns)
{
    char *out = xmalloc(10 * strlen(format) + 1), *p = out;

    while (*format) {
        if (format[0] == '%' && format[1] == 'N') {
            p += sprintf(p, "%09ld", ns);
            format += 2;
            continue;
        }
        if (format[0] == '%' && format[1])
            *p++ = *format++;
        *p++ = *format++;
    }
    *p = '\0';
    return out;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void print_date(const char *format, const struct timespec *when)
{
    struct tm *tm = localtime(&when->tv_sec);
    char *filled = fill_nanoseconds(format, when->tv_nsec), text[4096] = "";

    if (!tm)
        diex("time %lld is out of range", (long long)when->tv_sec);
    strftime(text, sizeof(text), filled, tm);
    puts(text);
    free(filled);
}
#pragma GCC diagnostic pop

int date_main(int argc, char **argv)
{
    const char *format = "%a %b %e %H:%M:%S %Z %Y";
    struct timespec when;
    int64_t seconds;
    bool set = false;
    int opt;

    clock_gettime(CLOCK_REALTIME, &when);
    while ((opt = getopt(argc, argv, "d:s:u")) != -1) {
        switch (opt) {
        case 's': set = true; /* fall through */
        case 'd':
            if (optarg[0] != '@' || !parse_i64(optarg + 1, 10, &seconds))
                diex("invalid date '%s'", optarg);
            when = (struct timespec){.tv_sec = seconds};
            break;
        case 'u': setenv("TZ", "UTC0", 1); break;
        default: usage(1);
        }
    }
    if (set && clock_settime(CLOCK_REALTIME, &when) != 0)
        die("cannot set date");
    if (optind < argc) {
        if (argv[optind][0] != '+' || optind + 1 < argc)
            usage(1);
        format = argv[optind] + 1;
    }
    print_date(format, &when);
    return 0;
}

/* sleep */

int sleep_main(int argc, char **argv)
{
    uint64_t total = 0, part;

    if (argc < 2) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = 1; i < argc; i++) {
        if (!parse_duration(argv[i], &part)) {
            warnx("invalid time interval '%s'", argv[i]);
            usage(1);
        }
        total += part;
    }
    struct timespec left = {(time_t)(total / 1000000000), (long)(total % 1000000000)};
    while (nanosleep(&left, &left) != 0)
        if (errno != EINTR)
            die("cannot sleep");
    return 0;
}

/* time */

static void print_duration(const char *label, long seconds, long microseconds)
{
    if (microseconds < 0) {
        microseconds += 1000000;
        seconds--;
    }
    fprintf(stderr, "%s %ld.%02ld\n", label, seconds, microseconds / 10000);
}

int time_main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage used;
    int status, first = argc > 1 && strcmp(argv[1], "-p") == 0 ? 2 : 1;

    if (first >= argc)
        usage(1);
    clock_gettime(CLOCK_MONOTONIC, &start);
    pid_t pid = fork();
    if (pid < 0)
        die("cannot fork");
    if (pid == 0) {
        execvp(argv[first], argv + first);
        warn("cannot run %s", argv[first]);
        _exit(errno == ENOENT ? 127 : 126);
    }
    while (wait4(pid, &status, 0, &used) < 0)
        if (errno != EINTR)
            die("cannot wait");
    clock_gettime(CLOCK_MONOTONIC, &end);
    print_duration("real", end.tv_sec - start.tv_sec, (end.tv_nsec - start.tv_nsec) / 1000);
    print_duration("user", used.ru_utime.tv_sec, used.ru_utime.tv_usec);
    print_duration("sys", used.ru_stime.tv_sec, used.ru_stime.tv_usec);
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
