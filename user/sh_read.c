/* SPDX-License-Identifier: MIT */
/*
 * The builtins read and getopts: text and options into variables.
 */
#include "user/sh.h"

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
        wait_input();
        if (interrupted())
            return sh.status;
        traps_run();
        if (sh.unwind)
            return 1;
        ssize_t n = read(STDIN_FILENO, &c, 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return 1;
        if (!escape && c == '\n')
            return 0;
        if (!escape && !raw && c == '\\') {
            escape = true;
            continue;
        }
        if (c && !(escape && c == '\n')) {
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

static void skip_blanks(struct read_line *r)
{
    while (separator_at(r, r->pos) == 1)
        r->pos++;
}

/* The next field, and past its separator; the last one takes the rest, unless that is one field. */
static char *read_field(struct read_line *r, bool last)
{
    size_t start = r->pos, end;

    while (r->pos < r->text.len && !separator_at(r, r->pos))
        r->pos++;
    end = r->pos;
    skip_blanks(r);
    r->pos += separator_at(r, r->pos) == 2;
    skip_blanks(r);
    if (last && r->pos < r->text.len)
        for (end = r->text.len; end > start && separator_at(r, end - 1) == 1;)
            end--;
    return arena_strndup(sh.scratch, r->text.p + start, end - start);
}

int builtin_read(int argc, char **argv)
{
    struct read_line r = {.text = {.a = sh.scratch}, .escaped = {.a = sh.scratch}};
    bool raw = argc > 1 && strcmp(argv[1], "-r") == 0;
    int i = 1 + raw, status;

    if (i >= argc || argv[i][0] == '-')
        return sh_error(2, "usage: read [-r] NAME...");
    status = read_text(&r, raw);
    buf_str(&r.text);
    buf_str(&r.escaped);
    r.ifs = var_get("IFS") ? scratch_copy(var_get("IFS")) : " \t\n";
    skip_blanks(&r);
    for (; i < argc; i++) {
        if (!is_name(argv[i], strlen(argv[i])))
            return sh_error(2, "read: %s: bad variable name", argv[i]);
        if (!var_set(argv[i], read_field(&r, i + 1 == argc)))
            return 2;
    }
    return status;
}

/* getopts: OPTIND counts words; the place inside a word of several letters is kept here. */

static int getopts_set(const char *name, const char *value, const char *argument)
{
    if (argument)
        var_set("OPTARG", argument);
    else
        var_unset("OPTARG");
    var_set(name, value);
    return 0;
}

static int getopts_next(const char *spec, const char *name, int argc, char **argv)
{
    static int offset = 1, last_index;
    int index = var_get("OPTIND") ? atoi(var_get("OPTIND")) : 1;
    bool quiet = spec[0] == ':';
    char number[16], option[2] = "";

    if (index < 1)
        index = 1;
    const char *word = index <= argc ? argv[index - 1] : "";
    if (index != last_index || (size_t)offset >= strlen(word))
        offset = 1;
    bool ended = word[0] != '-' || !word[1], dashes = strcmp(word, "--") == 0;
    option[0] = ended || dashes ? '?' : word[offset++];
    const char *found = option[0] == ':' ? NULL : strchr(spec + quiet, option[0]);
    bool takes = !ended && !dashes && found && found[1] == ':';
    const char *argument = takes ? word + offset : NULL;
    if (dashes || (!ended && (takes || !word[offset]))) {
        index++;
        offset = 1;
    }
    if (takes && !*argument)
        argument = index <= argc ? argv[index++ - 1] : NULL;
    last_index = index;
    snprintf(number, sizeof(number), "%d", index);
    var_set("OPTIND", number);
    if (ended || dashes)
        return getopts_set(name, "?", NULL), 1;
    if (found && (!takes || argument))
        return getopts_set(name, option, argument);
    if (quiet)
        return getopts_set(name, found ? ":" : "?", option);
    fprintf(stderr, "%s: %s -%s\n", sh.arg0, found ? "no argument for option" : "illegal option",
            option);
    return getopts_set(name, "?", NULL);
}

int builtin_getopts(int argc, char **argv)
{
    if (argc < 3)
        return sh_error(2, "usage: getopts OPTIONS NAME [ARG]...");
    if (argc > 3)
        return getopts_next(argv[1], argv[2], argc - 3, argv + 3);
    return getopts_next(argv[1], argv[2], sh.nparams, sh.params);
}
