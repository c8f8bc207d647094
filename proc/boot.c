/* SPDX-License-Identifier: MIT */
/* Boot arguments: words of the command line, optionally "name=value". */
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

static const char *find_word(const char *name, const char **end)
{
    size_t len = strlen(name);
    const char *s = boot_cmdline;

    for (; *s; s = *end) {
        while (is_blank(*s))
            s++;
        for (*end = s; **end && !is_blank(**end); ++*end)
            ;
        if (!strncmp(s, name, len) && (s + len == *end || s[len] == '='))
            return s + len;
    }
    return NULL;
}

bool boot_arg(const char *name, char *buf, size_t size)
{
    const char *end, *s = find_word(name, &end);

    if (!s)
        return false;
    if (*s == '=')
        s++;
    size = MIN(size, (size_t)(end - s) + 1);
    strlcpy(buf, s, size);
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
