/* SPDX-License-Identifier: MIT */
/*
 * grep: lines that match.
 *
 * All patterns (-e, -f, or the first operand; one per line of each) are kept in a list; a line is
 * selected if any of them matches. -F patterns are escaped into regular expressions, so that -i, -w
 * and -x work on all kinds alike. Exit status: 0 a line was selected, 1 none, 2 trouble.
 */
#include "user/box.h"

#include <ctype.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

static regex_t *patterns;
static size_t npatterns;
static uint64_t after, before, max;
static bool with_names, any_selected, trouble;

/* Patterns */

/* "a.b" as a basic expression that matches just that. */
static char *escape_literal(const char *text)
{
    char *out = xmalloc(2 * strlen(text) + 1), *p = out;

    for (; *text; text++) {
        if (strchr(opt('E') ? ".[]{}()*+?^$|\\" : ".[]*^$\\", *text))
            *p++ = '\\';
        *p++ = *text;
    }
    *p = '\0';
    return out;
}

static void add_pattern(const char *text)
{
    char *plain = opt('F') ? escape_literal(text) : xstrdup(text);
    char *source = !opt('x')  ? xstrdup(plain)
                   : opt('E') ? xasprintf("^(%s)$", plain)
                              : xasprintf("^\\(%s\\)$", plain);
    int flags = (opt('E') ? REG_EXTENDED : 0) | (opt('i') ? REG_ICASE : 0) | REG_NEWLINE;

    patterns = grow(patterns, npatterns, sizeof(patterns[0]));
    int err = regcomp(&patterns[npatterns++], source, flags);
    if (err) {
        char message[128];

        regerror(err, &patterns[npatterns - 1], message, sizeof(message));
        error(2, 0, "%s", message);
    }
    free(source);
    free(plain);
}

/* One per line; an empty text is one empty pattern. */
static void add_patterns(char *text)
{
    for (char *line; (line = strsep(&text, "\n")) != NULL;)
        add_pattern(line);
}

/* An empty file holds no pattern. */
static void add_pattern_file(const char *path)
{
    size_t len;
    char *text = read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, &len);

    if (!text)
        error(2, errno, "%s", path);
    if (len > 0 && text[len - 1] == '\n')
        text[len - 1] = '\0';
    if (len > 0)
        add_patterns(text);
    free(text);
}

/* Matching */

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

static bool word_ends(const char *line, size_t len, const regmatch_t *m)
{
    return (m->rm_so == 0 || !word_char(line[m->rm_so - 1])) &&
           ((size_t)m->rm_eo == len || !word_char(line[m->rm_eo]));
}

/*
 * First match of one pattern at or after from. With -w a match whose ends are inside words is
 * tried shorter, then further right.
 */
static bool match(const regex_t *regex, const char *line, size_t len, size_t from, regmatch_t *m)
{
    while (from <= len) {
        *m = (regmatch_t){(regoff_t)from, (regoff_t)len};
        if (regexec(regex, line, 1, m, REG_STARTEND | (from ? REG_NOTBOL : 0)) != 0)
            return false;
        if (!opt('w') || word_ends(line, len, m))
            return true;
        regoff_t start = m->rm_so;
        while (m->rm_eo > start) {
            regoff_t end = m->rm_eo - 1;

            *m = (regmatch_t){start, end};
            if (regexec(regex, line, 1, m, REG_STARTEND | REG_NOTEOL) != 0 || m->rm_so != start ||
                m->rm_eo > end)
                break;
            if (word_ends(line, len, m))
                return true;
        }
        from = (size_t)start + 1;
    }
    return false;
}

/* The leftmost, then longest match of all patterns. */
static bool match_any(const char *line, size_t len, size_t from, regmatch_t *best)
{
    bool found = false;
    regmatch_t m;

    for (size_t i = 0; i < npatterns; i++) {
        if (!match(&patterns[i], line, len, from, &m))
            continue;
        if (!found || m.rm_so < best->rm_so || (m.rm_so == best->rm_so && m.rm_eo > best->rm_eo))
            *best = m;
        found = true;
    }
    return found;
}

/* One input */

struct input {
    const char *name;
    uint64_t line;     /* number of the line just read */
    uint64_t printed;  /* number of the last line printed */
    uint64_t selected; /* how many lines matched */
    uint64_t tail;     /* context lines still to print after a match */
    char **history;    /* ring of the last -B lines, by number */
};

static void print_prefix(const struct input *in, uint64_t line, char mark)
{
    if (with_names)
        printf("%s%c", in->name, mark);
    if (opt('n'))
        printf("%llu%c", (unsigned long long)line, mark);
}

static void print_line(struct input *in, uint64_t number, const char *line, size_t len, char mark)
{
    static bool any;

    if ((after || before) && any && (in->printed == 0 || number != in->printed + 1))
        puts("--");
    any = true;
    in->printed = number;
    print_prefix(in, number, mark);
    fwrite(line, 1, len, stdout);
    putchar('\n');
}

static void print_matches(struct input *in, const char *line, size_t len)
{
    regmatch_t m;

    for (size_t from = 0; from <= len && match_any(line, len, from, &m);) {
        if (m.rm_eo > m.rm_so) {
            print_prefix(in, in->line, ':');
            printf("%.*s\n", (int)(m.rm_eo - m.rm_so), line + m.rm_so);
        }
        from = (size_t)m.rm_eo + (m.rm_eo == m.rm_so);
    }
}

static void print_before(struct input *in)
{
    uint64_t first = in->line > before ? in->line - before : 1;

    for (uint64_t n = first > in->printed ? first : in->printed + 1; n < in->line; n++)
        print_line(in, n, in->history[n % before], strlen(in->history[n % before]), '-');
}

static void print_selected(struct input *in, const char *line, size_t len)
{
    if (before)
        print_before(in);
    if (!opt('o'))
        print_line(in, in->line, line, len, ':');
    else if (!opt('v'))
        print_matches(in, line, len);
    in->tail = after;
}

/* False when no further line of this input matters. */
static bool handle_line(struct input *in, const char *line, size_t len)
{
    regmatch_t m;

    if (match_any(line, len, 0, &m) != opt('v')) {
        in->selected++;
        if (opt('q') || opt('l') || opt('L'))
            return false;
        if (!opt('c'))
            print_selected(in, line, len);
        if (in->selected == max)
            return false;
    } else if (in->tail > 0) {
        in->tail--;
        print_line(in, in->line, line, len, '-');
    }
    if (before) {
        free(in->history[in->line % before]);
        in->history[in->line % before] = xasprintf("%.*s", (int)len, line);
    }
    return true;
}

static void print_summary(const struct input *in)
{
    if (opt('c') && !opt('l') && !opt('L')) {
        if (with_names)
            printf("%s:", in->name);
        printf("%llu\n", (unsigned long long)in->selected);
    }
    if ((opt('l') && in->selected) || (opt('L') && !in->selected))
        puts(in->name);
}

static bool search(FILE *file, const char *name)
{
    struct input in = {.name = strcmp(name, "-") == 0 ? "(standard input)" : name};
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (before)
        in.history = xcalloc(before, sizeof(char *));
    while (max > 0 && (len = read_line(&line, &room, file)) >= 0) {
        in.line++;
        if (!handle_line(&in, line, (size_t)len))
            break;
    }
    if (!opt('q'))
        print_summary(&in);
    /* With -L a file counts as selected when none of its lines is. */
    any_selected |= opt('L') ? !in.selected : in.selected > 0;
    for (size_t i = 0; in.history && i < before; i++)
        free(in.history[i]);
    free(in.history);
    free(line);
    return true;
}

/* Files and trees */

static void report(const char *path, int err)
{
    if (!opt('s'))
        error(0, err, "%s", path);
    trouble = true;
}

static void search_file(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");

    if (!file) {
        report(path, errno);
        return;
    }
    search(file, path);
    if (ferror(file))
        report(path, errno);
    fclose_input(file);
}

/* Below the operands, links would leave the tree and devices might never end. */
static bool search_entry(FTS *tree, FTSENT *entry)
{
    (void)tree;
    if (entry->fts_info == FTS_F || (entry->fts_info == FTS_DEFAULT && entry->fts_level == 0))
        search_file(entry->fts_path);
    else if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_NS || entry->fts_info == FTS_ERR)
        report(entry->fts_path, entry->fts_errno);
    return true;
}

static void search_operand(const char *path, bool recursive)
{
    if (recursive && strcmp(path, "-") != 0)
        walk_tree(path, FTS_COMFOLLOW, search_entry);
    else if (is_directory(path))
        report(path, EISDIR);
    else
        search_file(path);
}

int grep_main(int argc, char **argv)
{
    read_options(&argc, &argv, "A:B:C:EFHRrce:f:hiLlm:noqsvwx", 2);
    bool recursive = opt('r') || opt('R'), operand = !opt('e') && !opt('f');
    if (operand && argc == 0)
        usage(2);
    if (opt('f'))
        for (char *rest = opt_values('f'), *path; (path = strsep(&rest, "\n")) != NULL;)
            add_pattern_file(path);
    if (operand || opt('e'))
        add_patterns(xstrdup(operand ? argv[0] : opt_values('e')));
    argc -= operand, argv += operand;
    if (!opt('o')) {
        after = opt_number('A', opt_number('C', 0, 2), 2);
        before = opt_number('B', opt_number('C', 0, 2), 2);
    }
    max = opt_number('m', UINT64_MAX, 2);
    with_names = (argc > 1 || recursive || opt('H')) && !opt('h');
    for (int i = 0; i < argc; i++)
        search_operand(argv[i], recursive);
    if (argc == 0)
        search_operand(recursive ? "." : "-", recursive);
    if (finish_output(0) || (trouble && !(opt('q') && any_selected)))
        return 2;
    return any_selected ? 0 : 1;
}
