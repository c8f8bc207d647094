/* SPDX-License-Identifier: MIT */
/*
 * The object allocator. A cache cuts single pages ("slabs") into objects of one size; the free
 * objects of a slab are chained through their first word. Slabs with free objects are on the
 * cache's partial list; full ones are on none; one empty slab is kept, further ones go back.
 *
 * Locks: a cache's lock (RANK_SLAB, irqsave) guards its lists and its pages' slab fields. Pages are
 * taken from and given to the page allocator outside it.
 */
#include "mm/kmalloc.h"

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define MAX_CACHES 48
#define MAX_OBJECT 2048UL
#define FREE_MAGIC 0xdeadfeeddeadfeedUL /* second word of a free object, DEBUG */

struct kcache {
    const char *name;
    size_t size;
    unsigned per_slab;
    struct spinlock lock;
    struct list partial;
    unsigned empty;
    size_t live, slabs;
};

static struct kcache caches[MAX_CACHES];
static _Atomic unsigned ncaches;
static _Atomic size_t slab_pages;

static const struct {
    uint16_t size;
    const char *name;
} ladder[] = {
    {16, "kmalloc-16"},   {32, "kmalloc-32"},     {64, "kmalloc-64"},     {96, "kmalloc-96"},
    {128, "kmalloc-128"}, {192, "kmalloc-192"},   {256, "kmalloc-256"},   {384, "kmalloc-384"},
    {512, "kmalloc-512"}, {1024, "kmalloc-1024"}, {2048, "kmalloc-2048"},
};
static struct kcache *ladder_caches[ARRAY_SIZE(ladder)];
static uint8_t ladder_index[MAX_OBJECT / 16 + 1]; /* by size in 16-byte units, rounded up */

struct free_object {
    struct free_object *next;
    uint64_t magic;
};

struct kcache *kcache_create(const char *name, size_t size)
{
    unsigned i = atomic_fetch_add(&ncaches, 1);
    struct kcache *c = &caches[i];

    if (i >= MAX_CACHES || size > PAGE_SIZE)
        panic("kcache_create: %s, %zu bytes", name, size);
    c->name = name;
    c->size = MAX(ALIGN_UP(size, 16UL), 16UL);
    c->per_slab = (unsigned)(PAGE_SIZE / c->size);
    spin_init(&c->lock, RANK_SLAB, name);
    list_init(&c->partial);
    return c;
}

static void format_slab(struct kcache *c, struct page *p)
{
    char *base = page_va(p);

    p->cache = c;
    p->free = NULL;
    p->inuse = 0;
    for (unsigned i = c->per_slab; i-- > 0;) {
        struct free_object *o = (struct free_object *)(base + i * c->size);

        o->next = p->free;
        if (DEBUG)
            o->magic = FREE_MAGIC;
        p->free = o;
    }
    page_set(p, PG_SLAB);
}

static void *take_object(struct kcache *c, struct page *p)
{
    struct free_object *o = p->free;

    if (DEBUG && o->magic != FREE_MAGIC)
        panic("%s: object %p was written after it was freed", c->name, (void *)o);
    p->free = o->next;
    if (p->inuse++ == 0)
        c->empty--;
    if (!p->free)
        list_del(&p->link);
    c->live++;
    return o;
}

void *kcache_alloc(struct kcache *c, unsigned flags)
{
    irqflags_t irq = spin_lock_irqsave(&c->lock);
    struct page *fresh;
    void *obj;

    if (unlikely(list_empty(&c->partial))) {
        spin_unlock_irqrestore(&c->lock, irq);
        fresh = page_alloc(flags & ~(unsigned)ALLOC_ZERO);
        if (!fresh)
            return NULL;
        format_slab(c, fresh);
        atomic_fetch_add(&slab_pages, 1);
        irq = spin_lock_irqsave(&c->lock);
        list_add(&c->partial, &fresh->link);
        c->slabs++;
        c->empty++;
    } else if (unlikely(alloc_should_fail())) {
        spin_unlock_irqrestore(&c->lock, irq);
        return NULL;
    }
    obj = take_object(c, list_first(&c->partial, struct page, link));
    spin_unlock_irqrestore(&c->lock, irq);
    if (flags & ALLOC_ZERO)
        memset(obj, 0, c->size);
    else if (DEBUG)
        memset(obj, 0xcc, c->size);
    return obj;
}

static void free_slab(struct page *p)
{
    page_clear(p, PG_SLAB);
    atomic_fetch_sub(&slab_pages, 1);
    page_put(p);
}

static void check_double_free(struct kcache *c, struct page *p, struct free_object *o)
{
    if (o->magic != FREE_MAGIC)
        return;
    for (struct free_object *f = p->free; f; f = f->next)
        if (f == o)
            panic("%s: object %p is freed twice", c->name, (void *)o);
}

void kcache_free(struct kcache *c, void *obj)
{
    struct page *p = va_to_page((void *)ALIGN_DOWN((uintptr_t)obj, PAGE_SIZE)), *empty = NULL;
    struct free_object *o = obj;
    irqflags_t irq;

    if (unlikely(p->cache != c || !page_test(p, PG_SLAB)))
        panic("kcache_free: %p is not from %s", obj, c->name);
    irq = spin_lock_irqsave(&c->lock);
    if (DEBUG) {
        check_double_free(c, p, o);
        memset(obj, 0x6b, c->size);
        o->magic = FREE_MAGIC;
    }
    if (!p->free)
        list_add(&c->partial, &p->link);
    o->next = p->free;
    p->free = o;
    c->live--;
    if (--p->inuse == 0 && ++c->empty > 1) {
        list_del(&p->link);
        c->empty--;
        c->slabs--;
        empty = p;
    }
    spin_unlock_irqrestore(&c->lock, irq);
    if (empty)
        free_slab(empty);
}

static struct page *take_empty_slab(struct kcache *c)
{
    irqflags_t irq = spin_lock_irqsave(&c->lock);
    struct page *p, *empty = NULL;

    list_for_each (p, &c->partial, link) {
        if (p->inuse)
            continue;
        empty = p;
        list_del(&p->link);
        c->empty--;
        c->slabs--;
        break;
    }
    spin_unlock_irqrestore(&c->lock, irq);
    return empty;
}

size_t kcache_shrink(void)
{
    size_t freed = 0;
    struct page *p;

    for (unsigned i = 0; i < ncaches; i++) {
        while ((p = take_empty_slab(&caches[i]))) {
            free_slab(p);
            freed++;
        }
    }
    return freed;
}

void kmalloc_init(void)
{
    unsigned k = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(ladder); i++)
        ladder_caches[i] = kcache_create(ladder[i].name, ladder[i].size);
    for (unsigned i = 0; i < ARRAY_SIZE(ladder_index); i++) {
        if (i * 16 > ladder[k].size)
            k++;
        ladder_index[i] = (uint8_t)k;
    }
}

static void *kmalloc_pages(size_t size, unsigned flags)
{
    unsigned order = 0;
    struct page *p;

    while (PAGE_SIZE << order < size)
        if (++order > MAX_ORDER)
            return NULL;
    p = page_alloc_order(order, flags);
    if (!p)
        return NULL;
    p->order = order;
    page_set(p, PG_KMALLOC);
    return page_va(p);
}

void *kmalloc(size_t size, unsigned flags)
{
    if (size > MAX_OBJECT)
        return kmalloc_pages(size, flags);
    return kcache_alloc(ladder_caches[ladder_index[(size + 15) / 16]], flags);
}

void kfree(void *obj)
{
    struct page *p;

    if (!obj)
        return;
    p = va_to_page((void *)ALIGN_DOWN((uintptr_t)obj, PAGE_SIZE));
    if (likely(p && page_test(p, PG_SLAB))) {
        kcache_free(p->cache, obj);
    } else if (p && page_test(p, PG_KMALLOC)) {
        page_clear(p, PG_KMALLOC);
        page_free_order(p, p->order);
    } else {
        panic("kfree: %p was not allocated", obj);
    }
}

bool kcache_stat(unsigned i, const char **name, size_t *size, size_t *live, size_t *total)
{
    if (i >= ncaches)
        return false;
    *name = caches[i].name;
    *size = caches[i].size;
    *live = caches[i].live;
    *total = caches[i].slabs * caches[i].per_slab;
    return true;
}

size_t kcache_pages(void)
{
    return slab_pages;
}
