/* SPDX-License-Identifier: MIT */
/*
 * uniq: neighbouring equal lines become one.
 */
#include "user/box.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static bool count, repeated, only_unique, ignore_case;
static uint64_t skip_fields, skip_chars;

static const char *compared_part(const char *line)
{
    for (uint64_t i = 0; i < skip_fields && *line; i++) {
        while (isblank((unsigned char)*line))
            line++;
        while (*line && !isblank((unsigned char)*line))
            line++;
    }
    for (uint64_t i = 0; i < skip_chars && *line; i++)
        line++;
    return line;
}

static bool same(const char *a, const char *b)
{
    a = compared_part(a);
    b = compared_part(b);
    return (ignore_case ? strcasecmp : strcmp)(a, b) == 0;
}

static void print_group(const char *line, unsigned long times)
{
    if (times == 0 || (repeated && times == 1) || (only_unique && times > 1))
        return;
    if (count)
        printf("%7lu ", times);
    puts(line);
}

static void filter(FILE *in)
{
    char *line = NULL, *last = NULL;
    size_t room = 0, last_room = 0;
    unsigned long times = 0;
    ssize_t len;

    while ((len = getline(&line, &room, in)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (times > 0 && same(line, last)) {
            times++;
            continue;
        }
        print_group(last, times);
        times = 1;
        char *swap = last;
        size_t swap_room = last_room;
        last = line, last_room = room;
        line = swap, room = swap_room;
    }
    print_group(last, times);
    free(line);
    free(last);
}

static uint64_t number(const char *text)
{
    uint64_t value;

    if (!parse_u64(text, 10, &value))
        diex("%s: invalid number of fields or bytes to skip", text);
    return value;
}

int uniq_main(int argc, char **argv)
{
    FILE *in = stdin;
    int opt;

    while ((opt = getopt(argc, argv, "cdf:is:u")) != -1) {
        switch (opt) {
        case 'c': count = true; break;
        case 'd': repeated = true; break;
        case 'f': skip_fields = number(optarg); break;
        case 'i': ignore_case = true; break;
        case 's': skip_chars = number(optarg); break;
        case 'u': only_unique = true; break;
        default: usage(1);
        }
    }
    if (argc - optind > 2) {
        warnx("extra operand '%s'", argv[optind + 2]);
        usage(1);
    }
    if (optind < argc && !(in = fopen_input(argv[optind])))
        return 1;
    if (argc - optind == 2 && !freopen(argv[optind + 1], "we", stdout))
        die("%s", argv[optind + 1]);
    filter(in);
    if (ferror(in))
        die("%s", optind < argc ? argv[optind] : "-");
    fclose_input(in);
    return 0;
}
