/* SPDX-License-Identifier: MIT */
/*
 * cut: parts of lines, by bytes (-b, -c) or by fields (-f). The list "2,5-7,-3,9-" is kept as
 * ranges, sorted and merged: parts come out in the order of the line, whatever the order asked for.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct range {
    uint64_t first, last;
};

static struct range *ranges;
static size_t nranges;
static char delimiter = '\t';
static bool only_delimited;

static int by_first(const void *a, const void *b)
{
    const struct range *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static bool parse_range(char *text, struct range *r)
{
    char *dash = strchr(text, '-');

    *r = (struct range){1, UINT64_MAX};
    if (!dash) {
        bool ok = parse_u64(text, 10, &r->first);

        r->last = r->first;
        return ok && r->first > 0;
    }
    *dash = '\0';
    if (!*text && !dash[1])
        return false;
    return (!*text || parse_u64(text, 10, &r->first)) &&
           (!dash[1] || parse_u64(dash + 1, 10, &r->last)) && r->first > 0 && r->first <= r->last;
}

static void parse_list(const char *list)
{
    char *copy = xstrdup(list), *save;

    for (char *word = strtok_r(copy, ", ", &save); word; word = strtok_r(NULL, ", ", &save)) {
        ranges = xrealloc(ranges, (nranges + 1) * sizeof(ranges[0]));
        if (!parse_range(word, &ranges[nranges++]))
            diex("invalid list '%s'", list);
    }
    free(copy);
    if (nranges == 0)
        diex("invalid list '%s'", list);
    qsort(ranges, nranges, sizeof(ranges[0]), by_first);
    size_t kept = 0;
    for (size_t i = 1; i < nranges; i++) {
        if (ranges[i].first > ranges[kept].last)
            ranges[++kept] = ranges[i];
        else if (ranges[i].last > ranges[kept].last)
            ranges[kept].last = ranges[i].last;
    }
    nranges = kept + 1;
}

static void cut_bytes(const char *line, size_t len)
{
    for (size_t i = 0; i < nranges && ranges[i].first <= len; i++) {
        size_t last = ranges[i].last < len ? (size_t)ranges[i].last : len;

        fwrite(line + ranges[i].first - 1, 1, last - (size_t)ranges[i].first + 1, stdout);
    }
    putchar('\n');
}

static void cut_fields(const char *line, size_t len)
{
    const char *p = line, *end = line + len;
    bool any = false;
    size_t r = 0;

    if (!memchr(line, delimiter, len)) {
        if (!only_delimited)
            puts(line);
        return;
    }
    for (uint64_t field = 1; r < nranges; field++) {
        const char *stop = memchr(p, delimiter, (size_t)(end - p));

        if (!stop)
            stop = end;
        if (field >= ranges[r].first) {
            if (any)
                putchar(delimiter);
            fwrite(p, 1, (size_t)(stop - p), stdout);
            any = true;
        }
        if (field >= ranges[r].last)
            r++;
        if (stop == end)
            break;
        p = stop + 1;
    }
    putchar('\n');
}

static bool cut_file(const char *path, bool fields)
{
    FILE *file = fopen_input(path);
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (!file)
        return false;
    while ((len = getline(&line, &room, file)) > 0) {
        if (line[len - 1] == '\n')
            line[--len] = '\0';
        (fields ? cut_fields : cut_bytes)(line, (size_t)len);
    }
    bool ok = !ferror(file);
    if (!ok)
        warn("%s", path);
    free(line);
    fclose_input(file);
    return ok;
}

int cut_main(int argc, char **argv)
{
    bool fields = false, ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "b:c:d:f:ns")) != -1) {
        switch (opt) {
        case 'b':
        case 'c': parse_list(optarg); break;
        case 'f': parse_list(optarg), fields = true; break;
        case 'd':
            if (strlen(optarg) > 1)
                diex("the delimiter must be a single character");
            delimiter = optarg[0];
            break;
        case 'n': break;
        case 's': only_delimited = true; break;
        default: usage(1);
        }
    }
    if (!nranges) {
        warnx("you must specify a list of bytes, characters, or fields");
        usage(1);
    }
    for (int i = optind; i < argc; i++)
        ok &= cut_file(argv[i], fields);
    if (optind == argc)
        ok = cut_file("-", fields);
    free(ranges);
    return ok ? 0 : 1;
}
