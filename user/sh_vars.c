/* SPDX-License-Identifier: MIT */
/*
 * What the shell remembers: byte buffers, arenas, variables, positional parameters, options.
 *
 * Invariants: a variable with value NULL is unset but may carry marks (export before assignment);
 * an arena's memory is freed as a whole when its last reference is put; scratch memory taken after
 * a mark is gone after its release.
 */
#include "user/sh.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUCKETS = 64, CHUNK = 2000 };

struct chunk {
    struct chunk *next;
    size_t used, size;
    char data[] __attribute__((aligned(16)));
};

struct shell sh;

static struct var *buckets[BUCKETS];

/* Buffers */

void buf_add(struct buf *b, const char *s, size_t len)
{
    if (b->room - b->len <= len) {
        b->room = (b->len + len + 1) * 3 / 2 + 32;
        b->p = xrealloc(b->p, b->room);
    }
    if (len)
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

void buf_free(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

/* Arenas */

void *arena_alloc(struct arena *a, size_t size)
{
    struct chunk *c = a->chunk;

    size = (size + 15) & ~(size_t)15;
    if (!c || c->size - c->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;

        c = xmalloc(sizeof(*c) + room);
        *c = (struct chunk){.next = a->chunk, .size = room};
        a->chunk = c;
    }
    void *p = c->data + c->used;
    c->used += size;
    return memset(p, 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy = arena_alloc(a, len + 1);

    if (len)
        memcpy(copy, s, len);
    return copy;
}

static void chunks_free(struct arena *a, const struct chunk *until)
{
    while (a->chunk != until) {
        struct chunk *next = a->chunk->next;

        free(a->chunk);
        a->chunk = next;
    }
}

void arena_free(struct arena *a)
{
    chunks_free(a, NULL);
}

struct arena *arena_new(void)
{
    struct arena *a = xcalloc(1, sizeof(*a));

    a->refs = 1;
    return a;
}

void arena_put(struct arena *a)
{
    if (!a || --a->refs > 0)
        return;
    arena_free(a);
    free(a);
}

struct mark scratch_mark(void)
{
    struct chunk *c = sh.scratch.chunk;

    return (struct mark){c, c ? c->used : 0};
}

void scratch_release(struct mark mark)
{
    chunks_free(&sh.scratch, mark.chunk);
    if (mark.chunk)
        mark.chunk->used = mark.used;
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
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
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

static struct var **bucket_of(const char *name)
{
    unsigned hash = 5381;

    for (const char *p = name; *p; p++)
        hash = hash * 33 + (unsigned char)*p;
    return &buckets[hash % BUCKETS];
}

struct var *var_find(const char *name)
{
    struct var *v = *bucket_of(name);

    while (v && strcmp(v->name, name) != 0)
        v = v->next;
    return v;
}

static struct var *var_make(const char *name)
{
    struct var *v = var_find(name), **bucket = bucket_of(name);

    if (v)
        return v;
    v = xcalloc(1, sizeof(*v) + strlen(name) + 1);
    strcpy(v->name, name);
    v->next = *bucket;
    *bucket = v;
    return v;
}

const char *var_get(const char *name)
{
    static char number[24];
    struct var *v;

    if (strcmp(name, "LINENO") == 0) {
        snprintf(number, sizeof(number), "%d", sh.line);
        return number;
    }
    v = var_find(name);
    return v ? v->value : NULL;
}

bool var_set(const char *name, const char *value)
{
    struct var *v = var_make(name);

    if (v->readonly) {
        sh_error(2, "%s: is read only", name);
        return false;
    }
    char *copy = value ? xstrdup(value) : NULL;
    free(v->value);
    v->value = copy;
    v->exported |= sh.opt.allexport;
    return true;
}

bool var_unset(const char *name)
{
    struct var *v = var_find(name);

    if (!v)
        return true;
    if (v->readonly) {
        sh_error(2, "unset: %s: is read only", name);
        return false;
    }
    free(v->value);
    v->value = NULL;
    v->exported = false;
    return true;
}

bool var_flag(const char *name, bool exported, bool readonly)
{
    struct var *v = var_make(name);

    v->exported |= exported;
    v->readonly |= readonly;
    return true;
}

void var_save(struct saved_var **list, const char *name)
{
    struct var *v = var_make(name);
    struct saved_var *s = xmalloc(sizeof(*s));

    *s = (struct saved_var){*list, xstrdup(name), v->value ? xstrdup(v->value) : NULL, v->exported,
                            v->readonly};
    *list = s;
}

void var_restore(struct saved_var **list)
{
    while (*list) {
        struct saved_var *s = *list;
        struct var *v = var_make(s->name);

        free(v->value);
        v->value = s->value;
        v->exported = s->exported;
        v->readonly = s->readonly;
        *list = s->next;
        free(s->name);
        free(s);
    }
}

extern char **environ;

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

char **vars_to_environment(void)
{
    struct list env = {0};

    list_add(&sh.scratch, &env, NULL);
    env.n = 0;
    for (int i = 0; i < BUCKETS; i++)
        for (struct var *v = buckets[i]; v; v = v->next) {
            size_t len = strlen(v->name);

            if (!v->exported || !v->value)
                continue;
            char *entry = arena_alloc(&sh.scratch, len + strlen(v->value) + 2);
            memcpy(entry, v->name, len);
            entry[len] = '=';
            strcpy(entry + len + 1, v->value);
            list_add(&sh.scratch, &env, entry);
        }
    return env.v;
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

static int compare_vars(const void *a, const void *b)
{
    return strcmp((*(struct var *const *)a)->name, (*(struct var *const *)b)->name);
}

/* Both marks false: all that have a value. Otherwise those that carry the mark. */
void vars_print(const char *prefix, bool exported, bool readonly)
{
    struct var **all = NULL;
    size_t n = 0;

    for (int i = 0; i < BUCKETS; i++)
        for (struct var *v = buckets[i]; v; v = v->next) {
            if (exported ? !v->exported : readonly ? !v->readonly : !v->value)
                continue;
            all = xrealloc(all, (n + 1) * sizeof(struct var *));
            all[n++] = v;
        }
    if (n)
        qsort(all, n, sizeof(all[0]), compare_vars);
    for (size_t i = 0; i < n; i++) {
        printf("%s%s", prefix, all[i]->name);
        if (all[i]->value) {
            putchar('=');
            print_quoted(all[i]->value);
        }
        putchar('\n');
    }
    free(all);
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

/* Options */

static const struct {
    char letter;
    const char *name;
    size_t offset;
} option_table[] = {
#define OPTION(letter, field)                           \
    {                                                   \
        letter, #field, offsetof(struct options, field) \
    }
    OPTION('a', allexport),
    OPTION('C', noclobber),
    OPTION('e', errexit),
    OPTION('f', noglob),
    OPTION('i', interactive),
    OPTION('m', monitor),
    OPTION('n', noexec),
    OPTION(0, pipefail),
    {'s', "stdin", offsetof(struct options, stdin_script)},
    OPTION('u', nounset),
    OPTION('v', verbose),
    OPTION('x', xtrace),
#undef OPTION
};

static bool *option_field(size_t i)
{
    return (bool *)((char *)&sh.opt + option_table[i].offset);
}

bool option_by_letter(char letter, bool on)
{
    if (letter == 'b' || letter == 'h')
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (letter && option_table[i].letter == letter) {
            *option_field(i) = on;
            return true;
        }
    return false;
}

static bool option_by_name(const char *name, bool on)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (strcmp(option_table[i].name, name) == 0) {
            *option_field(i) = on;
            return true;
        }
    return false;
}

static void options_print(bool as_commands)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++) {
        bool on = *option_field(i);

        if (as_commands)
            printf("set %co %s\n", on ? '-' : '+', option_table[i].name);
        else
            printf("%-15s %s\n", option_table[i].name, on ? "on" : "off");
    }
}

void options_letters(char *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(option_table); i++)
        if (option_table[i].letter && *option_field(i))
            *out++ = option_table[i].letter;
    *out = '\0';
}

/* Reads -xyz, +x, -o name from argv[first]; returns the index of the first other word, or -1. */
int options_set(int argc, char **argv, int first)
{
    int i = first;

    for (; i < argc; i++) {
        const char *arg = argv[i];
        bool on = arg[0] == '-';

        if ((arg[0] != '-' && arg[0] != '+') || !arg[1] || strcmp(arg, "--") == 0)
            break;
        for (const char *p = arg + 1; *p; p++) {
            if (*p == 'o' && i + 1 >= argc) {
                options_print(!on);
            } else if (*p == 'o' ? !option_by_name(argv[++i], on) : !option_by_letter(*p, on)) {
                sh_error(2, "illegal option %s", *p == 'o' ? argv[i] : arg);
                return -1;
            }
        }
    }
    return i;
}
