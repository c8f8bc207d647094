/* SPDX-License-Identifier: MIT */
/*
 * What the shell remembers: byte buffers, arenas, variables, positional parameters, options.
 *
 * Invariants: a variable with value NULL is unset but may carry marks (export before assignment);
 * the list of variables is sorted by name.
 */
#include "user/sh.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define obstack_chunk_alloc xmalloc
#define obstack_chunk_free free

struct shell sh;

static struct var *vars;

/* Memory */

void *arena_alloc(struct arena *a, size_t size)
{
    return memset(obstack_alloc(&a->chunks, size), 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    return obstack_copy0(&a->chunks, s, len);
}

struct arena *arena_new(void)
{
    struct arena *a = xcalloc(1, sizeof(*a));

    obstack_init(&a->chunks);
    a->refs = 1;
    return a;
}

void arena_put(struct arena *a)
{
    if (--a->refs > 0)
        return;
    obstack_free(&a->chunks, NULL);
    free(a);
}

void *scratch_mark(void)
{
    return obstack_alloc(&sh.scratch->chunks, 0);
}

void scratch_release(void *mark)
{
    obstack_free(&sh.scratch->chunks, mark);
}

char *scratch_copy(const char *s)
{
    return arena_strndup(sh.scratch, s, strlen(s));
}

void buf_add(struct buf *b, const char *s, size_t len)
{
    if (b->room - b->len <= len) {
        char *old = b->p;

        b->room = (b->len + len + 1) * 2 + 32;
        b->p = arena_alloc(b->a, b->room);
        if (b->len)
            memcpy(b->p, old, b->len);
    }
    memcpy(b->p + b->len, s, len);
    b->len += len;
}

void buf_char(struct buf *b, char c)
{
    buf_add(b, &c, 1);
}

char *buf_str(struct buf *b)
{
    buf_add(b, "", 0);
    b->p[b->len] = '\0';
    return b->p;
}

void list_add(struct arena *a, struct list *list, char *s)
{
    if (list->n + 1 >= list->room) {
        char **old = list->v;

        list->room = list->room ? list->room * 2 : 8;
        list->v = arena_alloc(a, sizeof(char *) * (size_t)list->room);
        if (old)
            memcpy(list->v, old, sizeof(char *) * (size_t)list->n);
    }
    list->v[list->n++] = s;
    list->v[list->n] = NULL;
}

/* Names */

bool is_name_start(int c)
{
    return c == '_' || (c >= 0 && c < 128 && isalpha(c));
}

bool is_name_char(int c)
{
    return is_name_start(c) || (c >= '0' && c <= '9');
}

bool is_name(const char *s, size_t len)
{
    if (len == 0 || !is_name_start(s[0]))
        return false;
    for (size_t i = 1; i < len; i++)
        if (!is_name_char(s[i]))
            return false;
    return true;
}

/* Variables */

/* NULL if there is none, or a fresh one with `make`. */
static struct var *var_find(const char *name, bool make)
{
    struct var **link = &vars, *v;

    while (*link && strcmp((*link)->name, name) < 0)
        link = &(*link)->next;
    if ((*link && strcmp((*link)->name, name) == 0) || !make)
        return *link && strcmp((*link)->name, name) == 0 ? *link : NULL;
    v = xcalloc(1, sizeof(*v) + strlen(name) + 1);
    strcpy(v->name, name);
    v->next = *link;
    return *link = v;
}

const char *var_get(const char *name)
{
    struct var *v = var_find(name, false);

    return v ? v->value : NULL;
}

const char *var_prompt(const char *name, const char *otherwise)
{
    const char *text = var_get(name);

    return text ? text : otherwise;
}

static bool var_put(struct var *v, const char *value)
{
    if (v->readonly) {
        sh_error(2, "%s: is read only", v->name);
        return false;
    }
    /* The value may be a part of the old one. */
    char *copy = value ? xstrdup(value) : NULL;
    free(v->value);
    v->value = copy;
    return true;
}

bool var_set(const char *name, const char *value)
{
    return var_put(var_find(name, true), value);
}

bool var_unset(const char *name)
{
    struct var *v = var_find(name, true);

    if (!var_put(v, NULL))
        return false;
    v->exported = false;
    return true;
}

void var_flag(const char *name, bool exported, bool readonly)
{
    struct var *v = var_find(name, true);

    v->exported |= exported;
    v->readonly |= readonly;
}

void var_save(struct saved_var **list, const char *name)
{
    struct var *v = var_find(name, true);
    struct saved_var *s = xmalloc(sizeof(*s));

    *s =
        (struct saved_var){*list, v, v->value ? xstrdup(v->value) : NULL, v->exported, v->readonly};
    *list = s;
}

void var_restore(struct saved_var **list)
{
    for (struct saved_var *s; (s = *list) != NULL; free(s)) {
        free(s->var->value);
        s->var->value = s->value;
        s->var->exported = s->exported;
        s->var->readonly = s->readonly;
        *list = s->next;
    }
}

void vars_from_environment(void)
{
    for (char **e = environ; *e; e++) {
        const char *equals = strchr(*e, '=');

        if (!equals || !is_name(*e, (size_t)(equals - *e)))
            continue;
        char *name = xasprintf("%.*s", (int)(equals - *e), *e);
        var_set(name, equals + 1);
        var_flag(name, true, false);
        free(name);
    }
}

/* For a program that is about to take this process over. */
void vars_to_environment(void)
{
    clearenv();
    for (struct var *v = vars; v; v = v->next)
        if (v->exported && v->value && setenv(v->name, v->value, 1) != 0)
            die("cannot make the environment");
}

void print_quoted(const char *s)
{
    putchar('\'');
    for (; *s; s++)
        if (*s == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*s);
    putchar('\'');
}

/* Both marks false: all that have a value. Otherwise those that carry the mark. */
void vars_print(const char *prefix, bool exported, bool readonly)
{
    for (struct var *v = vars; v; v = v->next) {
        if (exported ? !v->exported : readonly ? !v->readonly : !v->value)
            continue;
        printf("%s%s", prefix, v->name);
        if (v->value) {
            putchar('=');
            print_quoted(v->value);
        }
        putchar('\n');
    }
}

/* Positional parameters */

void params_set(int n, char **words)
{
    char **fresh = xcalloc((size_t)n + 1, sizeof(char *));

    for (int i = 0; i < n; i++)
        fresh[i] = xstrdup(words[i]);
    for (int i = 0; i < sh.nparams; i++)
        free(sh.params[i]);
    free(sh.params);
    sh.params = fresh;
    sh.nparams = n;
}

/* Options: those from `command` on only say how the shell was started, and $- leaves them out. */

static const struct {
    char letter;
    const char *name;
    bool *on;
} options[] = {
    {'C', "noclobber", &sh.opt.noclobber}, {'e', "errexit", &sh.opt.errexit},
    {'f', "noglob", &sh.opt.noglob},       {'i', "interactive", &sh.opt.interactive},
    {'n', "noexec", &sh.opt.noexec},       {'s', "stdin", &sh.opt.stdin_script},
    {'u', "nounset", &sh.opt.nounset},     {'x', "xtrace", &sh.opt.xtrace},
    {'c', "command", &sh.opt.command},     {'l', "login", &sh.opt.login},
};

bool option_set(char letter, const char *name, bool on)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (name ? strcmp(options[i].name, name) == 0 : options[i].letter == letter) {
            *options[i].on = on;
            return true;
        }
    return false;
}

void options_letters(char *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(options); i++)
        if (!strchr("cl", options[i].letter) && *options[i].on)
            *out++ = options[i].letter;
    *out = '\0';
}

/* Reads -xyz, +x, -o name from argv[first]; returns the index of the first other word, or -1. */
int options_set(int argc, char **argv, int first)
{
    int i = first;

    for (; i < argc; i++) {
        const char *arg = argv[i];
        bool on = arg[0] == '-';

        if ((!on && arg[0] != '+') || !arg[1] || strcmp(arg, "--") == 0)
            break;
        for (const char *p = arg + 1; *p; p++) {
            const char *name = *p == 'o' && i + 1 < argc ? argv[++i] : NULL;

            if (!option_set(*p, name, on)) {
                sh_error(2, "illegal option %s", name ? name : arg);
                return -1;
            }
        }
    }
    return i;
}
