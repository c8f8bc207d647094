/* SPDX-License-Identifier: MIT */
/*
 * cp and mv. cp copies files by content, links, devices and pipes by their nature, directories by
 * descent; a copy into itself is refused before anything is written. mv renames, and copies and
 * removes only when the destination is on another file system.
 *
 * Attributes are set last: a directory's times only hold once its entries are in place. Every
 * failure is reported where it happens, and the rest still done.
 */
#include "user/box.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct {
    bool recursive;  /* copy directories, and links as links */
    bool preserve;   /* mode, owner and times */
    bool keep_links; /* do not follow symbolic links, even on the command line */
    bool force;      /* unlink what cannot be opened for writing */
    bool ask;        /* before overwriting */
    bool verbose;
} options;

/* The top of the running copy's destination: meeting it as a source would never end. */
static struct stat top;
static bool top_known;

static bool copy_any(const char *from, const char *to, bool follow);

static bool failed(const char *what, const char *path)
{
    warn("%s '%s'", what, path);
    return false;
}

static bool set_attributes(const char *to, const struct stat *st)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};

    if (lchown(to, st->st_uid, st->st_gid) != 0 && errno != EPERM)
        return failed("failed to preserve ownership for", to);
    if (!S_ISLNK(st->st_mode) && chmod(to, st->st_mode & 07777) != 0)
        return failed("setting permissions for", to);
    if (utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW) != 0)
        return failed("preserving times for", to);
    return true;
}

static int open_target(const char *to, mode_t mode)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode & 0777);

    if (fd >= 0 || !options.force || unlink(to) != 0)
        return fd;
    return open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
}

static bool copy_file(const char *from, const char *to, const struct stat *st)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);

    if (in < 0)
        return failed("cannot open for reading", from);
    int out = open_target(to, st->st_mode);
    bool ok = out < 0 ? failed("cannot create regular file", to)
                      : copy_fd(in, out) || failed("error copying to", to);
    close(in);
    if (out >= 0 && close(out) != 0)
        ok = failed("failed to close", to);
    return ok;
}

/* Links, devices, pipes: made anew. What stands in the way is removed, as a file's content is. */
static bool copy_node(const char *from, const char *to, const struct stat *st)
{
    char *target = S_ISLNK(st->st_mode) ? read_link(from) : NULL;
    int result = -1;

    if (S_ISLNK(st->st_mode) && !target)
        return failed("cannot read symbolic link", from);
    for (int attempt = 0; attempt < 2 && result != 0; attempt++) {
        if (attempt > 0 && (errno != EEXIST || unlink(to) != 0))
            break;
        result = target ? symlink(target, to) : mknod(to, st->st_mode, st->st_rdev);
    }
    free(target);
    return result == 0 || failed("cannot create", to);
}

/* Directories */

static bool copy_entries(const char *from, const char *to)
{
    DIR *dir = opendir(from);
    struct dirent *d;
    bool ok = true;

    if (!dir)
        return failed("cannot open directory", from);
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *below_from = path_join(from, d->d_name), *below_to = path_join(to, d->d_name);

        ok &= copy_any(below_from, below_to, false);
        free(below_from);
        free(below_to);
    }
    closedir(dir);
    return ok;
}

/* Upwards from path until the root, which is its own parent. */
static bool inside(const char *path, const struct stat *ancestor)
{
    char *up = path_join(path, ".."), *next;
    struct stat st, last = {0};
    bool found = false;

    while (!found && stat(up, &st) == 0 && !same_file(&st, &last)) {
        found = same_file(&st, ancestor);
        last = st;
        next = path_join(up, "..");
        free(up);
        up = next;
    }
    free(up);
    return found;
}

static bool copy_directory(const char *from, const char *to, const struct stat *st)
{
    bool is_top = !top_known, existed = access(to, F_OK) == 0;
    mode_t mask = umask(0);
    struct stat made;

    umask(mask);
    if (!options.recursive) {
        warnx("-r not specified; omitting directory '%s'", from);
        return false;
    }
    if (!is_top && same_file(st, &top))
        return true;
    /* Writable for us until its entries are copied, whatever its mode will be. */
    if (!existed && mkdir(to, (st->st_mode & 0777) | 0700) != 0)
        return failed("cannot create directory", to);
    if (stat(to, &made) != 0 || !S_ISDIR(made.st_mode)) {
        warnx("cannot overwrite non-directory '%s' with directory", to);
        return false;
    }
    if (is_top && inside(to, st)) {
        warnx("cannot copy a directory, '%s', into itself, '%s'", from, to);
        if (!existed)
            rmdir(to);
        return false;
    }
    if (is_top)
        top = made;
    top_known = true;
    bool ok = copy_entries(from, to);
    if (options.preserve)
        return set_attributes(to, st) && ok;
    if (!existed && chmod(to, st->st_mode & 0777 & ~mask) != 0)
        return failed("setting permissions for", to);
    return ok;
}

/* Anything */

/* May `to` be replaced by a copy of `from`? */
static bool check_target(const char *from, const struct stat *st, const char *to)
{
    struct stat old;

    if (stat(to, &old) != 0)
        return true;
    if (same_file(&old, st))
        warnx("'%s' and '%s' are the same file", from, to);
    else if (S_ISDIR(old.st_mode) && !S_ISDIR(st->st_mode))
        warnx("cannot overwrite directory '%s' with non-directory", to);
    else
        return true;
    return false;
}

static bool copy_any(const char *from, const char *to, bool follow)
{
    struct stat st, old;
    bool ok;

    if ((follow ? stat(from, &st) : lstat(from, &st)) != 0)
        return failed("cannot stat", from);
    if (!check_target(from, &st, to))
        return false;
    if (S_ISDIR(st.st_mode))
        return copy_directory(from, to, &st);
    if (options.ask && lstat(to, &old) == 0 && !confirm("overwrite", to))
        return true;
    if (S_ISREG(st.st_mode) || (!options.recursive && !S_ISLNK(st.st_mode)))
        ok = copy_file(from, to, &st);
    else
        ok = copy_node(from, to, &st);
    if (ok && options.preserve)
        ok = set_attributes(to, &st);
    if (ok && options.verbose)
        printf("'%s' -> '%s'\n", from, to);
    return ok;
}

static bool copy(const char *from, const char *to)
{
    top_known = false;
    return copy_any(from, to, !options.recursive && !options.keep_links);
}

/* SOURCE... DEST, which must be a directory if there are several sources. */
static int each_source(int count, char **paths, bool (*act)(const char *from, const char *to))
{
    bool ok = true;

    if (count < 1)
        warnx("missing file operand");
    else if (count < 2)
        warnx("missing destination file operand after '%s'", paths[0]);
    if (count < 2)
        usage(1);
    const char *dest = paths[count - 1];
    if (count > 2 && !is_directory(dest))
        diex("target '%s' is not a directory", dest);
    for (int i = 0; i < count - 1; i++) {
        char *to = destination(paths[i], dest);

        ok &= act(paths[i], to);
        free(to);
    }
    return ok ? 0 : 1;
}

int cp_main(int argc, char **argv)
{
    read_options(&argc, &argv, "adfiPpRrv", 1);
    options.recursive = opt('a') || opt('R') || opt('r');
    options.preserve = opt('a') || opt('p');
    options.keep_links = opt('a') || opt('d') || opt('P');
    options.force = opt('f');
    options.ask = opt('i');
    options.verbose = opt('v');
    return each_source(argc, argv, copy);
}

/* mv */

static bool move_across(const char *from, const char *to, const struct stat *st)
{
    if (!S_ISDIR(st->st_mode) && unlink(to) != 0 && errno != ENOENT)
        return failed("cannot replace", to);
    options.recursive = options.preserve = options.force = true;
    options.ask = options.verbose = false;
    return copy(from, to) && remove_tree(from);
}

static bool move(const char *from, const char *to)
{
    struct stat st, old;

    if (lstat(from, &st) != 0)
        return failed("cannot stat", from);
    bool exists = lstat(to, &old) == 0;
    if (exists && same_file(&st, &old))
        warnx("'%s' and '%s' are the same file", from, to);
    else if (exists && S_ISDIR(old.st_mode) && !S_ISDIR(st.st_mode))
        warnx("cannot overwrite directory '%s' with non-directory", to);
    else if (exists && !S_ISDIR(old.st_mode) && S_ISDIR(st.st_mode))
        warnx("cannot overwrite non-directory '%s' with directory '%s'", to, from);
    else if (exists && opt_last("fi") == 'i' && !confirm("overwrite", to))
        return true;
    else if (rename(from, to) == 0) {
        if (opt('v'))
            printf("renamed '%s' -> '%s'\n", from, to);
        return true;
    } else if (errno == EXDEV)
        return move_across(from, to, &st);
    else if (errno == EINVAL)
        warnx("cannot move '%s' to a subdirectory of itself, '%s'", from, to);
    else
        warn("cannot move '%s' to '%s'", from, to);
    return false;
}

int mv_main(int argc, char **argv)
{
    read_options(&argc, &argv, "fiv", 1);
    return each_source(argc, argv, move);
}
