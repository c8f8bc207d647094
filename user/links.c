/* SPDX-License-Identifier: MIT */
/*
 * ln and readlink: making links and looking through them.
 */
#include "user/box.h"
#include "user/copy.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool symbolic, force, no_dereference, verbose;

static bool is_directory(const char *path)
{
    struct stat st;

    return (no_dereference ? lstat(path, &st) : stat(path, &st)) == 0 && S_ISDIR(st.st_mode);
}

static int try_link(const char *target, const char *name)
{
    return symbolic ? symlink(target, name) : link(target, name);
}

static bool make_link(const char *target, const char *name)
{
    struct stat a, b;

    /* -f must not remove the name that is to be linked; two names of one file are done already. */
    if (force && !symbolic && lstat(target, &a) == 0 && lstat(name, &b) == 0 &&
        a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
        if (a.st_nlink > 1 && strcmp(target, name) != 0)
            return true;
        warnx("'%s' and '%s' are the same file", target, name);
        return false;
    }
    if (try_link(target, name) != 0 &&
        !(force && errno == EEXIST && unlink(name) == 0 && try_link(target, name) == 0)) {
        if (symbolic)
            warn("failed to create symbolic link '%s'", name);
        else
            warn("failed to create hard link '%s'", name);
        return false;
    }
    if (verbose)
        printf("'%s' %s '%s'\n", name, symbolic ? "->" : "=>", target);
    return true;
}

int ln_main(int argc, char **argv)
{
    bool ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "fnsv")) != -1) {
        switch (opt) {
        case 'f': force = true; break;
        case 'n': no_dereference = true; break;
        case 's': symbolic = true; break;
        case 'v': verbose = true; break;
        default: usage(1);
        }
    }
    argc -= optind;
    argv += optind;
    if (argc == 0) {
        warnx("missing file operand");
        usage(1);
    }
    const char *dest = argc == 1 ? "." : argv[argc - 1];
    bool into = is_directory(dest);
    if (argc > 2 && !into)
        diex("target '%s' is not a directory", dest);
    for (int i = 0; i < (argc == 1 ? 1 : argc - 1); i++) {
        char *name = into ? copy_destination(argv[i], dest) : xstrdup(dest);

        ok &= make_link(argv[i], name);
        free(name);
    }
    return ok ? 0 : 1;
}

static char *link_text(const char *path)
{
    char *target = xmalloc(PATH_MAX);
    ssize_t len = readlink(path, target, PATH_MAX - 1);

    if (len < 0) {
        free(target);
        return NULL;
    }
    target[len] = '\0';
    return target;
}

#define LINKS_MAX 40

static char *directory_of(const char *path)
{
    const char *name = base_name(path);

    return name == path ? xstrdup(".") : xasprintf("%.*s", (int)(name - path), path);
}

/*
 * The canonical path; what the last link of a chain names need not exist. Caller frees; NULL on
 * failure.
 */
static char *canonical(const char *path, int links)
{
    char *whole = realpath(path, NULL);

    if (whole || errno != ENOENT || links == LINKS_MAX)
        return whole;
    char *dir = directory_of(path), *parent = realpath(dir, NULL);
    char *target = parent ? link_text(path) : NULL;
    free(dir);
    if (target) {
        char *next = target[0] == '/' ? xstrdup(target) : path_join(parent, target);

        whole = canonical(next, links + 1);
        free(next);
    } else if (parent) {
        whole = path_join(parent, base_name(path));
    }
    free(target);
    free(parent);
    return whole;
}

int readlink_main(int argc, char **argv)
{
    bool follow = false, newline = true, ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "fn")) != -1) {
        switch (opt) {
        case 'f': follow = true; break;
        case 'n': newline = false; break;
        default: usage(1);
        }
    }
    if (optind == argc) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = optind; i < argc; i++) {
        char *text = follow ? canonical(argv[i], 0) : link_text(argv[i]);

        ok &= text != NULL;
        if (text)
            printf("%s%s", text, newline || argc - optind > 1 ? "\n" : "");
        free(text);
    }
    return ok ? 0 : 1;
}
