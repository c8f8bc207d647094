/* SPDX-License-Identifier: MIT */
/*
 * The multi-call program: finds the tool that argv[0] (or `box TOOL`) names and runs it; messages
 * and memory for all tools.
 *
 * Invariants: the table is sorted by name, since tool_find searches it by halves; tool_name is
 * always the name the user typed, so messages read as those of a separate program would.
 */
#include "user/box.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *tool_name = "box";

#define TOOL(ident, kind, usage_text) {#ident, ident##_main, usage_text, kind},
static const struct tool tools[] = {
#include "user/tools.def"
};
#undef TOOL

/* Messages */

static void message(const char *fmt, va_list ap, int err)
{
    /* What the tool has printed so far comes first when both streams are the same terminal. */
    fflush(stdout);
    fprintf(stderr, "%s: ", tool_name);
    vfprintf(stderr, fmt, ap);
    if (err)
        fprintf(stderr, ": %s", strerror(err));
    fputc('\n', stderr);
}

void warn(const char *fmt, ...)
{
    int err = errno;
    va_list ap;

    va_start(ap, fmt);
    message(fmt, ap, err);
    va_end(ap);
}

void warnx(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(fmt, ap, 0);
    va_end(ap);
}

void die(const char *fmt, ...)
{
    int err = errno;
    va_list ap;

    va_start(ap, fmt);
    message(fmt, ap, err);
    va_end(ap);
    exit(1);
}

void diex(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    message(fmt, ap, 0);
    va_end(ap);
    exit(1);
}

int usage_error(int status)
{
    const struct tool *tool = tool_find(tool_name);

    fflush(stdout);
    fprintf(stderr, "usage: %s\n", tool ? tool->usage : tool_name);
    return status;
}

void usage(int status)
{
    exit(usage_error(status));
}

/* Memory */

void *xrealloc(void *old, size_t size)
{
    void *p = realloc(old, size ? size : 1);

    if (!p)
        die("cannot allocate %zu bytes", size);
    return p;
}

void *xmalloc(size_t size)
{
    return xrealloc(NULL, size);
}

void *xcalloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        die("cannot allocate %zu × %zu bytes", count, size);
    return p;
}

char *xstrdup(const char *s)
{
    size_t size = strlen(s) + 1;

    return memcpy(xmalloc(size), s, size);
}

char *xasprintf(const char *fmt, ...)
{
    char *s;
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&s, fmt, ap) < 0)
        die("cannot format a string");
    va_end(ap);
    return s;
}

/* Dispatch */

static int tool_compare(const void *name, const void *tool)
{
    return strcmp(name, ((const struct tool *)tool)->name);
}

const struct tool *tool_find(const char *name)
{
    if (strcmp(name, "[") == 0)
        name = "test";
    return bsearch(name, tools, ARRAY_SIZE(tools), sizeof(tools[0]), tool_compare);
}

int finish_output(int status)
{
    bool failed = ferror(stdout) != 0;

    errno = 0;
    if (fflush(stdout) == 0 && !failed)
        return status;
    clearerr(stdout);
    if (errno)
        warn("write error");
    else
        warnx("write error");
    return status ? status : 1;
}

int tool_run(const struct tool *tool, const char *name, int argc, char **argv)
{
    tool_name = name;
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: %s\n", tool->usage);
        return finish_output(0);
    }
    return finish_output(tool->main(argc, argv));
}

static int box_usage(FILE *to, int status)
{
    fprintf(to, "usage: box TOOL [ARG]... | box --list | box --help\n");
    return status;
}

static int box_list(void)
{
    puts("[");
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
        puts(tools[i].name);
    return finish_output(0);
}

int main(int argc, char **argv)
{
    const char *name = argc > 0 ? base_name(argv[0]) : "box";

    /* A login shell is started as "-sh". */
    name += name[0] == '-';
    const struct tool *tool = tool_find(name);
    if (tool)
        return tool_run(tool, name, argc, argv);
    if (strcmp(name, "box") == 0) {
        if (argc < 2)
            return box_usage(stderr, 127);
        if (strcmp(argv[1], "--list") == 0)
            return box_list();
        if (strcmp(argv[1], "--help") == 0)
            return box_usage(stdout, 0);
        argc--, argv++;
        name = argv[0];
        tool = tool_find(base_name(name));
        if (tool)
            return tool_run(tool, base_name(name), argc, argv);
    }
    fprintf(stderr, "box: no tool named '%s'\n", name);
    return box_usage(stderr, 127);
}
