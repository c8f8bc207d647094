/* SPDX-License-Identifier: MIT */
/*
 * Radix trees (see the header).
 *
 * Invariants: [1] no node is empty, and an empty tree has no root; [2] the root is as low as the
 * largest index allows.
 */
#include "mm/radix.h"

#include "mm/kmalloc.h"

#define BITS 6
#define SLOTS (1u << BITS)
#define MAX_HEIGHT 11 /* 11 * 6 bits hold any index */

struct radix_node {
    void *slots[SLOTS];
    unsigned count;
};

static struct kcache *node_cache;

void radix_init(void)
{
    node_cache = kcache_create("radix_node", sizeof(struct radix_node));
}

static unsigned slot_of(uint64_t index, unsigned level)
{
    return index >> (BITS * (level - 1)) & (SLOTS - 1);
}

static bool fits(uint64_t index, unsigned height)
{
    return height >= MAX_HEIGHT || !(index >> (BITS * height));
}

void *const *radix_slots(const struct radix_tree *t, uint64_t index, unsigned *n)
{
    const struct radix_node *node = fits(index, t->height) ? t->root : NULL;

    *n = SLOTS - slot_of(index, 1);
    for (unsigned level = t->height; level > 1 && node; level--)
        node = node->slots[slot_of(index, level)];
    return node ? &node->slots[slot_of(index, 1)] : NULL;
}

void *radix_lookup(const struct radix_tree *t, uint64_t index)
{
    unsigned n;
    void *const *slot = radix_slots(t, index, &n);

    return slot ? *slot : NULL;
}

static struct radix_node *node_above(void *child, unsigned slot)
{
    struct radix_node *n = kcache_alloc(node_cache, ALLOC_ZERO | ALLOC_ATOMIC);

    if (n) {
        n->slots[slot] = child;
        n->count = 1;
    }
    return n;
}

/* Restores [2] after a deletion, or where an insertion had to be given up. */
static void shrink(struct radix_tree *t)
{
    while (t->root && t->height > 1 && t->root->count == 1 && t->root->slots[0]) {
        struct radix_node *old = t->root;

        t->root = old->slots[0];
        t->height--;
        kcache_free(node_cache, old);
    }
    if (!t->root)
        t->height = 0;
}

/* Makes the tree high enough for index. */
static bool grow(struct radix_tree *t, uint64_t index)
{
    if (!t->root)
        t->height = 1;
    while (!fits(index, t->height)) {
        if (t->root) {
            struct radix_node *n = node_above(t->root, 0);

            if (!n)
                return false;
            t->root = n;
        }
        t->height++;
    }
    return true;
}

/* The nodes of a new branch over item, from the lowest to the one at `levels`; NULL: no memory. */
static void *new_branch(void *item, uint64_t index, unsigned levels)
{
    void *top = item;

    for (unsigned level = 1; level <= levels; level++) {
        struct radix_node *n = node_above(top, slot_of(index, level));

        if (!n) {
            while (--level) {
                n = top;
                top = n->slots[slot_of(index, level)];
                kcache_free(node_cache, n);
            }
            return NULL;
        }
        top = n;
    }
    return top;
}

int radix_insert(struct radix_tree *t, uint64_t index, void *item)
{
    struct radix_node *parent = NULL;
    void **slot = (void **)&t->root, *branch;
    unsigned level;

    if (!grow(t, index))
        goto no_memory;
    for (level = t->height; level && *slot; level--) {
        parent = *slot;
        slot = &parent->slots[slot_of(index, level)];
    }
    if (*slot)
        return -EEXIST;
    branch = new_branch(item, index, level);
    if (!branch)
        goto no_memory;
    *slot = branch;
    if (parent)
        parent->count++;
    return 0;

no_memory:
    shrink(t);
    return -ENOMEM;
}

void *radix_delete(struct radix_tree *t, uint64_t index)
{
    struct radix_node *path[MAX_HEIGHT + 1], *n = fits(index, t->height) ? t->root : NULL;
    unsigned level;
    void *item;

    for (level = t->height; level && n; level--) {
        path[level] = n;
        n = n->slots[slot_of(index, level)];
    }
    item = n;
    if (!item)
        return NULL;
    for (level = 1; level <= t->height; level++) {
        path[level]->slots[slot_of(index, level)] = NULL;
        if (--path[level]->count)
            break;
        kcache_free(node_cache, path[level]);
    }
    if (level > t->height)
        t->root = NULL;
    shrink(t);
    return item;
}

/* The first item at *index or after it below n; *index is where it is, or the first one behind n. */
static void *next_below(const struct radix_node *n, unsigned level, uint64_t *index)
{
    unsigned shift = BITS * (level - 1);

    for (unsigned i = slot_of(*index, level); i < SLOTS; i++) {
        void *p = n->slots[i];

        if (!p)
            *index = ((*index >> shift) + 1) << shift;
        else if (level > 1)
            p = next_below(p, level - 1, index);
        if (p)
            return p;
    }
    return NULL;
}

void *radix_next(const struct radix_tree *t, uint64_t *index)
{
    return t->root && fits(*index, t->height) ? next_below(t->root, t->height, index) : NULL;
}
