/* SPDX-License-Identifier: MIT */
/*
 * What a command's name can stand for outside the shell's own builtins: functions, and programs
 * found along PATH.
 *
 * Invariant: a function's body lies in the arena of the text that defined it, which the function
 * keeps; a running function keeps itself, so it may be redefined or unset from inside.
 */
#include "user/sh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    struct saved_var *locals = sh.locals;
    struct arena *arena = sh.arena;
    char **params = sh.params;
    int nparams = sh.nparams, loops = sh.loops, status;
    struct function *f = *function_link(name);

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
    sh.locals = locals;
    sh.arena = arena;
    params_set(0, NULL);
    free(sh.params);
    sh.params = params;
    sh.nparams = nparams;
    sh.loops = loops;
    function_put(f);
    return status;
}

/* Programs */

static const char *next_directory(const char **path, size_t *len)
{
    const char *dir = *path;

    if (!dir)
        return NULL;
    *len = strcspn(dir, ":");
    *path = dir[*len] ? dir + *len + 1 : NULL;
    return dir;
}

static char *in_directory(const char *dir, size_t len, const char *name)
{
    size_t name_len = strlen(name);
    char *full = arena_alloc(&sh.scratch, len + name_len + 2);

    memcpy(full, dir, len);
    if (len)
        full[len++] = '/';
    memcpy(full + len, name, name_len);
    return full;
}

static const char *search_path(void)
{
    const char *path = var_get("PATH");

    return path ? path : "/bin:/sbin:/usr/bin:/usr/sbin";
}

char *find_command(const char *name)
{
    const char *path = search_path(), *dir;
    struct stat st;
    size_t len;

    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? arena_strndup(&sh.scratch, name, strlen(name)) : NULL;
    while ((dir = next_directory(&path, &len))) {
        char *full = in_directory(dir, len, name);

        if (stat(full, &st) == 0 && S_ISREG(st.st_mode) && access(full, X_OK) == 0)
            return full;
    }
    return NULL;
}

static int exec_path(const char *path, char **argv, char **envp)
{
    execve(path, argv, envp);
    if (errno != ENOEXEC)
        return errno;
    /* A script without "#!" is ours. */
    struct list words = {0};
    list_add(&sh.scratch, &words, (char *)"sh");
    list_add(&sh.scratch, &words, (char *)path);
    for (int i = 1; argv[i]; i++)
        list_add(&sh.scratch, &words, argv[i]);
    execve("/bin/sh", words.v, envp);
    return ENOEXEC;
}

int exec_replace(char **argv)
{
    const char *path = search_path(), *dir;
    char **envp = vars_to_environment();
    int error = ENOENT;
    size_t len;

    fflush(stdout);
    if (strchr(argv[0], '/')) {
        error = exec_path(argv[0], argv, envp);
    } else {
        while ((dir = next_directory(&path, &len))) {
            int e = exec_path(in_directory(dir, len, argv[0]), argv, envp);

            if (e != ENOENT && e != ENOTDIR)
                error = e;
        }
    }
    fprintf(stderr, "%s: %s: %s\n", sh.arg0, argv[0],
            error == ENOENT && !strchr(argv[0], '/') ? "not found" : strerror(error));
    return error == ENOENT || error == ENOTDIR ? 127 : 126;
}
