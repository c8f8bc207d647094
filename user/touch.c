/* SPDX-License-Identifier: MIT */
/*
 * touch: times of files, made now or given with -d @SECONDS or "YYYY-MM-DD hh:mm:ss", or another
 * file's with -r. Missing files are created unless -c.
 */
#include "user/box.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static bool no_create;

static bool parse_when(const char *text, struct timespec *when)
{
    struct tm tm = {.tm_isdst = -1};
    int64_t seconds;

    if (text[0] == '@' && parse_i64(text + 1, 10, &seconds)) {
        *when = (struct timespec){.tv_sec = seconds};
        return true;
    }
    int fields = sscanf(text, "%d-%d-%d%*1[ T]%d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                        &tm.tm_hour, &tm.tm_min, &tm.tm_sec);
    if (fields < 3)
        return false;
    tm.tm_year -= 1900;
    tm.tm_mon--;
    *when = (struct timespec){.tv_sec = mktime(&tm)};
    return when->tv_sec != -1;
}

static bool touch(const char *path, const struct timespec times[2])
{
    if (utimensat(AT_FDCWD, path, times, 0) == 0)
        return true;
    if (errno == ENOENT && no_create)
        return true;
    if (errno != ENOENT) {
        warn("setting times of '%s'", path);
        return false;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) {
        warn("cannot touch '%s'", path);
        return false;
    }
    bool ok = futimens(fd, times) == 0;
    if (!ok)
        warn("setting times of '%s'", path);
    close(fd);
    return ok;
}

int touch_main(int argc, char **argv)
{
    struct timespec times[2] = {{.tv_nsec = UTIME_NOW}, {.tv_nsec = UTIME_NOW}};
    bool access_only = false, modify_only = false, ok = true;
    struct stat st;
    int opt;

    while ((opt = getopt(argc, argv, "acd:mr:")) != -1) {
        switch (opt) {
        case 'a': access_only = true; break;
        case 'c': no_create = true; break;
        case 'd':
            if (!parse_when(optarg, &times[0]))
                diex("invalid date format '%s'", optarg);
            times[1] = times[0];
            break;
        case 'm': modify_only = true; break;
        case 'r':
            if (stat(optarg, &st) != 0)
                die("failed to get attributes of '%s'", optarg);
            times[0] = st.st_atim;
            times[1] = st.st_mtim;
            break;
        default: usage(1);
        }
    }
    if (optind == argc) {
        warnx("missing file operand");
        usage(1);
    }
    if (access_only && !modify_only)
        times[1].tv_nsec = UTIME_OMIT;
    if (modify_only && !access_only)
        times[0].tv_nsec = UTIME_OMIT;
    for (int i = optind; i < argc; i++)
        ok &= touch(argv[i], times);
    return ok ? 0 : 1;
}
