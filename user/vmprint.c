/* SPDX-License-Identifier: MIT */
/*
 * vmprint: a process's page table, each entry decoded.
 *
 * The kernel prints in /proc/<pid>/pagetable one line per valid entry, `..` once per level:
 *     page table 0x0000000087f6e000
 *     ..0: pte 0x0000000021fda801 pa 0x0000000087f6a000
 *     .. ..5: pte 0x…
 * Every such line gets columns: flags, what the entry is, the virtual range, and whose it is.
 *
 * Sv39 (privileged specification, section 4.4): three levels of 512 entries; an entry with R, W or
 * X is a leaf of 1 GiB, 2 MiB or 4 KiB by its level; addresses are sign-extended from bit 38. The
 * two bits that the hardware leaves to software (RSW) are shown as "+s1" to "+s3".
 * A process owns its root page, the level-1 page under root slot 0, and of that page's entries
 * those below 0x0C000000 with everything under them. The rest is the kernel's, shared by all.
 * Lines are handled one at a time (a run of equal leaves is kept as its first few and its last),
 * so the size of the table does not matter.
 */
#include "user/box.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LEVELS 3
#define ENTRIES 512
#define PAGE_SHIFT 12
#define INDEX_BITS 9
#define USER_SLOTS 96 /* of the level-1 page under root slot 0: 0x0C000000 / 2 MiB */

#define PTE_FLAGS "VRWXUGAD"
#define PTE_RWX 0xe
#define PTE_RSW_SHIFT 8

#define RAW_WIDTH 57 /* of the longest raw line */
#define FOLD_OVER 4  /* with -c, longer runs of equal leaves are folded */

struct entry {
    int depth; /* 1 below the root, 2, 3 */
    unsigned index;
    uint64_t pte, pa, va, size;
    bool leaf, own;
};

struct decoder {
    unsigned path[LEVELS + 1]; /* index at each depth above the current line */
    uint64_t own_tables, own_pages, shared_tables;
    struct entry run[FOLD_OVER]; /* start of the current run of leaves */
    struct entry last;           /* its end */
    uint64_t run_length;
};

/* Parsing */

static bool parse_entry(const char *line, struct entry *e)
{
    *e = (struct entry){0};
    while (strncmp(line, "..", 2) == 0) {
        e->depth++;
        line += 2;
        line += *line == ' ';
    }
    return e->depth >= 1 && e->depth <= LEVELS &&
           sscanf(line, "%u: pte %" SCNx64 " pa %" SCNx64, &e->index, &e->pte, &e->pa) == 3 &&
           e->index < ENTRIES;
}

/* What the line's place in the tree tells: the range it covers, and its owner. */
static void locate(struct decoder *d, struct entry *e)
{
    int shift = PAGE_SHIFT + INDEX_BITS * (LEVELS - e->depth);

    d->path[e->depth] = e->index;
    for (int depth = 1; depth <= e->depth; depth++)
        e->va |= (uint64_t)d->path[depth] << (PAGE_SHIFT + INDEX_BITS * (LEVELS - depth));
    if (e->va >> (PAGE_SHIFT + INDEX_BITS * LEVELS - 1))
        e->va |= UINT64_MAX << (PAGE_SHIFT + INDEX_BITS * LEVELS);
    e->size = (uint64_t)1 << shift;
    e->leaf = (e->pte & PTE_RWX) != 0;
    e->own = d->path[1] == 0 && (e->depth == 1 ? !e->leaf : d->path[2] < USER_SLOTS);
}

static void count(struct decoder *d, const struct entry *e)
{
    if (e->own && e->leaf)
        d->own_pages += e->size >> PAGE_SHIFT;
    else if (!e->leaf)
        ++*(e->own ? &d->own_tables : &d->shared_tables);
}

/* Printing */

static void print_decoded(int printed, const char *flags, const char *what, uint64_t from,
                          uint64_t to, const char *owner)
{
    printf("%*s  %-11s  %-7s  0x%016" PRIx64 "-0x%016" PRIx64 "  %s\n",
           printed < RAW_WIDTH ? RAW_WIDTH - printed : 0, "", flags, what, from, to, owner);
}

static void print_entry(const struct entry *e)
{
    static const char *const leaf_names[] = {"", "leaf 1G", "leaf 2M", "leaf 4K"};
    char flags[24] = PTE_FLAGS;
    unsigned rsw = (e->pte >> PTE_RSW_SHIFT) & 3;
    int printed = 0;

    for (int bit = 0; flags[bit]; bit++)
        if (!(e->pte >> bit & 1))
            flags[bit] = '-';
    if (rsw)
        snprintf(flags + strlen(flags), 8, "+s%u", rsw);
    for (int depth = 1; depth <= e->depth; depth++)
        printed += printf("%s..", depth > 1 ? " " : "");
    printed += printf("%u: pte 0x%016" PRIx64 " pa 0x%016" PRIx64, e->index, e->pte, e->pa);
    print_decoded(printed, flags, e->leaf ? leaf_names[e->depth] : "table", e->va,
                  e->va + (e->size - 1), e->own ? "process" : "shared kernel");
}

/* Runs: leaves that differ from the one before only by the next address, virtual and physical */

static bool continues(const struct entry *last, const struct entry *e)
{
    return e->leaf && e->depth == last->depth && e->own == last->own &&
           (e->pte & 0x3ff) == (last->pte & 0x3ff) && e->va == last->va + last->size &&
           e->pa == last->pa + last->size;
}

static void end_run(struct decoder *d)
{
    if (d->run_length > FOLD_OVER) {
        print_entry(&d->run[0]);
        printf("%*s(%" PRIu64 " more like this)\n", 3 * d->last.depth - 1, "", d->run_length - 2);
        print_entry(&d->last);
    } else {
        for (uint64_t i = 0; i < d->run_length; i++)
            print_entry(&d->run[i]);
    }
    d->run_length = 0;
}

static void add_entry(struct decoder *d, const struct entry *e)
{
    if (!opt('c')) {
        print_entry(e);
        return;
    }
    if (d->run_length && !continues(&d->last, e))
        end_run(d);
    if (!e->leaf) {
        print_entry(e);
        return;
    }
    if (d->run_length < FOLD_OVER)
        d->run[d->run_length] = *e;
    d->run_length++;
    d->last = *e;
}

static void decode_line(struct decoder *d, const char *line)
{
    struct entry e;
    uint64_t root;

    if (parse_entry(line, &e)) {
        locate(d, &e);
        count(d, &e);
        add_entry(d, &e);
        return;
    }
    end_run(d);
    if (sscanf(line, "page table %" SCNx64, &root) == 1) {
        d->own_tables++;
        print_decoded(printf("%s", line), "", "root", 0, UINT64_MAX, "process");
        return;
    }
    puts(line);
}

static void decode(FILE *file)
{
    struct decoder d = {0};
    char *line = NULL;
    size_t room = 0;

    while (read_line(&line, &room, file) >= 0)
        decode_line(&d, line);
    end_run(&d);
    free(line);
    printf("%" PRIu64 " own table pages, %" PRIu64 " own leaf pages, %" PRIu64 " shared tables\n",
           d.own_tables, d.own_pages, d.shared_tables);
}

static bool print_table(FILE *file, const char *name)
{
    (void)name;
    if (opt('r'))
        return copy_fd(fileno(file), STDOUT_FILENO);
    decode(file);
    return true;
}

int vmprint_main(int argc, char **argv)
{
    static char *own[] = {"self"};
    bool ok = true;

    read_options(&argc, &argv, "cr", 1);
    if (argc == 0)
        argc = 1, argv = own;
    for (int i = 0; i < argc; i++) {
        const char *pid = argv[i];
        bool is_stdin = strcmp(pid, "-") == 0;
        char *path = is_stdin ? xstrdup(pid) : xasprintf("/proc/%s/pagetable", pid);
        uint64_t number;

        if (!is_stdin && strcmp(pid, *own) != 0 && !parse_u64(pid, 10, &number))
            diex("invalid process id '%s'", pid);
        if (argc > 1)
            printf("%spid %s:\n", i > 0 ? "\n" : "", pid);
        fflush(stdout);
        ok &= each_input(1, &path, print_table);
        free(path);
    }
    return ok ? 0 : 1;
}
