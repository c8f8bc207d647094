/* SPDX-License-Identifier: MIT */
/*
 * ln and readlink: making links and looking through them.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int try_link(const char *target, const char *name)
{
    return opt('s') ? symlink(target, name) : link(target, name);
}

static bool make_link(const char *target, const char *name)
{
    struct stat a, b;

    /* -f must not remove the name that is to be linked; two names of one file are done already. */
    if (opt('f') && !opt('s') && lstat(target, &a) == 0 && lstat(name, &b) == 0 &&
        same_file(&a, &b)) {
        if (a.st_nlink > 1 && strcmp(target, name) != 0)
            return true;
        warnx("'%s' and '%s' are the same file", target, name);
        return false;
    }
    if (try_link(target, name) != 0 &&
        !(opt('f') && errno == EEXIST && unlink(name) == 0 && try_link(target, name) == 0)) {
        warn("failed to create %s link '%s'", opt('s') ? "symbolic" : "hard", name);
        return false;
    }
    if (opt('v'))
        printf("'%s' %s '%s'\n", name, opt('s') ? "->" : "=>", target);
    return true;
}

int ln_main(int argc, char **argv)
{
    struct stat st;
    bool ok = true;

    read_options(&argc, &argv, "fnsv", 1);
    if (argc == 0)
        usage(1);
    const char *dest = argc == 1 ? "." : argv[argc - 1];
    bool into = is_directory(dest) && !(opt('n') && lstat(dest, &st) == 0 && S_ISLNK(st.st_mode));
    if (argc > 2 && !into)
        diex("target '%s' is not a directory", dest);
    for (int i = 0; i < (argc == 1 ? 1 : argc - 1); i++) {
        char *name = into ? destination(argv[i], dest) : xstrdup(dest);

        ok &= make_link(argv[i], name);
        free(name);
    }
    return ok ? 0 : 1;
}

#define LINKS_MAX 40

/* The canonical path; what the last link of a chain names need not exist. NULL on failure. */
static char *canonical(const char *path, int links)
{
    char *whole = realpath(path, NULL);

    if (whole || errno != ENOENT || links == LINKS_MAX)
        return whole;
    const char *name = base_name(path);
    char *dir = name == path ? xstrdup(".") : xasprintf("%.*s", (int)(name - path), path);
    char *parent = realpath(dir, NULL), *target = parent ? read_link(path) : NULL;
    if (target) {
        char *next = target[0] == '/' ? xstrdup(target) : path_join(parent, target);

        whole = canonical(next, links + 1);
        free(next);
    } else if (parent) {
        whole = path_join(parent, name);
    }
    free(dir);
    free(target);
    free(parent);
    return whole;
}

int readlink_main(int argc, char **argv)
{
    bool ok = true;

    read_options(&argc, &argv, "fn", 1);
    if (argc == 0)
        usage(1);
    for (int i = 0; i < argc; i++) {
        char *text = opt('f') ? canonical(argv[i], 0) : read_link(argv[i]);

        ok &= text != NULL;
        if (text)
            printf("%s%s", text, !opt('n') || argc > 1 ? "\n" : "");
        free(text);
    }
    return ok ? 0 : 1;
}
