/* SPDX-License-Identifier: MIT */
/*
 * basename, dirname, pwd and which: paths as text, and finding one.
 */
#include "user/box.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t strip_slashes(const char *path, size_t len)
{
    while (len > 1 && path[len - 1] == '/')
        len--;
    return len;
}

int basename_main(int argc, char **argv)
{
    if (argc < 2 || argc > 3)
        usage(1);
    const char *name = base_name(argv[1]);
    size_t len = strip_slashes(name, strlen(name));
    if (argc == 3) {
        size_t suffix = strlen(argv[2]);

        if (suffix < len && memcmp(name + len - suffix, argv[2], suffix) == 0)
            len -= suffix;
    }
    printf("%.*s\n", (int)len, name);
    return 0;
}

int dirname_main(int argc, char **argv)
{
    if (argc < 2)
        usage(1);
    for (int i = 1; i < argc; i++) {
        size_t len = strip_slashes(argv[i], strlen(argv[i]));

        while (len > 0 && argv[i][len - 1] != '/')
            len--;
        len = strip_slashes(argv[i], len);
        printf("%.*s\n", len ? (int)len : 1, len ? argv[i] : ".");
    }
    return 0;
}

/* $PWD may lead here through symbolic links; it counts only while it still does. */
static bool logical_directory(const char **path)
{
    struct stat here, there;

    *path = getenv("PWD");
    return *path && **path == '/' && !strstr(*path, "/.") && stat(".", &here) == 0 &&
           stat(*path, &there) == 0 && here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

int pwd_main(int argc, char **argv)
{
    bool logical = false;
    const char *path;
    char here[PATH_MAX];
    int opt;

    while ((opt = getopt(argc, argv, "LP")) != -1) {
        if (opt == '?')
            usage(1);
        logical = opt == 'L';
    }
    if (!logical || !logical_directory(&path)) {
        if (!getcwd(here, sizeof(here)))
            die("cannot find the current directory");
        path = here;
    }
    puts(path);
    return 0;
}

static bool runnable(const char *path)
{
    struct stat st;

    return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool find_program(const char *name, bool all)
{
    const char *path = getenv("PATH");
    bool found = false;

    if (strchr(name, '/')) {
        if (runnable(name))
            puts(name);
        return runnable(name);
    }
    for (path = path ? path : "/bin:/sbin"; path && (all || !found);) {
        size_t len = strcspn(path, ":");
        char *dir = len ? xasprintf("%.*s", (int)len, path) : xstrdup(".");
        char *whole = path_join(dir, name);

        if (runnable(whole)) {
            puts(whole);
            found = true;
        }
        free(dir);
        free(whole);
        path = path[len] ? path + len + 1 : NULL;
    }
    return found;
}

int which_main(int argc, char **argv)
{
    bool all = false, ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "a")) != -1) {
        if (opt == '?')
            usage(1);
        all = true;
    }
    for (int i = optind; i < argc; i++)
        ok &= find_program(argv[i], all);
    return ok && optind < argc ? 0 : 1;
}
