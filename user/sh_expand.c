/* SPDX-License-Identifier: MIT */
/*
 * Words to strings: tilde, parameters, command substitution, arithmetic, field splitting, path
 * names, quote removal.
 *
 * A field is built in `cur` in pattern form: quoted characters that a pattern could take for its
 * own are escaped by a backslash, so quoting survives until the field is matched or unescaped.
 *
 * Invariants: results lie in sh.scratch; a false result means that the error was reported and
 * sh.unwind is set. In the RAW form (assignments, redirections) nothing is escaped or split.
 */
#include "user/sh.h"

#include <fnmatch.h>
#include <glob.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

enum form { RAW, FIELDS, PATTERN };
enum separator { NO_SEPARATOR, BLANK, MARK };

struct expansion {
    enum form form;
    struct buf cur;
    bool has;            /* the field exists even if it is empty: "" */
    bool magic;          /* an unquoted * ? or [ is in it */
    bool assignment;     /* ~ counts after : too */
    enum separator last; /* what splitting met last, to tell "a : b" from "a : : b" */
    const char *ifs;
    struct list *out;
};

static bool expand_parts(struct expansion *e, const struct part *parts, bool argument);

/* Path names */

static char *unescape(const char *s)
{
    char *copy = scratch_copy(s), *to = copy;

    for (; *s; s++) {
        if (*s == '\\' && s[1])
            s++;
        *to++ = *s;
    }
    *to = '\0';
    return copy;
}

static bool expand_path(struct list *out, const char *pattern)
{
    glob_t found;
    bool any = glob(pattern, 0, NULL, &found) == 0;

    for (size_t i = 0; any && i < found.gl_pathc; i++)
        list_add(sh.scratch, out, scratch_copy(found.gl_pathv[i]));
    if (any)
        globfree(&found);
    return any;
}

/* Building fields */

static void put(struct expansion *e, char c, bool quoted)
{
    e->last = NO_SEPARATOR;
    if (e->form == RAW) {
        buf_char(&e->cur, c);
        return;
    }
    if (quoted ? strchr("*?[]-!^\\", c) != NULL : c == '\\' && e->form == FIELDS)
        buf_char(&e->cur, '\\');
    else if (!quoted && (c == '*' || c == '?' || c == '['))
        e->magic = true;
    buf_char(&e->cur, c);
}

static void emit(struct expansion *e)
{
    const char *field = buf_str(&e->cur);

    if (!e->magic || sh.opt.noglob || !expand_path(e->out, field))
        list_add(sh.scratch, e->out, unescape(field));
    e->cur.len = 0;
    e->has = e->magic = false;
}

static bool field_open(const struct expansion *e)
{
    return e->cur.len > 0 || e->has;
}

static void put_split(struct expansion *e, const char *s)
{
    for (; *s; s++) {
        if (!strchr(e->ifs, *s)) {
            put(e, *s, false);
        } else if (*s == ' ' || *s == '\t' || *s == '\n') {
            if (field_open(e)) {
                emit(e);
                e->last = BLANK;
            }
        } else if (e->last == BLANK && !field_open(e)) {
            e->last = MARK;
        } else {
            emit(e);
            e->last = MARK;
        }
    }
}

static void put_text(struct expansion *e, const char *s, bool quoted, bool split)
{
    e->has |= quoted;
    if (split && !quoted && e->form == FIELDS) {
        put_split(e, s);
        return;
    }
    for (; *s; s++)
        put(e, *s, quoted);
}

/* Tilde */

static const char *home_of(const char *name, size_t len)
{
    FILE *file = len ? fopen(PASSWD, "re") : NULL;
    const char *home = len ? NULL : var_get("HOME");

    for (struct passwd *user; file && !home && (user = fgetpwent(file));)
        if (strlen(user->pw_name) == len && memcmp(user->pw_name, name, len) == 0)
            home = scratch_copy(user->pw_dir);
    if (file)
        fclose(file);
    return home;
}

/* At a ~ that may name a home directory; returns how much of s it stands for. */
static size_t put_tilde(struct expansion *e, const char *s, bool last_part)
{
    size_t len = strcspn(s, e->assignment ? "/:" : "/");
    const char *home;

    if (!s[len] && !last_part)
        return 0;
    home = home_of(s + 1, len - 1);
    if (!home)
        return 0;
    put_text(e, home, true, false);
    return len;
}

static void put_literal(struct expansion *e, const struct part *part, bool first, bool split)
{
    const char *s = part->text;
    bool tilde = first && *s == '~';

    if (split && !tilde) {
        put_text(e, s, false, true);
        return;
    }
    while (*s) {
        size_t used = tilde ? put_tilde(e, s, !part->next) : 0;

        s += used;
        if (used == 0) {
            tilde = e->assignment && *s == ':' && s[1] == '~';
            put(e, *s++, false);
        } else {
            tilde = false;
        }
    }
}

/* Parameters */

static void put_params(struct expansion *e, bool star, bool quoted)
{
    if (e->form != FIELDS || (star && quoted)) {
        char separator[2] = {star ? e->ifs[0] : ' ', '\0'};

        e->has |= quoted;
        for (int i = 0; i < sh.nparams; i++) {
            if (i > 0)
                put_text(e, separator, quoted, false);
            put_text(e, sh.params[i], quoted, false);
        }
        return;
    }
    for (int i = 0; i < sh.nparams; i++) {
        if (i > 0 && (quoted || field_open(e)))
            emit(e);
        put_text(e, sh.params[i], quoted, true);
    }
}

static char *format_number(int64_t n)
{
    char text[24];

    snprintf(text, sizeof(text), "%lld", (long long)n);
    return scratch_copy(text);
}

static char *join_params(void)
{
    struct buf b = {.a = sh.scratch};

    for (int i = 0; i < sh.nparams; i++) {
        if (i > 0)
            buf_char(&b, ' ');
        buf_add(&b, sh.params[i], strlen(sh.params[i]));
    }
    return buf_str(&b);
}

/* A copy of the value; NULL if it is unset. */
static char *param_value(const char *name)
{
    char letters[32];
    const char *value;

    switch (name[0]) {
    case '?': return format_number(sh.status);
    case '$': return format_number(sh.pid);
    case '#': return format_number(sh.nparams);
    case '!': return sh.last_background ? format_number(sh.last_background) : NULL;
    case '-': options_letters(letters); return scratch_copy(letters);
    case '@':
    case '*': return sh.nparams ? join_params() : NULL;
    }
    if (name[0] >= '0' && name[0] <= '9') {
        uint64_t n;

        if (!parse_u64(name, 10, &n) || n > (uint64_t)sh.nparams)
            return NULL;
        value = n == 0 ? sh.arg0 : sh.params[n - 1];
    } else {
        value = var_get(name);
    }
    return value ? scratch_copy(value) : NULL;
}

static const char *current_ifs(void)
{
    const char *ifs = var_get("IFS");

    /* A copy: an expansion like ${IFS:=x} may free the variable's own string. */
    return ifs ? scratch_copy(ifs) : " \t\n";
}

static char *expand_form(const struct part *parts, enum form form, bool assignment)
{
    struct expansion e = {
        .form = form, .cur = {.a = sh.scratch}, .ifs = current_ifs(), .assignment = assignment};

    return expand_parts(&e, parts, false) ? buf_str(&e.cur) : NULL;
}

/* The longest or shortest piece at one end that matches goes. */
static char *trim(char *value, const char *pattern, char op)
{
    size_t len = strlen(value);
    bool front = op == '#' || op == 'h', longest = op == 'h' || op == 's';

    for (size_t i = 0; i <= len; i++) {
        /* The cut runs from the end at which the wanted match would be met first. */
        size_t cut = front == longest ? len - i : i;
        char kept = value[cut];
        bool match;

        if (front)
            value[cut] = '\0';
        match = fnmatch(pattern, front ? value : value + cut, 0) == 0;
        value[cut] = kept;
        if (!match)
            continue;
        if (front)
            return value + cut;
        value[cut] = '\0';
        return value;
    }
    return value;
}

static bool param_error(const struct part *part)
{
    char *text = part->arg ? expand_form(part->arg, RAW, false) : NULL;

    if (part->arg && !text)
        return false;
    if (text && *text)
        sh_error(2, "%s: %s", part->text, text);
    else
        sh_error(2, "%s: parameter %s", part->text, part->colon ? "not set or null" : "not set");
    return false;
}

static bool param_assign(struct expansion *e, const struct part *part)
{
    char *value = expand_form(part->arg, RAW, false);

    if (!value)
        return false;
    if (!is_name(part->text, strlen(part->text))) {
        sh_error(2, "%s: cannot assign", part->text);
        return false;
    }
    if (!var_set(part->text, value))
        return false;
    put_text(e, value, part->quoted, true);
    return true;
}

static bool expand_param(struct expansion *e, const struct part *part)
{
    const char *name = part->text;
    bool all = name[0] == '@' || name[0] == '*';
    char *value = param_value(name);
    bool usable = value && !(part->colon && !*value);

    switch (part->op) {
    case '-':
    case '+':
        if ((part->op == '-') == usable)
            break;
        e->has |= part->quoted && !(part->arg && part->arg->quoted);
        return expand_parts(e, part->arg, true);
    case '=':
        if (usable)
            break;
        return param_assign(e, part);
    case '?':
        if (usable)
            break;
        return param_error(part);
    default:
        if (!value && sh.opt.nounset && !all) {
            sh_error(2, "%s: parameter not set", name);
            return false;
        }
    }
    if (part->op == '+') {
        e->has |= part->quoted;
        return true;
    }
    if (part->op == 'l') {
        size_t len = all ? (size_t)sh.nparams : value ? strlen(value) : 0;

        put_text(e, format_number((int64_t)len), part->quoted, true);
        return true;
    }
    if (part->op && strchr("#h%s", part->op)) {
        char *pattern = expand_form(part->arg, PATTERN, false);

        if (!pattern)
            return false;
        if (value)
            value = trim(value, pattern, part->op);
    } else if (all) {
        put_params(e, name[0] == '*', part->quoted);
        return true;
    }
    put_text(e, value ? value : "", part->quoted, true);
    return true;
}

static bool expand_command(struct expansion *e, const struct part *part)
{
    struct buf out = {.a = sh.scratch};

    command_substitute(part->tree, &out);
    while (out.len && out.p[out.len - 1] == '\n')
        out.len--;
    put_text(e, buf_str(&out), part->quoted, true);
    return !sh.unwind;
}

static bool expand_arith(struct expansion *e, const struct part *part)
{
    char *text = expand_form(part->arg, RAW, false);
    int64_t value;

    if (!text || !arith_eval(text, &value))
        return false;
    put_text(e, format_number(value), part->quoted, true);
    return true;
}

/* argument: the word of ${x-word}, whose literal text is split too. */
static bool expand_parts(struct expansion *e, const struct part *parts, bool argument)
{
    for (const struct part *part = parts; part; part = part->next) {
        bool ok = true;

        switch (part->type) {
        case PART_TEXT:
            if (part->quoted)
                put_text(e, part->text, true, false);
            else
                put_literal(e, part, part == parts, argument);
            break;
        case PART_PARAM: ok = expand_param(e, part); break;
        case PART_COMMAND: ok = expand_command(e, part); break;
        case PART_ARITH: ok = expand_arith(e, part); break;
        }
        if (!ok)
            return false;
    }
    return true;
}

bool expand_words(const struct word *words, struct list *out)
{
    bool ok = true;

    for (const struct word *w = words; w && ok; w = w->next) {
        struct expansion e = {
            .form = FIELDS, .cur = {.a = sh.scratch}, .out = out, .ifs = current_ifs()};

        ok = expand_parts(&e, w->parts, false);
        if (ok && field_open(&e))
            emit(&e);
    }
    return ok;
}

char *expand_string(const struct word *word)
{
    return expand_form(word ? word->parts : NULL, RAW, false);
}

char *expand_assignment(const struct part *value)
{
    return expand_form(value, RAW, true);
}

char *expand_pattern(const struct word *word)
{
    return expand_form(word->parts, PATTERN, false);
}
