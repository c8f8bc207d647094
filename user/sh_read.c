/* SPDX-License-Identifier: MIT */
/*
 * The builtins read and getopts: text and options into variables.
 */
#include "user/sh.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* read */

struct read_line {
    struct buf text;
    struct buf escaped; /* one byte per byte of text: 1 = it was behind a backslash */
    size_t pos;
    const char *ifs;
};

/*
 * Waits for input. A signal that comes between the last look at the flags and read(2) would leave
 * the read asleep, so signals get in only while ppoll sleeps.
 */
static void wait_input(void)
{
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    sigset_t all, old;

    if (!sh.opt.interactive && !traps_any())
        return;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &old);
    if (!signals_waiting())
        ppoll(&in, 1, NULL, &old);
    sigprocmask(SIG_SETMASK, &old, NULL);
}

/* Byte by byte: what follows the line belongs to whoever reads next. Status 1 at end of file. */
static int read_text(struct read_line *r, bool raw)
{
    bool escape = false;
    char c;

    for (;;) {
        ssize_t n;

        wait_input();
        if (interrupted())
            return sh.status;
        traps_run();
        if (sh.unwind)
            return 1;
        n = read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 1;
        if (c == '\0')
            continue;
        if (!escape && c == '\n')
            return 0;
        if (!escape && !raw && c == '\\') {
            escape = true;
            continue;
        }
        if (!(escape && c == '\n')) {
            buf_char(&r->text, c);
            buf_char(&r->escaped, escape);
        }
        escape = false;
    }
}

/* 0 = no separator, 1 = blank, 2 = other. */
static int separator_at(const struct read_line *r, size_t i)
{
    char c = r->text.p[i];

    if (i >= r->text.len || r->escaped.p[i] || !strchr(r->ifs, c))
        return 0;
    return c == ' ' || c == '\t' || c == '\n' ? 1 : 2;
}

/* The end of the field that starts at pos; pos moves behind it and its separator. */
static size_t read_field(struct read_line *r)
{
    size_t end = r->pos;

    while (end < r->text.len && !separator_at(r, end))
        end++;
    r->pos = end;
    while (separator_at(r, r->pos) == 1)
        r->pos++;
    if (separator_at(r, r->pos) == 2)
        r->pos++;
    while (separator_at(r, r->pos) == 1)
        r->pos++;
    return end;
}

static bool read_assign(struct read_line *r, const char *name, bool last)
{
    size_t start = r->pos, end = read_field(r);
    char *value;
    bool ok;

    /* The last variable takes the rest, unless that is one field and its separator. */
    if (last && r->pos < r->text.len) {
        end = r->text.len;
        while (end > start && separator_at(r, end - 1) == 1)
            end--;
    }
    value = arena_strndup(&sh.scratch, r->text.p + start, end - start);
    ok = var_set(name, value);
    return ok;
}

int builtin_read(int argc, char **argv)
{
    struct read_line r = {0};
    const char *ifs = var_get("IFS");
    bool raw = false;
    int i = 1, status;

    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "-r") == 0)
            raw = true;
        else if (strcmp(argv[i], "-p") == 0 && i + 1 < argc)
            fputs(argv[++i], stderr);
        else
            return sh_error(2, "read: %s: bad option", argv[i]);
    }
    if (i >= argc)
        return sh_error(2, "read: a variable name is needed");
    status = read_text(&r, raw);
    buf_str(&r.text);
    buf_str(&r.escaped);
    r.ifs = ifs ? arena_strndup(&sh.scratch, ifs, strlen(ifs)) : " \t\n";
    while (separator_at(&r, r.pos) == 1)
        r.pos++;
    for (; i < argc; i++)
        if (!is_name(argv[i], strlen(argv[i]))) {
            status = sh_error(2, "read: %s: bad variable name", argv[i]);
            break;
        } else if (!read_assign(&r, argv[i], i + 1 == argc)) {
            status = 2;
            break;
        }
    buf_free(&r.text);
    buf_free(&r.escaped);
    return status;
}

/* getopts: OPTIND counts words; the place inside a word of several letters is kept here. */

static void set_number(const char *name, int value)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", value);
    var_set(name, text);
}

static int getopts_error(const char *spec, const char *name, char letter, bool missing)
{
    char text[2] = {letter, '\0'};

    if (spec[0] == ':') {
        var_set("OPTARG", text);
        var_set(name, missing ? ":" : "?");
    } else {
        fprintf(stderr, "%s: %s -%c\n", sh.arg0,
                missing ? "no argument for option" : "illegal option", letter);
        var_unset("OPTARG");
        var_set(name, "?");
    }
    return 0;
}

static int getopts_next(const char *spec, const char *name, int argc, char **argv)
{
    static int offset = 1, last_index;
    const char *text = var_get("OPTIND"), *found;
    int index = text ? atoi(text) : 1;
    char letter;

    if (index < 1)
        index = 1;
    if (index != last_index)
        offset = 1;
    last_index = index;
    if (index > argc || argv[index - 1][0] != '-' || !argv[index - 1][1] ||
        strcmp(argv[index - 1], "--") == 0) {
        if (index <= argc && strcmp(argv[index - 1], "--") == 0)
            set_number("OPTIND", index + 1);
        var_unset("OPTARG");
        var_set(name, "?");
        return 1;
    }
    letter = argv[index - 1][offset++];
    found = letter != ':' ? strchr(spec + (spec[0] == ':'), letter) : NULL;
    const char *rest = argv[index - 1] + offset;
    bool takes = found && found[1] == ':';
    if (takes || !*rest) {
        index++;
        offset = 1;
    }
    if (takes && !*rest)
        rest = index <= argc ? argv[index++ - 1] : NULL;
    last_index = index;
    set_number("OPTIND", index);
    if (!found || (takes && !rest))
        return getopts_error(spec, name, letter, found != NULL);
    char option[2] = {letter, '\0'};
    var_set(name, option);
    if (takes)
        var_set("OPTARG", rest);
    else
        var_unset("OPTARG");
    return 0;
}

int builtin_getopts(int argc, char **argv)
{
    if (argc < 3)
        return sh_error(2, "usage: getopts OPTIONS NAME [ARG]...");
    if (argc > 3)
        return getopts_next(argv[1], argv[2], argc - 3, argv + 3);
    return getopts_next(argv[1], argv[2], sh.nparams, sh.params);
}
