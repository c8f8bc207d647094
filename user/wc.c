/* SPDX-License-Identifier: MIT */
/*
 * wc: lines, words and bytes.
 *
 * Columns are as wide as the largest number can become, which is known beforehand for regular
 * files (their sizes added up); for anything else seven digits are assumed, as everywhere.
 */
#include "user/box.h"

#include <ctype.h>
#include <string.h>
#include <unistd.h>

enum { LINES, WORDS, BYTES, KINDS };

static bool shown[KINDS];
static unsigned long total[KINDS];
static int width, nnames;

static void print_counts(const unsigned long *counts, const char *name)
{
    const char *gap = "";

    for (int i = 0; i < KINDS; i++)
        if (shown[i])
            printf("%s%*lu", gap, width, counts[i]), gap = " ";
    printf("%s%s\n", name ? " " : "", name ? name : "");
}

static bool count(FILE *file, const char *name)
{
    unsigned long counts[KINDS] = {0};
    bool in_word = false;

    for (int c; (c = getc(file)) != EOF; in_word = !isspace(c)) {
        counts[BYTES]++;
        counts[LINES] += c == '\n';
        counts[WORDS] += !isspace(c) && !in_word;
    }
    print_counts(counts, nnames ? name : NULL);
    for (int i = 0; i < KINDS; i++)
        total[i] += counts[i];
    return true;
}

static int column_width(char **names)
{
    unsigned long size = 0;
    int digits = 1, least = 1;
    struct stat st;

    if (shown[LINES] + shown[WORDS] + shown[BYTES] == 1 && nnames <= 1)
        return 1;
    for (int i = 0; i < nnames || i == 0; i++) {
        bool is_stdin = nnames == 0 || strcmp(names[i], "-") == 0;

        if ((is_stdin ? fstat(STDIN_FILENO, &st) : stat(names[i], &st)) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            size += (unsigned long)st.st_size;
        else
            least = 7;
    }
    for (; size >= 10; size /= 10)
        digits++;
    return digits > least ? digits : least;
}

int wc_main(int argc, char **argv)
{
    read_options(&argc, &argv, "clmw", 1);
    bool all = !opt_last("clmw");
    shown[LINES] = all || opt('l');
    shown[WORDS] = all || opt('w');
    shown[BYTES] = all || opt('c') || opt('m');
    nnames = argc;
    width = column_width(argv);
    bool ok = each_input(argc, argv, count);
    if (argc > 1)
        print_counts(total, "total");
    return ok ? 0 : 1;
}
