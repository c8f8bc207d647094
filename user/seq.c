/* SPDX-License-Identifier: MIT */
/*
 * seq and yes: output by the metre. Whole numbers stay exact; only a decimal point brings floats,
 * printed with as many digits as the operands have.
 */
#include "user/box.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *separator = "\n";
static bool equal_width;

static void print_gap(bool first)
{
    if (!first)
        fputs(separator, stdout);
}

static int text_width(int64_t value)
{
    return snprintf(NULL, 0, "%lld", (long long)value);
}

static void count_integers(int64_t from, int64_t step, int64_t to)
{
    int width = 1;
    bool first = true;

    if (equal_width)
        width = text_width(from) > text_width(to) ? text_width(from) : text_width(to);
    for (int64_t i = from; step > 0 ? i <= to : i >= to; first = false) {
        print_gap(first);
        printf("%0*lld", width, (long long)i);
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    if (!first || from == to)
        putchar('\n');
}

static int decimals(const char *text)
{
    const char *point = strchr(text, '.');

    return point ? (int)strlen(point + 1) : 0;
}

static void count_floats(double from, double step, double to, int digits)
{
    bool first = true;

    /* Each value is computed from its number, so that errors do not add up. */
    for (uint64_t i = 0;; i++, first = false) {
        double value = from + (double)i * step;

        if (step > 0 ? value > to + step * 1e-10 : value < to + step * 1e-10)
            break;
        print_gap(first);
        printf("%.*f", digits, value);
    }
    if (!first)
        putchar('\n');
}

static double float_value(const char *text)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || !isfinite(value)) {
        warnx("invalid floating point argument: '%s'", text);
        usage(1);
    }
    return value;
}

/* A negative number looks like an option, so options are read by hand. */
static int parse_options(int argc, char **argv)
{
    int i = 1;

    for (; i < argc && argv[i][0] == '-' && strchr("sw-", argv[i][1]) && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (strcmp(argv[i], "-w") == 0)
            equal_width = true;
        else if (argv[i][1] == 's' && argv[i][2])
            separator = argv[i] + 2;
        else if (strcmp(argv[i], "-s") == 0 && i + 1 < argc)
            separator = argv[++i];
        else
            usage(1);
    }
    return i;
}

int seq_main(int argc, char **argv)
{
    int first = parse_options(argc, argv);
    int64_t from = 1, step = 1, to;

    argc -= first;
    argv += first;
    if (argc < 1 || argc > 3)
        usage(1);
    const char *from_text = argc > 1 ? argv[0] : "1", *step_text = argc > 2 ? argv[1] : "1";
    const char *to_text = argv[argc - 1];
    if (float_value(step_text) == 0.0) {
        warnx("invalid Zero increment value: '%s'", step_text);
        usage(1);
    }
    if (parse_i64(from_text, 10, &from) && parse_i64(step_text, 10, &step) &&
        parse_i64(to_text, 10, &to)) {
        count_integers(from, step, to);
        return 0;
    }
    int digits =
        decimals(from_text) > decimals(step_text) ? decimals(from_text) : decimals(step_text);
    count_floats(float_value(from_text), float_value(step_text), float_value(to_text), digits);
    return 0;
}

/* Ends with the reader: by SIGPIPE, or by a failed write. */
int yes_main(int argc, char **argv)
{
    while (!ferror(stdout)) {
        for (int i = 1; i < argc; i++)
            printf("%s%s", i > 1 ? " " : "", argv[i]);
        puts(argc > 1 ? "" : "y");
    }
    return 1;
}
