/* SPDX-License-Identifier: MIT */
/*
 * sort: all input is read into memory, cut into lines, and sorted by pointers.
 *
 * Comparison goes key by key (-k, or the whole line); lines that are equal under all keys are
 * compared byte by byte, with -s or -u kept in the order they came in. Numbers (-n) are compared as strings of digits, so they
 * may have any length.
 */
#include "user/box.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct order {
    bool numeric, human, reverse, fold, skip_blanks, skip_blanks_end, dictionary;
};

/* -k FIELD[.CHAR][OPTIONS][,FIELD[.CHAR][OPTIONS]], counted from 1; end_field 0 = end of line */
struct key {
    size_t field, character, end_field, end_character;
    struct order order;
};

struct line {
    const char *text;
    size_t len, number;
};

static struct key *keys;
static size_t nkeys;
static struct order order;
static int separator = -1;
static char terminator; /* '\0' with -z */

static struct line *lines;
static size_t nlines;

/* Where a key lies in a line */

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && isblank((unsigned char)*p))
        p++;
    return p;
}

/* With -t a separator ends a field; without, blanks lead the field that follows them. */
static const char *skip_field(const char *p, const char *end)
{
    if (separator >= 0) {
        const char *mark = p < end ? memchr(p, separator, (size_t)(end - p)) : NULL;

        return mark ? mark + 1 : end;
    }
    p = skip_blanks(p, end);
    while (p < end && !isblank((unsigned char)*p))
        p++;
    return p;
}

static const char *key_start(const struct key *key, const char *p, const char *end)
{
    for (size_t i = 1; i < key->field && p < end; i++)
        p = skip_field(p, end);
    if (key->order.skip_blanks)
        p = skip_blanks(p, end);
    size_t left = (size_t)(end - p), skip = key->character - 1;
    return p + (skip < left ? skip : left);
}

static const char *key_end(const struct key *key, const char *line, const char *end)
{
    const char *p = line;

    if (!key->end_field)
        return end;
    for (size_t i = 1; i < key->end_field && p < end; i++)
        p = skip_field(p, end);
    if (key->end_character) {
        if (key->order.skip_blanks_end)
            p = skip_blanks(p, end);
        size_t left = (size_t)(end - p);
        return p + (key->end_character < left ? key->end_character : left);
    }
    if (p == end && key->end_field > 1)
        return end;
    const char *next = skip_field(p, end);
    if (separator >= 0 && next > p && next[-1] == (char)separator &&
        memchr(p, separator, (size_t)(end - p)))
        next--;
    return next;
}

/* Comparisons */

static int compare_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
    int result = memcmp(a, b, alen < blen ? alen : blen);

    return result ? result : (alen > blen) - (alen < blen);
}

static bool ignored(char c, const struct order *o)
{
    return o->dictionary && !isalnum((unsigned char)c) && !isblank((unsigned char)c);
}

static int compare_text(const char *a, const char *aend, const char *b, const char *bend,
                        const struct order *o)
{
    if (!o->fold && !o->dictionary)
        return compare_bytes(a, (size_t)(aend - a), b, (size_t)(bend - b));
    for (;;) {
        while (a < aend && ignored(*a, o))
            a++;
        while (b < bend && ignored(*b, o))
            b++;
        if (a == aend || b == bend)
            return (a < aend) - (b < bend);
        int x = (unsigned char)*a++, y = (unsigned char)*b++;
        if (o->fold)
            x = toupper(x), y = toupper(y);
        if (x != y)
            return x - y;
    }
}

struct number {
    const char *digits, *fraction;
    size_t ndigits, nfraction;
    bool negative;
    int unit; /* with -h: 0 none, 1 K, 2 M, ... */
};

static struct number read_number(const char *p, const char *end, bool human)
{
    static const char units[] = "KMGTPE";
    struct number n = {0};

    p = skip_blanks(p, end);
    if (p < end && *p == '-') {
        n.negative = true;
        p++;
    }
    while (p < end && *p == '0')
        p++;
    n.digits = p;
    while (p < end && isdigit((unsigned char)*p))
        p++;
    n.ndigits = (size_t)(p - n.digits);
    if (p < end && *p == '.') {
        n.fraction = ++p;
        while (p < end && isdigit((unsigned char)*p))
            p++;
        n.nfraction = (size_t)(p - n.fraction);
        while (n.nfraction > 0 && n.fraction[n.nfraction - 1] == '0')
            n.nfraction--;
    }
    if (human && p < end && *p) {
        const char *unit = strchr(units, toupper((unsigned char)*p));

        n.unit = unit ? (int)(unit - units) + 1 : 0;
    }
    if (!n.ndigits && !n.nfraction)
        n.negative = false, n.unit = 0;
    return n;
}

static int compare_numbers(const char *a, const char *aend, const char *b, const char *bend,
                           bool human)
{
    struct number x = read_number(a, aend, human), y = read_number(b, bend, human);
    int result;

    if (x.negative != y.negative)
        return x.negative ? -1 : 1;
    if (x.unit != y.unit)
        result = x.unit - y.unit;
    else if (x.ndigits != y.ndigits)
        result = x.ndigits < y.ndigits ? -1 : 1;
    else
        result = memcmp(x.digits, y.digits, x.ndigits);
    if (!result && (x.nfraction || y.nfraction))
        result = compare_bytes(x.nfraction ? x.fraction : "", x.nfraction,
                               y.nfraction ? y.fraction : "", y.nfraction);
    return x.negative ? -result : result;
}

static int compare_parts(const char *a, const char *aend, const char *b, const char *bend,
                         const struct order *o)
{
    int result;

    if (o->skip_blanks)
        a = skip_blanks(a, aend), b = skip_blanks(b, bend);
    if (o->numeric || o->human)
        result = compare_numbers(a, aend, b, bend, o->human);
    else
        result = compare_text(a, aend, b, bend, o);
    return o->reverse ? -result : result;
}

static int compare_key(const struct key *key, const struct line *a, const struct line *b)
{
    const char *aend = a->text + a->len, *bend = b->text + b->len;
    const char *a1 = key_start(key, a->text, aend), *a2 = key_end(key, a->text, aend);
    const char *b1 = key_start(key, b->text, bend), *b2 = key_end(key, b->text, bend);

    return compare_parts(a1, a2 < a1 ? a1 : a2, b1, b2 < b1 ? b1 : b2, &key->order);
}

static int compare_keys(const struct line *a, const struct line *b)
{
    int result = 0;

    for (size_t i = 0; i < nkeys && !result; i++)
        result = compare_key(&keys[i], a, b);
    if (!nkeys)
        result = compare_parts(a->text, a->text + a->len, b->text, b->text + b->len, &order);
    if (result || opt('s') || opt('u'))
        return result;
    result = compare_bytes(a->text, a->len, b->text, b->len);
    return order.reverse ? -result : result;
}

static int compare(const void *left, const void *right)
{
    const struct line *a = left, *b = right;
    int result = compare_keys(a, b);

    return result ? result : (a->number > b->number) - (a->number < b->number);
}

/* Options */

static bool set_order(struct order *o, char letter, bool for_end)
{
    switch (letter) {
    case 'n': o->numeric = true; break;
    case 'h': o->human = true; break;
    case 'r': o->reverse = true; break;
    case 'f': o->fold = true; break;
    case 'd': o->dictionary = true; break;
    case 'b': *(for_end ? &o->skip_blanks_end : &o->skip_blanks) = true; break;
    default: return false;
    }
    return true;
}

static bool read_count(const char **p, size_t *out)
{
    char *end;

    if (!isdigit((unsigned char)**p))
        return false;
    *out = strtoul(*p, &end, 10);
    *p = end;
    return true;
}

static bool parse_position(const char **p, struct key *key, bool is_end)
{
    size_t *field = is_end ? &key->end_field : &key->field;
    size_t *character = is_end ? &key->end_character : &key->character;

    if (!read_count(p, field) || *field == 0)
        return false;
    if (**p == '.') {
        ++*p;
        if (!read_count(p, character) || (*character == 0 && !is_end))
            return false;
    }
    while (**p && **p != ',' && set_order(&key->order, **p, is_end))
        ++*p;
    return true;
}

static void add_key(const char *text)
{
    struct key key = {.character = 1};
    const char *p = text;

    bool ok = parse_position(&p, &key, false);
    if (ok && *p == ',') {
        p++;
        ok = parse_position(&p, &key, true);
    }
    if (!ok || *p)
        error(2, 0, "invalid key specification '%s'", text);
    keys = grow(keys, nkeys, sizeof(keys[0]));
    keys[nkeys++] = key;
}

/* A key without options of its own takes the global ones. */
static void inherit_order(void)
{
    static const struct order none;

    for (size_t i = 0; i < nkeys; i++)
        if (memcmp(&keys[i].order, &none, sizeof(none)) == 0) {
            keys[i].order = order;
            keys[i].order.skip_blanks_end = order.skip_blanks;
        }
}

/* Input and output */

static void add_lines(const char *path)
{
    int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    size_t len;
    char *data = fd < 0 ? NULL : read_fd(fd, &len);

    if (!data)
        error(2, errno, "cannot read: %s", path);
    if (fd != STDIN_FILENO)
        close(fd);
    if (len > 0 && data[len - 1] != terminator)
        data[len++] = terminator;
    for (const char *p = data, *end = data + len; p < end;) {
        const char *stop = memchr(p, terminator, (size_t)(end - p));

        lines = grow(lines, nlines, sizeof(lines[0]));
        lines[nlines] = (struct line){p, (size_t)(stop - p), nlines};
        nlines++;
        p = stop + 1;
    }
}

static int check_sorted(const char *path)
{
    for (size_t i = 1; i < nlines; i++) {
        int result = compare_keys(&lines[i - 1], &lines[i]);

        if (result < 0 || (result == 0 && !opt('u')))
            continue;
        warnx("%s:%zu: disorder: %.*s", path, i + 1, (int)lines[i].len, lines[i].text);
        return 1;
    }
    return 0;
}

static int write_output(const char *path)
{
    /* Opened only now: it may be one of the inputs. */
    FILE *out = path ? fopen(path, "we") : stdout;

    if (!out)
        error(2, errno, "open failed: %s", path);
    for (size_t i = 0; i < nlines; i++)
        if (!opt('u') || i == 0 || compare_keys(&lines[i - 1], &lines[i]) != 0)
            fwrite(lines[i].text, 1, lines[i].len + 1, out);
    if (path && (ferror(out) | fclose(out)))
        error(2, errno, "write failed: %s", path);
    return finish_output(0) ? 2 : 0;
}

int sort_main(int argc, char **argv)
{
    const char *letters = "nhrfdb";

    read_options(&argc, &argv, "bcdfhk:no:rst:uz", 2);
    for (const char *p = letters; *p; p++)
        if (opt(*p))
            set_order(&order, *p, false);
    if (opt('k'))
        for (char *rest = opt_values('k'), *key; (key = strsep(&rest, "\n")) != NULL;)
            add_key(key);
    inherit_order();
    if (opt('t') && strlen(opt_value('t')) > 1 && strcmp(opt_value('t'), "\\0") != 0)
        diex("the separator must be one character: '%s'", opt_value('t'));
    if (opt('t'))
        separator = strcmp(opt_value('t'), "\\0") == 0 ? 0 : (unsigned char)*opt_value('t');
    terminator = opt('z') ? '\0' : '\n';
    for (int i = 0; i < argc; i++)
        add_lines(argv[i]);
    if (argc == 0)
        add_lines("-");
    if (opt('c'))
        return check_sorted(argc ? argv[0] : "-");
    if (nlines)
        qsort(lines, nlines, sizeof(lines[0]), compare);
    return write_output(opt_value('o'));
}
