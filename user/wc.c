/* SPDX-License-Identifier: MIT */
/*
 * wc: lines, words and bytes.
 *
 * Columns are as wide as the largest number can become, which is known beforehand for regular
 * files (their sizes added up); for anything else seven digits are assumed, as everywhere.
 */
#include "user/box.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct counts {
    unsigned long lines, words, bytes;
};

static struct {
    bool lines, words, bytes;
} show;
static int width;

static bool count(int fd, struct counts *sum)
{
    static char buf[64 * 1024];
    bool in_word = false;
    ssize_t n;

    while ((n = read(fd, buf, sizeof(buf))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        sum->bytes += (unsigned long)n;
        for (ssize_t i = 0; i < n; i++) {
            bool space = isspace((unsigned char)buf[i]);

            sum->lines += buf[i] == '\n';
            sum->words += !space && !in_word;
            in_word = !space;
        }
    }
    return true;
}

static void print_counts(const struct counts *sum, const char *name)
{
    const char *gap = "";

    if (show.lines)
        printf("%s%*lu", gap, width, sum->lines), gap = " ";
    if (show.words)
        printf("%s%*lu", gap, width, sum->words), gap = " ";
    if (show.bytes)
        printf("%s%*lu", gap, width, sum->bytes);
    printf("%s%s\n", name ? " " : "", name ? name : "");
}

static int column_width(char **names, int count_names)
{
    unsigned long total = 0;
    int digits = 1, least = 1, columns = show.lines + show.words + show.bytes;
    struct stat st;

    if (columns == 1 && count_names <= 1)
        return 1;
    for (int i = 0; i < count_names || i == 0; i++) {
        bool is_stdin = count_names == 0 || strcmp(names[i], "-") == 0;

        if ((is_stdin ? fstat(STDIN_FILENO, &st) : stat(names[i], &st)) != 0)
            continue;
        if (S_ISREG(st.st_mode))
            total += (unsigned long)st.st_size;
        else
            least = 7;
    }
    for (; total >= 10; total /= 10)
        digits++;
    return digits > least ? digits : least;
}

static bool wc_file(const char *name, const char *label, struct counts *total)
{
    struct counts sum = {0};
    int fd = open_input(name);

    if (fd < 0)
        return false;
    bool ok = count(fd, &sum);
    if (!ok)
        warn("%s", name);
    if (fd != STDIN_FILENO)
        close(fd);
    print_counts(&sum, label);
    total->lines += sum.lines;
    total->words += sum.words;
    total->bytes += sum.bytes;
    return ok;
}

int wc_main(int argc, char **argv)
{
    struct counts total = {0};
    bool ok = true;
    int opt;

    while ((opt = getopt(argc, argv, "clmw")) != -1) {
        switch (opt) {
        case 'l': show.lines = true; break;
        case 'w': show.words = true; break;
        case 'c':
        case 'm': show.bytes = true; break;
        default: usage(1);
        }
    }
    if (!show.lines && !show.words && !show.bytes)
        show.lines = show.words = show.bytes = true;
    width = column_width(argv + optind, argc - optind);
    if (optind == argc)
        return wc_file("-", NULL, &total) ? 0 : 1;
    for (int i = optind; i < argc; i++)
        ok &= wc_file(argv[i], argv[i], &total);
    if (argc - optind > 1)
        print_counts(&total, "total");
    return ok ? 0 : 1;
}
