/* SPDX-License-Identifier: MIT */
/*
 * cut: parts of lines, by bytes (-b, -c) or by fields (-f). Parts come out in the order of the
 * line, whatever the order the list "2,5-7,-3,9-" asked for.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>

struct range {
    uint64_t first, last;
};

static struct range *ranges;
static size_t nranges;
static char delimiter = '\t';

static bool parse_range(char *text, struct range *r)
{
    char *dash = strchr(text, '-');

    *r = (struct range){1, UINT64_MAX};
    if (dash)
        *dash++ = '\0';
    if ((!*text && (!dash || !*dash)) || (*text && !parse_u64(text, 10, &r->first)) ||
        (dash && *dash && !parse_u64(dash, 10, &r->last)))
        return false;
    if (!dash)
        r->last = r->first;
    return r->first > 0 && r->first <= r->last;
}

static void parse_list(char *list)
{
    for (char *word; (word = strsep(&list, ", ")) != NULL; nranges++) {
        ranges = grow(ranges, nranges, sizeof(ranges[0]));
        if (!parse_range(word, &ranges[nranges]))
            diex("invalid list");
    }
}

static bool wanted(uint64_t n)
{
    for (size_t i = 0; i < nranges; i++)
        if (ranges[i].first <= n && n <= ranges[i].last)
            return true;
    return false;
}

static void cut_bytes(const char *line, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (wanted(i + 1))
            putchar(line[i]);
    putchar('\n');
}

static void cut_fields(const char *line, size_t len)
{
    const char *p = line, *end = line + len, *stop = memchr(line, delimiter, len);
    bool any = false;

    if (!stop && opt('s'))
        return;
    if (!stop) {
        puts(line);
        return;
    }
    for (uint64_t field = 1; stop; field++, p = stop + 1) {
        stop = memchr(p, delimiter, (size_t)(end - p));
        if (!wanted(field))
            continue;
        if (any)
            putchar(delimiter);
        fwrite(p, 1, (size_t)((stop ? stop : end) - p), stdout);
        any = true;
    }
    putchar('\n');
}

static bool cut_file(FILE *file, const char *name)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    (void)name;
    while ((len = read_line(&line, &room, file)) >= 0)
        (opt('f') ? cut_fields : cut_bytes)(line, (size_t)len);
    free(line);
    return true;
}

int cut_main(int argc, char **argv)
{
    read_options(&argc, &argv, "b:c:d:f:ns", 1);
    char kind = opt_last("bcf");
    if (!kind)
        usage(1);
    parse_list(opt_value(kind));
    if (opt('d') && strlen(opt_value('d')) > 1)
        diex("the delimiter must be a single character");
    if (opt('d'))
        delimiter = *opt_value('d');
    return each_input(argc, argv, cut_file) ? 0 : 1;
}
