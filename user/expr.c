/* SPDX-License-Identifier: MIT */
/*
 * expr: an expression of words, evaluated. By rising priority: | , & , comparisons, + -, * / %,
 * STRING : REGEX, and ( ), length, substr, index, match. Values are strings; those that look like
 * whole numbers are used as such. Exit status: 0 the result is neither empty nor 0, 1 it is,
 * 2 bad expression.
 */
#include "user/box.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

static char **words;

static char *parse_or(void);

static _Noreturn void fail(const char *what)
{
    warnx("%s", what);
    exit(2);
}

static bool is_word(const char *text)
{
    return *words && strcmp(*words, text) == 0;
}

static bool accept(const char *text)
{
    if (!is_word(text))
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
    char *result;

    if (regcomp(&regex, pattern, 0) != 0)
        fail("invalid regular expression");
    bool found = regexec(&regex, text, 2, m, 0) == 0 && m[0].rm_so == 0;
    if (regex.re_nsub > 0)
        result = found && m[1].rm_so >= 0
                     ? xasprintf("%.*s", (int)(m[1].rm_eo - m[1].rm_so), text + m[1].rm_so)
                     : xstrdup("");
    else
        result = from_number(found ? m[0].rm_eo : 0);
    regfree(&regex);
    return result;
}

static char *substring(const char *text, int64_t from, int64_t len)
{
    int64_t size = (int64_t)strlen(text);

    if (from < 1 || from > size || len < 1)
        return xstrdup("");
    if (len > size - from + 1)
        len = size - from + 1;
    return xasprintf("%.*s", (int)len, text + from - 1);
}

static char *next_word(void)
{
    if (!*words)
        fail("syntax error: missing argument");
    return xstrdup(*words++);
}

static char *parse_primary(void)
{
    char *result, *a, *b, *c;

    if (accept("(")) {
        result = parse_or();
        if (!accept(")"))
            fail("syntax error: expecting ')'");
        return result;
    }
    if (is_word(")"))
        fail("syntax error: unexpected ')'");
    if (is_word("+") && words[1]) {
        words++;
        return next_word();
    }
    if (is_word("length") && words[1]) {
        words++;
        a = parse_primary();
        result = from_number((int64_t)strlen(a));
        free(a);
    } else if (is_word("index") && words[1]) {
        words++;
        a = parse_primary(), b = parse_primary();
        size_t at = strcspn(a, b);
        result = from_number(a[at] ? (int64_t)at + 1 : 0);
        free(a), free(b);
    } else if (is_word("match") && words[1]) {
        words++;
        a = parse_primary(), b = parse_primary();
        result = match(a, b);
        free(a), free(b);
    } else if (is_word("substr") && words[1]) {
        words++;
        a = parse_primary(), b = parse_primary(), c = parse_primary();
        result = substring(a, to_number(b), to_number(c));
        free(a), free(b), free(c);
    } else {
        result = next_word();
    }
    return result;
}

static char *parse_match(void)
{
    char *left = parse_primary();

    while (accept(":")) {
        char *right = parse_primary(), *result = match(left, right);

        free(left);
        free(right);
        left = result;
    }
    return left;
}

static int64_t compute(int64_t a, char op, int64_t b)
{
    int64_t result = 0;
    bool overflow = false;

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
        break;
    }
    if (overflow)
        fail("the result is out of range");
    return result;
}

static char *parse_arithmetic(const char *ops, char *(*operand)(void))
{
    char *left = operand();

    while (*words && strlen(*words) == 1 && strchr(ops, **words)) {
        char op = **words++;
        char *right = operand();
        char *result = from_number(compute(to_number(left), op, to_number(right)));

        free(left);
        free(right);
        left = result;
    }
    return left;
}

static char *parse_product(void)
{
    return parse_arithmetic("*/%", parse_match);
}

static char *parse_sum(void)
{
    return parse_arithmetic("+-", parse_product);
}

static bool compare(const char *a, const char *op, const char *b)
{
    int64_t x, y;
    int order = is_number(a, &x) && is_number(b, &y) ? (x > y) - (x < y) : strcmp(a, b);

    switch (op[0]) {
    case '=': return order == 0;
    case '!': return order != 0;
    case '<': return op[1] ? order <= 0 : order < 0;
    default: return op[1] ? order >= 0 : order > 0;
    }
}

static char *parse_comparison(void)
{
    static const char *const ops[] = {"=", "==", "!=", "<", "<=", ">", ">="};
    char *left = parse_sum();

    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (!accept(ops[i]))
            continue;
        char *right = parse_sum(), *result = from_number(compare(left, ops[i], right));

        free(left);
        free(right);
        left = result;
        i = (size_t)-1;
    }
    return left;
}

static char *parse_and(void)
{
    char *left = parse_comparison();

    while (accept("&")) {
        char *right = parse_comparison();

        if (!is_true(left) || !is_true(right)) {
            free(left);
            left = xstrdup("0");
        }
        free(right);
    }
    return left;
}

static char *parse_or(void)
{
    char *left = parse_and();

    while (accept("|")) {
        char *right = parse_and();

        if (is_true(left)) {
            free(right);
        } else {
            free(left);
            left = *right ? right : (free(right), xstrdup("0"));
        }
    }
    return left;
}

int expr_main(int argc, char **argv)
{
    words = argv + 1;
    if (argc > 1 && strcmp(argv[1], "--") == 0)
        words++;
    if (!*words) {
        warnx("missing operand");
        usage(2);
    }
    char *result = parse_or();
    if (*words)
        fail("syntax error: unexpected argument");
    int status = is_true(result) ? 0 : 1;
    puts(result);
    free(result);
    return status;
}
