/* SPDX-License-Identifier: MIT */
/*
 * tr: bytes changed, deleted (-d) or squeezed (-s). A set is a string of bytes with escapes,
 * ranges a-z, classes [:alpha:] and repetitions [x*n]; -c means all bytes outside the first set.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define SET_MAX 4096

struct set {
    unsigned char bytes[SET_MAX];
    size_t count;
    bool member[256];
};

static void add(struct set *set, int c)
{
    if (set->count == SET_MAX)
        diex("a set is longer than %d bytes", SET_MAX);
    set->bytes[set->count++] = (unsigned char)c;
    set->member[(unsigned char)c] = true;
}

static int read_char(const char **p)
{
    static const char letters[] = "abfnrtv\\", bytes[] = "\a\b\f\n\r\t\v\\";

    if (**p != '\\' || !(*p)[1])
        return (unsigned char)*(*p)++;
    ++*p;
    if (**p >= '0' && **p <= '7') {
        int value = 0;

        for (int i = 0; i < 3 && **p >= '0' && **p <= '7'; i++)
            value = value * 8 + *(*p)++ - '0';
        return value & 0xff;
    }
    const char *letter = strchr(letters, **p);
    int c = letter ? bytes[letter - letters] : **p;
    ++*p;
    return (unsigned char)c;
}

/* "[:name:]" at p: adds the class and moves past it. */
static bool add_class(struct set *set, const char **p)
{
    const char *end = strncmp(*p, "[:", 2) == 0 ? strstr(*p + 2, ":]") : NULL;
    char name[16];

    if (!end)
        return false;
    snprintf(name, sizeof(name), "%.*s", (int)(end - *p - 2), *p + 2);
    wctype_t class = wctype(name);
    for (int c = 0; class && c < 256; c++)
        if (iswctype(btowc(c), class))
            add(set, c);
    *p = class ? end + 2 : *p;
    return class != 0;
}

/* "[x*n]", or "[x*]" for as many as fill the set up to the first one's length */
static bool add_repeated(struct set *set, const char **p, size_t fill)
{
    const char *q = *p + 1;
    char *end;

    if (**p != '[' || !*q)
        return false;
    int c = read_char(&q);
    if (*q != '*')
        return false;
    size_t times = strtoul(q + 1, &end, q[1] == '0' ? 8 : 10);
    if (*end != ']')
        return false;
    if (times == 0)
        times = fill > set->count ? fill - set->count : 0;
    while (times-- > 0)
        add(set, c);
    *p = end + 1;
    return true;
}

static void parse_set(struct set *set, const char *text, size_t fill)
{
    for (const char *p = text; *p;) {
        if (add_class(set, &p) || add_repeated(set, &p, fill))
            continue;
        int first = read_char(&p);
        if (p[0] != '-' || !p[1]) {
            add(set, first);
            continue;
        }
        p++;
        int last = read_char(&p);
        if (last < first)
            diex("range-endpoints of '%c-%c' are in reverse collating sequence order", first, last);
        for (int c = first; c <= last; c++)
            add(set, c);
    }
}

static void complement(struct set *set)
{
    struct set other = {.count = 0};

    for (int c = 0; c < 256; c++)
        if (!set->member[c])
            add(&other, c);
    *set = other;
}

/* A short second set goes on with its last byte. */
static void make_table(const struct set *from, const struct set *to, unsigned char table[256])
{
    for (int c = 0; c < 256; c++)
        table[c] = (unsigned char)c;
    for (size_t i = 0; i < from->count && to->count; i++)
        table[from->bytes[i]] = to->bytes[i < to->count ? i : to->count - 1];
}

int tr_main(int argc, char **argv)
{
    static struct set from, to;
    unsigned char table[256];
    int c, last = EOF;

    read_options(&argc, &argv, "+Ccds", 1);
    bool drop = opt('d'), squeeze = opt('s'), translate = !drop && argc == 2;
    if (argc < 1 || argc > 2 || (argc == 1 && !drop && !squeeze) ||
        (drop && squeeze != (argc == 2)))
        usage(1);
    parse_set(&from, argv[0], 0);
    if (opt('c') || opt('C'))
        complement(&from);
    if (argc == 2)
        parse_set(&to, argv[1], from.count);
    if (translate && to.count == 0)
        diex("when not truncating set1, string2 must be non-empty");
    make_table(&from, translate ? &to : &from, table);
    const struct set *squeezed = argc == 2 ? &to : &from;
    while ((c = getchar()) != EOF) {
        if (drop && from.member[c])
            continue;
        c = table[c];
        if (squeeze && c == last && squeezed->member[c])
            continue;
        last = c;
        putchar(c);
    }
    if (ferror(stdin))
        die("read error");
    return 0;
}
