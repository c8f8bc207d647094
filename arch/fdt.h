/* SPDX-License-Identifier: MIT */
/*
 * The flattened device tree that the firmware passes (Devicetree Specification v0.4, chapter 5).
 * Read-only, no allocation, all lengths checked: a damaged blob yields fewer nodes, never a fault.
 */
#pragma once

#include "lib/types.h"

struct fdt_node {
    const char *name;    /* with unit address: "virtio_mmio@10001000"; "" for the root */
    uint32_t offset;     /* of the node's structure block token; 0 before the first fdt_next */
    int depth;           /* root = 0 */
    uint32_t parent[16]; /* offsets of the ancestors, by depth */
    uint8_t address_cells[16], size_cells[16]; /* what each ancestor says of its children */
};

/* False if the blob is no device tree. Must be called first; keeps the pointer. */
bool fdt_init(const void *blob);
size_t fdt_total_size(void);

/* Depth first, document order. Start with *n all zero; false at the end. */
bool fdt_next(struct fdt_node *n);
bool fdt_find_path(struct fdt_node *n, const char *path); /* "/chosen", "/cpus/cpu@0" */

const void *fdt_prop(const struct fdt_node *n, const char *name, uint32_t *len);
const char *fdt_string(const struct fdt_node *n,
                       const char *name); /* NULL if absent, unterminated */
uint64_t fdt_number(const struct fdt_node *n, const char *name, uint64_t absent); /* 1 or 2 cells */
bool fdt_cell(const struct fdt_node *n, const char *name, unsigned index, uint32_t *val);
bool fdt_is_compatible(const struct fdt_node *n, const char *compatible);
bool fdt_is_enabled(const struct fdt_node *n); /* status absent, "ok" or "okay" */
/* The index-th (address, size) pair of "reg", read with the parent's cell counts. */
bool fdt_reg(const struct fdt_node *n, unsigned index, uint64_t *base, uint64_t *size);
/* The index-th entry of the blob's memory reservation block. */
bool fdt_reservation(unsigned index, uint64_t *base, uint64_t *size);
