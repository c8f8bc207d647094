/* SPDX-License-Identifier: MIT */
/*
 * Radix trees (see the header).
 *
 * Invariants: [1] no node but the root is empty, and an empty tree has no root; [2] the root is as
 * low as the largest index allows; [3] bit i of a node's marks is set exactly when slot i is a
 * marked item or a node with marks.
 */
#include "mm/radix.h"

#include "lib/log.h"
#include "mm/kmalloc.h"

#define BITS 6
#define SLOTS (1u << BITS)
#define MAX_HEIGHT 11 /* 11 * 6 bits hold any index */

struct radix_node {
    void *slots[SLOTS];
    uint64_t marks;
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

/* ---- Insertion -------------------------------------------------------------------------------- */

int radix_reserve(struct radix_spares *s)
{
    while (s->count < s->wanted) {
        struct radix_node *n = kcache_alloc(node_cache, ALLOC_ZERO);

        if (!n)
            return -ENOMEM;
        n->slots[0] = s->list;
        s->list = n;
        s->count++;
    }
    return 0;
}

void radix_unreserve(struct radix_spares *s)
{
    while (s->list) {
        struct radix_node *n = s->list;

        s->list = n->slots[0];
        kcache_free(node_cache, n);
    }
    s->count = 0;
}

static struct radix_node *take_spare(struct radix_spares *s)
{
    struct radix_node *n = s->list;

    s->list = n->slots[0];
    s->count--;
    n->slots[0] = NULL;
    return n;
}

static unsigned height_for(const struct radix_tree *t, uint64_t index)
{
    unsigned h = MAX(t->height, 1u);

    while (!fits(index, h))
        h++;
    return h;
}

static unsigned nodes_missing(const struct radix_tree *t, uint64_t index, unsigned height)
{
    struct radix_node *n = t->root;
    unsigned level = t->height;

    if (!n)
        return height;
    if (height > level) /* new roots down to the old one, and a new branch beside it */
        return height - level + height - 1;
    while (level > 1) {
        n = n->slots[slot_of(index, level)];
        level--;
        if (!n)
            return level;
    }
    return 0;
}

static void grow(struct radix_tree *t, unsigned height, struct radix_spares *s)
{
    if (!t->root) {
        t->root = take_spare(s);
        t->height = height;
    }
    while (t->height < height) {
        struct radix_node *n = take_spare(s);

        n->slots[0] = t->root;
        n->count = 1;
        n->marks = t->root->marks ? 1 : 0;
        t->root = n;
        t->height++;
    }
}

int radix_insert(struct radix_tree *t, uint64_t index, void *item, struct radix_spares *s)
{
    unsigned height = height_for(t, index), level;
    struct radix_node *n;

    s->wanted = nodes_missing(t, index, height);
    if (s->count < s->wanted)
        return -EAGAIN;
    grow(t, height, s);
    n = t->root;
    for (level = t->height; level > 1; level--) {
        void **slot = &n->slots[slot_of(index, level)];

        if (!*slot) {
            *slot = take_spare(s);
            n->count++;
        }
        n = *slot;
    }
    if (n->slots[slot_of(index, 1)])
        return -EEXIST;
    n->slots[slot_of(index, 1)] = item;
    n->count++;
    return 0;
}

/* ---- Marks and deletion ----------------------------------------------------------------------- */

/* Fills path[1..height] with the nodes over index; false if a node is missing. */
static bool find_path(const struct radix_tree *t, uint64_t index, struct radix_node **path)
{
    struct radix_node *n = t->root;

    if (!n || !fits(index, t->height))
        return false;
    for (unsigned level = t->height; level; level--) {
        if (!n)
            return false;
        path[level] = n;
        n = n->slots[slot_of(index, level)];
    }
    return n;
}

bool radix_mark(struct radix_tree *t, uint64_t index)
{
    struct radix_node *path[MAX_HEIGHT + 1];

    if (!find_path(t, index, path) || path[1]->marks >> slot_of(index, 1) & 1)
        return false;
    for (unsigned level = 1; level <= t->height; level++)
        path[level]->marks |= 1UL << slot_of(index, level);
    return true;
}

static bool unmark_path(struct radix_tree *t, uint64_t index, struct radix_node **path)
{
    if (!(path[1]->marks >> slot_of(index, 1) & 1))
        return false;
    for (unsigned level = 1; level <= t->height; level++) {
        path[level]->marks &= ~(1UL << slot_of(index, level));
        if (path[level]->marks)
            break;
    }
    return true;
}

bool radix_unmark(struct radix_tree *t, uint64_t index)
{
    struct radix_node *path[MAX_HEIGHT + 1];

    return find_path(t, index, path) && unmark_path(t, index, path);
}

static void shrink(struct radix_tree *t)
{
    while (t->height > 1 && t->root->count == 1 && t->root->slots[0]) {
        struct radix_node *old = t->root;

        t->root = old->slots[0];
        t->height--;
        kcache_free(node_cache, old);
    }
}

void *radix_delete(struct radix_tree *t, uint64_t index)
{
    struct radix_node *path[MAX_HEIGHT + 1];
    unsigned level;
    void *item;

    if (!find_path(t, index, path))
        return NULL;
    unmark_path(t, index, path);
    item = path[1]->slots[slot_of(index, 1)];
    for (level = 1; level <= t->height; level++) {
        path[level]->slots[slot_of(index, level)] = NULL;
        if (--path[level]->count)
            break;
        kcache_free(node_cache, path[level]);
    }
    if (level > t->height)
        *t = (struct radix_tree){0};
    else
        shrink(t);
    return item;
}

/* ---- Iteration -------------------------------------------------------------------------------- */

static unsigned next_slot(const struct radix_node *n, unsigned i, bool marked)
{
    if (marked) {
        uint64_t rest = n->marks >> i;

        return rest ? i + (unsigned)__builtin_ctzll(rest) : SLOTS;
    }
    while (i < SLOTS && !n->slots[i])
        i++;
    return i;
}

void *radix_next(const struct radix_tree *t, uint64_t *index, bool marked)
{
    const struct radix_node *n = t->root;
    unsigned level = t->height;
    uint64_t at = *index;

    if (!n || !fits(at, level))
        return NULL;
    for (;;) {
        unsigned from = slot_of(at, level), i = next_slot(n, from, marked);
        unsigned shift = BITS * (level - 1);

        if (i == SLOTS) {
            /* Nothing more below this node: on to the sibling's first index, from the top. */
            if (level == t->height)
                return NULL;
            at = ((at >> (shift + BITS)) + 1) << (shift + BITS);
            if (!at || !fits(at, t->height))
                return NULL;
            n = t->root;
            level = t->height;
            continue;
        }
        if (i > from)
            at = ((at >> shift) - from + i) << shift;
        if (level == 1) {
            *index = at;
            return n->slots[i];
        }
        n = n->slots[i];
        level--;
    }
}
