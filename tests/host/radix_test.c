// SPDX-License-Identifier: MIT
// with: mm/radix.c
/*
 * Radix trees against a plain array of what should be in them: indices close together, far apart
 * and at the very end; iteration; and no node left over.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "mm/kmalloc.h"
#include "mm/radix.h"

#define MAX_ITEMS 300

static size_t live_nodes;
static unsigned fail_in; /* allocations until one fails; 0: none does */

struct kcache {
    size_t size;
};
static struct kcache only_cache;

struct kcache *kcache_create(const char *name, size_t size)
{
    (void)name;
    only_cache.size = size;
    return &only_cache;
}

void *kcache_alloc(struct kcache *c, unsigned flags)
{
    (void)flags;
    if (fail_in && !--fail_in)
        return NULL;
    live_nodes++;
    return calloc(1, c->size);
}

void kcache_free(struct kcache *c, void *obj)
{
    (void)c;
    live_nodes--;
    free(obj);
}

#define CHECK(c)                                           \
    do {                                                   \
        if (!(c)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #c); \
            exit(1);                                       \
        }                                                  \
    } while (0)

struct item {
    uint64_t index;
    bool present;
};

static struct item items[MAX_ITEMS]; /* in order of index */
static struct radix_tree tree;

static int by_index(const void *a, const void *b)
{
    uint64_t x = ((const struct item *)a)->index, y = ((const struct item *)b)->index;

    return (x > y) - (x < y);
}

static void choose_indices(int kind)
{
    static const uint64_t spread[] = {64, 5000, 1UL << 20, 1UL << 40, UINT64_MAX};

    for (unsigned i = 0; i < MAX_ITEMS; i++) {
        uint64_t r = (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random();

        items[i] = (struct item){.index = kind == 0 ? i : r % spread[kind % 5]};
    }
    items[0].index = 0;
    if (kind % 5 == 4)
        items[1].index = UINT64_MAX;
    qsort(items, MAX_ITEMS, sizeof(items[0]), by_index);
    for (unsigned i = 1; i < MAX_ITEMS; i++) /* each index once */
        if (items[i].index <= items[i - 1].index)
            items[i].index = items[i - 1].index + (items[i - 1].index < UINT64_MAX);
}

static void check_iteration(void)
{
    uint64_t at = 0;
    struct item *got;

    for (unsigned i = 0; i < MAX_ITEMS; i++) {
        if (!items[i].present)
            continue;
        got = radix_next(&tree, &at);
        CHECK(got == &items[i] && at == items[i].index);
        if (at == UINT64_MAX)
            return;
        at++;
    }
    CHECK(!radix_next(&tree, &at));
}

static void step(struct item *item)
{
    bool was = item->present;
    int err;

    switch (random() % 3) {
    case 0:
    case 1:
        fail_in = random() % 8 ? 0 : 1 + (unsigned)(random() % 4);
        err = radix_insert(&tree, item->index, item);
        CHECK(err == (was ? -EEXIST : 0) || (err == -ENOMEM && !was));
        fail_in = 0;
        item->present = was || !err;
        break;
    default: CHECK(radix_delete(&tree, item->index) == (was ? item : NULL)); item->present = false;
    }
    CHECK(radix_lookup(&tree, item->index) == (item->present ? item : NULL));
}

int main(void)
{
    radix_init();
    for (int kind = 0; kind < 40; kind++) {
        choose_indices(kind);
        for (unsigned i = 0; i < 4000; i++) {
            step(&items[random() % MAX_ITEMS]);
            if (i % 64 == 0) {
                check_iteration();
            }
        }
        for (unsigned i = 0; i < MAX_ITEMS; i++)
            if (items[i].present)
                CHECK(radix_delete(&tree, items[i].index) == &items[i]);
        CHECK(!tree.root && !tree.height && !live_nodes);
    }
    printf("radix: ok\n");
    return 0;
}
