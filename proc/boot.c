/* SPDX-License-Identifier: MIT */
/* Boot arguments: words of the command line, optionally "name=value"; quotes group blanks. */
#include "proc/boot.h"

#include "arch/fdt.h"
#include "lib/string.h"

char boot_cmdline[4096];

void boot_args_init(void)
{
    struct fdt_node n = {0};
    const char *args = fdt_find_path(&n, "/chosen") ? fdt_string(&n, "bootargs") : NULL;

    strlcpy(boot_cmdline, args ? args : "", sizeof(boot_cmdline));
}

/* The end of the word at s: a blank outside quotes, or the end. */
static const char *word_end(const char *s)
{
    bool quoted = false;

    for (; *s && (quoted || (*s != ' ' && *s != '\t')); s++)
        if (*s == '"')
            quoted = !quoted;
    return s;
}

static const char *find_word(const char *name, const char **end)
{
    size_t len = strlen(name);
    const char *s = boot_cmdline;

    while (*s) {
        while (*s == ' ' || *s == '\t')
            s++;
        *end = word_end(s);
        if (!strncmp(s, name, len) && (s + len == *end || s[len] == '='))
            return s + len;
        s = *end;
    }
    return NULL;
}

bool boot_arg(const char *name, char *buf, size_t size)
{
    const char *end, *s = find_word(name, &end);
    size_t n = 0;

    if (!s)
        return false;
    if (*s == '=')
        s++;
    for (; s < end && n + 1 < size; s++)
        if (*s != '"')
            buf[n++] = *s;
    buf[n] = '\0';
    return true;
}

bool boot_flag(const char *name)
{
    char val[4];

    return boot_arg(name, val, sizeof(val)) && strcmp(val, "0") != 0;
}

uint64_t boot_number(const char *name, uint64_t absent)
{
    const char *end;
    char val[24];
    uint64_t n;

    if (!boot_arg(name, val, sizeof(val)))
        return absent;
    n = strtou64(val, &end);
    return *end || end == val ? absent : n;
}

bool boot_initrd(paddr_t *base, size_t *size)
{
    struct fdt_node n = {0};
    uint64_t start, end;

    if (!fdt_find_path(&n, "/chosen"))
        return false;
    start = fdt_number(&n, "linux,initrd-start", 0);
    end = fdt_number(&n, "linux,initrd-end", 0);
    *base = start;
    *size = end - start;
    return start && end > start;
}
