/* SPDX-License-Identifier: MIT */
/*
 * A radix tree from 64-bit indices to pointers: 64 slots a node, as many levels as the largest
 * index needs. An item may be marked, and marked items are found without looking at the others.
 * No locking; the caller's lock is held for every call but radix_reserve and radix_unreserve.
 */
#pragma once

#include "lib/types.h"

struct radix_node;

struct radix_tree { /* all zero: empty */
    struct radix_node *root;
    unsigned height; /* levels: indices below 64^height fit */
};

/* Nodes got before the lock was taken, so that an insertion cannot fail half way. */
struct radix_spares {
    struct radix_node *list;
    unsigned count, wanted;
};

void radix_init(void); /* boot */

void *radix_lookup(const struct radix_tree *t, uint64_t index);
/* The slots of index and of those after it, as far as one node goes: *n of them. NULL: all empty. */
void *const *radix_slots(const struct radix_tree *t, uint64_t index, unsigned *n);
/* 0, -EEXIST, or -EAGAIN: radix_reserve without the lock, then try again. */
int radix_insert(struct radix_tree *t, uint64_t index, void *item,
                 struct radix_spares *s) must_check;
void *radix_delete(struct radix_tree *t, uint64_t index); /* NULL: was not there */
/* The first item (or marked one) at *index or after it; *index is set to where it is. */
void *radix_next(const struct radix_tree *t, uint64_t *index, bool marked);

/* Each returns whether that changed anything. */
bool radix_mark(struct radix_tree *t, uint64_t index);
bool radix_unmark(struct radix_tree *t, uint64_t index);

int radix_reserve(struct radix_spares *s) must_check; /* 0 or -ENOMEM; may sleep */
void radix_unreserve(struct radix_spares *s);
