/* SPDX-License-Identifier: MIT */
/*
 * rm and rmdir: removing names. rm refuses "/", "." and ".."; a directory needs -r and goes after
 * its entries. Each failure is reported and the rest is still removed.
 */
#include "user/box.h"

#include <string.h>
#include <unistd.h>

static bool force, ask, recursive, verbose;

static bool remove_entry(FTS *tree, FTSENT *entry)
{
    const char *path = entry->fts_path;
    bool is_dir = S_ISDIR(entry->fts_statp->st_mode);

    if (entry->fts_info == FTS_NS && force &&
        (entry->fts_errno == ENOENT || entry->fts_errno == ENOTDIR))
        return true;
    if (entry->fts_info == FTS_D && recursive)
        return true;
    if (entry->fts_info == FTS_D) {
        fts_set(tree, entry, FTS_SKIP);
        warnx("cannot remove '%s': Is a directory", path);
        return false;
    }
    /* Back from the directory that was refused. */
    if (is_dir && !recursive)
        return true;
    if (entry->fts_info != FTS_NS && ask && !confirm("remove", path))
        return true;
    if (entry->fts_info == FTS_NS || (is_dir ? rmdir : unlink)(path) != 0) {
        error(0, entry->fts_errno ? entry->fts_errno : errno, "cannot remove '%s'", path);
        return false;
    }
    if (verbose)
        printf("removed %s'%s'\n", is_dir ? "directory " : "", path);
    return true;
}

bool remove_tree(const char *path)
{
    recursive = true;
    return walk_tree(path, 0, remove_entry);
}

/* "/", ".", "..", "a/..": a mistake in almost every case, and never worth the loss. */
static bool protected_path(const char *path)
{
    const char *name = base_name(path);
    size_t len = strcspn(name, "/");

    if (len == 0 && name[0] == '/')
        warnx("it is dangerous to operate recursively on '/'");
    else if (len > 0 && len <= 2 && strspn(name, ".") == len)
        warnx("refusing to remove '.' or '..' directory: skipping '%s'", path);
    else
        return false;
    return true;
}

int rm_main(int argc, char **argv)
{
    bool ok = true;

    read_options(&argc, &argv, "fiRrv", 1);
    force = opt_last("fi") == 'f';
    ask = opt_last("fi") == 'i';
    recursive = opt('R') || opt('r');
    verbose = opt('v');
    if (argc == 0 && !force) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = 0; i < argc; i++)
        ok &= !protected_path(argv[i]) && walk_tree(argv[i], 0, remove_entry);
    return ok ? 0 : 1;
}

/* "a/b/c" → "a/b"; false when nothing is left. */
static bool strip_last(char *path)
{
    size_t len = (size_t)(base_name(path) - path);

    while (len > 0 && path[len - 1] == '/')
        len--;
    path[len] = '\0';
    return len > 0;
}

int rmdir_main(int argc, char **argv)
{
    bool ok = true;

    read_options(&argc, &argv, "p", 1);
    if (argc == 0) {
        warnx("missing operand");
        usage(1);
    }
    for (int i = 0; i < argc; i++) {
        do {
            if (rmdir(argv[i]) != 0) {
                warn("failed to remove '%s'", argv[i]);
                ok = false;
                break;
            }
        } while (opt('p') && strip_last(argv[i]));
    }
    return ok ? 0 : 1;
}
