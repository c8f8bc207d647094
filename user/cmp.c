/* SPDX-License-Identifier: MIT */
/*
 * cmp: where two files differ. Exit status: 0 nowhere, 1 somewhere, 2 trouble.
 */
#include "user/box.h"

#include <inttypes.h>

static int report_end(const char *name, uint64_t bytes, uint64_t lines, bool in_line)
{
    if (opt('s'))
        return 1;
    if (bytes == 0)
        warnx("EOF on %s which is empty", name);
    else if (opt('l'))
        warnx("EOF on %s after byte %" PRIu64, name, bytes);
    else
        warnx("EOF on %s after byte %" PRIu64 ", %sline %" PRIu64, name, bytes,
              in_line ? "in " : "", lines);
    return 1;
}

static int compare(FILE *a, FILE *b, char **names)
{
    uint64_t offset = 0, line = 1;
    int result = 0, last = '\n';

    for (;;) {
        int x = getc(a), y = getc(b);

        if (ferror(a) || ferror(b)) {
            warn("%s", names[ferror(b) ? 1 : 0]);
            return 2;
        }
        if (x == EOF && y == EOF)
            return result;
        if (x == EOF || y == EOF)
            return report_end(names[x == EOF ? 0 : 1], offset, line - (last == '\n'), last != '\n');
        offset++;
        if (x != y && !opt('l')) {
            if (!opt('s'))
                printf("%s %s differ: char %" PRIu64 ", line %" PRIu64 "\n", names[0], names[1],
                       offset, line);
            return 1;
        }
        if (x != y) {
            printf("%" PRIu64 " %3o %3o\n", offset, x, y);
            result = 1;
        }
        line += x == '\n';
        last = x;
    }
}

int cmp_main(int argc, char **argv)
{
    read_options(&argc, &argv, "ls", 2);
    if (argc < 1 || argc > 2)
        usage(2);
    char *names[] = {argv[0], argc == 2 ? argv[1] : "-"};
    FILE *a = fopen_input(names[0]), *b = a ? fopen_input(names[1]) : NULL;
    if (!a || !b)
        return 2;
    int result = compare(a, b, names);
    fclose_input(a);
    fclose_input(b);
    return result;
}
