/* SPDX-License-Identifier: MIT */
/*
 * The shell: what its files share.
 *
 *   sh.c          start, options, input, the read-run loop
 *   sh_lex.c, sh_parse.c   text → tokens → syntax tree
 *   sh_expand.c   words → strings: parameters, substitutions, field splitting, path names
 *   sh_arith.c    $(( ))
 *   sh_vars.c     variables, positional parameters, options, memory
 *   sh_exec.c     syntax tree → processes: commands, pipelines, loops
 *   sh_redir.c    redirections
 *   sh_command.c  functions and programs
 *   sh_jobs.c     children: waiting, job control
 *   sh_signals.c  signals and traps
 *   sh_builtin.c, sh_read.c   commands that must run in the shell itself
 *   sh_edit.c     line editing and history
 *
 * Invariants: nothing jumps out of running code. Whatever must leave early (break, return, exit,
 * an error, Ctrl-C) sets sh.unwind, and every loop and list stops when it is set. Trees live in
 * arenas that functions keep alive by reference; strings made by expansion live in sh.scratch
 * until the command that needed them ends. A buffer must not grow between a mark of its arena and
 * the release that it is to outlive.
 */
#ifndef USER_SH_H
#define USER_SH_H

#include "user/box.h"

#include <obstack.h>
#include <termios.h>

enum { FD_SAVED = 10, MAX_DEPTH = 500, MAX_CALLS = 500, MAX_RUNNING = 2000 };

struct saved_fd;
struct job;

/* Memory that is freed as a whole, when its last reference is put. */
struct arena {
    struct obstack chunks;
    int refs;
};

/* A growing byte string in an arena; p is NUL-terminated once buf_str was called. */
struct buf {
    struct arena *a;
    char *p;
    size_t len, room;
};

/* A growing list of strings in an arena, always NULL-terminated. */
struct list {
    char **v;
    int n, room;
};

/* Words. A literal is quoted or not; everything else is expanded when the command runs. */
enum part_type { PART_TEXT, PART_PARAM, PART_COMMAND, PART_ARITH };

struct part {
    struct part *next;
    enum part_type type;
    bool quoted;
    bool colon;        /* PARAM: the operator treats a null value as unset */
    char op;           /* PARAM: 0 - = ? + # % l(ength), and h, s for ## and %% */
    char *text;        /* TEXT, PARAM's name */
    struct part *arg;  /* PARAM's word, ARITH's expression */
    struct node *tree; /* COMMAND */
};

struct word {
    struct word *next;
    struct part *parts;
    const char *plain; /* the text, if it is one unquoted literal: may be a reserved word */
};

enum redir_type {
    REDIR_READ,
    REDIR_WRITE,
    REDIR_CLOBBER,
    REDIR_APPEND,
    REDIR_BOTH,
    REDIR_DUP,
    REDIR_HERE
};

struct redir {
    struct redir *next;
    enum redir_type type;
    int fd;
    struct word *word; /* target; the body of a here-document */
};

enum node_type {
    NODE_SIMPLE,
    NODE_PIPE,
    NODE_AND,
    NODE_OR,
    NODE_NOT,
    NODE_LIST,
    NODE_SUBSHELL,
    NODE_GROUP,
    NODE_IF,
    NODE_WHILE,
    NODE_UNTIL,
    NODE_FOR,
    NODE_CASE,
    NODE_FUNCTION
};

/*
 * SIMPLE: assigns, words.  PIPE, LIST: a, linked by next.  AND, OR: a, b.  NOT, SUBSHELL, GROUP: a.
 * IF: a, then b, else c.  WHILE, UNTIL: a, do b.  FOR: name, words, do a.
 * CASE: words (the subject), items.  FUNCTION: name, a.
 */
struct node {
    struct node *next;
    enum node_type type;
    bool background; /* in a LIST: followed by & */
    bool has_in;     /* FOR: "in" was given */
    int line;
    struct node *a, *b, *c;
    struct word *assigns, *words;
    struct redir *redirs;
    struct case_item *items;
    const char *name;
    const char *text; /* source, for `jobs` */
};

struct case_item {
    struct case_item *next;
    struct word *patterns;
    struct node *body;
};

/* Where text comes from. refill makes more of it current: 1 = there is some, 0 = end, -1 = ^C. */
struct input {
    const char *text;
    size_t pos, len;
    int line;
    int (*refill)(struct input *in, struct arena *a, bool continued);
    bool ended; /* refill said so: a terminal must not be asked twice */
    bool final; /* the process ends with this text: its last command may replace it */
};

enum unwind { RUN, BREAK, CONTINUE, RETURN, EXIT, ABORT };

struct var {
    struct var *next;
    char *value; /* NULL = unset (but perhaps exported) */
    bool exported, readonly;
    char name[];
};

/* A variable's former state, to be put back when a function or a command ends. */
struct saved_var {
    struct saved_var *next;
    struct var *var;
    char *value;
    bool exported, readonly;
};

struct options {
    bool noclobber, errexit, noglob, interactive, noexec, stdin_script, nounset, xtrace, command,
        login;
};

struct shell {
    struct options opt;
    int status;              /* $? */
    int substitution_status; /* of the last $(…), for a command that has no name */
    enum unwind unwind;
    int unwind_levels; /* BREAK, CONTINUE: loops still to leave */
    int loops;         /* loops around us in this function */
    int calls;         /* functions, evals and . files around us */
    int depth;         /* nodes being run, one inside the other: bounds the stack */
    int tested;        /* >0: a failure is being looked at, so -e does not apply */
    int functions;     /* functions and . files around us: `return` has a meaning */
    int line;
    bool subshell; /* we are a forked copy */
    bool job_control;
    pid_t pid, last_background, pgid;
    int tty;
    struct termios tty_modes;
    const char *arg0;
    int nparams;
    char **params; /* malloc'd array and strings */
    struct saved_var *locals;
    struct arena *scratch;
    struct arena *arena; /* holds the tree being run: functions defined by it keep it */
};

extern struct shell sh;

/* sh.c */
int run_input(struct input *in);
int run_string(const char *text);
int run_file(const char *path);
_Noreturn void shell_exit(int status);
void input_from_string(struct input *in, const char *text, size_t len);

/* sh_vars.c */
void buf_add(struct buf *b, const char *s, size_t len);
void buf_char(struct buf *b, char c);
char *buf_str(struct buf *b);
/* Zeroed. */
void *arena_alloc(struct arena *a, size_t size);
char *arena_strndup(struct arena *a, const char *s, size_t len);
struct arena *arena_new(void);
void arena_put(struct arena *a);
/* Frees what was taken from sh.scratch since the mark. */
void *scratch_mark(void);
void scratch_release(void *mark);
char *scratch_copy(const char *s);
void list_add(struct arena *a, struct list *list, char *s);
bool is_name_start(int c);
bool is_name_char(int c);
bool is_name(const char *s, size_t len);
const char *var_get(const char *name);
/* PS1, PS2, PS4 are shown as they are. */
const char *var_prompt(const char *name, const char *otherwise);
bool var_set(const char *name, const char *value);
bool var_unset(const char *name);
void var_flag(const char *name, bool exported, bool readonly);
void var_save(struct saved_var **list, const char *name);
void var_restore(struct saved_var **list);
void vars_from_environment(void);
void vars_to_environment(void);
void vars_print(const char *prefix, bool exported, bool readonly);
void print_quoted(const char *s);
void params_set(int n, char **words);
int options_set(int argc, char **argv, int first);
/* By its letter, or by its name if there is one; false if there is no such option. */
bool option_set(char letter, const char *name, bool on);
void options_letters(char *out);

/* sh_parse.c */
enum parse_result { PARSE_OK, PARSE_EOF, PARSE_ERROR, PARSE_INTERRUPTED };
enum parse_result parse_command(struct input *in, struct arena *a, struct node **out);

/* sh_expand.c: all return false / NULL after an error, which has been reported and unwound. */
bool expand_words(const struct word *words, struct list *out);
char *expand_string(const struct word *word);
char *expand_assignment(const struct part *value);
char *expand_pattern(const struct word *word);

/* sh_arith.c */
bool arith_eval(const char *text, int64_t *out);

/* sh_exec.c */
int exec_node(const struct node *n, bool last);
int exec_args(int argc, char **argv);
void command_substitute(const struct node *tree, struct buf *out);
/* Reports, and gives up what runs: back to the prompt, or the end of a script. */
int sh_error(int status, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* sh_redir.c */
/* Applies a list; saved == NULL: for good. Failures are reported, and unwound only if expansion
 * failed. What was moved away goes to *saved in either case. */
bool redirect(const struct redir *list, struct saved_fd **saved);
void restore_fds(struct saved_fd *saved);

/* sh_command.c */
/* Replaces this process; returns only on failure, with 126 or 127. */
int exec_replace(char **argv);
void function_define(const char *name, const struct node *body);
bool function_exists(const char *name);
void function_unset(const char *name);
int function_call(const char *name, int argc, char **argv);

/* sh_jobs.c */
enum fork_mode { FORK_FOREGROUND, FORK_BACKGROUND, FORK_PLAIN };
struct job *job_new(const char *text);
/* As fork(2). A plain child stays in the shell's process group. A failed fork drops the job. */
pid_t job_fork(struct job *job, enum fork_mode mode);
int job_wait(struct job *job);
void job_background(struct job *job);
void jobs_poll(void);
bool jobs_stopped(void);
void job_control_start(void);
void job_control_stop(void);
int builtin_jobs(int argc, char **argv);
int builtin_fg(int argc, char **argv);
int builtin_wait(int argc, char **argv);
/* The words of `kill` with "%1" as kill(2) names it; NULL (reported) if there is no such job. */
char **job_targets(int *argc, char **argv);

/* sh_signals.c */
void signals_start(void);
void signal_set(int sig, void (*handler)(int));
int signals_waiting(void);
void interrupt_noted(void);
/* Ctrl-C reached the shell itself: unwinds. */
bool interrupted(void);
void traps_run(void);
void traps_reset(void);
void trap_exit_run(void);
bool traps_any(void);
int builtin_trap(int argc, char **argv);

/* sh_builtin.c */
enum builtin_kind { NORMAL, SPECIAL };
struct builtin {
    const char *name;
    int (*run)(int argc, char **argv);
    enum builtin_kind kind;
};
const struct builtin *builtin_find(const char *name);

/* sh_read.c */
int builtin_read(int argc, char **argv);
int builtin_getopts(int argc, char **argv);

/* sh_edit.c: the line with its newline in out; 1, 0 at the end of input, -1 after ^C. */
int edit_line(const char *prompt, struct buf *out);

#endif
