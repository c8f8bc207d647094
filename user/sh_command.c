/* SPDX-License-Identifier: MIT */
/*
 * What a command's name can stand for outside the shell's own builtins: functions, and programs.
 *
 * Invariant: a function's body lies in the arena of the text that defined it, which the function
 * keeps; a running function keeps itself, so it may be redefined or unset from inside.
 */
#include "user/sh.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct function {
    struct function *next;
    struct arena *arena; /* holds body */
    const struct node *body;
    int refs;
    char name[];
};

static struct function *functions;

static struct function **function_link(const char *name)
{
    struct function **link = &functions;

    while (*link && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

bool function_exists(const char *name)
{
    return *function_link(name) != NULL;
}

static void function_put(struct function *f)
{
    if (--f->refs > 0)
        return;
    arena_put(f->arena);
    free(f);
}

void function_unset(const char *name)
{
    struct function **link = function_link(name), *f = *link;

    if (!f)
        return;
    *link = f->next;
    function_put(f);
}

void function_define(const char *name, const struct node *body)
{
    struct function *f = xcalloc(1, sizeof(*f) + strlen(name) + 1);

    function_unset(name);
    *f = (struct function){functions, sh.arena, body, 1};
    strcpy(f->name, name);
    f->arena->refs++;
    functions = f;
}

int function_call(const char *name, int argc, char **argv)
{
    struct shell outer = sh;
    struct function *f = *function_link(name);
    int status;

    if (sh.calls >= MAX_CALLS)
        return sh_error(2, "%s: calls nested too deep", name);
    f->refs++;
    sh.params = NULL;
    sh.nparams = sh.loops = 0;
    params_set(argc - 1, argv + 1);
    sh.locals = NULL;
    sh.arena = f->arena;
    sh.calls++;
    sh.functions++;
    status = exec_node(f->body, false);
    sh.functions--;
    sh.calls--;
    if (sh.unwind == RETURN)
        sh.unwind = RUN;
    var_restore(&sh.locals);
    params_set(0, NULL);
    free(sh.params);
    sh.locals = outer.locals;
    sh.arena = outer.arena;
    sh.params = outer.params;
    sh.nparams = outer.nparams;
    sh.loops = outer.loops;
    function_put(f);
    return status;
}

int exec_replace(char **argv)
{
    bool named = strchr(argv[0], '/') != NULL;
    char *path = named ? argv[0] : find_program(var_get("PATH"), argv[0]);

    fflush(stdout);
    errno = ENOENT;
    if (path) {
        vars_to_environment();
        /* A script without "#!" is a shell's: execvp sees to that. */
        execvp(path, argv);
    }
    int err = errno;
    fprintf(stderr, "%s: %s: %s\n", sh.arg0, argv[0], path ? strerror(err) : "not found");
    return err == ENOENT || err == ENOTDIR ? 127 : 126;
}
