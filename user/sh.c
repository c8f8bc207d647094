/* SPDX-License-Identifier: MIT */
/*
 * The shell's start and end, and the loop that reads a command and runs it.
 *
 * Input comes from a string (-c, eval, a file read whole), or line by line from standard input: no
 * byte after the line's end is taken there, since it may be meant for the command on that line.
 */
#include "user/sh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Input */

void input_from_string(struct input *in, const char *text, size_t len)
{
    *in = (struct input){.text = text, .len = len, .line = 1};
}

/* Reads to the end of the line in one read where the file can be wound back, else by bytes. */
static bool read_plain_line(struct buf *out)
{
    bool seekable = lseek(STDIN_FILENO, 0, SEEK_CUR) >= 0;
    char data[512];

    for (;;) {
        ssize_t n = read(STDIN_FILENO, data, seekable ? sizeof(data) : 1);

        if (n < 0 && errno == EINTR) {
            traps_run();
            if (sh.unwind)
                return false;
            continue;
        }
        if (n <= 0)
            return out->len > 0;
        const char *newline = memchr(data, '\n', (size_t)n);
        size_t used = newline ? (size_t)(newline - data) + 1 : (size_t)n;
        buf_add(out, data, used);
        if (!newline)
            continue;
        if (used < (size_t)n)
            lseek(STDIN_FILENO, (off_t)used - (off_t)n, SEEK_CUR);
        return true;
    }
}

static int refill_stdin(struct input *in, bool continued)
{
    struct mark mark = scratch_mark();
    int more;

    in->buf.len = in->pos = in->len = 0;
    if (sh.opt.interactive) {
        if (!continued) {
            /* A ^C that ended the last command has nothing more to end. */
            if (interrupted())
                sh.unwind = RUN;
            jobs_poll();
        }
        more = edit_line(continued ? expand_prompt("PS2", "> ")
                                   : expand_prompt("PS1", geteuid() == 0 ? "# " : "$ "),
                         &in->buf);
    } else {
        more = read_plain_line(&in->buf);
    }
    scratch_release(mark);
    if (more <= 0)
        return more;
    in->text = buf_str(&in->buf);
    in->len = in->buf.len;
    if (sh.opt.verbose)
        fwrite(in->text, 1, in->len, stderr);
    return 1;
}

/* Running */

/* Runs commands until the input ends or something unwinds. */
int run_input(struct input *in)
{
    int status = 0;

    while (!sh.unwind) {
        struct arena *arena = arena_new(), *outer = sh.arena;
        struct node *tree = NULL;
        size_t start = in->pos;
        enum parse_result result = parse_command(in, arena, &tree);

        if (sh.opt.verbose && !in->refill)
            fwrite(in->text + start, 1, in->pos - start, stderr);
        if (result == PARSE_OK && tree && !(sh.opt.noexec && !sh.opt.interactive)) {
            sh.arena = arena;
            status = exec_node(tree, in->final && in->pos == in->len);
            sh.arena = outer;
        } else if (result == PARSE_ERROR || result == PARSE_INTERRUPTED) {
            status = sh.status = result == PARSE_ERROR ? 2 : 130;
            sh.unwind = ABORT;
        }
        arena_put(arena);
        if (result == PARSE_EOF)
            break;
    }
    return sh.unwind ? sh.status : status;
}

static int run_text(const char *text, size_t len)
{
    struct input in;
    int status, line = sh.line;

    if (sh.calls >= MAX_CALLS)
        return sh_error(2, "nested too deep");
    input_from_string(&in, text, len);
    sh.calls++;
    status = run_input(&in);
    sh.calls--;
    sh.line = line;
    return status;
}

int run_string(const char *text)
{
    return run_text(text, strlen(text));
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
    status = run_text(text, len);
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
    bool warned = false;

    for (;;) {
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

struct start {
    const char *command, *file;
    bool with_command, login, interactive;
};

/* Returns the index of the first operand, or -1. */
static int parse_options(int argc, char **argv, struct start *start)
{
    int i = 1;

    for (; i < argc && (argv[i][0] == '-' || argv[i][0] == '+') && argv[i][1]; i++) {
        bool on = argv[i][0] == '-';

        if (strcmp(argv[i], "--") == 0)
            return i + 1;
        if (strcmp(argv[i], "-o") == 0 || strcmp(argv[i], "+o") == 0) {
            if (options_set(i + 2 < argc ? i + 2 : argc, argv, i) < 0)
                return -1;
            i++;
            continue;
        }
        for (const char *p = argv[i] + 1; *p; p++) {
            if (*p == 'c')
                start->with_command = true;
            else if (*p == 'l')
                start->login = true;
            else if (!option_by_letter(*p, on)) {
                sh_error(2, "illegal option %s", argv[i]);
                return -1;
            }
        }
    }
    return i;
}

static void start_variables(void)
{
    static const char *const defaults[][2] = {
        {"IFS", " \t\n"}, {"OPTIND", "1"}, {"PS2", "> "}, {"PS4", "+ "}};
    char number[16];
    struct stat here, there;
    const char *pwd;

    vars_from_environment();
    for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
        if (i < 2 || !var_get(defaults[i][0]))
            var_set(defaults[i][0], defaults[i][1]);
    if (!var_get("PS1"))
        var_set("PS1", geteuid() == 0 ? "# " : "$ ");
    snprintf(number, sizeof(number), "%d", (int)getppid());
    var_set("PPID", number);
    pwd = var_get("PWD");
    if (!pwd || pwd[0] != '/' || stat(pwd, &there) < 0 || stat(".", &here) < 0 ||
        there.st_ino != here.st_ino || there.st_dev != here.st_dev) {
        char *cwd = getcwd(NULL, 0);

        var_set("PWD", cwd ? cwd : "/");
        free(cwd);
    }
}

static void run_profile(const char *path)
{
    if (path && access(path, R_OK) == 0)
        run_file(path);
    if (sh.unwind == ABORT)
        sh.unwind = RUN;
}

static void run_profiles(bool login)
{
    const char *home = var_get("HOME");

    if (login) {
        run_profile("/etc/profile");
        if (home && !sh.unwind) {
            char *path = path_join(home, ".profile");

            run_profile(path);
            free(path);
        }
    }
    if (sh.opt.interactive && !sh.unwind)
        run_profile(var_get("ENV"));
}

static int run_script(const char *path)
{
    struct input in;
    size_t len, head;
    char *text = read_file(path, &len);

    if (!text) {
        fprintf(stderr, "%s: %s: %s\n", program_invocation_name, path, strerror(errno));
        return 127;
    }
    /* Some other machine's program, handed to us because execve refused it. */
    head = strcspn(text, "\n");
    if (head < len && text[head] == '\0') {
        fprintf(stderr, "%s: %s: not a script\n", program_invocation_name, path);
        free(text);
        return 126;
    }
    input_from_string(&in, text, len);
    sh.status = run_input(&in);
    free(text);
    return sh.status;
}

static int run_stdin(void)
{
    struct input in = {.refill = refill_stdin, .line = 1};

    if (sh.opt.interactive)
        run_interactive(&in);
    else
        sh.status = run_input(&in);
    buf_free(&in.buf);
    return sh.status;
}

static int run_command(const char *command)
{
    struct input in;

    input_from_string(&in, command, strlen(command));
    in.final = true;
    return run_input(&in);
}

int sh_main(int argc, char **argv)
{
    struct start start = {.login = argv[0][0] == '-'};
    int first, status;

    sh.tty = -1;
    sh.pid = getpid();
    sh.arg0 = argv[0][0] == '-' ? argv[0] + 1 : argv[0];
    first = parse_options(argc, argv, &start);
    if (first < 0)
        return 2;
    if (start.with_command) {
        if (first >= argc)
            return sh_error(2, "-c needs a command");
        start.command = argv[first++];
        if (first < argc)
            sh.arg0 = argv[first++];
    } else if (first < argc && !sh.opt.stdin_script) {
        start.file = argv[first++];
        sh.arg0 = start.file;
    } else {
        sh.opt.stdin_script = true;
        if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
            sh.opt.interactive = true;
    }
    params_set(argc - first, argv + first);
    start_variables();
    signals_start();
    if (sh.opt.interactive)
        job_control_start();
    run_profiles(start.login);
    if (sh.unwind)
        status = sh.status;
    else if (start.command)
        status = run_command(start.command);
    else if (start.file)
        status = run_script(start.file);
    else
        status = run_stdin();
    shell_exit(status);
}
