/* SPDX-License-Identifier: MIT */
/*
 * Kernel objects: caches of equal-sized objects, and kmalloc on top of a ladder of such caches.
 * Any context (irqsave inside); never sleeps unless ALLOC flags let the page allocator reclaim.
 */
#pragma once

#include "mm/page.h"

struct kcache;

/* name must live for ever. size up to a page, aligned to 16. Panics if out of memory (boot). */
struct kcache *kcache_create(const char *name, size_t size);
void *kcache_alloc(struct kcache *c, unsigned alloc_flags) must_check; /* NULL; ALLOC_ZERO clears */
void kcache_free(struct kcache *c, void *obj);

void *kmalloc(size_t size, unsigned alloc_flags) must_check; /* up to 4 MiB; 16-byte aligned */
static inline void *kzalloc(size_t size)
{
    return kmalloc(size, ALLOC_ZERO);
}
void kfree(void *p); /* NULL is fine */

/* i-th cache for /proc/slabinfo; false past the end. Counts of objects. */
bool kcache_stat(unsigned i, const char **name, size_t *size, size_t *live, size_t *total);
size_t kcache_pages(void);  /* pages that hold objects */
size_t kcache_shrink(void); /* gives the empty slabs back that caches keep; pages freed */
void kmalloc_init(void);
