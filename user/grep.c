/* SPDX-License-Identifier: MIT */
/*
 * grep: lines that match.
 *
 * All patterns (-e, -f, or the first operand; one per line of each) are kept in a list; a line is
 * selected if any of them matches. -F patterns are escaped into regular expressions as well, so
 * that -i, -w and -x work on all kinds alike; only the plain -F search takes the short way.
 * Exit status: 0 a line was selected, 1 none, 2 trouble.
 */
#include "user/box.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pattern {
    regex_t regex;
    char *literal; /* plain -F: searched for as it is */
    size_t literal_len;
};

static struct pattern *patterns;
static size_t npatterns;

static struct {
    bool extended, fixed, ignore_case, invert, words, lines, count, names_only, names_without;
    bool numbers, only_matching, quiet, silent, recursive, with_names, without_names;
    long after, before, max;
} options = {.max = -1};

static bool any_selected, trouble;

/* Patterns */

/* "a.b" as a basic expression that matches just that. */
static char *escape_literal(const char *text, size_t len)
{
    char *out = xmalloc(2 * len + 1), *p = out;

    for (size_t i = 0; i < len; i++) {
        if (strchr(options.extended ? ".[]{}()*+?^$|\\" : ".[]*^$\\", text[i]))
            *p++ = '\\';
        *p++ = text[i];
    }
    *p = '\0';
    return out;
}

/* \d and friends do not exist in POSIX; words and lines are matched by checking the ends. */
static void add_pattern(const char *text, size_t len)
{
    patterns = xrealloc(patterns, (npatterns + 1) * sizeof(patterns[0]));
    struct pattern *pattern = &patterns[npatterns++];
    *pattern = (struct pattern){0};

    if (options.fixed && !options.ignore_case && !options.words && !options.lines) {
        pattern->literal = xasprintf("%.*s", (int)len, text);
        pattern->literal_len = len;
        return;
    }
    char *plain = options.fixed ? escape_literal(text, len) : xasprintf("%.*s", (int)len, text);
    char *source = plain;
    if (options.lines) {
        source = xasprintf(options.extended ? "^(%s)$" : "^\\(%s\\)$", plain);
        free(plain);
    }
    int flags =
        (options.extended ? REG_EXTENDED : 0) | (options.ignore_case ? REG_ICASE : 0) | REG_NEWLINE;
    int err = regcomp(&pattern->regex, source, flags);
    if (err) {
        char message[128];

        regerror(err, &pattern->regex, message, sizeof(message));
        warnx("%s", message);
        exit(2);
    }
    free(source);
}

static void add_patterns(const char *text)
{
    for (;;) {
        size_t len = strcspn(text, "\n");

        add_pattern(text, len);
        if (!text[len])
            return;
        text += len + 1;
    }
}

static void add_pattern_file(const char *path)
{
    char *text = read_file(strcmp(path, "-") == 0 ? "/dev/stdin" : path, NULL);

    if (!text) {
        warn("%s", path);
        exit(2);
    }
    size_t len = strlen(text);
    if (len > 0 && text[len - 1] == '\n')
        text[--len] = '\0';
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

static bool match_literal(const struct pattern *p, const char *line, size_t len, size_t from,
                          regmatch_t *m)
{
    const char *hit = memmem(line + from, len - from, p->literal, p->literal_len);

    if (!hit)
        return false;
    m->rm_so = (regoff_t)(hit - line);
    m->rm_eo = m->rm_so + (regoff_t)p->literal_len;
    return true;
}

/*
 * First match of one pattern at or after from. With -w a match whose ends are inside words is
 * tried shorter, then further right.
 */
static bool match_regex(const struct pattern *p, const char *line, size_t len, size_t from,
                        regmatch_t *m)
{
    while (from <= len) {
        *m = (regmatch_t){(regoff_t)from, (regoff_t)len};
        if (regexec(&p->regex, line, 1, m, REG_STARTEND | (from ? REG_NOTBOL : 0)) != 0)
            return false;
        if (!options.words || word_ends(line, len, m))
            return true;
        regmatch_t whole = *m;
        while (m->rm_eo > whole.rm_so) {
            *m = (regmatch_t){whole.rm_so, m->rm_eo - 1};
            regoff_t end = m->rm_eo;

            if (regexec(&p->regex, line, 1, m, REG_STARTEND | REG_NOTEOL) != 0 ||
                m->rm_so != whole.rm_so || m->rm_eo > end)
                break;
            if (word_ends(line, len, m))
                return true;
        }
        from = (size_t)whole.rm_so + 1;
    }
    return false;
}

/* The leftmost, then longest match of all patterns. */
static bool match_any(const char *line, size_t len, size_t from, regmatch_t *best)
{
    bool found = false;

    for (size_t i = 0; i < npatterns; i++) {
        const struct pattern *p = &patterns[i];
        regmatch_t m;

        if (!(p->literal ? match_literal : match_regex)(p, line, len, from, &m))
            continue;
        if (!found || m.rm_so < best->rm_so || (m.rm_so == best->rm_so && m.rm_eo > best->rm_eo))
            *best = m;
        found = true;
    }
    return found;
}

/* One input */

struct input {
    FILE *file;
    const char *name;
    unsigned long line;     /* number of the line just read */
    unsigned long printed;  /* number of the last line printed */
    unsigned long selected; /* how many lines matched */
    unsigned long tail;     /* context lines still to print after a match */
    char **history;         /* ring of the last -B lines, by number */
};

static void print_prefix(const struct input *in, unsigned long line, char mark)
{
    if (options.with_names)
        printf("%s%c", in->name, mark);
    if (options.numbers)
        printf("%lu%c", line, mark);
}

static void print_line(struct input *in, unsigned long number, const char *line, size_t len,
                       char mark)
{
    static bool any;

    if ((options.after || options.before) && any && number != in->printed + 1)
        puts("--");
    else if ((options.after || options.before) && any && in->printed == 0)
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
    unsigned long first =
        in->line > (unsigned long)options.before ? in->line - (unsigned long)options.before : 1;

    if (first <= in->printed)
        first = in->printed + 1;
    for (unsigned long n = first; n < in->line; n++) {
        const char *line = in->history[n % (unsigned long)options.before];

        print_line(in, n, line, strlen(line), '-');
    }
}

static void remember(struct input *in, const char *line, size_t len)
{
    char **slot = &in->history[in->line % (unsigned long)options.before];

    free(*slot);
    *slot = xasprintf("%.*s", (int)len, line);
}

/* False when no further line of this input matters. */
static bool handle_line(struct input *in, const char *line, size_t len)
{
    regmatch_t m;

    if (match_any(line, len, 0, &m) == options.invert) {
        if (in->tail > 0) {
            in->tail--;
            print_line(in, in->line, line, len, '-');
        }
        if (options.before)
            remember(in, line, len);
        return in->tail > 0 || options.max < 0 || in->selected < (unsigned long)options.max;
    }
    in->selected++;
    if (options.quiet || options.names_only || options.names_without)
        return false;
    if (!options.count) {
        if (options.before)
            print_before(in);
        if (!options.only_matching)
            print_line(in, in->line, line, len, ':');
        else if (!options.invert)
            print_matches(in, line, len);
        in->tail = (unsigned long)options.after;
    }
    if (options.before)
        remember(in, line, len);
    return options.max < 0 || in->selected < (unsigned long)options.max;
}

static void print_summary(const struct input *in)
{
    if (options.quiet)
        return;
    if (options.count && !options.names_only && !options.names_without) {
        if (options.with_names)
            printf("%s:", in->name);
        printf("%lu\n", in->selected);
    }
    if ((options.names_only && in->selected) || (options.names_without && !in->selected))
        puts(in->name);
}

/* With -L a file counts as selected when none of its lines is. */
static void note_selected(const struct input *in)
{
    if (options.names_without ? !in->selected : in->selected)
        any_selected = true;
}

static void search(FILE *file, const char *name)
{
    struct input in = {.file = file, .name = name};
    char *line = NULL;
    size_t room = 0;
    ssize_t len;

    if (options.before)
        in.history = xcalloc((size_t)options.before, sizeof(char *));
    while (options.max != 0 && (len = getline(&line, &room, file)) >= 0) {
        if (len > 0 && line[len - 1] == '\n')
            line[--len] = '\0';
        in.line++;
        if (!handle_line(&in, line, (size_t)len))
            break;
    }
    if (ferror(file)) {
        if (!options.silent)
            warn("%s", name);
        trouble = true;
    }
    print_summary(&in);
    note_selected(&in);
    for (long i = 0; in.history && i < options.before; i++)
        free(in.history[i]);
    free(in.history);
    free(line);
}

/* Files and trees */

static void report(const char *path)
{
    if (!options.silent)
        warn("%s", path);
    trouble = true;
}

static void search_file(const char *path)
{
    FILE *file = fopen(path, "re");

    if (!file) {
        report(path);
        return;
    }
    search(file, path);
    fclose(file);
}

static void search_tree(const char *path, bool top)
{
    struct stat st;
    struct dirent *d;
    DIR *dir;

    if ((top ? stat : lstat)(path, &st) != 0) {
        report(path);
        return;
    }
    if (!S_ISDIR(st.st_mode)) {
        /* Below the operands, links would leave the tree and devices might never end. */
        if (top || S_ISREG(st.st_mode))
            search_file(path);
        return;
    }
    dir = opendir(path);
    if (!dir) {
        report(path);
        return;
    }
    while ((d = readdir(dir)) != NULL) {
        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        char *below = path_join(path, d->d_name);

        search_tree(below, false);
        free(below);
    }
    closedir(dir);
}

static void search_operand(const char *path)
{
    struct stat st;

    if (strcmp(path, "-") == 0) {
        search(stdin, "(standard input)");
    } else if (options.recursive) {
        search_tree(path, true);
    } else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        if (!options.silent)
            warnx("%s: Is a directory", path);
        trouble = true;
    } else {
        search_file(path);
    }
}

static long context(const char *text)
{
    uint64_t value;

    if (!parse_u64(text, 10, &value) || value > 1000000) {
        warnx("%s: invalid context length argument", text);
        exit(2);
    }
    return (long)value;
}

/* Patterns are compiled when all options are known, so they wait here. */
static struct {
    const char *text;
    bool is_file;
} * sources;
static size_t nsources;

static void add_source(const char *text, bool is_file)
{
    sources = xrealloc(sources, (nsources + 1) * sizeof(sources[0]));
    sources[nsources].text = text;
    sources[nsources++].is_file = is_file;
}

static void set_option(int opt)
{
    switch (opt) {
    case 'A': options.after = context(optarg); break;
    case 'B': options.before = context(optarg); break;
    case 'C': options.after = options.before = context(optarg); break;
    case 'E': options.extended = true; break;
    case 'F': options.fixed = true; break;
    case 'G': options.extended = options.fixed = false; break;
    case 'H': options.with_names = true; break;
    case 'R':
    case 'r': options.recursive = true; break;
    case 'c': options.count = true; break;
    case 'e': add_source(optarg, false); break;
    case 'f': add_source(optarg, true); break;
    case 'h': options.without_names = true; break;
    case 'i': options.ignore_case = true; break;
    case 'L': options.names_without = true; break;
    case 'l': options.names_only = true; break;
    case 'm': options.max = context(optarg); break;
    case 'n': options.numbers = true; break;
    case 'o': options.only_matching = true; break;
    case 'q': options.quiet = true; break;
    case 's': options.silent = true; break;
    case 'v': options.invert = true; break;
    case 'w': options.words = true; break;
    case 'x': options.lines = true; break;
    default: usage(2);
    }
}

static void compile_patterns(void)
{
    for (size_t i = 0; i < nsources; i++) {
        if (sources[i].is_file)
            add_pattern_file(sources[i].text);
        else
            add_patterns(sources[i].text);
    }
    free(sources);
}

int grep_main(int argc, char **argv)
{
    int opt;

    while ((opt = getopt(argc, argv, "A:B:C:EFGHRrce:f:hiLlm:noqsvwx")) != -1)
        set_option(opt);
    if (!nsources) {
        if (optind == argc)
            usage(2);
        add_source(argv[optind++], false);
    }
    compile_patterns();
    if (options.only_matching)
        options.after = options.before = 0;
    if (argc - optind > 1 || options.recursive)
        options.with_names = true;
    if (options.without_names)
        options.with_names = false;
    for (int i = optind; i < argc; i++)
        search_operand(argv[i]);
    if (optind == argc && options.recursive)
        search_tree(".", true);
    else if (optind == argc)
        search_operand("-");
    if (finish_output(0) || (trouble && !(options.quiet && any_selected)))
        return 2;
    return any_selected ? 0 : 1;
}
