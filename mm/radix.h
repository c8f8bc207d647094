/* SPDX-License-Identifier: MIT */
/*
 * A radix tree from 64-bit indices to pointers: 64 slots a node, as many levels as the largest
 * index needs. No locking; the caller's lock is held for every call, a spinlock will do.
 */
#pragma once

#include "lib/types.h"

struct radix_node;

struct radix_tree { /* all zero: empty */
    struct radix_node *root;
    unsigned height; /* levels: indices below 64^height fit */
};

void radix_init(void); /* boot */

void *radix_lookup(const struct radix_tree *t, uint64_t index);
/* The slots of index and of those after it, as far as one node goes: *n of them. NULL: all empty. */
void *const *radix_slots(const struct radix_tree *t, uint64_t index, unsigned *n);
/* 0, -EEXIST, -ENOMEM: nothing changed. Takes free memory only, so after -ENOMEM it may be worth
 * reclaiming some (without the lock) and trying again. */
int radix_insert(struct radix_tree *t, uint64_t index, void *item) must_check;
void *radix_delete(struct radix_tree *t, uint64_t index); /* NULL: was not there */
/* The first item at *index or after it; *index is set to where it is. */
void *radix_next(const struct radix_tree *t, uint64_t *index);
