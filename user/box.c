/* SPDX-License-Identifier: MIT */
/*
 * The multi-call program: finds the tool that argv[0] (or `box TOOL`) names and runs it; options
 * and memory for all tools.
 *
 * Invariants: the table is sorted by name, since tool_find searches it by halves;
 * program_invocation_name is always the name the user typed, so messages read as those of a
 * separate program would.
 */
#include "user/box.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOOL(ident, kind, usage_text) {#ident, ident##_main, usage_text, kind},
static const struct tool tools[] = {
#include "user/tools.def"
};
#undef TOOL

int usage_error(int status)
{
    const struct tool *tool = tool_find(program_invocation_name);

    fflush(stdout);
    fprintf(stderr, "usage: %s\n", tool ? tool->usage : program_invocation_name);
    return status;
}

void usage(int status)
{
    exit(usage_error(status));
}

/* Options */

static struct {
    char *value, *all;
    int place; /* 0 = not given */
} given[128];

void read_options(int *argc, char ***argv, const char *letters, int bad)
{
    int c;

    for (int place = 1; (c = getopt(*argc, *argv, letters)) != -1; place++) {
        if (c == '?')
            usage(bad);
        given[c].value = optarg;
        given[c].all = given[c].all ? xasprintf("%s\n%s", given[c].all, optarg) : optarg;
        given[c].place = place;
    }
    *argc -= optind;
    *argv += optind;
}

bool opt(char letter)
{
    return given[(int)letter].place > 0;
}

char opt_last(const char *letters)
{
    char last = 0;

    for (const char *p = letters; *p; p++)
        if (given[(int)*p].place > given[(int)last].place)
            last = *p;
    return last;
}

char *opt_value(char letter)
{
    return given[(int)letter].value;
}

char *opt_values(char letter)
{
    return given[(int)letter].all;
}

uint64_t opt_number(char letter, uint64_t otherwise, int bad)
{
    uint64_t value = otherwise;

    if (opt(letter) && !parse_u64(opt_value(letter), 10, &value))
        error(bad, 0, "-%c: invalid number '%s'", letter, opt_value(letter));
    return value;
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
    return strcpy(xmalloc(strlen(s) + 1), s);
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

/* Full at every power of two, which is when it doubles. */
void *grow(void *array, size_t n, size_t size)
{
    return n & (n - 1) ? array : xrealloc(array, (n ? 2 * n : 1) * size);
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
    warn("write error");
    return status ? status : 1;
}

static int list_tools(void)
{
    puts("[");
    for (size_t i = 0; i < ARRAY_SIZE(tools); i++)
        puts(tools[i].name);
    return finish_output(0);
}

int main(int argc, char **argv)
{
    const char *name = argc > 0 ? base_name(argv[0]) : "box";

    if (strcmp(name, "box") == 0 && argc > 1) {
        if (strcmp(argv[1], "--list") == 0)
            return list_tools();
        argc--, argv++;
        name = base_name(argv[0]);
    }
    /* A login shell is started as "-sh". */
    program_invocation_name = (char *)name + (name[0] == '-');
    const struct tool *tool = tool_find(program_invocation_name);
    if (!tool) {
        fprintf(stderr, "box: no tool named '%s'\nusage: box TOOL [ARG]... | box --list\n", name);
        return 127;
    }
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("usage: %s\n", tool->usage);
        return finish_output(0);
    }
    return finish_output(tool->main(argc, argv));
}
