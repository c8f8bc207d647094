/* SPDX-License-Identifier: MIT */
/*
 * Copying trees: files by content, links, devices and pipes by their nature, directories by
 * descent. A copy into itself is refused before anything is written. Attributes are set last and
 * from the outside in reverse: a directory's times only hold once its entries are in place.
 */
#include "user/copy.h"

#include "user/box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The top of the running copy's destination: meeting it as a source would never end. */
struct copy {
    const struct copy_options *options;
    dev_t top_dev;
    ino_t top_ino;
    bool top_known;
};

static bool copy_any(struct copy *copy, const char *from, const char *to, bool follow);

bool confirm(const char *question, const char *path)
{
    int first, c;

    fflush(stdout);
    fprintf(stderr, "%s: %s '%s'? ", tool_name, question, path);
    first = c = getchar();
    while (c != '\n' && c != EOF)
        c = getchar();
    return first == 'y' || first == 'Y';
}

char *copy_destination(const char *from, const char *dest)
{
    struct stat st;

    if (stat(dest, &st) != 0 || !S_ISDIR(st.st_mode))
        return xstrdup(dest);
    char *name = xstrdup(base_name(from));
    size_t len = strlen(name);
    while (len > 1 && name[len - 1] == '/')
        name[--len] = '\0';
    char *path = path_join(dest, name);
    free(name);
    return path;
}

static bool set_attributes(const char *to, const struct stat *st)
{
    struct timespec times[2] = {st->st_atim, st->st_mtim};
    bool ok = true;

    if (fchownat(AT_FDCWD, to, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) != 0 &&
        errno != EPERM) {
        warn("failed to preserve ownership for '%s'", to);
        ok = false;
    }
    if (!S_ISLNK(st->st_mode) && chmod(to, st->st_mode & 07777) != 0) {
        warn("setting permissions for '%s'", to);
        ok = false;
    }
    if (utimensat(AT_FDCWD, to, times, AT_SYMLINK_NOFOLLOW) != 0) {
        warn("preserving times for '%s'", to);
        ok = false;
    }
    return ok;
}

/* Files */

static int open_target(const struct copy *copy, const char *to, mode_t mode)
{
    int fd = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode & 0777);

    if (fd >= 0 || !copy->options->force || unlink(to) != 0)
        return fd;
    return open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode & 0777);
}

static bool copy_file(const struct copy *copy, const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);

    if (in < 0) {
        warn("cannot open '%s' for reading", from);
        return false;
    }
    int out = open_target(copy, to, mode);
    if (out < 0) {
        warn("cannot create regular file '%s'", to);
        close(in);
        return false;
    }
    bool ok = copy_fd(in, out);
    if (!ok)
        warn("error copying '%s' to '%s'", from, to);
    close(in);
    if (close(out) != 0) {
        warn("failed to close '%s'", to);
        ok = false;
    }
    return ok;
}

/* Links, devices, pipes: made anew. What stands in the way is removed, as a file's content is. */

static bool make_link(const char *from, const char *to)
{
    char target[4096];
    ssize_t len = readlink(from, target, sizeof(target) - 1);

    if (len < 0) {
        warn("cannot read symbolic link '%s'", from);
        return false;
    }
    target[len] = '\0';
    if (symlink(target, to) == 0 ||
        (errno == EEXIST && unlink(to) == 0 && symlink(target, to) == 0))
        return true;
    warn("cannot create symbolic link '%s'", to);
    return false;
}

static bool make_node(const char *to, const struct stat *st)
{
    if (mknod(to, st->st_mode, st->st_rdev) == 0 ||
        (errno == EEXIST && unlink(to) == 0 && mknod(to, st->st_mode, st->st_rdev) == 0))
        return true;
    warn("cannot create special file '%s'", to);
    return false;
}

/* Directories */

static bool copy_entries(struct copy *copy, const char *from, const char *to)
{
    DIR *dir = opendir(from);
    struct dirent *d;
    bool ok = true;

    if (!dir) {
        warn("cannot open directory '%s'", from);
        return false;
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *below_from = path_join(from, d->d_name), *below_to = path_join(to, d->d_name);

        ok &= copy_any(copy, below_from, below_to, false);
        free(below_from);
        free(below_to);
    }
    closedir(dir);
    return ok;
}

static bool make_directory(struct copy *copy, const char *to, const struct stat *st)
{
    struct stat made;

    /* Writable for us until its entries are copied, whatever its mode will be. */
    if (mkdir(to, (st->st_mode & 0777) | 0700) != 0 && errno != EEXIST) {
        warn("cannot create directory '%s'", to);
        return false;
    }
    if (stat(to, &made) != 0 || !S_ISDIR(made.st_mode)) {
        warnx("cannot overwrite non-directory '%s' with directory", to);
        return false;
    }
    if (!copy->top_known) {
        copy->top_dev = made.st_dev;
        copy->top_ino = made.st_ino;
        copy->top_known = true;
    }
    return true;
}

static bool inside(const char *path, const struct stat *ancestor)
{
    char *up = path_join(path, ".."), *next;
    struct stat st, last = {0};
    bool found = false;

    /* Upwards until the root, which is its own parent. */
    while (stat(up, &st) == 0 && !(st.st_dev == last.st_dev && st.st_ino == last.st_ino)) {
        if (st.st_dev == ancestor->st_dev && st.st_ino == ancestor->st_ino) {
            found = true;
            break;
        }
        last = st;
        next = path_join(up, "..");
        free(up);
        up = next;
    }
    free(up);
    return found;
}

static bool copy_directory(struct copy *copy, const char *from, const char *to,
                           const struct stat *st)
{
    bool top = !copy->top_known;
    mode_t mask = umask(0);

    umask(mask);
    if (!copy->options->recursive) {
        warnx("-r not specified; omitting directory '%s'", from);
        return false;
    }
    if (!top && st->st_dev == copy->top_dev && st->st_ino == copy->top_ino)
        return true;
    struct stat existing;
    bool existed = stat(to, &existing) == 0;
    if (!make_directory(copy, to, st))
        return false;
    if (top && inside(to, st)) {
        warnx("cannot copy a directory, '%s', into itself, '%s'", from, to);
        if (!existed)
            rmdir(to);
        return false;
    }
    bool ok = copy_entries(copy, from, to);
    if (copy->options->preserve)
        return set_attributes(to, st) && ok;
    if (!existed && chmod(to, st->st_mode & 0777 & ~mask) != 0)
        return false;
    return ok;
}

/* Anything */

/* May `to` be replaced by a copy of `from`? */
static bool check_target(const char *from, const struct stat *st, const char *to)
{
    struct stat old;

    if (stat(to, &old) != 0)
        return true;
    if (old.st_dev == st->st_dev && old.st_ino == st->st_ino) {
        warnx("'%s' and '%s' are the same file", from, to);
        return false;
    }
    if (S_ISDIR(old.st_mode) && !S_ISDIR(st->st_mode)) {
        warnx("cannot overwrite directory '%s' with non-directory", to);
        return false;
    }
    return true;
}

static bool copy_any(struct copy *copy, const char *from, const char *to, bool follow)
{
    const struct copy_options *options = copy->options;
    struct stat st, old;
    bool ok;

    if ((follow ? stat(from, &st) : lstat(from, &st)) != 0) {
        warn("cannot stat '%s'", from);
        return false;
    }
    if (!check_target(from, &st, to))
        return false;
    if (S_ISDIR(st.st_mode))
        return copy_directory(copy, from, to, &st);
    if (options->ask && lstat(to, &old) == 0 && !confirm("overwrite", to))
        return true;
    if (S_ISLNK(st.st_mode))
        ok = make_link(from, to);
    else if (S_ISREG(st.st_mode) || !options->recursive)
        ok = copy_file(copy, from, to, st.st_mode);
    else
        ok = make_node(to, &st);
    if (ok && options->preserve)
        ok = set_attributes(to, &st);
    if (ok && options->verbose)
        printf("'%s' -> '%s'\n", from, to);
    return ok;
}

bool copy_tree(const char *from, const char *to, const struct copy_options *options)
{
    struct copy copy = {.options = options};

    return copy_any(&copy, from, to, !options->recursive && !options->keep_links);
}

/* Removal, for mv */

static bool remove_entries(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *d;
    bool ok = true;

    if (!dir) {
        warn("cannot open directory '%s'", path);
        return false;
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *below = path_join(path, d->d_name);

        ok &= remove_tree(below);
        free(below);
    }
    closedir(dir);
    return ok;
}

bool remove_tree(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && !remove_entries(path))
        return false;
    if (remove(path) == 0)
        return true;
    warn("cannot remove '%s'", path);
    return false;
}
