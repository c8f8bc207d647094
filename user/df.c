/* SPDX-License-Identifier: MIT */
/*
 * df: how full the file systems are. Without operands those that have blocks at all are shown;
 * with operands the ones that the files are on.
 */
#include "user/box.h"
#include "user/mounts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { SOURCE, TOTAL, USED, FREE, PERCENT, TARGET, COLUMNS };

struct row {
    char *cells[COLUMNS];
};

static struct row *rows;
static size_t nrows;
static bool human, inodes;

static char *amount(uint64_t count, uint64_t unit)
{
    char text[32];

    if (inodes && !human)
        return xasprintf("%" PRIu64, count);
    if (!human)
        return xasprintf("%" PRIu64, count * unit / 1024);
    format_human(count * unit, text, sizeof(text));
    return xstrdup(text);
}

/* Rounded up, so that 0 % means empty; '-' where there is nothing to divide. */
static char *percent(uint64_t used, uint64_t available)
{
    uint64_t all = used + available;

    if (all == 0)
        return xstrdup("-");
    return xasprintf("%" PRIu64 "%%", (used * 100 + all - 1) / all);
}

static struct row *new_row(void)
{
    rows = xrealloc(rows, (nrows + 1) * sizeof(rows[0]));
    return &rows[nrows++];
}

static void add_row(const char *source, const char *target, const struct statvfs *st)
{
    uint64_t unit = inodes ? 1 : st->f_frsize;
    uint64_t total = inodes ? st->f_files : st->f_blocks;
    uint64_t free_all = inodes ? st->f_ffree : st->f_bfree;
    uint64_t free_user = inodes ? st->f_ffree : st->f_bavail;
    uint64_t used = total > free_all ? total - free_all : 0;

    *new_row() = (struct row){{
        xstrdup(source),
        amount(total, unit),
        amount(used, unit),
        amount(free_user, unit),
        percent(used, free_user),
        xstrdup(target),
    }};
}

static void add_title(void)
{
    *new_row() = (struct row){{
        xstrdup("Filesystem"),
        xstrdup(inodes  ? "Inodes"
                : human ? "Size"
                        : "1K-blocks"),
        xstrdup(inodes ? "IUsed" : "Used"),
        xstrdup(inodes  ? "IFree"
                : human ? "Avail"
                        : "Available"),
        xstrdup(inodes ? "IUse%" : "Use%"),
        xstrdup("Mounted on"),
    }};
}

static bool add_all(void)
{
    FILE *table = mounts_open();
    const struct mount_entry *m;
    struct statvfs st;
    bool ok = true;

    while ((m = mounts_next(table)) != NULL) {
        if (statvfs(m->directory, &st) != 0) {
            warn("%s", m->directory);
            ok = false;
        } else if (st.f_blocks > 0) {
            add_row(m->device, m->directory, &st);
        }
    }
    fclose(table);
    return ok;
}

/* The last mount with the file's device number is the visible one. */
static bool add_file(const char *path)
{
    FILE *table;
    const struct mount_entry *m;
    char *source = xstrdup("-"), *target = xstrdup("-");
    struct stat file, dir;
    struct statvfs st;
    bool ok = stat(path, &file) == 0 && statvfs(path, &st) == 0;

    if (!ok)
        warn("%s", path);
    table = mounts_open();
    while (ok && (m = mounts_next(table)) != NULL) {
        if (stat(m->directory, &dir) != 0 || dir.st_dev != file.st_dev)
            continue;
        free(source);
        free(target);
        source = xstrdup(m->device);
        target = xstrdup(m->directory);
    }
    fclose(table);
    if (ok)
        add_row(source, target, &st);
    free(source);
    free(target);
    return ok;
}

static void print_rows(void)
{
    int widths[COLUMNS] = {14, 5, 5, 5, 4, 0};

    for (size_t r = 0; r < nrows; r++)
        for (int c = 0; c < TARGET; c++)
            if ((int)strlen(rows[r].cells[c]) > widths[c])
                widths[c] = (int)strlen(rows[r].cells[c]);
    for (size_t r = 0; r < nrows; r++) {
        printf("%-*s", widths[SOURCE], rows[r].cells[SOURCE]);
        for (int c = TOTAL; c < TARGET; c++)
            printf(" %*s", widths[c], rows[r].cells[c]);
        printf(" %s\n", rows[r].cells[TARGET]);
    }
}

static void free_rows(void)
{
    for (size_t r = 0; r < nrows; r++)
        for (int c = 0; c < COLUMNS; c++)
            free(rows[r].cells[c]);
    free(rows);
}

int df_main(int argc, char **argv)
{
    bool ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "aiPhk")) != -1) {
        switch (opt) {
        case 'a':
        case 'P':
        case 'k': break;
        case 'h': human = true; break;
        case 'i': inodes = true; break;
        default: usage(1);
        }
    }
    add_title();
    if (optind == argc)
        ok = add_all();
    for (int i = optind; i < argc; i++)
        ok &= add_file(argv[i]);
    if (nrows > 1)
        print_rows();
    free_rows();
    return ok ? 0 : 1;
}
