/* SPDX-License-Identifier: MIT */
/*
 * The multi-call program /bin/box: what its tools share.
 *
 * A tool NAME is one line in tools.def and one function `int NAME_main(int argc, char **argv)` in
 * NAME.c; its return value is the exit status. box prints the usage line for `--help`, flushes
 * stdout after the tool and reports a failed write, so a tool only prints and returns.
 *
 * Tools marked INPROC in tools.def are also called by the shell in its own process. They must
 * return (never exit or die), free what they allocate, keep no state between calls, and leave
 * the file descriptors as they found them.
 */
#ifndef USER_BOX_H
#define USER_BOX_H

/* Include this header first: vasprintf, pipe2 and friends hide behind this. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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

/* The name messages begin with: argv[0]'s last component. */
extern const char *tool_name;

/* NULL if there is no such tool. "[" is found as test. */
const struct tool *tool_find(const char *name);
/* Runs a tool as main() does: --help, tool_name, flush, write-error check. Returns its status. */
int tool_run(const struct tool *tool, const char *name, int argc, char **argv);
/* Flushes stdout; a failed write is reported and turns status 0 into 1. */
int finish_output(int status);

/* Messages on stderr, "tool: text" (…x) or "tool: text: strerror(errno)". die exits with 1. */
void warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void warnx(const char *fmt, ...) PRINTF_LIKE(1, 2);
_Noreturn void die(const char *fmt, ...) PRINTF_LIKE(1, 2);
_Noreturn void diex(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Prints "usage: …" of the running tool on stderr and exits with status. */
_Noreturn void usage(int status);
/* The same without the exit, for INPROC tools: `return usage_error(2);`. */
int usage_error(int status);

/* Memory: never NULL; the tool dies when there is none. */
void *xmalloc(size_t size);
void *xcalloc(size_t count, size_t size);
void *xrealloc(void *old, size_t size);
char *xstrdup(const char *s);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Numbers: whole string or false; nothing is reported. size accepts K, M, G, T (1024). */
bool parse_u64(const char *s, int base, uint64_t *out);
bool parse_i64(const char *s, int base, int64_t *out);
bool parse_size(const char *s, uint64_t *out);
/* "1.5", "2", "10m" (s, m, h, d) as nanoseconds. */
bool parse_duration(const char *s, uint64_t *ns);

/* Files. "-" means stdin. A failure is reported with warn(); the result is then -1 or NULL. */
int open_input(const char *path);
FILE *fopen_input(const char *path);
void fclose_input(FILE *file);
/* All of it, or false with errno set. */
bool write_all(int fd, const void *data, size_t len);
/* Copies until end of file; false with errno set, nothing reported. */
bool copy_fd(int from, int to);
/* A whole (small) file, NUL-terminated; NULL with errno set. Caller frees. len may be NULL. */
char *read_file(const char *path, size_t *len);

/* Last component, without copying; "/" for the root. Trailing slashes are kept. */
const char *base_name(const char *path);
/* dir + "/" + name, one slash between them. Caller frees. */
char *path_join(const char *dir, const char *name);

/* Names in /etc/passwd and /etc/group, read directly: static glibc cannot load NSS modules. */
#define PASSWD "/etc/passwd"
#define GROUP "/etc/group"
/* The name of an id, or the id in decimal if it has none. The result is valid until the next call. */
const char *id_name(const char *db, uint32_t id);
/* The id of a name or decimal number; false if there is none. */
bool id_find(const char *db, const char *name, uint32_t *id);
/* Field n (0 = the name) of the passwd line of a user; NULL if there is none. Caller frees. */
char *passwd_field(const char *user, int n);

/* "drwxr-xr-x", 10 characters and a NUL. */
void format_mode(mode_t mode, char out[11]);
/* 1234567 → "1.2M". out has at least 8 bytes. */
void format_human(uint64_t bytes, char *out, size_t size);

/* Signal names without "SIG"; NULL / -1 when unknown. signal_number accepts names and numbers. */
const char *signal_name(int number);
int signal_number(const char *text);

#endif
