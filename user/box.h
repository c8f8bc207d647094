/* SPDX-License-Identifier: MIT */
/*
 * The multi-call program /bin/box: what its tools share.
 *
 * A tool NAME is one line in tools.def and one function `int NAME_main(int argc, char **argv)`; its
 * return value is the exit status. box prints the usage line for `--help`, flushes stdout after the
 * tool and reports a failed write, so a tool only prints and returns.
 *
 * Tools marked INPROC in tools.def are also called by the shell in its own process. They must
 * return (never exit or die), free what they allocate, keep no state between calls, read their
 * options by hand, and leave the file descriptors as they found them.
 */
#ifndef USER_BOX_H
#define USER_BOX_H

/* Include this header first: vasprintf, pipe2 and friends hide behind this. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <errno.h>
#include <error.h>
#include <fts.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

enum tool_kind { PROCESS, INPROC };

struct tool {
    const char *name;
    int (*main)(int argc, char **argv);
    const char *usage;
    enum tool_kind kind;
};

#define TOOL(ident, kind, usage_text) int ident##_main(int argc, char **argv);
#include "user/tools.def"
#undef TOOL

/* NULL if there is no such tool. "[" is found as test. */
const struct tool *tool_find(const char *name);
/* Flushes stdout; a failed write is reported and turns status 0 into 1. */
int finish_output(int status);

/*
 * Messages on stderr, "tool: text" (…x) or "tool: text: strerror(errno)", behind what stdout holds.
 * The tool's name is program_invocation_name. die exits with 1.
 */
#define warn(...) error(0, errno, __VA_ARGS__)
#define warnx(...) error(0, 0, __VA_ARGS__)
#define die(...) (error(1, errno, __VA_ARGS__), __builtin_unreachable())
#define diex(...) (error(1, 0, __VA_ARGS__), __builtin_unreachable())
/* Prints "usage: …" of the running tool on stderr and exits with status. */
_Noreturn void usage(int status);
/* The same without the exit, for INPROC tools: `return usage_error(2);`. */
int usage_error(int status);

/*
 * Reads the options as getopt(3) does; argc and argv are the operands then. A bad option ends the
 * tool with usage(bad).
 */
void read_options(int *argc, char ***argv, const char *letters, int bad);
/* Was it given? Of several letters, which came last? 0 if none. */
bool opt(char letter);
char opt_last(const char *letters);
/* The argument of an option, NULL if that was not given: the last one, or all between newlines. */
char *opt_value(char letter);
char *opt_values(char letter);
/* As a number; `otherwise` if not given. Anything else ends the tool with `bad`. */
uint64_t opt_number(char letter, uint64_t otherwise, int bad);

/* Memory: never NULL; the tool dies when there is none. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Room for one more in an array of n that grows by doubling. */
void *grow(void *array, size_t n, size_t size);

/* Numbers: whole string or false; nothing is reported. size takes one of c w b k K M G T. */
bool parse_u64(const char *s, int base, uint64_t *out);
bool parse_i64(const char *s, int base, int64_t *out);
bool parse_size(const char *s, uint64_t *out);
/* "1.5", "2", "10m" (s, m, h, d). */
bool parse_duration(const char *s, struct timespec *out);

/* Files. "-" means stdin. A failure is reported with warn(); the result is then NULL. */
FILE *fopen_input(const char *path);
void fclose_input(FILE *file);
/* Calls `use` for every operand, or for stdin if there is none; false if any failed. */
bool each_input(int argc, char **argv, bool (*use)(FILE *file, const char *name));
/* getline without the newline; -1 at the end. */
ssize_t read_line(char **line, size_t *room, FILE *file);
/* All of it, or false with errno set. */
bool write_all(int fd, const void *data, size_t len);
/* read(2) again after a signal. */
ssize_t read_some(int fd, void *buf, size_t len);
/* Copies until end of file; false with errno set, nothing reported. */
bool copy_fd(int from, int to);
/* All that is left to read from a descriptor, or in a file, NUL-terminated, with a byte to spare;
 * NULL with errno set. Caller frees. len may be NULL. */
char *read_fd(int fd, size_t *len);
char *read_file(const char *path, size_t *len);
/* Last component, without copying; "/" for the root. Trailing slashes are kept. */
const char *base_name(const char *path);
/* dir + "/" + name, one slash between them. Caller frees. */
char *path_join(const char *dir, const char *name);
bool is_directory(const char *path);
/* dest/last-component-of(from) if dest is a directory, else dest itself. Caller frees. */
char *destination(const char *from, const char *dest);
/* Asks on stderr, reads an answer from stdin. */
bool confirm(const char *question, const char *path);
/* As rm -r does, with the same reporting. */
bool remove_tree(const char *path);
bool same_file(const struct stat *a, const struct stat *b);
/* A link's target; NULL with errno set. Caller frees. */
char *read_link(const char *path);
/* Visits the tree without following links below the top (FTS_COMFOLLOW: nor there, if absent). */
bool walk_tree(const char *path, int flags, bool (*visit)(FTS *tree, FTSENT *entry));
/* A program along a PATH; NULL if there is none. Caller frees. */
char *find_program(const char *path, const char *name);

/* Programs. exec_program ends the process with 126 or 127 when it cannot be run; run_program gives
 * what waitpid says, or -1 (reported). */
_Noreturn void exec_program(char **argv);
/* The shell's convention: 128 + the signal that ended it, or stopped it. */
int exit_code(int status);
int run_program(char **argv, bool without_input);

/* Names in /etc/passwd and /etc/group, read directly: static glibc cannot load NSS modules. */
#define PASSWD "/etc/passwd"
#define GROUP "/etc/group"
/* The name of an id, or the id in decimal if it has none. Valid until the next call. */
const char *id_name(const char *db, uint32_t id);
/* The id of a name or decimal number; false if there is none. */
bool id_find(const char *db, const char *name, uint32_t *id);

/* "drwxr-xr-x", 10 characters and a NUL. */
void format_mode(mode_t mode, char out[11]);
/* 1234567 → "1.2M". out has at least 8 bytes. */
void format_human(uint64_t bytes, char *out, size_t size);
/* strftime of local time; "?" if it has no such form. */
const char *format_time(time_t when, const char *format);
/* A mode as users write it, "0644" or "u+x,go=r", applied to old, whose type bits tell whether it
 * is a directory; only permission bits result. False if the text is malformed. */
bool parse_mode(const char *text, mode_t old, mode_t *out);
/* Accepts names, with or without SIG, and numbers; -1 when unknown. */
int signal_number(const char *text);
/* `word` with each `mark` in it replaced. Caller frees. */
char *substitute(const char *word, const char *mark, const char *with);
/* The width of the terminal on stdout; 0 if it is none. */
int terminal_width(void);

#endif
