/* SPDX-License-Identifier: MIT */
/*
 * free: how memory is used.
 */
#include "user/box.h"
#include "user/memory.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t field(const char *text, const char *name)
{
    size_t len = strlen(name);

    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            return strtoull(line + len + 1, NULL, 10);
    }
    return 0;
}

bool memory_read(struct memory *out)
{
    char *text = read_file("/proc/meminfo", NULL);

    if (!text)
        return false;
    out->total = field(text, "MemTotal");
    out->free = field(text, "MemFree");
    out->available = field(text, "MemAvailable");
    out->buffers = field(text, "Buffers");
    out->cached = field(text, "Cached") + field(text, "SReclaimable");
    out->shared = field(text, "Shmem");
    out->swap_total = field(text, "SwapTotal");
    out->swap_free = field(text, "SwapFree");
    free(text);
    return true;
}

static char unit = 'k';

static void print_amount(uint64_t kib)
{
    char text[32];

    switch (unit) {
    case 'b': printf(" %11" PRIu64, kib * 1024); break;
    case 'm': printf(" %11" PRIu64, kib / 1024); break;
    case 'h':
        format_human(kib * 1024, text, sizeof(text));
        printf(" %11s", text);
        break;
    default: printf(" %11" PRIu64, kib); break;
    }
}

static void print_row(const char *label, const uint64_t *amounts, size_t count)
{
    printf("%-7s", label);
    for (size_t i = 0; i < count; i++)
        print_amount(amounts[i]);
    putchar('\n');
}

int free_main(int argc, char **argv)
{
    struct memory m;
    int opt;

    while ((opt = getopt(argc, argv, "bhkm")) != -1) {
        if (opt == '?')
            usage(1);
        unit = (char)opt;
    }
    if (!memory_read(&m))
        die("/proc/meminfo");
    uint64_t cache = m.buffers + m.cached;
    uint64_t used = m.total > m.free + cache ? m.total - m.free - cache : 0;
    uint64_t available = m.available ? m.available : m.free + cache;
    uint64_t memory[] = {m.total, used, m.free, m.shared, cache, available};
    uint64_t swap[] = {m.swap_total, m.swap_total - m.swap_free, m.swap_free};

    printf("%19s %11s %11s %11s %11s %11s\n", "total", "used", "free", "shared", "buff/cache",
           "available");
    print_row("Mem:", memory, ARRAY_SIZE(memory));
    print_row("Swap:", swap, ARRAY_SIZE(swap));
    return 0;
}
