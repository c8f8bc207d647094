/* SPDX-License-Identifier: MIT */
/*
 * date, sleep, time and touch: asking the clock, waiting for it, measuring with it, and putting its
 * time on files.
 */
#include "user/box.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* "@SECONDS" or "YYYY-MM-DD[ hh:mm:ss]" */
static struct timespec parse_when(const char *text)
{
    struct tm tm = {.tm_isdst = -1};
    int64_t seconds;

    if (text[0] == '@' && parse_i64(text + 1, 10, &seconds))
        return (struct timespec){.tv_sec = seconds};
    int fields = sscanf(text, "%d-%d-%d%*1[ T]%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                        &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
    tm.tm_year -= 1900;
    tm.tm_mon--;
    struct timespec when = {.tv_sec = mktime(&tm)};
    if (fields < 3 || when.tv_sec == -1)
        diex("invalid date '%s'", text);
    return when;
}

/* strftime has no %N (nanoseconds): it is filled in first. "%%N" stays as it is. */
static char *fill_nanoseconds(const char *format, long ns)
{
    char *out = xmalloc(10 * strlen(format) + 1), *p = out;

    while (*format) {
        if (strncmp(format, "%N", 2) == 0) {
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

int date_main(int argc, char **argv)
{
    struct timespec when;

    read_options(&argc, &argv, "d:s:u", 1);
    if (opt('u'))
        setenv("TZ", "UTC0", 1);
    clock_gettime(CLOCK_REALTIME, &when);
    if (opt('d') || opt('s'))
        when = parse_when(opt_value(opt('s') ? 's' : 'd'));
    if (opt('s') && clock_settime(CLOCK_REALTIME, &when) != 0)
        die("cannot set date");
    if (argc > 1 || (argc == 1 && argv[0][0] != '+'))
        usage(1);
    char *format = fill_nanoseconds(argc ? argv[0] + 1 : "%a %b %e %H:%M:%S %Z %Y", when.tv_nsec);
    puts(format_time(when.tv_sec, format));
    free(format);
    return 0;
}

int sleep_main(int argc, char **argv)
{
    struct timespec left;

    if (argc != 2 || !parse_duration(argv[1], &left))
        usage(1);
    while (nanosleep(&left, &left) != 0)
        if (errno != EINTR)
            die("cannot sleep");
    return 0;
}

int time_main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage used;

    read_options(&argc, &argv, "+p", 1);
    if (argc == 0)
        usage(1);
    clock_gettime(CLOCK_MONOTONIC, &start);
    int status = run_program(argv, false);
    if (status == -1)
        return 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    getrusage(RUSAGE_CHILDREN, &used);
    fprintf(stderr, "real %.2f\nuser %ld.%02ld\nsys %ld.%02ld\n",
            (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
            used.ru_utime.tv_sec, used.ru_utime.tv_usec / 10000, used.ru_stime.tv_sec,
            used.ru_stime.tv_usec / 10000);
    return exit_code(status);
}

/* touch */

static bool touch(const char *path, const struct timespec times[2])
{
    if (utimensat(AT_FDCWD, path, times, 0) == 0 || (errno == ENOENT && opt('c')))
        return true;
    int fd = errno == ENOENT ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : -1;
    bool ok = fd >= 0 && futimens(fd, times) == 0;
    if (!ok)
        warn("cannot touch '%s'", path);
    if (fd >= 0)
        close(fd);
    return ok;
}

int touch_main(int argc, char **argv)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    struct stat st;
    bool ok = true;

    read_options(&argc, &argv, "acd:mr:", 1);
    if (argc == 0)
        usage(1);
    if (opt('d'))
        times[0] = times[1] = parse_when(opt_value('d'));
    if (opt('r')) {
        if (stat(opt_value('r'), &st) != 0)
            die("failed to get attributes of '%s'", opt_value('r'));
        times[0] = st.st_atim;
        times[1] = st.st_mtim;
    }
    if (opt('a') != opt('m'))
        times[opt('a')].tv_nsec = UTIME_OMIT;
    for (int i = 0; i < argc; i++)
        ok &= touch(argv[i], times);
    return ok ? 0 : 1;
}
