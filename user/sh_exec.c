/* SPDX-License-Identifier: MIT */
/*
 * Runs syntax trees: simple commands, pipelines, lists, conditions, loops.
 *
 * exec_node returns a status and leaves it in sh.status. `last` says that the process ends after
 * this node, so that the final command of a subshell replaces it instead of being its child.
 *
 * Invariant: whoever sees sh.unwind set returns at once, and puts back on the way what it changed.
 */
#include "user/sh.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *current_text;

int sh_error(int status, const char *fmt, ...)
{
    va_list ap;

    fflush(stdout);
    fprintf(stderr, "%s: ", sh.arg0);
    if (sh.line && !sh.opt.interactive)
        fprintf(stderr, "%d: ", sh.line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    sh.unwind = ABORT;
    return sh.status = status;
}

/* Simple commands */

/* Assigns in the shell itself; with `saved`, exported and to be undone. */
static bool assign(const struct word *assigns, struct saved_var **saved, bool export)
{
    for (const struct word *a = assigns; a; a = a->next) {
        char *value = expand_assignment(a->parts);

        if (!value)
            return false;
        if (saved)
            var_save(saved, a->plain);
        if (!var_set(a->plain, value))
            return false;
        if (export)
            var_flag(a->plain, true, false);
        if (sh.opt.xtrace && !saved)
            fprintf(stderr, "%s%s=%s\n", var_prompt("PS4", "+ "), a->plain, value);
    }
    return true;
}

static void trace(int argc, char **argv)
{
    fputs(var_prompt("PS4", "+ "), stderr);
    for (int i = 0; i < argc; i++)
        fprintf(stderr, "%s%s", i ? " " : "", argv[i]);
    fputc('\n', stderr);
}

static int assign_only(const struct node *n)
{
    struct saved_fd *saved = NULL;
    bool ok;

    sh.substitution_status = 0;
    ok = redirect(n->redirs, &saved);
    restore_fds(saved);
    if (!ok)
        return sh.unwind ? sh.status : 1;
    return assign(n->assigns, NULL, false) ? sh.substitution_status : sh.status;
}

/* A builtin, or with NULL a function: redirections and assignments last as long as it runs. */
static int run_inside(const struct builtin *builtin, const struct node *n, int argc, char **argv)
{
    struct saved_var *vars = NULL;
    struct saved_fd *fds = NULL;
    bool special = builtin && builtin->kind == SPECIAL;
    /* "exec" without a command redirects the shell itself. */
    bool keep = special && argc == 1 && strcmp(argv[0], "exec") == 0;
    int status = special ? 2 : 1;

    if (!redirect(n->redirs, keep ? NULL : &fds)) {
        if (special && !sh.opt.interactive && !sh.unwind) {
            sh.unwind = ABORT;
            sh.status = status;
        }
    } else if (assign(n->assigns, special ? NULL : &vars, !special)) {
        status =
            builtin ? finish_output(builtin->run(argc, argv)) : function_call(argv[0], argc, argv);
        sh.status = status;
    }
    restore_fds(fds);
    var_restore(&vars);
    return sh.unwind ? sh.status : status;
}

/* Nothing needs this process after the command: it need not fork. */
static bool may_replace(bool last)
{
    return last && !traps_any() && !sh.job_control;
}

static int run_external(const struct node *n, char **argv, bool last)
{
    if (!may_replace(last)) {
        struct job *job = job_new(current_text);
        pid_t pid = job_fork(job, FORK_FOREGROUND);

        if (pid < 0)
            return sh.status;
        if (pid > 0)
            return job_wait(job);
    }
    sh.opt.xtrace = false;
    if (!redirect(n->redirs, NULL))
        _exit(sh.unwind ? sh.status : 1);
    if (!assign(n->assigns, NULL, true))
        _exit(sh.status);
    _exit(exec_replace(argv));
}

static int exec_simple(const struct node *n, bool last)
{
    const struct builtin *builtin;
    struct list argv = {0};

    sh.line = n->line;
    if (!expand_words(n->words, &argv))
        return sh.status;
    if (argv.n == 0)
        return assign_only(n);
    if (sh.opt.xtrace)
        trace(argv.n, argv.v);
    builtin = builtin_find(argv.v[0]);
    if (function_exists(argv.v[0]) && !(builtin && builtin->kind == SPECIAL))
        return run_inside(NULL, n, argv.n, argv.v);
    return builtin ? run_inside(builtin, n, argv.n, argv.v) : run_external(n, argv.v, last);
}

/* For the builtin `command`: no function is looked at. */
int exec_args(int argc, char **argv)
{
    static const struct node bare;
    const struct builtin *builtin = builtin_find(argv[0]);

    return builtin ? builtin->run(argc, argv) : run_external(&bare, argv, false);
}

/* Compound commands */

/* A child of the job that runs the node, with the pipes' ends as its input and output. */
static pid_t spawn(struct job *job, enum fork_mode mode, const struct node *n, int in,
                   const int out[2])
{
    pid_t pid = job_fork(job, mode);

    if (pid != 0)
        return pid;
    if (in >= 0) {
        dup2(in, STDIN_FILENO);
        close(in);
    }
    if (out) {
        close(out[0]);
        dup2(out[1], STDOUT_FILENO);
        close(out[1]);
    }
    shell_exit(exec_node(n, true));
}

static int exec_subshell(const struct node *n, bool last)
{
    if (may_replace(last)) {
        sh.subshell = true;
        return exec_node(n->a, true);
    }
    struct job *job = job_new(current_text);
    return spawn(job, FORK_FOREGROUND, n->a, -1, NULL) < 0 ? sh.status : job_wait(job);
}

static int exec_pipeline(const struct node *pipeline)
{
    struct job *job = job_new(current_text);
    int in = -1, out[2];
    pid_t pid = 0;

    for (const struct node *n = pipeline->a; n && pid >= 0; n = n->next) {
        if (n->next && pipe2(out, O_CLOEXEC) < 0) {
            sh_error(2, "cannot make a pipe: %s", strerror(errno));
            break;
        }
        pid = spawn(job, FORK_FOREGROUND, n, in, n->next ? out : NULL);
        if (pid < 0 && n == pipeline->a)
            job = NULL;
        if (in >= 0)
            close(in);
        if (n->next)
            close(out[1]);
        in = n->next ? out[0] : -1;
    }
    if (in >= 0)
        close(in);
    int status = job ? job_wait(job) : sh.status;
    return sh.unwind ? sh.status : status;
}

static void exec_background(const struct node *n)
{
    jobs_poll();
    struct job *job = job_new(n->text);
    if (spawn(job, FORK_BACKGROUND, n, -1, NULL) > 0)
        job_background(job);
}

static int exec_list(const struct node *list, bool last)
{
    int status = 0;

    for (const struct node *n = list->a; n && !sh.unwind; n = n->next) {
        const char *outer = current_text;

        current_text = n->text;
        if (n->background) {
            exec_background(n);
            status = sh.unwind ? sh.status : 0;
        } else {
            status = exec_node(n, last && !n->next);
        }
        sh.status = status;
        current_text = outer;
    }
    return status;
}

/* -e does not look at conditions. */
static int exec_tested(const struct node *n)
{
    int status;

    sh.tested++;
    status = exec_node(n, false);
    sh.tested--;
    return status;
}

/* After a loop's body: whether the loop goes on. */
static bool loop_continues(void)
{
    if (sh.unwind != BREAK && sh.unwind != CONTINUE)
        return sh.unwind == RUN;
    if (--sh.unwind_levels > 0)
        return false;
    bool again = sh.unwind == CONTINUE;
    sh.unwind = RUN;
    return again;
}

static int exec_while(const struct node *n)
{
    int status = 0;

    sh.loops++;
    for (;;) {
        bool yes = exec_tested(n->a) == 0;

        if (sh.unwind) {
            if (!loop_continues())
                break;
            continue;
        }
        if (yes != (n->type == NODE_WHILE))
            break;
        status = exec_node(n->b, false);
        if (!loop_continues())
            break;
    }
    sh.loops--;
    return sh.unwind ? sh.status : status;
}

static int exec_for(const struct node *n)
{
    struct list words = {0};
    int status = 0;

    if (n->has_in) {
        if (!expand_words(n->words, &words))
            return sh.status;
    } else {
        for (int i = 0; i < sh.nparams; i++)
            list_add(sh.scratch, &words, scratch_copy(sh.params[i]));
    }
    sh.loops++;
    for (int i = 0; i < words.n; i++) {
        if (!var_set(n->name, words.v[i]))
            break;
        status = exec_node(n->a, false);
        if (!loop_continues())
            break;
    }
    sh.loops--;
    return sh.unwind ? sh.status : status;
}

static int exec_case(const struct node *n, bool last)
{
    char *subject = expand_string(n->words);

    for (const struct case_item *item = n->items; subject && item; item = item->next)
        for (const struct word *w = item->patterns; w; w = w->next) {
            char *pattern = expand_pattern(w);

            if (!pattern)
                return sh.status;
            if (fnmatch(pattern, subject, 0) == 0)
                return item->body ? exec_node(item->body, last) : 0;
        }
    return subject ? 0 : sh.status;
}

static int exec_if(const struct node *n, bool last)
{
    int status = exec_tested(n->a);

    if (sh.unwind)
        return status;
    if (status == 0)
        return exec_node(n->b, last);
    return n->c ? exec_node(n->c, last) : 0;
}

static int exec_and_or(const struct node *n, bool last)
{
    int status = exec_tested(n->a);

    if (sh.unwind || (status == 0) != (n->type == NODE_AND))
        return status;
    return exec_node(n->b, last);
}

static int exec_typed(const struct node *n, bool last)
{
    switch (n->type) {
    case NODE_SIMPLE: return exec_simple(n, last);
    case NODE_PIPE: return exec_pipeline(n);
    case NODE_AND:
    case NODE_OR: return exec_and_or(n, last);
    case NODE_LIST: return exec_list(n, last);
    case NODE_SUBSHELL: return exec_subshell(n, last);
    case NODE_GROUP: return exec_node(n->a, last);
    case NODE_IF: return exec_if(n, last);
    case NODE_WHILE:
    case NODE_UNTIL: return exec_while(n);
    case NODE_FOR: return exec_for(n);
    case NODE_CASE: return exec_case(n, last);
    case NODE_FUNCTION: function_define(n->name, n->a); return 0;
    case NODE_NOT: {
        int status = exec_tested(n->a);

        return sh.unwind ? status : !status;
    }
    }
    return 0;
}

static int exec_redirected(const struct node *n, bool last)
{
    struct saved_fd *saved = NULL;
    int status = 1;

    if (redirect(n->redirs, &saved))
        status = exec_typed(n, last);
    else if (sh.unwind)
        status = sh.status;
    restore_fds(saved);
    return status;
}

int exec_node(const struct node *n, bool last)
{
    void *mark = scratch_mark();
    int status;

    if (!n)
        return sh.status = 0;
    traps_run();
    if (interrupted() || sh.unwind)
        return sh.status;
    sh.depth++;
    if (sh.depth > MAX_RUNNING)
        status = sh_error(2, "nested too deep");
    else if (n->redirs && n->type != NODE_SIMPLE)
        status = exec_redirected(n, last);
    else
        status = exec_typed(n, last);
    sh.depth--;
    scratch_release(mark);
    if (sh.unwind)
        return sh.status = status;
    sh.status = status;
    bool fails = n->type == NODE_SIMPLE || n->type == NODE_PIPE || n->type == NODE_SUBSHELL;
    if (status && fails && sh.opt.errexit && !sh.tested)
        sh.unwind = EXIT;
    traps_run();
    return sh.status;
}

static void read_output(int fd, struct buf *out)
{
    char data[4096];
    ssize_t n;

    while ((n = read_some(fd, data, sizeof(data))) > 0)
        for (ssize_t i = 0; i < n; i++)
            if (data[i])
                buf_char(out, data[i]);
}

/* $(tree): what it prints, without NUL bytes. */
void command_substitute(const struct node *tree, struct buf *out)
{
    int fds[2], tested = sh.tested;

    sh.substitution_status = 0;
    if (!tree)
        return;
    if (pipe2(fds, O_CLOEXEC) < 0) {
        sh_error(2, "cannot make a pipe: %s", strerror(errno));
        return;
    }
    struct job *job = job_new(current_text);
    sh.tested = 0;
    pid_t pid = spawn(job, FORK_PLAIN, tree, -1, fds);
    sh.tested = tested;
    close(fds[1]);
    if (pid > 0) {
        read_output(fds[0], out);
        sh.substitution_status = job_wait(job);
    }
    close(fds[0]);
}
