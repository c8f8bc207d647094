/* SPDX-License-Identifier: MIT */
/*
 * The shell's start and end, and the loop that reads a command and runs it.
 *
 * Input comes from a string (-c, eval, a file read whole), or line by line from standard input: no
 * byte after the line's end is taken there, since it may be meant for the command on that line.
 */
#include "user/sh.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Input */

void input_from_string(struct input *in, const char *text, size_t len)
{
    *in = (struct input){.text = text, .len = len, .line = 1};
}

/* By bytes: what follows the line belongs to the command on it. */
static bool read_plain_line(struct buf *out)
{
    char c = '\0';

    while (c != '\n') {
        ssize_t n = read(STDIN_FILENO, &c, 1);

        if (n < 0 && errno == EINTR) {
            traps_run();
            if (sh.unwind)
                return false;
            continue;
        }
        if (n <= 0)
            return out->len > 0;
        buf_char(out, c);
    }
    return true;
}

/* A command ends with a line, so the line may lie in the arena of the command's tree. */
static int refill_stdin(struct input *in, struct arena *a, bool continued)
{
    struct buf line = {.a = a};
    void *mark = scratch_mark();
    int more;

    if (sh.opt.interactive) {
        if (!continued) {
            /* A ^C that ended the last command has nothing more to end. */
            if (interrupted())
                sh.unwind = RUN;
            jobs_poll();
        }
        more = edit_line(continued ? var_prompt("PS2", "> ")
                                   : var_prompt("PS1", geteuid() == 0 ? "# " : "$ "),
                         &line);
    } else {
        more = read_plain_line(&line);
    }
    scratch_release(mark);
    in->text = buf_str(&line);
    in->len = line.len;
    in->pos = 0;
    return more;
}

/* Running */

/* Runs commands until the input ends or something unwinds. */
int run_input(struct input *in)
{
    enum parse_result result = PARSE_OK;
    int status = 0;

    while (!sh.unwind && result != PARSE_EOF) {
        struct arena *arena = arena_new(), *outer = sh.arena;
        struct node *tree = NULL;

        result = parse_command(in, arena, &tree);
        if (result == PARSE_OK && tree && !(sh.opt.noexec && !sh.opt.interactive)) {
            sh.arena = arena;
            status = exec_node(tree, in->final && in->pos == in->len);
            sh.arena = outer;
        } else if (result == PARSE_ERROR || result == PARSE_INTERRUPTED) {
            status = sh.status = result == PARSE_ERROR ? 2 : 130;
            sh.unwind = ABORT;
        }
        arena_put(arena);
    }
    return sh.unwind ? sh.status : status;
}

/* final: nothing comes after it, so its last command may take the process. */
static int run_text(const char *text, size_t len, bool final)
{
    struct input in;
    int status, line = sh.line;

    if (sh.calls >= MAX_CALLS)
        return sh_error(2, "nested too deep");
    input_from_string(&in, text, len);
    in.final = final;
    sh.calls++;
    status = run_input(&in);
    sh.calls--;
    sh.line = line;
    return status;
}

int run_string(const char *text)
{
    return run_text(text, strlen(text), false);
}

/* For `.`: `return` leaves the file. */
int run_file(const char *path)
{
    size_t len;
    char *text = read_file(path, &len);
    int status;

    if (!text)
        return sh_error(127, "%s: %s", path, strerror(errno));
    sh.functions++;
    status = run_text(text, len, false);
    sh.functions--;
    if (sh.unwind == RETURN)
        sh.unwind = RUN;
    free(text);
    return status;
}

void shell_exit(int status)
{
    sh.status = status;
    trap_exit_run();
    status = finish_output(sh.status) & 255;
    job_control_stop();
    if (sh.subshell)
        _exit(status);
    exit(status);
}

static void run_interactive(struct input *in)
{
    for (bool warned = false;;) {
        in->ended = false;
        run_input(in);
        if (sh.unwind == EXIT)
            return;
        if (sh.unwind) {
            /* An error or Ctrl-C: the rest of the line is void. */
            sh.unwind = RUN;
            in->pos = in->len;
            continue;
        }
        if (!isatty(STDIN_FILENO))
            return;
        fputc('\n', stderr);
        if (warned || !jobs_stopped())
            return;
        warnx("there are stopped jobs");
        warned = true;
    }
}

/* Start */

static void start_variables(void)
{
    char *cwd = getcwd(NULL, 0);

    vars_from_environment();
    var_set("IFS", " \t\n");
    var_set("OPTIND", "1");
    var_set("PWD", cwd ? cwd : "/");
    free(cwd);
}

static void run_profile(const char *path)
{
    if (access(path, R_OK) == 0)
        run_file(path);
    if (sh.unwind == ABORT)
        sh.unwind = RUN;
}

static void run_profiles(void)
{
    char *own = path_join(var_get("HOME") ? var_get("HOME") : "/", ".profile");

    run_profile("/etc/profile");
    if (!sh.unwind)
        run_profile(own);
    free(own);
}

static int run_script(const char *path)
{
    size_t len, head;
    char *text = read_file(path, &len);

    if (!text) {
        warn("%s", path);
        return 127;
    }
    /* Some other machine's program, handed to us because execve refused it. */
    head = strcspn(text, "\n");
    if (head < len && text[head] == '\0') {
        warnx("%s: not a script", path);
        return 126;
    }
    return run_text(text, len, false);
}

static int run_stdin(void)
{
    struct input in = {.refill = refill_stdin, .line = 1};

    if (!sh.opt.interactive)
        return run_input(&in);
    run_interactive(&in);
    return sh.status;
}

int sh_main(int argc, char **argv)
{
    bool login = argv[0][0] == '-';

    sh.tty = -1;
    sh.pid = getpid();
    sh.scratch = arena_new();
    sh.arg0 = argv[0] + login;
    int first = options_set(argc, argv, 1);
    if (first < 0)
        return 2;
    first += first < argc && strcmp(argv[first], "--") == 0;
    char **operands = argv + first;
    if (sh.opt.command && first == argc)
        return sh_error(2, "-c needs a command");
    if (sh.opt.command)
        first++;
    else if (first == argc)
        sh.opt.stdin_script = true;
    if (sh.opt.stdin_script && !sh.opt.command)
        sh.opt.interactive |= isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
    else if (first < argc)
        sh.arg0 = argv[first++];
    params_set(argc - first, argv + first);
    start_variables();
    signals_start();
    if (sh.opt.interactive)
        job_control_start();
    if (login || sh.opt.login)
        run_profiles();
    if (sh.unwind)
        shell_exit(sh.status);
    shell_exit(sh.opt.command        ? run_text(operands[0], strlen(operands[0]), true)
               : sh.opt.stdin_script ? run_stdin()
                                     : run_script(operands[0]));
}
