/* SPDX-License-Identifier: MIT */
/*
 * The sorted array of areas. Invariants: [1] start < end, both page-aligned, below USER_TOP;
 * [2] areas are sorted and do not overlap; [3] an area with a file holds one reference on it.
 *
 * Changing code first reserves room (the only step that can fail), then changes: there is no undo.
 * Locks: as->lock, held by all callers.
 */
#include "mm/vma.h"

#include <linux/mman.h>

#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/pagecache.h"
#include "mm/vmfile.h"

unsigned vma_index(const struct addrspace *as, uaddr_t va)
{
    unsigned lo = 0, hi = as->nvmas;

    /* All areas below lo end at or below va; all from hi on end above it. */
    while (lo < hi) {
        unsigned mid = (lo + hi) / 2;

        if (as->vmas[mid].end <= va)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

struct vma *vma_find(struct addrspace *as, uaddr_t va)
{
    unsigned i = vma_index(as, va);

    return i < as->nvmas && as->vmas[i].start <= va ? &as->vmas[i] : NULL;
}

int vma_reserve(struct addrspace *as, unsigned n)
{
    unsigned cap = as->vma_cap;
    struct vma *bigger;

    if (as->nvmas + n <= cap)
        return 0;
    while (cap < as->nvmas + n)
        cap = cap ? cap * 2 : 8;
    bigger = kmalloc(cap * sizeof(*bigger), 0);
    if (!bigger)
        return -ENOMEM;
    memcpy(bigger, as->vmas, as->nvmas * sizeof(*bigger));
    kfree(as->vmas);
    as->vmas = bigger;
    as->vma_cap = cap;
    return 0;
}

static void open_slot(struct addrspace *as, unsigned i)
{
    assert(as->nvmas < as->vma_cap);
    memmove(&as->vmas[i + 1], &as->vmas[i], (as->nvmas - i) * sizeof(as->vmas[0]));
    as->nvmas++;
}

/* b begins where a ends and is more of the same. */
static bool continues(const struct vma *a, const struct vma *b)
{
    return a->end == b->start && a->prot == b->prot && a->flags == b->flags &&
           a->max_prot == b->max_prot && a->file == b->file && a->mapping == b->mapping &&
           (!a->mapping || a->pgoff + ((a->end - a->start) >> PAGE_SHIFT) == b->pgoff);
}

static bool may_write_file(const struct vma *v)
{
    return v->flags & VMA_SHARED && v->max_prot & PROT_WRITE;
}

void vma_take_file(struct vma *v)
{
    if (!v->file)
        return;
    file_get(v->file);
    atomic_fetch_add(&v->mapping->maps, 1);
    if (may_write_file(v))
        atomic_fetch_add(&v->mapping->writable_maps, 1);
}

void vma_drop_file(struct vma *v)
{
    if (!v->file)
        return;
    atomic_fetch_sub(&v->mapping->maps, 1);
    if (may_write_file(v))
        atomic_fetch_sub(&v->mapping->writable_maps, 1);
    file_put(v->file);
}

static void close_slot(struct addrspace *as, unsigned i)
{
    memmove(&as->vmas[i], &as->vmas[i + 1], (as->nvmas - i - 1) * sizeof(as->vmas[0]));
    as->nvmas--;
}

void vma_insert(struct addrspace *as, const struct vma *v)
{
    unsigned i = vma_index(as, v->start);

    if (i > 0 && continues(&as->vmas[i - 1], v)) {
        struct vma extra = *v;

        as->vmas[i - 1].end = v->end;
        vma_drop_file(&extra);
        i--;
    } else {
        open_slot(as, i);
        as->vmas[i] = *v;
    }
    if (i + 1 < as->nvmas && continues(&as->vmas[i], &as->vmas[i + 1])) {
        as->vmas[i].end = as->vmas[i + 1].end;
        vma_drop_file(&as->vmas[i + 1]);
        close_slot(as, i + 1);
    }
}

void vma_split(struct addrspace *as, uaddr_t va)
{
    unsigned i = vma_index(as, va);
    struct vma *v;

    if (i == as->nvmas || as->vmas[i].start >= va)
        return;
    open_slot(as, i);
    v = &as->vmas[i];
    v[0].end = va;
    v[1].start = va;
    if (v[0].mapping)
        v[1].pgoff += (va - v[0].start) >> PAGE_SHIFT;
    vma_take_file(&v[1]);
}

void vma_remove(struct addrspace *as, unsigned first, unsigned last)
{
    for (unsigned i = first; i < last; i++)
        vma_drop_file(&as->vmas[i]);
    memmove(&as->vmas[first], &as->vmas[last], (as->nvmas - last) * sizeof(as->vmas[0]));
    as->nvmas -= last - first;
}

bool vma_range_free(const struct addrspace *as, uaddr_t start, uaddr_t end)
{
    unsigned i = vma_index(as, start);

    return i == as->nvmas || as->vmas[i].start >= end;
}

uaddr_t vma_find_gap(const struct addrspace *as, size_t len, uaddr_t limit)
{
    unsigned i = vma_index(as, limit - 1);
    uaddr_t top = limit;

    /* Above top nothing fits; area i - 1 is the next one below it. */
    if (i < as->nvmas)
        top = MIN(top, as->vmas[i].start);
    for (;;) {
        uaddr_t bottom = i ? as->vmas[i - 1].end : PAGE_SIZE * 16;

        if (top >= bottom && top - bottom >= len)
            return top - len;
        if (!i)
            return 0;
        i--;
        top = MIN(top, as->vmas[i].start);
    }
}
