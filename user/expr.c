/* SPDX-License-Identifier: MIT */
/*
 * expr: an expression of words, evaluated. By rising priority: | , & , comparisons, + -, * / %,
 * STRING : REGEX, and ( ), length, substr, index, match. Values are strings; those that look like
 * whole numbers are used as such. Exit status: 0 the result is neither empty nor 0, 1 it is,
 * 2 bad expression.
 *
 * Values are never freed: the process ends with the expression.
 */
#include "user/box.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

static char **words;

static char *parse_level(int level);

static _Noreturn void fail(const char *what)
{
    error(2, 0, "%s", what);
    exit(2);
}

static bool accept(const char *text)
{
    if (!*words || strcmp(*words, text) != 0)
        return false;
    words++;
    return true;
}

static char *from_number(int64_t value)
{
    return xasprintf("%lld", (long long)value);
}

static bool is_number(const char *text, int64_t *value)
{
    return text[0] != '+' && parse_i64(text, 10, value);
}

static int64_t to_number(const char *text)
{
    int64_t value;

    if (!is_number(text, &value))
        fail("non-integer argument");
    return value;
}

static bool is_true(const char *text)
{
    int64_t value;

    return *text && !(is_number(text, &value) && value == 0);
}

/* Anchored at the start. With \( \) the result is what they matched, else the length. */
static char *match(const char *text, const char *pattern)
{
    regmatch_t m[2];
    regex_t regex;

    if (regcomp(&regex, pattern, 0) != 0)
        fail("invalid regular expression");
    bool found = regexec(&regex, text, 2, m, 0) == 0 && m[0].rm_so == 0;
    if (regex.re_nsub == 0)
        return from_number(found ? m[0].rm_eo : 0);
    return found && m[1].rm_so >= 0
               ? xasprintf("%.*s", (int)(m[1].rm_eo - m[1].rm_so), text + m[1].rm_so)
               : "";
}

static char *substring(const char *text, int64_t from, int64_t len)
{
    int64_t size = (int64_t)strlen(text);

    if (from < 1 || from > size || len < 1)
        return "";
    return xasprintf("%.*s", (int)(len < size ? len : size), text + from - 1);
}

static char *parse_primary(void)
{
    bool more = *words && words[1];

    if (accept("(")) {
        char *inner = parse_level(0);

        if (!accept(")"))
            fail("syntax error: expecting ')'");
        return inner;
    }
    if (more && accept("length"))
        return from_number((int64_t)strlen(parse_primary()));
    if (more && accept("index")) {
        char *text = parse_primary();
        size_t at = strcspn(text, parse_primary());

        return from_number(text[at] ? (int64_t)at + 1 : 0);
    }
    if (more && accept("match")) {
        char *text = parse_primary();

        return match(text, parse_primary());
    }
    if (more && accept("substr")) {
        char *text = parse_primary();
        int64_t from = to_number(parse_primary());

        return substring(text, from, to_number(parse_primary()));
    }
    if (more)
        accept("+");
    if (!*words || strcmp(*words, ")") == 0)
        fail("syntax error: missing argument");
    return *words++;
}

static char *compute(const char *left, char op, const char *right)
{
    int64_t a = to_number(left), b = to_number(right), result = 0;
    bool overflow;

    switch (op) {
    case '+': overflow = __builtin_add_overflow(a, b, &result); break;
    case '-': overflow = __builtin_sub_overflow(a, b, &result); break;
    case '*': overflow = __builtin_mul_overflow(a, b, &result); break;
    default:
        if (b == 0)
            fail("division by zero");
        overflow = a == INT64_MIN && b == -1;
        if (!overflow)
            result = op == '/' ? a / b : a % b;
    }
    if (overflow)
        fail("the result is out of range");
    return from_number(result);
}

static char *compare(const char *a, const char *op, const char *b)
{
    int64_t x, y;
    int order = is_number(a, &x) && is_number(b, &y) ? (x > y) - (x < y) : strcmp(a, b);

    switch (op[0]) {
    case '=': return from_number(order == 0);
    case '!': return from_number(order != 0);
    case '<': return from_number(op[1] ? order <= 0 : order < 0);
    default: return from_number(op[1] ? order >= 0 : order > 0);
    }
}

static char *apply(int level, char *a, const char *op, char *b)
{
    switch (level) {
    case 0: return is_true(a) ? a : *b ? b : "0";
    case 1: return is_true(a) && is_true(b) ? a : "0";
    case 2: return compare(a, op, b);
    case 5: return match(a, b);
    default: return compute(a, *op, b);
    }
}

/* Operators of one priority, from the weakest on; all group from the left. */
static char *parse_level(int level)
{
    static const char *const ops[][8] = {
        {"|"}, {"&"}, {"=", "==", "!=", "<", "<=", ">", ">="}, {"+", "-"}, {"*", "/", "%"}, {":"}};
    const char *const *op;

    if (level == (int)ARRAY_SIZE(ops))
        return parse_primary();
    char *left = parse_level(level + 1);
    do {
        for (op = ops[level]; *op && !accept(*op); op++)
            ;
        if (*op)
            left = apply(level, left, *op, parse_level(level + 1));
    } while (*op);
    return left;
}

int expr_main(int argc, char **argv)
{
    words = argv + 1;
    if (argc > 1)
        accept("--");
    if (!*words)
        usage(2);
    char *result = parse_level(0);
    if (*words)
        fail("syntax error: unexpected argument");
    puts(result);
    return is_true(result) ? 0 : 1;
}
