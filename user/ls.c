/* SPDX-License-Identifier: MIT */
/*
 * ls: names and what is known about them.
 *
 * Each operand and each entry becomes a struct entry, whose columns are made as text when it is
 * found; a list of entries is sorted and printed in one of three layouts: long, one per line, or
 * columns (on a terminal). Files given on the command line are listed before the directories. An
 * entry that vanishes meanwhile is reported, not fatal.
 */
#include "user/box.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <time.h>

enum cell { INODE, MODE, LINKS, USER, OWNING_GROUP, SIZE, TIME, CELLS };

struct entry {
    char *name;
    char *label; /* as shown: harmless on a terminal, with the mark of -F and a link's target */
    char *cell[CELLS]; /* those before `label` in the long layout */
    struct stat st;
    bool known; /* st is valid */
};

struct list {
    struct entry *entries;
    size_t count;
    int width[CELLS];
};

static enum { ONE_PER_LINE, COLUMNS, LONG } layout;
static int width, status; /* of a line; 0 = no terminal */

static void trouble(int level, const char *what, const char *path)
{
    warn("cannot %s '%s'", what, path);
    if (status < level)
        status = level;
}

/* Entries */

static const char *mark(const struct entry *entry)
{
    if (!opt('F') || !entry->known)
        return "";
    switch (entry->st.st_mode & S_IFMT) {
    case S_IFDIR: return "/";
    case S_IFLNK: return layout == LONG ? "" : "@";
    case S_IFIFO: return "|";
    case S_IFSOCK: return "=";
    case S_IFREG: return entry->st.st_mode & 0111 ? "*" : "";
    default: return "";
    }
}

static char *id_text(const char *db, uint32_t id)
{
    return opt('n') ? xasprintf("%u", id) : xstrdup(id_name(db, id));
}

static char *size_text(uint64_t size)
{
    char text[32];

    if (!opt('h'))
        return xasprintf("%llu", (unsigned long long)size);
    format_human(size, text, sizeof(text));
    return xstrdup(text);
}

static void fill_cells(char **cell, const struct stat *st)
{
    time_t now = time(NULL), when = st->st_mtime;
    bool recent = when <= now && now - when < 365 * 24 * 3600 / 2;

    cell[INODE] = xasprintf("%lu", (unsigned long)st->st_ino);
    cell[MODE] = xcalloc(1, 11);
    format_mode(st->st_mode, cell[MODE]);
    cell[LINKS] = xasprintf("%lu", (unsigned long)st->st_nlink);
    cell[USER] = id_text(PASSWD, st->st_uid);
    cell[OWNING_GROUP] = id_text(GROUP, st->st_gid);
    if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
        cell[SIZE] = xasprintf("%u, %u", major(st->st_rdev), minor(st->st_rdev));
    else
        cell[SIZE] = size_text((uint64_t)st->st_size);
    cell[TIME] = xstrdup(format_time(when, recent ? "%b %e %H:%M" : "%b %e  %Y"));
}

/* path: where the entry is; its name is the last part of that, or all of an operand. */
static void list_add(struct list *list, const char *name, const char *path, const struct stat *st)
{
    list->entries = grow(list->entries, list->count, sizeof(struct entry));
    struct entry *entry = &list->entries[list->count++];
    char *target = NULL;

    *entry = (struct entry){.name = xstrdup(name), .known = st != NULL};
    if (st) {
        entry->st = *st;
        target = layout == LONG && S_ISLNK(st->st_mode) ? read_link(path) : NULL;
    }
    if (st && (layout == LONG || opt('i')))
        fill_cells(entry->cell, st);
    for (int c = 0; c < CELLS; c++) {
        if (!entry->cell[c])
            entry->cell[c] = xstrdup(c == MODE ? "??????????" : "?");
        int len = (int)strlen(entry->cell[c]);
        if (list->width[c] < len)
            list->width[c] = len;
    }
    entry->label =
        xasprintf("%s%s%s%s", name, mark(entry), target ? " -> " : "", target ? target : "");
    /* On a terminal, control characters of a hostile name must not reach it. */
    for (char *p = entry->label; width && *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = '?';
    free(target);
}

static void list_free(struct list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].name);
        free(list->entries[i].label);
        for (int c = 0; c < CELLS; c++)
            free(list->entries[i].cell[c]);
    }
    free(list->entries);
}

static int compare(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    const struct timespec *x = &a->st.st_mtim, *y = &b->st.st_mtim;
    int order = 0;

    if (opt('S'))
        order = (a->st.st_size < b->st.st_size) - (a->st.st_size > b->st.st_size);
    else if (opt('t'))
        order = x->tv_sec != y->tv_sec ? (x->tv_sec < y->tv_sec) - (x->tv_sec > y->tv_sec)
                                       : (x->tv_nsec < y->tv_nsec) - (x->tv_nsec > y->tv_nsec);
    if (!order)
        order = strcmp(a->name, b->name);
    return opt('r') ? -order : order;
}

static void list_sort(struct list *list)
{
    if (list->count)
        qsort(list->entries, list->count, sizeof(struct entry), compare);
}

/* Printing */

static void print_entry(const struct list *list, const struct entry *entry)
{
    for (int c = 0; c < CELLS; c++) {
        bool left = c == MODE || c == USER || c == OWNING_GROUP;

        if (c == INODE ? opt('i') : layout == LONG)
            printf("%*s ", left ? -list->width[c] : list->width[c], entry->cell[c]);
    }
    fputs(entry->label, stdout);
}

static int entry_width(const struct list *list, const struct entry *entry)
{
    return (int)strlen(entry->label) + (opt('i') ? list->width[INODE] + 1 : 0);
}

/* Widths of `columns` columns filled top to bottom, or false if a line gets too long. */
static bool fit_columns(const struct list *list, size_t columns, int *widths)
{
    size_t rows = (list->count + columns - 1) / columns;
    int total = 0;

    for (size_t c = 0; c < columns; c++) {
        widths[c] = 0;
        for (size_t i = c * rows; i < (c + 1) * rows && i < list->count; i++) {
            int needed = entry_width(list, &list->entries[i]) + 2;

            if (widths[c] < needed)
                widths[c] = needed;
        }
        total += widths[c];
    }
    return columns == 1 || total - 2 < width;
}

static void print_list(const struct list *list)
{
    int widths[128] = {0};
    size_t columns = list->count < ARRAY_SIZE(widths) ? list->count : ARRAY_SIZE(widths);

    if (list->count == 0)
        return;
    if (layout != COLUMNS)
        columns = 1;
    while (!fit_columns(list, columns, widths))
        columns--;
    size_t rows = (list->count + columns - 1) / columns;
    for (size_t row = 0; row < rows; row++) {
        for (size_t c = 0, i = row; i < list->count; c++, i += rows) {
            print_entry(list, &list->entries[i]);
            if (i + rows < list->count)
                printf("%*s", widths[c] - entry_width(list, &list->entries[i]), "");
        }
        putchar('\n');
    }
}

static void print_total(const struct list *list)
{
    uint64_t blocks = 0;

    for (size_t i = 0; i < list->count; i++)
        blocks += (uint64_t)list->entries[i].st.st_blocks;
    char *text = size_text(opt('h') ? blocks * 512 : blocks / 2);
    printf("total %s\n", text);
    free(text);
}

/* Directories and operands */

static bool needs_stat(void)
{
    return layout == LONG || opt('t') || opt('S') || opt('R') || opt('i') || opt('F');
}

static bool get_stat(const char *path, bool follow, struct stat *st, int level)
{
    if ((follow && stat(path, st) == 0) || lstat(path, st) == 0)
        return true;
    trouble(level, "access", path);
    return false;
}

static bool is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static bool read_directory(const char *path, struct list *list)
{
    DIR *dir = opendir(path);
    struct dirent *d;
    struct stat st;

    if (!dir)
        return false;
    while (errno = 0, (d = readdir(dir)) != NULL) {
        if (d->d_name[0] == '.' && !opt('a') && (!opt('A') || is_dots(d->d_name)))
            continue;
        char *whole = path_join(path, d->d_name);
        bool known = needs_stat() && get_stat(whole, opt('L'), &st, 1);
        list_add(list, d->d_name, whole, known ? &st : NULL);
        free(whole);
    }
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
    if (layout == LONG)
        print_total(&list);
    list_sort(&list);
    print_list(&list);
    for (size_t i = 0; opt('R') && !opt('d') && i < list.count; i++) {
        const struct entry *entry = &list.entries[i];

        if (!entry->known || !S_ISDIR(entry->st.st_mode) || is_dots(entry->name))
            continue;
        char *below = path_join(path, entry->name);
        putchar('\n');
        list_directory(below, true, false);
        free(below);
    }
    list_free(&list);
}

/* A link to a directory is listed as the directory unless -l, -d or -F asks for it. */
static void list_operands(int count, char **paths)
{
    bool follow = opt('L') || (layout != LONG && !opt('d') && !opt('F'));
    struct list files = {0}, directories = {0};
    struct stat st;

    for (int i = 0; i < count; i++)
        if (get_stat(paths[i], follow, &st, 2))
            list_add(S_ISDIR(st.st_mode) && !opt('d') ? &directories : &files, paths[i], paths[i],
                     &st);
    list_sort(&files);
    list_sort(&directories);
    print_list(&files);
    for (size_t i = 0; i < directories.count; i++) {
        if (i > 0 || files.count)
            putchar('\n');
        list_directory(directories.entries[i].name, count > 1 || opt('R'), true);
    }
    list_free(&files);
    list_free(&directories);
}

int ls_main(int argc, char **argv)
{
    static char *here[] = {"."};

    width = terminal_width();
    read_options(&argc, &argv, "1AaCdFhiLlnRrSt", 2);
    if (opt('l') || opt('n'))
        layout = LONG;
    else if (opt_last("C1") == 'C' || (width && !opt('1')))
        layout = COLUMNS;
    if (layout == COLUMNS && !width)
        width = 80;
    list_operands(argc ? argc : 1, argc ? argv : here);
    return finish_output(0) ? 2 : status;
}
