/* SPDX-License-Identifier: MIT */
/*
 * test and [: conditions on files, strings and numbers, as an exit status: 0 true, 1 false, 2 bad
 * expression.
 *
 * Up to four arguments POSIX decides by their count, so that `test "$a" = "$b"` is right whatever
 * the strings hold; longer expressions go through a small recursive descent: or, and, not,
 * parentheses, primaries. Runs inside the shell: no state, no exit.
 */
#include "user/box.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

struct expression {
    char **args;
    int pos, end;
    bool failed; /* a message has been printed; the status is 2 */
};

static bool fail(struct expression *e, const char *what, const char *text)
{
    if (!e->failed)
        warnx("%s%s%s", text ? text : "", text ? ": " : "", what);
    e->failed = true;
    return false;
}

/* Primaries */

static int64_t number(struct expression *e, const char *text)
{
    int64_t value = 0;

    if (!parse_i64(text + strspn(text, " \t"), 10, &value))
        fail(e, "integer expression expected", text);
    return value;
}

/* Letters that ask about a file's type, and about one bit of its mode. */
static const struct {
    char letter;
    mode_t type, bit;
} modes[] = {{'f', S_IFREG, 0}, {'d', S_IFDIR, 0},  {'b', S_IFBLK, 0}, {'c', S_IFCHR, 0},
             {'p', S_IFIFO, 0}, {'S', S_IFSOCK, 0}, {'L', S_IFLNK, 0}, {'h', S_IFLNK, 0},
             {'u', 0, S_ISUID}, {'g', 0, S_ISGID},  {'k', 0, S_ISVTX}};

static bool is_unary(const char *op)
{
    return op[0] == '-' && op[1] && !op[2] && strchr("bcdefgGhkLnOprsStuwxz", op[1]);
}

static bool eval_unary(struct expression *e, char op, const char *arg)
{
    bool link = op == 'h' || op == 'L';
    struct stat st;

    switch (op) {
    case 'n': return *arg != '\0';
    case 'z': return *arg == '\0';
    case 'r': return faccessat(AT_FDCWD, arg, R_OK, AT_EACCESS) == 0;
    case 'w': return faccessat(AT_FDCWD, arg, W_OK, AT_EACCESS) == 0;
    case 'x': return faccessat(AT_FDCWD, arg, X_OK, AT_EACCESS) == 0;
    case 't': return isatty((int)number(e, arg));
    }
    if (fstatat(AT_FDCWD, arg, &st, link ? AT_SYMLINK_NOFOLLOW : 0) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
        if (modes[i].letter == op)
            return modes[i].bit ? (st.st_mode & modes[i].bit) != 0
                                : (st.st_mode & S_IFMT) == modes[i].type;
    switch (op) {
    case 's': return st.st_size > 0;
    case 'O': return st.st_uid == geteuid();
    case 'G': return st.st_gid == getegid();
    default: return true;
    }
}

/* The order of two operands, compared as the operator asks, and the orders that make it true. */
enum how { STRINGS, NUMBERS, TIMES, FILES };

static const struct {
    const char *text;
    enum how how;
    bool less, equal, greater;
} binary_ops[] = {
    {"=", STRINGS, false, true, false},  {"==", STRINGS, false, true, false},
    {"!=", STRINGS, true, false, true},  {"<", STRINGS, true, false, false},
    {">", STRINGS, false, false, true},  {"-eq", NUMBERS, false, true, false},
    {"-ne", NUMBERS, true, false, true}, {"-lt", NUMBERS, true, false, false},
    {"-le", NUMBERS, true, true, false}, {"-gt", NUMBERS, false, false, true},
    {"-ge", NUMBERS, false, true, true}, {"-nt", TIMES, false, false, true},
    {"-ot", TIMES, true, false, false},  {"-ef", FILES, false, true, false},
};

static int find_binary(const char *op)
{
    for (size_t i = 0; i < ARRAY_SIZE(binary_ops); i++)
        if (strcmp(op, binary_ops[i].text) == 0)
            return (int)i;
    return -1;
}

/* A file that exists is newer than one that does not. */
static int compare_files(const char *a, const char *b, enum how how)
{
    struct stat sa, sb;
    bool has_a = stat(a, &sa) == 0, has_b = stat(b, &sb) == 0;

    if (how == FILES)
        return !(has_a && has_b && same_file(&sa, &sb));
    if (!has_a || !has_b)
        return has_a - has_b;
    const struct timespec *x = &sa.st_mtim, *y = &sb.st_mtim;
    return x->tv_sec != y->tv_sec ? (x->tv_sec > y->tv_sec) - (x->tv_sec < y->tv_sec)
                                  : (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

static bool eval_binary(struct expression *e, const char *a, int op, const char *b)
{
    enum how how = binary_ops[op].how;
    int order;

    if (how == NUMBERS) {
        int64_t x = number(e, a), y = number(e, b);

        order = (x > y) - (x < y);
    } else {
        order = how == STRINGS ? strcmp(a, b) : compare_files(a, b, how);
    }
    return order < 0   ? binary_ops[op].less
           : order > 0 ? binary_ops[op].greater
                       : binary_ops[op].equal;
}

/* Expressions of any length */

static bool parse_or(struct expression *e);

static const char *peek(const struct expression *e, int ahead)
{
    return e->pos + ahead < e->end ? e->args[e->pos + ahead] : NULL;
}

static bool accept(struct expression *e, const char *word)
{
    const char *next = peek(e, 0);

    if (!next || strcmp(next, word) != 0)
        return false;
    e->pos++;
    return true;
}

static bool parse_primary(struct expression *e)
{
    const char *a = peek(e, 0), *op = peek(e, 1), *b = peek(e, 2);

    if (!a)
        return fail(e, "argument expected", NULL);
    /* An operator in the middle wins: `test -f = -f` compares two strings. */
    if (op && b && find_binary(op) >= 0) {
        e->pos += 3;
        return eval_binary(e, a, find_binary(op), b);
    }
    if (accept(e, "(")) {
        bool value = parse_or(e);

        return accept(e, ")") ? value : fail(e, "')' expected", NULL);
    }
    if (is_unary(a) && op) {
        e->pos += 2;
        return eval_unary(e, a[1], op);
    }
    e->pos++;
    return *a != '\0';
}

static bool parse_not(struct expression *e)
{
    bool negated = false;

    while (peek(e, 1) && !(peek(e, 2) && find_binary(peek(e, 1)) >= 0) && accept(e, "!"))
        negated = !negated;
    return parse_primary(e) != negated;
}

static bool parse_and(struct expression *e)
{
    bool value = parse_not(e);

    while (accept(e, "-a"))
        value = parse_not(e) && value;
    return value;
}

static bool parse_or(struct expression *e)
{
    bool value = parse_and(e);

    while (accept(e, "-o"))
        value = parse_and(e) || value;
    return value;
}

/* POSIX's table by number of arguments */
static bool eval(struct expression *e)
{
    char **a = e->args + e->pos;
    int count = e->end - e->pos;

    if (count == 0)
        return false;
    if (count == 1)
        return *a[0] != '\0';
    if (count == 3 && find_binary(a[1]) >= 0)
        return eval_binary(e, a[0], find_binary(a[1]), a[2]);
    if (count <= 4 && strcmp(a[0], "!") == 0) {
        e->pos++;
        return !eval(e);
    }
    if (count == 3 && strcmp(a[0], "(") == 0 && strcmp(a[2], ")") == 0)
        return *a[1] != '\0';
    if (count == 2 && !is_unary(a[0]))
        return fail(e, "unary operator expected", a[0]);
    bool value = parse_or(e);
    if (!e->failed && e->pos < e->end)
        fail(e, "unexpected argument", e->args[e->pos]);
    return value;
}

int test_main(int argc, char **argv)
{
    struct expression e = {.args = argv, .pos = 1, .end = argc};

    if (strcmp(base_name(argv[0]), "[") == 0 && (argc < 2 || strcmp(argv[--e.end], "]") != 0)) {
        warnx("missing ']'");
        return 2;
    }
    bool value = eval(&e);
    return e.failed ? 2 : !value;
}
