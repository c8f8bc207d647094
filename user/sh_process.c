/* SPDX-License-Identifier: MIT */
/*
 * Builtins that change or show the process itself: directory, limits, mask, times.
 *
 * PWD is kept as the user walked there, symbolic links included; -P and a PWD that has gone wrong
 * fall back to what the kernel says.
 */
#include "user/sh.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/times.h>
#include <unistd.h>

/* cd and pwd */

static bool same_directory(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

/* Removes ".", ".." and empty components of an absolute path, in place. */
static void tidy_path(char *path)
{
    char *to = path;

    for (const char *from = path; *from;) {
        size_t len;

        while (*from == '/')
            from++;
        len = strcspn(from, "/");
        if (len == 2 && from[0] == '.' && from[1] == '.') {
            while (to > path && *--to != '/')
                ;
        } else if (len > 0 && !(len == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, len);
            to += len;
        }
        from += len;
    }
    if (to == path)
        *to++ = '/';
    *to = '\0';
}

static int cd_to(const char *dir, bool physical)
{
    const char *pwd = var_get("PWD");
    char *path = NULL, *kernel = NULL, *old = pwd ? xstrdup(pwd) : NULL;
    int status = 1;

    if (!physical && (dir[0] == '/' || (pwd && pwd[0] == '/'))) {
        path = dir[0] == '/' ? xstrdup(dir) : path_join(pwd, dir);
        tidy_path(path);
    }
    if ((path && chdir(path) == 0) || chdir(dir) == 0) {
        kernel = getcwd(NULL, 0);
        if (!path || (kernel && !same_directory(path, "."))) {
            free(path);
            path = kernel ? xstrdup(kernel) : NULL;
        }
        var_set("OLDPWD", old ? old : "");
        var_set("PWD", path ? path : "");
        status = 0;
    } else {
        warn("cd: %s", dir);
    }
    free(kernel);
    free(path);
    free(old);
    return status;
}

int builtin_cd(int argc, char **argv)
{
    bool physical = false;
    const char *dir;
    int i = 1;

    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++)
        physical = strcmp(argv[i], "-P") == 0;
    dir = i < argc ? argv[i] : var_get("HOME");
    bool back = dir && strcmp(dir, "-") == 0;
    if (back)
        dir = var_get("OLDPWD");
    if (!dir || !*dir) {
        warnx("cd: %s is not set", back ? "OLDPWD" : "HOME");
        return 2;
    }
    char *copy = xstrdup(dir);
    int status = cd_to(copy, physical);
    free(copy);
    if (status == 0 && back)
        puts(var_get("PWD"));
    return status;
}

int builtin_pwd(int argc, char **argv)
{
    const char *pwd = var_get("PWD");
    char *path;

    if (!(argc > 1 && strcmp(argv[1], "-P") == 0) && pwd && pwd[0] == '/' &&
        same_directory(pwd, ".")) {
        puts(pwd);
        return 0;
    }
    path = getcwd(NULL, 0);
    if (!path) {
        warn("pwd");
        return 1;
    }
    puts(path);
    free(path);
    return 0;
}

int builtin_umask(int argc, char **argv)
{
    mode_t mask = umask(0);
    uint64_t value;

    umask(mask);
    if (argc < 2) {
        printf("%04o\n", (unsigned)mask);
        return 0;
    }
    if (strcmp(argv[1], "-S") == 0) {
        char text[11];

        format_mode(~mask & 0777, text);
        printf("u=%.3s,g=%.3s,o=%.3s\n", text + 1, text + 4, text + 7);
        return 0;
    }
    if (!parse_u64(argv[1], 8, &value) || value > 0777)
        return sh_error(2, "umask: %s: bad mask", argv[1]);
    umask((mode_t)value);
    return 0;
}

static const struct {
    char letter;
    int resource;
    rlim_t unit;
    const char *text;
} limits[] = {
    {'t', RLIMIT_CPU, 1, "time (seconds)"},
    {'f', RLIMIT_FSIZE, 512, "file (blocks)"},
    {'d', RLIMIT_DATA, 1024, "data (kbytes)"},
    {'s', RLIMIT_STACK, 1024, "stack (kbytes)"},
    {'c', RLIMIT_CORE, 512, "coredump (blocks)"},
    {'v', RLIMIT_AS, 1024, "vmemory (kbytes)"},
    {'p', RLIMIT_NPROC, 1, "process"},
    {'n', RLIMIT_NOFILE, 1, "nofiles"},
};

static void limit_print(size_t i, bool hard, bool named)
{
    struct rlimit limit;

    if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) < 0)
        return;
    rlim_t value = hard ? limit.rlim_max : limit.rlim_cur;
    if (named)
        printf("%-20s ", limits[i].text);
    if (value == RLIM_INFINITY)
        puts("unlimited");
    else
        printf("%llu\n", (unsigned long long)(value / limits[i].unit));
}

static int limit_set(size_t i, const char *text, bool hard, bool soft)
{
    struct rlimit limit;
    uint64_t number;
    rlim_t value = RLIM_INFINITY;

    if (strcmp(text, "unlimited") != 0) {
        if (!parse_u64(text, 10, &number))
            return sh_error(2, "ulimit: %s: bad number", text);
        value = number * limits[i].unit;
    }
    if (getrlimit((__rlimit_resource_t)limits[i].resource, &limit) == 0) {
        if (hard)
            limit.rlim_max = value;
        if (soft)
            limit.rlim_cur = value;
        if (setrlimit((__rlimit_resource_t)limits[i].resource, &limit) == 0)
            return 0;
    }
    warn("ulimit");
    return 1;
}

int builtin_ulimit(int argc, char **argv)
{
    bool hard = false, soft = false, all = false;
    size_t which = 1;
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++)
        for (const char *p = argv[i] + 1; *p; p++) {
            size_t k = 0;

            while (k < ARRAY_SIZE(limits) && limits[k].letter != *p)
                k++;
            if (k < ARRAY_SIZE(limits))
                which = k;
            else if (*p == 'H' || *p == 'S' || *p == 'a')
                *(*p == 'H' ? &hard : *p == 'S' ? &soft : &all) = true;
            else
                return sh_error(2, "ulimit: %s: bad option", argv[i]);
        }
    if (i < argc && !all)
        return limit_set(which, argv[i], hard || !soft, soft || !hard);
    for (size_t k = 0; k < ARRAY_SIZE(limits); k++)
        if (all || k == which)
            limit_print(k, hard, all);
    return 0;
}

static void print_times(clock_t user, clock_t system)
{
    double hz = (double)sysconf(_SC_CLK_TCK), u = (double)user / hz, s = (double)system / hz;

    printf("%dm%fs %dm%fs\n", (int)(u / 60), u - 60 * (int)(u / 60), (int)(s / 60),
           s - 60 * (int)(s / 60));
}

int builtin_times(int argc, char **argv)
{
    struct tms t;

    (void)argc, (void)argv;
    if (times(&t) == (clock_t)-1)
        return 1;
    print_times(t.tms_utime, t.tms_stime);
    print_times(t.tms_cutime, t.tms_cstime);
    return 0;
}
