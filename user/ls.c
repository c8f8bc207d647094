/* SPDX-License-Identifier: MIT */
/*
 * ls: names and what is known about them.
 *
 * Each operand and each entry becomes a struct entry; a list of entries is sorted and printed in
 * one of three layouts: long, one per line, or columns (on a terminal). Files given on the command
 * line are listed before the directories. An entry that vanishes meanwhile is reported, not fatal.
 */
#include "user/box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

struct entry {
    char *name;
    char *target; /* of a symbolic link; only for -l */
    struct stat st;
    bool known; /* st is valid */
};

struct list {
    struct entry *entries;
    size_t count, room;
};

enum layout { ONE_PER_LINE, COLUMNS, LONG };

static struct {
    enum layout layout;
    bool all, almost_all, recursive, directories, inodes, human, numeric, classify;
    bool by_time, by_size, reverse, follow;
    int width;
} options;

static int status;

/* Lists */

static struct entry *list_add(struct list *list, const char *name)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 32;
        list->entries = xrealloc(list->entries, list->room * sizeof(struct entry));
    }
    struct entry *entry = &list->entries[list->count++];
    *entry = (struct entry){.name = xstrdup(name)};
    return entry;
}

static void list_free(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].name);
        free(list->entries[i].target);
    }
    free(list->entries);
    *list = (struct list){0};
}

static int compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = 0;

    if (options.by_size)
        order = (a->st.st_size < b->st.st_size) - (a->st.st_size > b->st.st_size);
    else if (options.by_time) {
        const struct timespec *x = &a->st.st_mtim, *y = &b->st.st_mtim;

        order = (x->tv_sec < y->tv_sec) - (x->tv_sec > y->tv_sec);
        if (!order)
            order = (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
    }
    if (!order)
        order = strcmp(a->name, b->name);
    return options.reverse ? -order : order;
}

static void list_sort(struct list *list)
{
    if (list->count > 1)
        qsort(list->entries, list->count, sizeof(struct entry), compare);
}

/* Looking things up */

static void trouble(int level, const char *what, const char *path)
{
    warn("cannot %s '%s'", what, path);
    if (status < level)
        status = level;
}

static char *read_link(int dir, const char *name)
{
    char target[4096];
    ssize_t len = readlinkat(dir, name, target, sizeof(target) - 1);

    if (len < 0)
        return NULL;
    target[len] = '\0';
    return xstrdup(target);
}

static bool needs_stat(void)
{
    return options.layout == LONG || options.by_time || options.by_size || options.recursive ||
           options.inodes || options.classify;
}

static void read_entry(int dir, const char *path, struct entry *entry)
{
    if (!needs_stat())
        return;
    if ((!options.follow || fstatat(dir, entry->name, &entry->st, 0) != 0) &&
        fstatat(dir, entry->name, &entry->st, AT_SYMLINK_NOFOLLOW) != 0) {
        char *whole = path_join(path, entry->name);

        trouble(1, "access", whole);
        free(whole);
        return;
    }
    entry->known = true;
    if (options.layout == LONG && S_ISLNK(entry->st.st_mode))
        entry->target = read_link(dir, entry->name);
}

static bool hidden(const char *name)
{
    if (options.all || name[0] != '.')
        return false;
    if (options.almost_all)
        return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
    return true;
}

/* Printing */

static char suffix(const struct entry *entry)
{
    if (!options.classify || !entry->known)
        return '\0';
    switch (entry->st.st_mode & S_IFMT) {
    case S_IFDIR: return '/';
    case S_IFLNK: return options.layout == LONG ? '\0' : '@';
    case S_IFIFO: return '|';
    case S_IFSOCK: return '=';
    case S_IFREG: return entry->st.st_mode & 0111 ? '*' : '\0';
    default: return '\0';
    }
}

/* On a terminal, control characters of a hostile name must not reach it. */
static void print_name(const struct entry *entry)
{
    char mark = suffix(entry);

    for (const char *p = entry->name; *p; p++)
        putchar(options.width && ((unsigned char)*p < ' ' || *p == 0x7f) ? '?' : *p);
    if (mark)
        putchar(mark);
}

static int inode_width(const struct list *list)
{
    unsigned long most = 0;
    int width = 1;

    for (size_t i = 0; i < list->count; i++)
        if (list->entries[i].st.st_ino > most)
            most = list->entries[i].st.st_ino;
    for (; most >= 10; most /= 10)
        width++;
    return width;
}

static void print_inode(const struct entry *entry, int width)
{
    if (!options.inodes)
        return;
    if (entry->known)
        printf("%*lu ", width, (unsigned long)entry->st.st_ino);
    else
        printf("%*s ", width, "?");
}

struct widths {
    int inode, links, user, group, size, major;
};

static void widen(int *width, int len)
{
    if (len > *width)
        *width = len;
}

static void format_id(const char *db, uint32_t id, char *out, size_t size)
{
    if (options.numeric)
        snprintf(out, size, "%u", id);
    else
        snprintf(out, size, "%s", id_name(db, id));
}

static void format_size(const struct stat *st, char *out, size_t size)
{
    if (options.human)
        format_human((uint64_t)st->st_size, out, size);
    else
        snprintf(out, size, "%llu", (unsigned long long)st->st_size);
}

static struct widths measure(const struct list *list)
{
    struct widths w = {.inode = inode_width(list)};
    int minor_width = 0;
    char text[80];

    for (size_t i = 0; i < list->count; i++) {
        const struct stat *st = &list->entries[i].st;

        if (!list->entries[i].known)
            continue;
        widen(&w.links, snprintf(text, sizeof(text), "%lu", (unsigned long)st->st_nlink));
        format_id(PASSWD, st->st_uid, text, sizeof(text));
        widen(&w.user, (int)strlen(text));
        format_id(GROUP, st->st_gid, text, sizeof(text));
        widen(&w.group, (int)strlen(text));
        if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
            widen(&w.major, snprintf(text, sizeof(text), "%u", major(st->st_rdev)));
            widen(&minor_width, snprintf(text, sizeof(text), "%u", minor(st->st_rdev)));
        } else {
            format_size(st, text, sizeof(text));
            widen(&w.size, (int)strlen(text));
        }
    }
    if (w.major)
        widen(&w.size, w.major + 2 + minor_width);
    return w;
}

static void print_time(time_t when)
{
    time_t now = time(NULL);
    struct tm *tm = localtime(&when);
    bool recent = when <= now && now - when < 365 * 24 * 3600 / 2;
    char text[32] = "?";

    if (tm)
        strftime(text, sizeof(text), recent ? "%b %e %H:%M" : "%b %e  %Y", tm);
    printf(" %s ", text);
}

static void print_long(const struct entry *entry, const struct widths *w)
{
    const struct stat *st = &entry->st;
    char mode[11], user[80], group[80], size[32];

    print_inode(entry, w->inode);
    if (!entry->known) {
        printf("?????????? %*s %-*s %-*s %*s            ? ", w->links, "?", w->user, "?", w->group,
               "?", w->size, "?");
        print_name(entry);
        putchar('\n');
        return;
    }
    format_mode(st->st_mode, mode);
    format_id(PASSWD, st->st_uid, user, sizeof(user));
    format_id(GROUP, st->st_gid, group, sizeof(group));
    printf("%s %*lu %-*s %-*s ", mode, w->links, (unsigned long)st->st_nlink, w->user, user,
           w->group, group);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
        printf("%*u, %*u", w->major, major(st->st_rdev), w->size - w->major - 2,
               minor(st->st_rdev));
    } else {
        format_size(st, size, sizeof(size));
        printf("%*s", w->size, size);
    }
    print_time(st->st_mtime);
    print_name(entry);
    if (entry->target)
        printf(" -> %s", entry->target);
    putchar('\n');
}

static int cell_width(const struct entry *entry, int inode)
{
    return (int)strlen(entry->name) + (suffix(entry) != '\0') + (options.inodes ? inode + 1 : 0);
}

/* Widths of `columns` columns filled top to bottom, or false if a line gets too long. */
static bool fit_columns(const struct list *list, size_t columns, int inode, int *widths)
{
    size_t rows = (list->count + columns - 1) / columns;
    int total = 0;

    for (size_t c = 0; c < columns; c++) {
        widths[c] = 0;
        for (size_t i = c * rows; i < (c + 1) * rows && i < list->count; i++)
            widen(&widths[c], cell_width(&list->entries[i], inode) + 2);
        total += widths[c];
    }
    return total - 2 < options.width;
}

static void print_columns(const struct list *list)
{
    int inode = inode_width(list), widths[128] = {0};
    size_t columns = list->count < ARRAY_SIZE(widths) ? list->count : ARRAY_SIZE(widths);

    while (columns > 1 && !fit_columns(list, columns, inode, widths))
        columns--;
    size_t rows = columns ? (list->count + columns - 1) / columns : 0;
    for (size_t row = 0; row < rows; row++) {
        for (size_t c = 0, i = row; i < list->count; c++, i += rows) {
            print_inode(&list->entries[i], inode);
            print_name(&list->entries[i]);
            if (i + rows < list->count)
                printf("%*s", widths[c] - cell_width(&list->entries[i], inode), "");
        }
        putchar('\n');
    }
}

static void print_list(const struct list *list)
{
    if (options.layout == COLUMNS) {
        print_columns(list);
        return;
    }
    struct widths w =
        options.layout == LONG ? measure(list) : (struct widths){.inode = inode_width(list)};
    for (size_t i = 0; i < list->count; i++) {
        if (options.layout == LONG) {
            print_long(&list->entries[i], &w);
            continue;
        }
        print_inode(&list->entries[i], w.inode);
        print_name(&list->entries[i]);
        putchar('\n');
    }
}

static void print_total(const struct list *list)
{
    unsigned long long blocks = 0;
    char text[32];

    for (size_t i = 0; i < list->count; i++)
        blocks += (unsigned long long)list->entries[i].st.st_blocks;
    format_human(blocks * 512, text, sizeof(text));
    if (options.human)
        printf("total %s\n", text);
    else
        printf("total %llu\n", blocks / 2);
}

/* Directories */

static bool read_directory(const char *path, struct list *list)
{
    DIR *dir = opendir(path);
    struct dirent *d;

    if (!dir)
        return false;
    while (errno = 0, (d = readdir(dir)) != NULL)
        if (!hidden(d->d_name))
            read_entry(dirfd(dir), path, list_add(list, d->d_name));
    if (errno)
        trouble(1, "read directory", path);
    closedir(dir);
    return true;
}

static void list_directory(const char *path, bool titled, bool first)
{
    struct list list = {0};

    if (!read_directory(path, &list)) {
        trouble(first ? 2 : 1, "open directory", path);
        return;
    }
    if (titled)
        printf("%s:\n", path);
    if (options.layout == LONG)
        print_total(&list);
    list_sort(&list);
    print_list(&list);
    for (size_t i = 0; options.recursive && i < list.count; i++) {
        const struct entry *entry = &list.entries[i];

        if (!entry->known || !S_ISDIR(entry->st.st_mode) || strcmp(entry->name, ".") == 0 ||
            strcmp(entry->name, "..") == 0)
            continue;
        char *below = path_join(path, entry->name);
        putchar('\n');
        list_directory(below, true, false);
        free(below);
    }
    list_free(&list);
}

/* Operands: a link to a directory is listed as the directory unless -l, -d or -F asks for it. */
static void add_operand(const char *path, struct list *files, struct list *directories)
{
    bool follow =
        options.follow || (options.layout != LONG && !options.directories && !options.classify);
    struct stat st;

    if ((!follow || stat(path, &st) != 0) && lstat(path, &st) != 0) {
        trouble(2, "access", path);
        return;
    }
    bool as_directory = S_ISDIR(st.st_mode) && !options.directories;
    struct entry *entry = list_add(as_directory ? directories : files, path);
    entry->st = st;
    entry->known = true;
    if (options.layout == LONG && S_ISLNK(st.st_mode))
        entry->target = read_link(AT_FDCWD, path);
}

static void list_operands(int count, char **paths)
{
    struct list files = {0}, directories = {0};

    for (int i = 0; i < count; i++)
        add_operand(paths[i], &files, &directories);
    list_sort(&files);
    list_sort(&directories);
    if (files.count)
        print_list(&files);
    for (size_t i = 0; i < directories.count; i++) {
        if (i > 0 || files.count)
            putchar('\n');
        list_directory(directories.entries[i].name, count > 1 || options.recursive, true);
    }
    list_free(&files);
    list_free(&directories);
}

static int terminal_width(void)
{
    struct winsize size;

    if (!isatty(STDOUT_FILENO))
        return 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static void set_option(int opt)
{
    switch (opt) {
    case '1': options.layout = options.layout == LONG ? LONG : ONE_PER_LINE; break;
    case 'C': options.layout = COLUMNS; break;
    case 'l': options.layout = LONG; break;
    case 'n': options.layout = LONG, options.numeric = true; break;
    case 'a': options.all = true; break;
    case 'A': options.almost_all = true; break;
    case 'd': options.directories = true; break;
    case 'F': options.classify = true; break;
    case 'h': options.human = true; break;
    case 'i': options.inodes = true; break;
    case 'L': options.follow = true; break;
    case 'R': options.recursive = true; break;
    case 'r': options.reverse = true; break;
    case 'S': options.by_size = true; break;
    case 't': options.by_time = true; break;
    default: usage(2);
    }
}

int ls_main(int argc, char **argv)
{
    static char *here[] = {"."};
    int opt;

    options.width = terminal_width();
    options.layout = options.width ? COLUMNS : ONE_PER_LINE;
    while ((opt = getopt(argc, argv, "1AaCdFhiLlnRrSt")) != -1)
        set_option(opt);
    if (options.layout == COLUMNS && !options.width)
        options.width = 80;
    if (options.directories)
        options.recursive = false;
    if (optind < argc)
        list_operands(argc - optind, argv + optind);
    else
        list_operands(1, here);
    return finish_output(0) ? 2 : status;
}
