/* SPDX-License-Identifier: MIT */
/*
 * echo and printf: words and formats, with the backslash escapes they share.
 *
 * Both run inside the shell, so they return instead of exiting and allocate nothing that they do
 * not free. printf takes a format apart into single conversions and hands each to libc's printf
 * with the argument in the type that the conversion needs.
 */
#include "user/box.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum escape_style { FORMAT_ESCAPES, ECHO_ESCAPES };

/* At most max digits; the first one is known to be there. */
static int read_digits(const char **p, int base, int max)
{
    char digits[8], *end;

    snprintf(digits, sizeof(digits), "%.*s", max, *p);
    int value = (int)strtol(digits, &end, base);
    *p += end - digits;
    return value & 0xff;
}

/*
 * Prints what the escape after a backslash stands for and moves past it. False for \c, which
 * ends all output. A format has \NNN; echo and %b want \0NNN and take \NNN as well.
 */
static bool put_escape(const char **p, enum escape_style style)
{
    static const char letters[] = "abefnrtv\\\"'", bytes[] = "\a\b\033\f\n\r\t\v\\\"'";
    char c = **p;

    if (c == '\0') {
        putchar('\\');
        return true;
    }
    const char *letter = strchr(letters, c);
    if (c >= '0' && c <= '7') {
        putchar(read_digits(p, 8, style == ECHO_ESCAPES && c == '0' ? 4 : 3));
        return true;
    }
    ++*p;
    if (c == 'c')
        return false;
    if (c == 'x' && isxdigit((unsigned char)**p)) {
        putchar(read_digits(p, 16, 2));
    } else if (letter && !(style == ECHO_ESCAPES && (c == '"' || c == '\''))) {
        putchar(bytes[letter - letters]);
    } else {
        putchar('\\');
        putchar(c);
    }
    return true;
}

static bool put_escaped(const char *s, enum escape_style style)
{
    while (*s) {
        if (*s != '\\') {
            putchar(*s++);
            continue;
        }
        s++;
        if (!put_escape(&s, style))
            return false;
    }
    return true;
}

/* echo */

/* "-n", "-e", "-neE": an option only if every letter is one; otherwise it is a word to print. */
static bool echo_option(const char *word, bool *newline, bool *escapes)
{
    if (word[0] != '-' || !word[1] || word[1 + strspn(word + 1, "neE")])
        return false;
    for (const char *p = word + 1; *p; p++) {
        if (*p == 'n')
            *newline = false;
        else
            *escapes = *p == 'e';
    }
    return true;
}

int echo_main(int argc, char **argv)
{
    bool newline = true, escapes = false;
    int i = 1;

    while (i < argc && echo_option(argv[i], &newline, &escapes))
        i++;
    for (int first = i; i < argc; i++) {
        if (i > first)
            putchar(' ');
        if (!escapes)
            fputs(argv[i], stdout);
        else if (!put_escaped(argv[i], ECHO_ESCAPES))
            return 0;
    }
    if (newline)
        putchar('\n');
    return 0;
}

/* printf */

struct format_state {
    char **args; /* next argument; NULL-terminated */
    int status;
    bool stopped; /* \c was met */
};

static const char *next_arg(struct format_state *state)
{
    return *state->args ? *state->args++ : NULL;
}

static void check_number(struct format_state *state, const char *text, const char *end)
{
    if (*text && !*end && !errno)
        return;
    if (errno)
        warn("'%s'", text);
    else
        warnx("'%s': %s", text,
              end == text ? "expected a numeric value" : "value not completely converted");
    state->status = 1;
}

static long long number_arg(struct format_state *state, bool is_signed)
{
    const char *text = next_arg(state);
    char *end;

    if (!text)
        return 0;
    if (text[0] == '"' || text[0] == '\'')
        return (unsigned char)text[1];
    errno = 0;
    long long value =
        is_signed || *text == '-' ? strtoll(text, &end, 0) : (long long)strtoull(text, &end, 0);
    check_number(state, text, end);
    return value;
}

static double float_arg(struct format_state *state)
{
    const char *text = next_arg(state);
    char *end;

    if (!text)
        return 0;
    errno = 0;
    double value = strtod(text, &end);
    check_number(state, text, end);
    return value;
}

/* One piece of a conversion: copies flags, digits or an argument for '*' to the rebuilt spec. */
static const char *copy_width(struct format_state *state, const char *p, char *spec, size_t size)
{
    size_t len = strlen(spec);

    if (*p == '*') {
        snprintf(spec + len, size - len, "%d", (int)number_arg(state, true));
        return p + 1;
    }
    while (isdigit((unsigned char)*p) && len + 1 < size)
        spec[len++] = *p++;
    spec[len] = '\0';
    return p;
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static void put_conversion(struct format_state *state, char *spec, char type)
{
    char *end = spec + strlen(spec), letter[2] = "";
    const char *text;

    if (strchr("diouxX", type)) {
        sprintf(end, "ll%c", type);
        printf(spec, number_arg(state, type == 'd' || type == 'i'));
    } else if (type == 'c' || type == 's') {
        text = next_arg(state);
        letter[0] = text ? *text : '\0';
        strcpy(end, "s");
        printf(spec, type == 'c' ? letter : text ? text : "");
    } else {
        sprintf(end, "%c", type);
        printf(spec, float_arg(state));
    }
}
#pragma GCC diagnostic pop

/* p stands behind a '%'. Returns the rest of the format, or NULL when the conversion is bad. */
static const char *format_one(struct format_state *state, const char *p)
{
    const char *start = p;
    char spec[64] = "%";

    if (*p == '%') {
        putchar('%');
        return p + 1;
    }
    if (*p == 'b') {
        const char *text = next_arg(state);

        state->stopped = text && !put_escaped(text, ECHO_ESCAPES);
        return p + 1;
    }
    for (size_t len = 1; *p && strchr("-+ #0", *p); p++)
        if (len < 8)
            spec[len++] = *p;
    p = copy_width(state, p, spec, 24);
    if (*p == '.') {
        strcat(spec, ".");
        p = copy_width(state, p + 1, spec, 48);
    }
    if (!*p || !strchr("diouxXcsfFeEgGaA", *p)) {
        warnx("%%%.*s: invalid conversion specification", (int)(p - start) + (*p != '\0'), start);
        state->status = 1;
        return NULL;
    }
    put_conversion(state, spec, *p);
    return p + 1;
}

static bool format_pass(struct format_state *state, const char *p)
{
    while (*p && !state->stopped) {
        if (*p == '%') {
            p = format_one(state, p + 1);
            if (!p)
                return false;
        } else if (*p == '\\') {
            p++;
            state->stopped = !put_escape(&p, FORMAT_ESCAPES);
        } else {
            putchar(*p++);
        }
    }
    return !state->stopped;
}

int printf_main(int argc, char **argv)
{
    int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;

    if (first >= argc)
        return usage_error(2);
    struct format_state state = {.args = argv + first + 1};
    char **before;

    /* The format is used again while arguments are left, as long as it consumes any. */
    do {
        before = state.args;
        if (!format_pass(&state, argv[first]))
            break;
    } while (*state.args && state.args != before);
    return state.status;
}
