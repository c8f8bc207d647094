/* SPDX-License-Identifier: MIT */
/*
 * uniq: neighbouring equal lines become one.
 */
#include "user/box.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static uint64_t skip_fields, skip_chars;

static const char *compared_part(const char *line)
{
    for (uint64_t i = 0; i < skip_fields && *line; i++) {
        line += strspn(line, " \t");
        line += strcspn(line, " \t");
    }
    return line + strnlen(line, skip_chars);
}

static void print_group(const char *line, unsigned long times)
{
    if (times == 0 || (opt('d') && times == 1) || (opt('u') && times > 1))
        return;
    if (opt('c'))
        printf("%7lu ", times);
    puts(line);
}

int uniq_main(int argc, char **argv)
{
    char *line = NULL, *last = NULL;
    size_t room = 0;
    unsigned long times = 0;

    read_options(&argc, &argv, "cdf:is:u", 1);
    skip_fields = opt_number('f', 0, 1);
    skip_chars = opt_number('s', 0, 1);
    if (argc > 2)
        usage(1);
    FILE *in = argc ? fopen_input(argv[0]) : stdin;
    if (!in)
        return 1;
    if (argc == 2 && !freopen(argv[1], "we", stdout))
        die("%s", argv[1]);
    while (read_line(&line, &room, in) >= 0) {
        if (times > 0 &&
            (opt('i') ? strcasecmp : strcmp)(compared_part(line), compared_part(last)) == 0) {
            times++;
            continue;
        }
        print_group(last, times);
        times = 1;
        free(last);
        last = line;
        line = NULL;
        room = 0;
    }
    print_group(last, times);
    free(line);
    free(last);
    if (ferror(in))
        die("%s", argc ? argv[0] : "-");
    fclose_input(in);
    return 0;
}
