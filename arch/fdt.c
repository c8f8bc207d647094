/* SPDX-License-Identifier: MIT */
/*
 * Reads the flattened device tree (Devicetree Specification v0.4, chapter 5). Positions are byte
 * offsets from the blob's start, so that 0 is free to mean "none".
 *
 * [1] Every token, name and value is checked against the structure block's end before it is read;
 *     whatever does not fit ends the walk as if FDT_END stood there.
 * [2] Property names are compared within the strings block.
 * [3] Nodes deeper than the cursor's arrays are walked over, not shown.
 */
#include "arch/fdt.h"

#include "lib/string.h"

enum token { FDT_BEGIN_NODE = 1, FDT_END_NODE = 2, FDT_PROP = 3, FDT_NOP = 4, FDT_END = 9 };

#define FDT_MAGIC 0xd00dfeedU
#define FDT_HEADER_SIZE 40U
#define FDT_MAX_SIZE (64U << 20)
#define MAX_DEPTH (int)ARRAY_SIZE(((struct fdt_node *)0)->parent)

struct fdt_header { /* offsets of the big-endian words */
    uint32_t magic, total_size, off_struct, off_strings, off_reserve, version, compatible_version;
    uint32_t boot_hart, size_strings, size_struct;
};

static const uint8_t *blob;
static uint32_t blob_size, struct_start, struct_end, strings_start, strings_end, reserve_start;

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static uint64_t be_cells(const uint8_t *p, unsigned cells)
{
    uint64_t v = 0;

    for (; cells; cells--, p += 4)
        v = v << 32 | be32(p);
    return v;
}

static uint32_t header_word(size_t offset)
{
    return be32(blob + offset);
}
#define HEADER(field) header_word(offsetof(struct fdt_header, field))

static bool block_fits(uint32_t start, uint32_t size)
{
    return start >= FDT_HEADER_SIZE && start <= blob_size && size <= blob_size - start;
}

bool fdt_init(const void *p)
{
    blob = p;
    blob_size = 0;
    if (HEADER(magic) != FDT_MAGIC || HEADER(version) < 17 || HEADER(compatible_version) > 17)
        return false;
    blob_size = HEADER(total_size);
    if (blob_size < FDT_HEADER_SIZE || blob_size > FDT_MAX_SIZE ||
        !block_fits(HEADER(off_struct), HEADER(size_struct)) || HEADER(off_struct) % 4 ||
        !block_fits(HEADER(off_strings), HEADER(size_strings)) ||
        !block_fits(HEADER(off_reserve), 16)) {
        blob_size = 0;
        return false;
    }
    struct_start = HEADER(off_struct);
    struct_end = struct_start + ALIGN_DOWN(HEADER(size_struct), 4);
    strings_start = HEADER(off_strings);
    strings_end = strings_start + HEADER(size_strings);
    reserve_start = HEADER(off_reserve);
    return true;
}

size_t fdt_total_size(void)
{
    return blob_size;
}

static uint32_t token_at(uint32_t at)
{
    return at <= struct_end - 4 && struct_end - struct_start >= 4 ? be32(blob + at) : FDT_END;
}

/* The token after the one at `at`; struct_end when it does not fit. */
static uint32_t next_token(uint32_t at)
{
    uint32_t room, len;

    switch (token_at(at)) {
    case FDT_BEGIN_NODE:
        room = struct_end - (at + 4);
        len = strnlen((const char *)blob + at + 4, room);
        return len < room ? ALIGN_UP(at + 4 + len + 1, 4) : struct_end;
    case FDT_PROP:
        room = struct_end - at;
        if (room < 12)
            return struct_end;
        len = be32(blob + at + 4);
        return len <= room - 12 ? MIN(ALIGN_UP(at + 12 + len, 4), struct_end) : struct_end;
    case FDT_END_NODE:
    case FDT_NOP: return at + 4;
    default: return struct_end;
    }
}

static const uint8_t *prop_at(uint32_t at, const char *name, uint32_t *len)
{
    uint32_t name_offset, room;

    if (token_at(at) != FDT_PROP || struct_end - at < 12 ||
        be32(blob + at + 4) > struct_end - at - 12)
        return NULL;
    name_offset = be32(blob + at + 8);
    if (name_offset >= strings_end - strings_start)
        return NULL;
    room = strings_end - strings_start - name_offset;
    if (strlen(name) >= room || memcmp(blob + strings_start + name_offset, name, strlen(name) + 1))
        return NULL;
    *len = be32(blob + at + 4);
    return blob + at + 12;
}

const void *fdt_prop(const struct fdt_node *n, const char *name, uint32_t *len)
{
    uint32_t at, ignored;

    if (!n->offset)
        return NULL;
    for (at = next_token(n->offset);; at = next_token(at)) {
        uint32_t token = token_at(at);
        const uint8_t *val = prop_at(at, name, len ? len : &ignored);

        if (val)
            return val;
        if (token != FDT_PROP && token != FDT_NOP) /* properties come before child nodes */
            return NULL;
    }
}

static uint8_t cells_of(const struct fdt_node *n, const char *name, uint8_t absent)
{
    uint64_t cells = fdt_number(n, name, absent);

    return cells <= 4 ? cells : absent;
}

static bool enter_node(struct fdt_node *n, uint32_t at, int depth)
{
    n->offset = at;
    n->depth = depth;
    n->name = (const char *)blob + at + 4;
    n->parent[depth] = at;
    n->address_cells[depth] = cells_of(n, "#address-cells", 2);
    n->size_cells[depth] = cells_of(n, "#size-cells", 1);
    return true;
}

bool fdt_next(struct fdt_node *n)
{
    int depth = n->offset ? n->depth : -1;
    uint32_t at = n->offset ? next_token(n->offset) : struct_start;

    if (!blob_size)
        return false;
    for (; at < struct_end; at = next_token(at)) {
        switch (token_at(at)) {
        case FDT_BEGIN_NODE:
            if (next_token(at) == struct_end)
                return false;
            if (++depth < MAX_DEPTH)
                return enter_node(n, at, depth);
            break;
        case FDT_END_NODE:
            if (--depth < 0)
                return false;
            break;
        case FDT_PROP:
        case FDT_NOP: break;
        default: return false;
        }
    }
    return false;
}

/* A path component names a node with or without its unit address. */
static bool name_matches(const char *name, const char *component, size_t len)
{
    return strlen(name) >= len && !memcmp(name, component, len) &&
           (name[len] == '\0' || name[len] == '@');
}

static size_t component_length(const char *path)
{
    const char *slash = strchr(path, '/');

    return slash ? (size_t)(slash - path) : strlen(path);
}

bool fdt_find_path(struct fdt_node *n, const char *path)
{
    int matched = 0;

    memset(n, 0, sizeof(*n));
    if (*path++ != '/' || !fdt_next(n))
        return false;
    while (*path) {
        size_t len = component_length(path);

        do {
            if (!fdt_next(n) || n->depth <= matched)
                return false;
        } while (n->depth != matched + 1 || !name_matches(n->name, path, len));
        matched++;
        path += len;
        if (*path == '/')
            path++;
    }
    return true;
}

const char *fdt_string(const struct fdt_node *n, const char *name)
{
    uint32_t len;
    const char *s = fdt_prop(n, name, &len);

    return s && strnlen(s, len) < len ? s : NULL;
}

uint64_t fdt_number(const struct fdt_node *n, const char *name, uint64_t absent)
{
    uint32_t len;
    const uint8_t *val = fdt_prop(n, name, &len);

    return val && (len == 4 || len == 8) ? be_cells(val, len / 4) : absent;
}

bool fdt_cell(const struct fdt_node *n, const char *name, unsigned index, uint32_t *val)
{
    uint32_t len;
    const uint8_t *cells = fdt_prop(n, name, &len);

    if (!cells || index >= len / 4)
        return false;
    *val = be32(cells + 4 * index);
    return true;
}

bool fdt_is_compatible(const struct fdt_node *n, const char *compatible)
{
    uint32_t left;
    const char *s = fdt_prop(n, "compatible", &left);

    while (s && left) {
        uint32_t len = strnlen(s, left);

        if (len == left)
            return false;
        if (!strcmp(s, compatible))
            return true;
        s += len + 1;
        left -= len + 1;
    }
    return false;
}

bool fdt_is_enabled(const struct fdt_node *n)
{
    const char *status;

    if (!fdt_prop(n, "status", NULL))
        return true;
    status = fdt_string(n, "status");
    return status && (!strcmp(status, "okay") || !strcmp(status, "ok"));
}

bool fdt_reg(const struct fdt_node *n, unsigned index, uint64_t *base, uint64_t *size)
{
    uint32_t len;
    const uint8_t *reg = fdt_prop(n, "reg", &len);
    unsigned ac, sc;

    if (!reg || n->depth < 1)
        return false;
    ac = n->address_cells[n->depth - 1];
    sc = n->size_cells[n->depth - 1];
    if (ac + sc == 0 || index >= len / (4 * (ac + sc)))
        return false;
    reg += 4 * (ac + sc) * index;
    *base = be_cells(reg, ac);
    *size = be_cells(reg + 4 * ac, sc);
    return true;
}

bool fdt_reservation(unsigned index, uint64_t *base, uint64_t *size)
{
    if (!blob_size || index >= (blob_size - reserve_start) / 16)
        return false;
    for (unsigned i = 0;; i++) {
        const uint8_t *entry = blob + reserve_start + 16 * i;

        *base = be_cells(entry, 2);
        *size = be_cells(entry + 8, 2);
        if (!*base && !*size)
            return false;
        if (i == index)
            return true;
    }
}
