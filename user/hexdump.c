/* SPDX-License-Identifier: MIT */
/*
 * hexdump: bytes in hexadecimal, 16 a line: -C with the characters beside them, otherwise as
 * 16-bit words of the machine. Repetitions of a line are shown as a single '*' unless -v.
 */
#include "user/box.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#define LINE 16

static bool canonical, all_lines;

/* The operands one after the other, as if they were one file. */
struct source {
    char **paths; /* next one */
    FILE *file;
    bool ok;
};

static size_t read_bytes(struct source *s, unsigned char *buf, size_t len)
{
    size_t got = 0;

    while (got < len) {
        if (!s->file) {
            if (!*s->paths)
                break;
            s->file = fopen_input(*s->paths++);
            s->ok &= s->file != NULL;
            continue;
        }
        size_t n = fread(buf + got, 1, len - got, s->file);
        got += n;
        if (n > 0)
            continue;
        if (ferror(s->file)) {
            warn("%s", s->paths[-1]);
            s->ok = false;
        }
        fclose_input(s->file);
        s->file = NULL;
    }
    return got;
}

static void print_canonical(uint64_t offset, const unsigned char *line, size_t len)
{
    printf("%08" PRIx64, offset);
    for (size_t i = 0; i < LINE; i++) {
        fputs(i % 8 ? " " : "  ", stdout);
        if (i < len)
            printf("%02x", line[i]);
        else
            fputs("  ", stdout);
    }
    fputs("  |", stdout);
    for (size_t i = 0; i < len; i++)
        putchar(isprint(line[i]) ? line[i] : '.');
    puts("|");
}

static void print_words(uint64_t offset, const unsigned char *line, size_t len)
{
    printf("%07" PRIx64, offset);
    for (size_t i = 0; i < LINE; i += 2) {
        if (i < len)
            printf(" %02x%02x", i + 1 < len ? line[i + 1] : 0, line[i]);
        else
            fputs("     ", stdout);
    }
    putchar('\n');
}

static void dump(struct source *s, uint64_t offset, uint64_t limit)
{
    unsigned char line[LINE], last[LINE] = {0};
    bool have_last = false, starred = false;

    for (;;) {
        size_t want = limit < LINE ? (size_t)limit : LINE;
        size_t len = read_bytes(s, line, want);

        if (len == 0)
            break;
        if (!all_lines && have_last && len == LINE && memcmp(line, last, LINE) == 0) {
            if (!starred)
                puts("*");
            starred = true;
        } else {
            (canonical ? print_canonical : print_words)(offset, line, len);
            starred = false;
        }
        memcpy(last, line, LINE);
        have_last = len == LINE;
        offset += len;
        limit -= len;
    }
    if (offset > 0)
        printf(canonical ? "%08" PRIx64 "\n" : "%07" PRIx64 "\n", offset);
}

static bool skip(struct source *s, uint64_t count)
{
    unsigned char buf[4096];

    while (count > 0) {
        size_t n = read_bytes(s, buf, count < sizeof(buf) ? (size_t)count : sizeof(buf));

        if (n == 0)
            return false;
        count -= n;
    }
    return true;
}

int hexdump_main(int argc, char **argv)
{
    static char *standard_input[] = {"-", NULL};
    uint64_t limit = UINT64_MAX, offset = 0;
    int opt;

    while ((opt = getopt(argc, argv, "Cn:s:v")) != -1) {
        switch (opt) {
        case 'C': canonical = true; break;
        case 'n':
            if (!parse_size(optarg, &limit))
                diex("invalid length '%s'", optarg);
            break;
        case 's':
            if (!parse_size(optarg, &offset))
                diex("invalid offset '%s'", optarg);
            break;
        case 'v': all_lines = true; break;
        default: usage(1);
        }
    }
    struct source source = {.paths = optind < argc ? argv + optind : standard_input, .ok = true};
    if (skip(&source, offset))
        dump(&source, offset, limit);
    return source.ok ? 0 : 1;
}
