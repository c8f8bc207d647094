/* SPDX-License-Identifier: MIT */
/*
 * hexdump: bytes in hexadecimal, 16 a line: -C with the characters beside them, otherwise as
 * 16-bit words of the machine. Repetitions of a line are shown as a single '*' unless -v. The
 * operands are one stream.
 */
#include "user/box.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#define LINE 16

static unsigned char line[LINE], last[LINE];
static size_t len; /* bytes in line */
static uint64_t skip, limit, offset;
static bool have_last, starred;

static void print_line(void)
{
    printf(opt('C') ? "%08" PRIx64 : "%07" PRIx64, offset);
    for (size_t i = 0; i < LINE && opt('C'); i++)
        printf(i < len ? "%s%02x" : "%s  ", i % 8 ? " " : "  ", line[i]);
    for (size_t i = 0; i < LINE && !opt('C'); i += 2)
        printf(i < len ? " %02x%02x" : "     ", i + 1 < len ? line[i + 1] : 0, line[i]);
    if (opt('C'))
        fputs("  |", stdout);
    for (size_t i = 0; i < len && opt('C'); i++)
        putchar(isprint(line[i]) ? line[i] : '.');
    puts(opt('C') ? "|" : "");
}

static void end_line(void)
{
    bool same = !opt('v') && have_last && len == LINE && memcmp(line, last, LINE) == 0;

    if (!same)
        print_line();
    else if (!starred)
        puts("*");
    starred = same;
    memcpy(last, line, LINE);
    have_last = len == LINE;
    offset += len;
    len = 0;
}

static bool dump(FILE *file, const char *name)
{
    int c;

    (void)name;
    while (limit > 0 && (c = getc(file)) != EOF) {
        if (skip > 0) {
            skip--;
            offset++;
            continue;
        }
        line[len++] = (unsigned char)c;
        limit--;
        if (len == LINE)
            end_line();
    }
    return true;
}

int hexdump_main(int argc, char **argv)
{
    read_options(&argc, &argv, "Cn:s:v", 1);
    limit = UINT64_MAX;
    if ((opt('n') && !parse_size(opt_value('n'), &limit)) ||
        (opt('s') && !parse_size(opt_value('s'), &skip)))
        diex("invalid number of bytes");
    bool ok = each_input(argc, argv, dump);
    if (len > 0)
        end_line();
    if (offset > 0)
        printf(opt('C') ? "%08" PRIx64 "\n" : "%07" PRIx64 "\n", offset);
    return ok ? 0 : 1;
}
