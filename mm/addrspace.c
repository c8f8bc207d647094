/* SPDX-License-Identifier: MIT */
/*
 * Address spaces as wholes: birth, copy-on-write duplicate, death, and being the one that satp
 * holds. Changing single ranges is mm/mmap.c's, serving faults mm/fault.c's.
 *
 * as->harts has the bit of every hart whose satp holds the table. A hart sets its bit before it
 * loads the root and clears it after it loaded another, so whoever changed PTEs and then reads the
 * mask either sees the bit or the hart sees the new PTEs.
 *
 * Locks: as->lock for a space's areas and PTEs; all_lock, taken before it, for the list of spaces.
 */
#include "mm/addrspace.h"

#include <linux/mman.h>

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/kmap.h"
#include "mm/page.h"
#include "mm/pagecache.h"
#include "mm/vma.h"
#include "mm/vmfile.h"

static struct kcache *addrspace_cache;
/* The list, and that none on it is freed. Whoever shortens a file holds it for a walk. */
static struct mutex all_lock;
static struct list all_spaces = LIST_INIT(all_spaces); /* all_lock */

void addrspace_init(void)
{
    mutex_init(&all_lock, MUTEX_SPACES);
    addrspace_cache = kcache_create("addrspace", sizeof(struct addrspace));
}

struct addrspace *addrspace_create(void)
{
    struct addrspace *as = kcache_alloc(addrspace_cache, ALLOC_ZERO);
    if (!as)
        return NULL;
    if (pagetable_create(&as->pt)) {
        kcache_free(addrspace_cache, as);
        return NULL;
    }
    as->refs = 1;
    mutex_init(&as->lock, MUTEX_ADDRSPACE);
    mutex_lock(&all_lock);
    list_add_tail(&all_spaces, &as->all_link);
    mutex_unlock(&all_lock);
    return as;
}

struct addrspace *addrspace_get(struct addrspace *as)
{
    atomic_fetch_add_explicit(&as->refs, 1, memory_order_relaxed);
    return as;
}

static void unmap_all(struct addrspace *as)
{
    for (unsigned i = 0; i < as->nvmas; i++)
        unmap_pages_dead(as, as->vmas[i].start, as->vmas[i].end);
    vma_remove(as, 0, as->nvmas);
}

void addrspace_put(struct addrspace *as)
{
    if (!as || atomic_fetch_sub_explicit(&as->refs, 1, memory_order_acq_rel) != 1)
        return;
    mutex_lock(&all_lock);
    list_del(&as->all_link);
    mutex_unlock(&all_lock);
    /* Nobody runs on this table any more, so none of what follows needs a fence. */
    BUG_ON(as->harts);
    mutex_lock(&as->lock);
    unmap_all(as);
    mutex_unlock(&as->lock);
    BUG_ON(as->rss);
    if (as->exe)
        file_put(as->exe);
    pagetable_destroy(&as->pt);
    kfree(as->vmas);
    kcache_free(addrspace_cache, as);
}

void addrspace_activate(struct addrspace *as)
{
    struct hart *h = arch_this_hart();
    uint32_t bit = 1u << h->index;
    struct addrspace *old = h->as;

    assert(!arch_irqs_enabled());
    if (old == as)
        return;
    if (as)
        atomic_fetch_or_explicit(&as->harts, bit, memory_order_seq_cst);
    h->as = as;
    tlb_load_root(pagetable_root_pa(as ? &as->pt : &kernel_pagetable));
    if (old)
        atomic_fetch_and_explicit(&old->harts, ~bit, memory_order_seq_cst);
}

/* ---- Fork ---- */

/* A child finds a file area's pages again in the page cache, if it wants them. */
static bool worth_copying(const struct vma *v)
{
    return !v->file || v->flags & (VMA_SHARED | VMA_COPIED);
}

/* One level-0 table's share of an area. Returns false when memory is short. */
static bool copy_ptes(struct addrspace *to, struct addrspace *from, const struct vma *v,
                      uaddr_t start, uaddr_t end, bool *protected)
{
    bool cow = !(v->flags & VMA_SHARED);
    pte_t *src = pte_find(&from->pt, start), *dst = NULL;

    if (!src)
        return true;
    for (uaddr_t va = start; va < end; va += PAGE_SIZE, src++) {
        if (!src->bits)
            continue;
        if (!dst) {
            dst = pte_make_path(&to->pt, start);
            if (!dst)
                return false;
        }
        if (cow && src->bits & PTE_W) {
            pte_set(src, (pte_t){src->bits & ~(PTE_W | PTE_D)});
            *protected = true;
        }
        page_get(pa_to_page(pte_pa(*src)));
        pte_set(&dst[(va - start) >> PAGE_SHIFT], *src);
        to->rss++;
    }
    return true;
}

static bool copy_area(struct addrspace *to, struct addrspace *from, const struct vma *v,
                      bool *protected)
{
    uaddr_t start = v->start;

    if (!worth_copying(v))
        return true;
    while (start < v->end) {
        uaddr_t stop = MIN(v->end, ALIGN_DOWN(start, MEGAPAGE_SIZE) + MEGAPAGE_SIZE);

        if (!copy_ptes(to, from, v, start, stop, protected))
            return false;
        start = stop;
    }
    return true;
}

static int copy_vmas(struct addrspace *to, struct addrspace *from)
{
    int err = vma_reserve(to, from->nvmas);

    if (err)
        return err;
    memcpy(to->vmas, from->vmas, from->nvmas * sizeof(from->vmas[0]));
    to->nvmas = from->nvmas;
    for (unsigned i = 0; i < to->nvmas; i++)
        vma_take_file(&to->vmas[i]);
    return 0;
}

struct addrspace *addrspace_fork(struct addrspace *from)
{
    struct addrspace *to = addrspace_create();
    bool protected = false, ok;

    if (!to)
        return err_ptr(-ENOMEM);
    mutex_lock(&from->lock);
    ok = !copy_vmas(to, from);
    for (unsigned i = 0; ok && i < from->nvmas; i++)
        ok = copy_area(to, from, &from->vmas[i], &protected);
    to->brk_start = from->brk_start;
    to->brk = from->brk;
    to->mmap_top = from->mmap_top;
    to->stack_top = from->stack_top;
    to->vdso = from->vdso;
    to->arg_start = from->arg_start;
    to->arg_end = from->arg_end;
    to->env_start = from->env_start;
    to->env_end = from->env_end;
    to->exe = from->exe ? file_get(from->exe) : NULL;
    /* The parent must not write through entries cached before they lost their W: one fence, however
     * many pages there were. */
    if (protected)
        tlb_flush_harts(from->harts);
    mutex_unlock(&from->lock);
    if (ok)
        return to;
    addrspace_put(to);
    return err_ptr(-ENOMEM);
}

/* ---- Access from outside ---- */

/* Takes the pages from index `from` on of a file that became shorter out of one space. */
static void unmap_file_pages(struct addrspace *as, const struct mapping *m, uint64_t from)
{
    for (unsigned i = 0; i < as->nvmas; i++) {
        const struct vma *v = &as->vmas[i];
        uint64_t end = v->pgoff + ((v->end - v->start) >> PAGE_SHIFT);

        if (v->mapping != m || end <= from)
            continue;
        unmap_pages(as, from > v->pgoff ? v->start + ((from - v->pgoff) << PAGE_SHIFT) : v->start,
                    v->end);
    }
}

void addrspace_unmap_file(struct mapping *m, uint64_t from)
{
    struct addrspace *as;

    if (!atomic_load(&m->maps))
        return;
    mutex_lock(&all_lock);
    list_for_each (as, &all_spaces, all_link) {
        mutex_lock(&as->lock);
        unmap_file_pages(as, m, from);
        mutex_unlock(&as->lock);
    }
    mutex_unlock(&all_lock);
}

/* Copies between kernel memory and a space that need not be current, page by page. */
static size_t access_pages(struct addrspace *as, uaddr_t va, char *buf, size_t len, bool write,
                           int *err)
{
    size_t done = 0;

    while (done < len) {
        size_t off = (va + done) & PAGE_MASK, n = MIN(len - done, PAGE_SIZE - off);
        pte_t *e;
        char *at;

        *err = user_range_ok(va + done, n) ? 0 : -EFAULT;
        if (!*err)
            *err = fault_locked(as, va + done, write ? FAULT_WRITE : FAULT_READ);
        if (*err)
            break;
        e = pte_find(&as->pt, va + done);
        at = (char *)pa_to_va(pte_pa(*e)) + off;
        if (write)
            memcpy(at, buf + done, n);
        else
            memcpy(buf + done, at, n);
        done += n;
    }
    return done;
}

int addrspace_write(struct addrspace *as, uaddr_t dst, const void *src, size_t len)
{
    int err = 0;

    mutex_lock(&as->lock);
    access_pages(as, dst, (char *)src, len, true, &err);
    mutex_unlock(&as->lock);
    return err;
}

size_t addrspace_read(struct addrspace *as, void *dst, uaddr_t src, size_t len)
{
    size_t done;
    int err = 0;

    mutex_lock(&as->lock);
    done = access_pages(as, src, dst, len, false, &err);
    mutex_unlock(&as->lock);
    return done;
}

void addrspace_check(struct addrspace *as)
{
    for (unsigned i = 0; i < as->nvmas; i++) {
        const struct vma *v = &as->vmas[i];

        BUG_ON(v->start >= v->end || (v->start | v->end) & PAGE_MASK || v->end > USER_TOP);
        BUG_ON(i && v[-1].end > v->start);
    }
    BUG_ON(!pagetable_check(&as->pt));
}
