/* SPDX-License-Identifier: MIT */
/*
 * The table of builtins, and those that steer the shell: control flow, variables, options, lookup.
 *
 * A builtin returns its status. SPECIAL ones (as POSIX lists them) are found before functions,
 * keep the assignments written before them, and their redirection errors end a script. Tools
 * marked INPROC are builtins too: box's own code runs without a fork.
 */
#include "user/sh.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Control flow */

/* An optional numeric argument; false (reported) if it is none. */
static bool number_argument(int argc, char **argv, int *value)
{
    uint64_t n;

    if (argc < 2)
        return true;
    if (!parse_u64(argv[1], 10, &n) || n > INT32_MAX) {
        sh_error(2, "%s: %s: bad number", argv[0], argv[1]);
        return false;
    }
    *value = (int)n;
    return true;
}

/* break and continue */
static int builtin_loop(int argc, char **argv)
{
    int levels = 1;

    if (!number_argument(argc, argv, &levels))
        return 2;
    if (levels == 0)
        return sh_error(2, "%s: 0: bad number", argv[0]);
    if (sh.loops == 0)
        return 0;
    sh.unwind_levels = levels < sh.loops ? levels : sh.loops;
    sh.unwind = argv[0][0] == 'b' ? BREAK : CONTINUE;
    return 0;
}

static int builtin_return(int argc, char **argv)
{
    int status = sh.status;

    if (!number_argument(argc, argv, &status))
        return 2;
    sh.unwind = sh.functions ? RETURN : EXIT;
    return status;
}

static int builtin_exit(int argc, char **argv)
{
    static bool warned;
    int status = sh.status;

    if (!number_argument(argc, argv, &status))
        return 2;
    if (sh.opt.interactive && jobs_stopped() && !warned) {
        warnx("there are stopped jobs");
        warned = true;
        return 1;
    }
    sh.unwind = EXIT;
    return status & 255;
}

static int builtin_eval(int argc, char **argv)
{
    struct buf text = {.a = sh.scratch};

    for (int i = 1; i < argc; i++) {
        buf_add(&text, argv[i], strlen(argv[i]));
        buf_char(&text, ' ');
    }
    return run_string(buf_str(&text));
}

static int builtin_dot(int argc, char **argv)
{
    if (argc < 2)
        return sh_error(2, ".: a file name is needed");
    char *path =
        access(argv[1], R_OK) == 0 ? xstrdup(argv[1]) : find_program(var_get("PATH"), argv[1]);
    int status = path ? run_file(path) : sh_error(127, ".: %s: not found", argv[1]);
    free(path);
    return status;
}

static int builtin_exec(int argc, char **argv)
{
    bool interactive = sh.opt.interactive, control = sh.job_control;
    int status, first = 1 + (argc > 1 && strcmp(argv[1], "--") == 0);

    if (first >= argc)
        return 0;
    /* The program must not inherit what an interactive shell ignores. */
    sh.opt.interactive = sh.job_control = false;
    signals_start();
    status = exec_replace(argv + first);
    sh.opt.interactive = interactive;
    sh.job_control = control;
    signals_start();
    if (!interactive)
        sh.unwind = EXIT;
    return status;
}

/* Variables and options */

static bool split_name(const char *arg, char **name, const char **value)
{
    const char *equals = strchr(arg, '=');
    size_t len = equals ? (size_t)(equals - arg) : strlen(arg);

    *value = equals ? equals + 1 : NULL;
    *name = arena_strndup(sh.scratch, arg, len);
    if (is_name(arg, len))
        return true;
    sh_error(2, "%s: bad variable name", arg);
    return false;
}

/* export and readonly */
static int builtin_declare(int argc, char **argv)
{
    bool exported = argv[0][0] == 'e';
    const char *value;
    char *name;
    int i = 1;

    while (i < argc && argv[i][0] == '-')
        i++;
    if (i >= argc)
        vars_print(exported ? "export " : "readonly ", exported, !exported);
    for (; i < argc; i++) {
        if (!split_name(argv[i], &name, &value) || (value && !var_set(name, value)))
            return 2;
        var_flag(name, exported, !exported);
    }
    return 0;
}

static int builtin_local(int argc, char **argv)
{
    const char *value;
    char *name;

    if (!sh.functions)
        return sh_error(2, "local: not in a function");
    for (int i = 1; i < argc; i++) {
        if (!split_name(argv[i], &name, &value))
            return 2;
        var_save(&sh.locals, name);
        if (value && !var_set(name, value))
            return 2;
    }
    return 0;
}

static int builtin_unset(int argc, char **argv)
{
    bool functions = false;
    int i = 1;

    for (; i < argc && argv[i][0] == '-'; i++)
        functions = strcmp(argv[i], "-f") == 0;
    for (; i < argc; i++) {
        if (functions)
            function_unset(argv[i]);
        else if (!is_name(argv[i], strlen(argv[i])))
            return sh_error(2, "unset: %s: bad variable name", argv[i]);
        else if (!var_unset(argv[i]))
            return 2;
    }
    return 0;
}

static int builtin_set(int argc, char **argv)
{
    int i;

    if (argc == 1) {
        vars_print("", false, false);
        return 0;
    }
    i = options_set(argc, argv, 1);
    if (i < 0)
        return 2;
    bool marked = i < argc && strcmp(argv[i], "--") == 0;
    i += marked;
    if (marked || i < argc)
        params_set(argc - i, argv + i);
    return 0;
}

static int builtin_shift(int argc, char **argv)
{
    int n = 1;

    if (!number_argument(argc, argv, &n))
        return 2;
    if (n > sh.nparams)
        return sh_error(2, "shift: fewer than %d parameters", n);
    for (int i = 0; i < n; i++)
        free(sh.params[i]);
    sh.nparams -= n;
    memmove(sh.params, sh.params + n, sizeof(char *) * ((size_t)sh.nparams + 1));
    return 0;
}

/* Looking up commands */

/* "" if it is the name itself that the shell knows; NULL if nothing is found. */
static const char *describe(const char *name, const char **kind)
{
    const struct builtin *builtin = builtin_find(name);

    *kind = builtin && builtin->kind == SPECIAL ? "a special shell builtin"
            : function_exists(name)             ? "a shell function"
            : builtin                           ? "a shell builtin"
                                                : NULL;
    if (*kind)
        return "";
    char *path = find_program(var_get("PATH"), name), *copy = path ? scratch_copy(path) : NULL;
    free(path);
    return copy;
}

static int builtin_type(int argc, char **argv)
{
    int status = 0;

    for (int i = 1; i < argc; i++) {
        const char *kind, *path = describe(argv[i], &kind);

        if (!path) {
            printf("%s: not found\n", argv[i]);
            status = 127;
        } else {
            printf("%s is %s\n", argv[i], *path ? path : kind);
        }
    }
    return status;
}

static int builtin_command(int argc, char **argv)
{
    int i = 1;
    char how = 0;

    for (; i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            i++;
            break;
        }
        how = argv[i][1];
    }
    if (i >= argc)
        return 0;
    if (how == 'V')
        return builtin_type(argc - i + 1, argv + i - 1);
    if (how != 'v')
        return exec_args(argc - i, argv + i);
    const char *kind, *path = describe(argv[i], &kind);
    if (!path)
        return 127;
    puts(*path ? path : argv[i]);
    return 0;
}

/* The process itself. PWD is what the kernel says, so symbolic links do not stay in it. */

static int builtin_cd(int argc, char **argv)
{
    int i = 1 + (argc > 1 && (strcmp(argv[1], "-P") == 0 || strcmp(argv[1], "-L") == 0));
    bool back = i < argc && strcmp(argv[i], "-") == 0;
    const char *dir = back ? var_get("OLDPWD") : i < argc ? argv[i] : var_get("HOME");

    if (!dir || !*dir) {
        warnx("cd: %s is not set", back ? "OLDPWD" : "HOME");
        return 2;
    }
    if (chdir(dir) != 0) {
        warn("cd: %s", dir);
        return 1;
    }
    char *path = getcwd(NULL, 0);
    if (back)
        puts(path ? path : dir);
    var_set("OLDPWD", var_get("PWD"));
    var_set("PWD", path ? path : "");
    free(path);
    return 0;
}

static int builtin_umask(int argc, char **argv)
{
    mode_t mask = umask(0);
    uint64_t value;

    umask(mask);
    if (argc < 2)
        printf("%04o\n", (unsigned)mask);
    else if (!parse_u64(argv[1], 8, &value) || value > 0777)
        return sh_error(2, "umask: %s: bad mask", argv[1]);
    else
        umask((mode_t)value);
    return 0;
}

/* Box's tools that the shell runs itself */

static int run_tool(int argc, char **argv)
{
    char *outer = program_invocation_name;
    int status;

    program_invocation_name = argv[0];
    status = finish_output(tool_find(argv[0])->main(argc, argv));
    program_invocation_name = outer;
    return status;
}

static int builtin_kill(int argc, char **argv)
{
    char **words = job_targets(&argc, argv);

    return words ? run_tool(argc, words) : 1;
}

static const struct builtin builtins[] = {
    {".", builtin_dot, SPECIAL},
    {":", true_main, SPECIAL},
    {"[", run_tool, NORMAL},
    {"bg", builtin_fg, NORMAL},
    {"break", builtin_loop, SPECIAL},
    {"cd", builtin_cd, NORMAL},
    {"command", builtin_command, NORMAL},
    {"continue", builtin_loop, SPECIAL},
    {"echo", run_tool, NORMAL},
    {"eval", builtin_eval, SPECIAL},
    {"exec", builtin_exec, SPECIAL},
    {"exit", builtin_exit, SPECIAL},
    {"export", builtin_declare, SPECIAL},
    {"false", run_tool, NORMAL},
    {"fg", builtin_fg, NORMAL},
    {"getopts", builtin_getopts, NORMAL},
    {"jobs", builtin_jobs, NORMAL},
    {"kill", builtin_kill, NORMAL},
    {"local", builtin_local, NORMAL},
    {"printf", run_tool, NORMAL},
    {"pwd", run_tool, NORMAL},
    {"read", builtin_read, NORMAL},
    {"readonly", builtin_declare, SPECIAL},
    {"return", builtin_return, SPECIAL},
    {"set", builtin_set, SPECIAL},
    {"shift", builtin_shift, SPECIAL},
    {"test", run_tool, NORMAL},
    {"trap", builtin_trap, SPECIAL},
    {"true", run_tool, NORMAL},
    {"type", builtin_type, NORMAL},
    {"umask", builtin_umask, NORMAL},
    {"unset", builtin_unset, SPECIAL},
    {"wait", builtin_wait, NORMAL},
};

static int compare_name(const void *name, const void *builtin)
{
    return strcmp(name, ((const struct builtin *)builtin)->name);
}

const struct builtin *builtin_find(const char *name)
{
    return bsearch(name, builtins, ARRAY_SIZE(builtins), sizeof(builtins[0]), compare_name);
}
