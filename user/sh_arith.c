/* SPDX-License-Identifier: MIT */
/*
 * Arithmetic: the expression inside $(( )), already expanded as a string.
 *
 * Precedence climbing over C's operators on 64-bit integers that wrap around. Parts that C would
 * not evaluate (the other side of ?:, && and ||) are parsed with `skip` set: they assign nothing
 * and cannot divide by zero.
 */
#include "user/sh.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct arith {
    const char *p;
    int skip, depth;
    const char *error;
};

static const struct {
    char text[3];
    int level;
} binary[] = {
    /* Longer ones first: the first that matches is taken. */
    {"||", 1}, {"&&", 2}, {"==", 6}, {"!=", 6}, {"<=", 7}, {">=", 7},
    {"<<", 8}, {">>", 8}, {"|", 3},  {"^", 4},  {"&", 5},  {"<", 7},
    {">", 7},  {"+", 9},  {"-", 9},  {"*", 10}, {"/", 10}, {"%", 10},
};

static int64_t assignment(struct arith *a);

static void fail(struct arith *a, const char *why)
{
    if (!a->error)
        a->error = why;
}

static void spaces(struct arith *a)
{
    while (isspace((unsigned char)*a->p))
        a->p++;
}

static bool take(struct arith *a, const char *text)
{
    spaces(a);
    if (strncmp(a->p, text, strlen(text)) != 0)
        return false;
    a->p += strlen(text);
    return true;
}

static int64_t variable_value(struct arith *a, const char *name)
{
    const char *value = var_get(name);
    char *end;

    if (!value && sh.opt.nounset)
        fail(a, "parameter not set");
    if (!value || !*value)
        return 0;
    errno = 0;
    int64_t n = strtoll(value, &end, 0);
    while (isspace((unsigned char)*end))
        end++;
    if (*end)
        fail(a, "a variable's value is not a number");
    return n;
}

/* C does not define overflow and long shifts: they wrap around here. */
static int64_t apply(struct arith *a, const char *op, int64_t x, int64_t y)
{
    uint64_t ux = (uint64_t)x, uy = (uint64_t)y;

    if ((op[0] == '/' || op[0] == '%') && y == 0) {
        if (!a->skip)
            fail(a, "division by zero");
        return 0;
    }
    switch (op[0] | op[1] << 8) {
    case '+': return (int64_t)(ux + uy);
    case '-': return (int64_t)(ux - uy);
    case '*': return (int64_t)(ux * uy);
    case '/': return y == -1 ? (int64_t)-ux : x / y;
    case '%': return y == -1 ? 0 : x % y;
    case '&': return x & y;
    case '|': return x | y;
    case '^': return x ^ y;
    case '<': return x < y;
    case '>': return x > y;
    case '<' | '<' << 8: return (int64_t)(ux << (uy & 63));
    case '>' | '>' << 8: return x >> (uy & 63);
    case '<' | '=' << 8: return x <= y;
    case '>' | '=' << 8: return x >= y;
    case '=' | '=' << 8: return x == y;
    case '!' | '=' << 8: return x != y;
    case '&' | '&' << 8: return x && y;
    default: return x || y;
    }
}

static int64_t name_or_assignment(struct arith *a)
{
    static const char *const ops[] = {
        "<<=", ">>=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "="};
    const char *start = a->p;
    char name[128], text[24];
    int64_t value;

    while (is_name_char((unsigned char)*a->p))
        a->p++;
    snprintf(name, sizeof(name), "%.*s", (int)(a->p - start), start);
    spaces(a);
    if (a->p[0] == '=' && a->p[1] == '=')
        return variable_value(a, name);
    for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
        if (!take(a, ops[i]))
            continue;
        value = assignment(a);
        if (ops[i][0] != '=') {
            char op[3] = {ops[i][0], ops[i][1] == ops[i][0] ? ops[i][1] : '\0', '\0'};

            value = apply(a, op, a->skip ? 0 : variable_value(a, name), value);
        }
        snprintf(text, sizeof(text), "%lld", (long long)value);
        if (!a->skip && !a->error)
            var_set(name, text);
        return value;
    }
    return a->skip ? 0 : variable_value(a, name);
}

static int64_t number(struct arith *a)
{
    char *end;
    int64_t value;

    errno = 0;
    value = strtoll(a->p, &end, 0);
    if (is_name_char((unsigned char)*end))
        fail(a, "bad number");
    a->p = end;
    return value;
}

static int64_t unary(struct arith *a)
{
    int64_t value = 0;

    if (a->error)
        return 0;
    if (++a->depth > MAX_DEPTH) {
        fail(a, "nested too deep");
    } else if (take(a, "(")) {
        value = assignment(a);
        if (!take(a, ")"))
            fail(a, "missing )");
    } else if (take(a, "!")) {
        value = !unary(a);
    } else if (take(a, "~")) {
        value = ~unary(a);
    } else if (take(a, "-")) {
        value = (int64_t) - (uint64_t)unary(a);
    } else if (take(a, "+")) {
        value = unary(a);
    } else if (is_name_start((unsigned char)*a->p)) {
        value = name_or_assignment(a);
    } else if (isdigit((unsigned char)*a->p)) {
        value = number(a);
    } else {
        fail(a, *a->p ? "syntax error" : "an operand is missing");
    }
    a->depth--;
    return value;
}

/* Which operator of at least this level stands here; -1 if none. */
static int operator_at(struct arith *a, int level)
{
    spaces(a);
    for (size_t i = 0; i < ARRAY_SIZE(binary); i++) {
        size_t len = strlen(binary[i].text);

        if (strncmp(a->p, binary[i].text, len) == 0)
            return binary[i].level >= level ? (int)i : -1;
    }
    return -1;
}

/* Invariant: everything left of a->p that binds tighter than `level` is folded into value. */
static int64_t climb(struct arith *a, int level)
{
    int64_t value = unary(a);
    int i;

    while (!a->error && (i = operator_at(a, level)) >= 0) {
        const char *op = binary[i].text;
        bool logical = binary[i].level <= 2;
        bool skip = logical && (binary[i].level == 1) == (value != 0);

        a->p += strlen(op);
        a->skip += skip;
        int64_t right = climb(a, binary[i].level + 1);
        a->skip -= skip;
        value = apply(a, op, value, right);
    }
    return value;
}

static int64_t assignment(struct arith *a)
{
    int64_t value = climb(a, 1), yes, no;

    if (a->error || !take(a, "?"))
        return value;
    if (++a->depth > MAX_DEPTH) {
        fail(a, "nested too deep");
        return 0;
    }
    a->skip += value == 0;
    yes = assignment(a);
    a->skip -= value == 0;
    if (!take(a, ":"))
        fail(a, "missing :");
    a->skip += value != 0;
    no = assignment(a);
    a->skip -= value != 0;
    a->depth--;
    return value ? yes : no;
}

bool arith_eval(const char *text, int64_t *out)
{
    struct arith a = {.p = text};

    spaces(&a);
    *out = 0;
    if (!*a.p)
        return true;
    *out = assignment(&a);
    spaces(&a);
    if (!a.error && *a.p)
        fail(&a, "syntax error");
    if (a.error)
        sh_error(2, "arithmetic: %s: \"%s\"", a.error, text);
    return !a.error && !sh.unwind;
}
