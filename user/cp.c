/* SPDX-License-Identifier: MIT */
/*
 * cp and mv: the same operands, SOURCE... DEST, with copying done by copy.c. mv renames, and
 * copies and removes only when the destination is on another file system.
 */
#include "user/box.h"
#include "user/copy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct copy_options options;

/* The destination must be a directory if there are several sources. */
static void check_operands(int count, char **paths)
{
    struct stat st;

    if (count < 1)
        warnx("missing file operand");
    else if (count < 2)
        warnx("missing destination file operand after '%s'", paths[0]);
    if (count < 2)
        usage(1);
    const char *dest = paths[count - 1];
    if (count > 2 && (stat(dest, &st) != 0 || !S_ISDIR(st.st_mode)))
        diex("target '%s' is not a directory", dest);
}

int cp_main(int argc, char **argv)
{
    bool ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "adfiPpRrv")) != -1) {
        switch (opt) {
        case 'a': options.recursive = options.preserve = options.keep_links = true; break;
        case 'd':
        case 'P': options.keep_links = true; break;
        case 'f': options.force = true; break;
        case 'i': options.ask = true; break;
        case 'p': options.preserve = true; break;
        case 'R':
        case 'r': options.recursive = true; break;
        case 'v': options.verbose = true; break;
        default: usage(1);
        }
    }
    check_operands(argc - optind, argv + optind);
    for (int i = optind; i < argc - 1; i++) {
        char *to = copy_destination(argv[i], argv[argc - 1]);

        ok &= copy_tree(argv[i], to, &options);
        free(to);
    }
    return ok ? 0 : 1;
}

static bool is_directory(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool same_file(const char *a, const char *b)
{
    struct stat sa, sb;

    return lstat(a, &sa) == 0 && lstat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

static bool move_across(const char *from, const char *to)
{
    static const struct copy_options all = {.recursive = true, .preserve = true, .force = true};

    if (!is_directory(from) && unlink(to) != 0 && errno != ENOENT) {
        warn("cannot move '%s' to '%s'", from, to);
        return false;
    }
    return copy_tree(from, to, &all) && remove_tree(from);
}

static bool move(const char *from, const char *to)
{
    struct stat st, old;

    if (lstat(from, &st) != 0) {
        warn("cannot stat '%s'", from);
        return false;
    }
    if (same_file(from, to)) {
        warnx("'%s' and '%s' are the same file", from, to);
        return false;
    }
    if (is_directory(to) && !S_ISDIR(st.st_mode)) {
        warnx("cannot overwrite directory '%s' with non-directory", to);
        return false;
    }
    if (S_ISDIR(st.st_mode) && lstat(to, &old) == 0 && !S_ISDIR(old.st_mode)) {
        warnx("cannot overwrite non-directory '%s' with directory '%s'", to, from);
        return false;
    }
    if (options.ask && access(to, F_OK) == 0 && !confirm("overwrite", to))
        return true;
    if (rename(from, to) == 0) {
        if (options.verbose)
            printf("renamed '%s' -> '%s'\n", from, to);
        return true;
    }
    if (errno == EXDEV)
        return move_across(from, to);
    if (errno == EINVAL)
        warnx("cannot move '%s' to a subdirectory of itself, '%s'", from, to);
    else
        warn("cannot move '%s' to '%s'", from, to);
    return false;
}

int mv_main(int argc, char **argv)
{
    bool ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "fiv")) != -1) {
        switch (opt) {
        case 'f': options.ask = false; break;
        case 'i': options.ask = true; break;
        case 'v': options.verbose = true; break;
        default: usage(1);
        }
    }
    check_operands(argc - optind, argv + optind);
    for (int i = optind; i < argc - 1; i++) {
        char *to = copy_destination(argv[i], argv[argc - 1]);

        ok &= move(argv[i], to);
        free(to);
    }
    return ok ? 0 : 1;
}
