/* SPDX-License-Identifier: MIT */
/*
 * rm and rmdir: removing names. rm refuses "/", "." and ".."; a directory needs -r and goes after
 * its entries. Each failure is reported and the rest is still removed.
 */
#include "user/box.h"
#include "user/copy.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool force, ask, recursive, verbose;

static bool remove_path(const char *path);

static bool remove_below(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *d;
    bool ok = true;

    if (!dir) {
        /* An empty directory that cannot be read can still be removed: let rmdir tell. */
        return true;
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *below = path_join(path, d->d_name);

        ok &= remove_path(below);
        free(below);
    }
    closedir(dir);
    return ok;
}

static bool remove_path(const char *path)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        if (force && (errno == ENOENT || errno == ENOTDIR))
            return true;
        warn("cannot remove '%s'", path);
        return false;
    }
    bool is_dir = S_ISDIR(st.st_mode);
    if (is_dir && !recursive) {
        warnx("cannot remove '%s': Is a directory", path);
        return false;
    }
    if (is_dir && !remove_below(path))
        return false;
    if (ask && !confirm("remove", path))
        return true;
    if (is_dir ? rmdir(path) : unlink(path)) {
        warn("cannot remove '%s'", path);
        return false;
    }
    if (verbose)
        printf("removed %s'%s'\n", is_dir ? "directory " : "", path);
    return true;
}

/* "/", ".", "..", "a/..": a mistake in almost every case, and never worth the loss. */
static bool protected_path(const char *path)
{
    const char *name = base_name(path);
    size_t len = strcspn(name, "/");

    if (len == 0 && name[0] == '/') {
        warnx("it is dangerous to operate recursively on '/'");
        return true;
    }
    if ((len == 1 && name[0] == '.') || (len == 2 && name[0] == '.' && name[1] == '.')) {
        warnx("refusing to remove '.' or '..' directory: skipping '%s'", path);
        return true;
    }
    return false;
}

int rm_main(int argc, char **argv)
{
    bool ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "fiRrv")) != -1) {
        switch (opt) {
        case 'f': force = true, ask = false; break;
        case 'i': ask = true, force = false; break;
        case 'R':
        case 'r': recursive = true; break;
        case 'v': verbose = true; break;
        default: usage(1);
        }
    }
    if (optind == argc && !force) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = optind; i < argc; i++)
        ok &= !protected_path(argv[i]) && remove_path(argv[i]);
    return ok ? 0 : 1;
}

/* "a/b/c" → "a/b"; false when nothing is left. */
static bool strip_last(char *path)
{
    size_t len = strlen(path);

    while (len > 1 && path[len - 1] == '/')
        len--;
    while (len > 0 && path[len - 1] != '/')
        len--;
    while (len > 0 && path[len - 1] == '/')
        len--;
    path[len] = '\0';
    return len > 0;
}

int rmdir_main(int argc, char **argv)
{
    bool parents = false, ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "p")) != -1) {
        if (opt == '?')
            usage(1);
        parents = true;
    }
    if (optind == argc) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = optind; i < argc; i++) {
        do {
            if (rmdir(argv[i]) != 0) {
                warn("failed to remove '%s'", argv[i]);
                ok = false;
                break;
            }
        } while (parents && strip_last(argv[i]));
    }
    return ok ? 0 : 1;
}
