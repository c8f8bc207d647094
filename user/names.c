/* SPDX-License-Identifier: MIT */
/*
 * basename, dirname, pwd and which: paths as text, and finding one.
 */
#include "user/box.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int basename_main(int argc, char **argv)
{
    if (argc < 2 || argc > 3)
        usage(1);
    const char *name = *argv[1] ? (basename)(argv[1]) : "";
    size_t len = strlen(name), suffix = argc == 3 ? strlen(argv[2]) : 0;
    if (suffix < len && memcmp(name + len - suffix, argc == 3 ? argv[2] : "", suffix) == 0)
        len -= suffix;
    printf("%.*s\n", (int)len, name);
    return 0;
}

int dirname_main(int argc, char **argv)
{
    if (argc < 2)
        usage(1);
    for (int i = 1; i < argc; i++)
        puts(dirname(argv[i]));
    return 0;
}

/* $PWD may lead here through symbolic links; it counts only while it still does. */
int pwd_main(int argc, char **argv)
{
    const char *pwd = getenv("PWD");
    struct stat here, there;

    if (argc > 1 && strcmp(argv[1], "-L") == 0 && pwd && *pwd == '/' && !strstr(pwd, "/.") &&
        stat(".", &here) == 0 && stat(pwd, &there) == 0 && same_file(&here, &there)) {
        puts(pwd);
        return 0;
    }
    char *path = getcwd(NULL, 0);
    if (!path) {
        warn("cannot find the current directory");
        return 1;
    }
    puts(path);
    free(path);
    return 0;
}

int which_main(int argc, char **argv)
{
    bool ok = argc > 1;

    for (int i = 1; i < argc; i++) {
        char *path = find_program(getenv("PATH"), argv[i]);

        ok &= path != NULL;
        if (path)
            puts(path);
        free(path);
    }
    return ok ? 0 : 1;
}
