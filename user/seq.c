/* SPDX-License-Identifier: MIT */
/*
 * seq and yes: output by the metre. A long double holds every whole number of 64 bits exactly;
 * fractions are printed with as many digits as the operands have.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *separator = "\n";
static bool equal_width;

static int decimals(const char *text)
{
    const char *point = strchr(text, '.');

    return point ? (int)strlen(point + 1) : 0;
}

static long double number(const char *text)
{
    char *end;
    long double value = strtold(text, &end);

    if (end == text || *end || !(value - value == 0)) {
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
    int first = parse_options(argc, argv), width = 1, other;
    bool any = false;

    argc -= first;
    argv += first;
    if (argc < 1 || argc > 3)
        usage(1);
    const char *from_text = argc > 1 ? argv[0] : "1", *step_text = argc > 2 ? argv[1] : "1";
    long double from = number(from_text), step = number(step_text), to = number(argv[argc - 1]);
    if (step == 0)
        diex("invalid Zero increment value: '%s'", step_text);
    int digits =
        decimals(from_text) > decimals(step_text) ? decimals(from_text) : decimals(step_text);
    if (equal_width) {
        width = snprintf(NULL, 0, "%.*Lf", digits, from);
        other = snprintf(NULL, 0, "%.*Lf", digits, to);
        width = other > width ? other : width;
    }
    /* Each value is computed from its number, so that errors do not add up. */
    for (uint64_t i = 0;; i++, any = true) {
        long double value = from + (long double)i * step, over = value - to - step * 1e-10L;

        if (step > 0 ? over > 0 : over < 0)
            break;
        printf("%s%0*.*Lf", any ? separator : "", width, digits, value);
    }
    if (any)
        putchar('\n');
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
