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
#include <sys/stat.h>
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

static bool file_mode(const char *path, mode_t type)
{
    struct stat st;

    return stat(path, &st) == 0 && (st.st_mode & S_IFMT) == type;
}

static bool file_is_link(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static bool file_has_bit(const char *path, mode_t bit)
{
    struct stat st;

    return stat(path, &st) == 0 && (st.st_mode & bit) != 0;
}

static bool file_owned(const char *path, bool group)
{
    struct stat st;

    return stat(path, &st) == 0 && (group ? st.st_gid == getegid() : st.st_uid == geteuid());
}

static bool file_not_empty(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && st.st_size > 0;
}

static bool is_unary(const char *op)
{
    return op[0] == '-' && op[1] && !op[2] && strchr("bcdefgGhkLnOprsStuwxz", op[1]);
}

static int64_t number(struct expression *e, const char *text)
{
    int64_t value = 0;

    while (*text == ' ' || *text == '\t')
        text++;
    if (!parse_i64(text, 10, &value))
        fail(e, "integer expression expected", text);
    return value;
}

static bool eval_unary(struct expression *e, char op, const char *arg)
{
    switch (op) {
    case 'n': return *arg != '\0';
    case 'z': return *arg == '\0';
    case 'e': return access(arg, F_OK) == 0;
    case 'r': return faccessat(AT_FDCWD, arg, R_OK, AT_EACCESS) == 0;
    case 'w': return faccessat(AT_FDCWD, arg, W_OK, AT_EACCESS) == 0;
    case 'x': return faccessat(AT_FDCWD, arg, X_OK, AT_EACCESS) == 0;
    case 's': return file_not_empty(arg);
    case 'f': return file_mode(arg, S_IFREG);
    case 'd': return file_mode(arg, S_IFDIR);
    case 'b': return file_mode(arg, S_IFBLK);
    case 'c': return file_mode(arg, S_IFCHR);
    case 'p': return file_mode(arg, S_IFIFO);
    case 'S': return file_mode(arg, S_IFSOCK);
    case 'h':
    case 'L': return file_is_link(arg);
    case 'u': return file_has_bit(arg, S_ISUID);
    case 'g': return file_has_bit(arg, S_ISGID);
    case 'k': return file_has_bit(arg, S_ISVTX);
    case 'O': return file_owned(arg, false);
    case 'G': return file_owned(arg, true);
    case 't': return isatty((int)number(e, arg));
    default: return false;
    }
}

/* -nt, -ot: a file that exists is newer than one that does not. */
static bool file_newer(const char *a, const char *b)
{
    struct stat sa, sb;

    if (stat(a, &sa) != 0)
        return false;
    if (stat(b, &sb) != 0)
        return true;
    if (sa.st_mtim.tv_sec != sb.st_mtim.tv_sec)
        return sa.st_mtim.tv_sec > sb.st_mtim.tv_sec;
    return sa.st_mtim.tv_nsec > sb.st_mtim.tv_nsec;
}

static bool file_same(const char *a, const char *b)
{
    struct stat sa, sb;

    return stat(a, &sa) == 0 && stat(b, &sb) == 0 && sa.st_dev == sb.st_dev &&
           sa.st_ino == sb.st_ino;
}

static const char *const binary_ops[] = {"=",   "==",  "!=",  "<",   ">",   "-eq", "-ne",
                                         "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"};
enum { EQUAL, EQUAL2, DIFFERENT, BEFORE, AFTER, EQ, NE, LT, LE, GT, GE, NT, OT, EF };

static int find_binary(const char *op)
{
    for (size_t i = 0; i < ARRAY_SIZE(binary_ops); i++)
        if (strcmp(op, binary_ops[i]) == 0)
            return (int)i;
    return -1;
}

static bool eval_binary(struct expression *e, const char *a, int op, const char *b)
{
    switch (op) {
    case EQUAL:
    case EQUAL2: return strcmp(a, b) == 0;
    case DIFFERENT: return strcmp(a, b) != 0;
    case BEFORE: return strcmp(a, b) < 0;
    case AFTER: return strcmp(a, b) > 0;
    case NT: return file_newer(a, b);
    case OT: return file_newer(b, a);
    case EF: return file_same(a, b);
    default: break;
    }
    int64_t x = number(e, a), y = number(e, b);
    switch (op) {
    case EQ: return x == y;
    case NE: return x != y;
    case LT: return x < y;
    case LE: return x <= y;
    case GT: return x > y;
    default: return x >= y;
    }
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

static bool parse_all(struct expression *e)
{
    bool value = parse_or(e);

    if (!e->failed && e->pos < e->end)
        fail(e, "unexpected argument", e->args[e->pos]);
    return value;
}

/* POSIX's table by number of arguments */

static bool eval(struct expression *e)
{
    char **a = e->args;
    int count = e->end - e->pos;

    if (count == 0)
        return false;
    a += e->pos;
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
    return parse_all(e);
}

int test_main(int argc, char **argv)
{
    struct expression e = {.args = argv, .pos = 1, .end = argc};

    if (strcmp(base_name(argv[0]), "[") == 0) {
        if (strcmp(argv[argc - 1], "]") != 0 || argc < 2) {
            warnx("missing ']'");
            return 2;
        }
        e.end--;
    }
    bool value = eval(&e);
    if (e.failed)
        return 2;
    return value ? 0 : 1;
}
