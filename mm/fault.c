/* SPDX-License-Identifier: MIT */
/*
 * The one page-fault handler: for user mode and for the kernel's own touches of user memory.
 *
 *                     no PTE yet                         PTE there, but read-only
 *  anonymous          a zeroed page (zero)               the only user: make it writable
 *                                                        else: copy it (cow)
 *  private file       read: the cached page, read-only,  copy the cached page (cow)
 *                     with its cached neighbours (file)
 *                     write: a copy of the cached page
 *  shared file        the cached page                    prepare_write, mark dirty, writable
 *
 *  below a stack area the area grows; elsewhere without an area: -EFAULT; an area that forbids the
 *  access: -EACCES; a file page beyond the end, or unreadable: -EIO.
 *
 * A fault on a PTE that allows the access is spurious (another hart served it, or this hart's TLB
 * held the old entry): one local fence and retry (section 4.3.1).
 *
 * Locks: as->lock. It may be held while a page is read from disk.
 */
#include <linux/mman.h>
#include <linux/resource.h>

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "mm/page.h"
#include "mm/pagecache.h"
#include "mm/vma.h"

#define FAULT_AROUND 16UL            /* pages, aligned block */
#define STACK_GUARD (16 * PAGE_SIZE) /* a growing stack keeps this far from what lies below */

struct fault {
    struct addrspace *as;
    struct vma *vma;
    uaddr_t va; /* page-aligned */
    pte_t *pte;
    bool write;
};

static void set_page(struct fault *f, struct page *p, bool writable)
{
    if (!f->pte->bits)
        f->as->rss++;
    pte_set(f->pte, pte_make(page_to_pa(p), vma_pte_flags(f->vma, writable)));
}

static int fault_zero(struct fault *f)
{
    struct page *p = page_alloc(ALLOC_ZERO);

    if (!p)
        return -ENOMEM;
    stat_inc(faults_zero);
    /* The zeroes first, then the PTE that shows them. */
    atomic_thread_fence(memory_order_release);
    set_page(f, p, true);
    return 0;
}

/* A writable copy of `from` takes the PTE's place. The caller keeps its reference on `from`. */
static int map_copy(struct fault *f, struct page *from)
{
    struct page *p = page_alloc(0);

    if (!p)
        return -ENOMEM;
    memcpy(page_va(p), page_va(from), PAGE_SIZE);
    stat_inc(faults_cow);
    if (f->vma->file)
        f->vma->flags |= VMA_COPIED;
    atomic_thread_fence(memory_order_release);
    set_page(f, p, true);
    return 0;
}

static uint64_t page_index(const struct vma *v, uaddr_t va)
{
    return v->pgoff + ((va - v->start) >> PAGE_SHIFT);
}

static uint64_t file_pages(const struct vma *v)
{
    return (atomic_load(&v->mapping->size) + PAGE_MASK) >> PAGE_SHIFT;
}

/* A shared mapping's first write: the file system gets its say, and the page is dirty from now. */
static int share_writable(struct fault *f, struct page *p)
{
    struct mapping *m = f->vma->mapping;
    int err = 0;

    page_lock(p);
    if (p->mapping != m) { /* a truncation was faster: beyond the end now */
        page_unlock(p);
        return -EIO;
    }
    if (m->ops && m->ops->prepare_write)
        err = m->ops->prepare_write(m, p, 0, PAGE_SIZE);
    if (!err && m->ops)
        page_mark_dirty(p);
    page_unlock(p);
    if (err)
        return err == -ENOMEM ? err : -EIO;
    set_page(f, p, true);
    return 0;
}

/* The cached page, or read from the file: then the fault was a major one. */
static struct page *file_page(struct fault *f, uint64_t index)
{
    struct page *p = mapping_find_page(f->vma->mapping, index);

    if (p)
        return p;
    thread_count_fault(true);
    return mapping_read_page(f->vma->mapping, index);
}

static int fault_file_write(struct fault *f)
{
    struct page *p = file_page(f, page_index(f->vma, f->va));
    int err;

    if (is_err(p))
        return ptr_err(p);
    stat_inc(faults_file);
    if (!(f->vma->flags & VMA_SHARED)) {
        err = map_copy(f, p);
        page_put(p);
        return err;
    }
    err = share_writable(f, p);
    if (err)
        page_put(p);
    return err;
}

/* Maps what is cached of the aligned block around the page too: one fault instead of sixteen. `end`:
 * the file's size in pages, read once, for it may change. */
static int fault_file_read(struct fault *f, uint64_t end)
{
    const struct vma *v = f->vma;
    uaddr_t block = ALIGN_DOWN(f->va, FAULT_AROUND * PAGE_SIZE);
    uaddr_t from = MAX(block, v->start), to = MIN(block + FAULT_AROUND * PAGE_SIZE, v->end);
    uint64_t first = page_index(v, from), wanted = (f->va - from) >> PAGE_SHIFT;
    unsigned n = (unsigned)MIN((to - from) >> PAGE_SHIFT, end - first);
    struct page *pages[FAULT_AROUND];
    pte_t *e = f->pte - wanted;
    uint64_t flags = vma_pte_flags(v, false);
    int err = 0;

    pagecache_lookup_range(v->mapping, first, n, pages);
    if (!pages[wanted]) {
        pages[wanted] = file_page(f, first + wanted);
        if (is_err(pages[wanted])) {
            err = ptr_err(pages[wanted]);
            pages[wanted] = NULL;
        }
    }
    if (!err)
        stat_inc(faults_file);
    for (unsigned i = 0; i < n; i++) {
        if (!pages[i])
            continue;
        if (e[i].bits) {
            page_put(pages[i]);
            continue;
        }
        pte_set(&e[i], pte_make(page_to_pa(pages[i]), flags));
        f->as->rss++;
    }
    return err;
}

static int fault_file(struct fault *f)
{
    uint64_t end = file_pages(f->vma);

    if (page_index(f->vma, f->va) >= end)
        return -EIO;
    return f->write ? fault_file_write(f) : fault_file_read(f, end);
}

/* Every hart that may have the old, read-only entry must forget it before it is used again. */
static void forget_old_entry(struct fault *f)
{
    uint32_t self = 1u << arch_this_hart()->index;
    uint32_t mask = atomic_load_explicit(&f->as->harts, memory_order_seq_cst);

    if (mask & ~self)
        tlb_flush_harts(mask);
    else if (mask)
        tlb_flush_page_local(f->va);
}

static int fault_write_protected(struct fault *f)
{
    struct page *old = pa_to_page(pte_pa(*f->pte));
    int err;

    if (f->vma->flags & VMA_SHARED) {
        err = share_writable(f, old);
        if (!err)
            tlb_flush_page_local(f->va);
        return err;
    }
    if (!page_test(old, PG_CACHED | PG_RESERVED) && page_refs(old) == 1) {
        stat_inc(faults_cow);
        set_page(f, old, true);
        /* Other harts' read-only entries at worst fault once more. */
        tlb_flush_page_local(f->va);
        return 0;
    }
    err = map_copy(f, old);
    if (err)
        return err;
    forget_old_entry(f);
    page_put(old);
    return 0;
}

/* The area above va is a stack that may grow down to it. */
static struct vma *grow_stack(struct addrspace *as, uaddr_t va)
{
    unsigned i = vma_index(as, va);
    struct vma *v = i < as->nvmas ? &as->vmas[i] : NULL;
    uaddr_t start = ALIGN_DOWN(va, PAGE_SIZE);

    if (!v || !(v->flags & VMA_STACK) || v->end - start > rlimit_current(RLIMIT_STACK))
        return NULL;
    if (i && start < as->vmas[i - 1].end + STACK_GUARD)
        return NULL;
    stat_inc(faults_stack);
    v->start = start;
    return v;
}

/* The page's contents came by store or DMA: fetches must see them before the program goes on. */
static void sync_code(struct addrspace *as)
{
    if (as->harts & ~(1u << arch_this_hart()->index))
        icache_flush_all();
    else
        icache_flush_local();
}

static bool access_allowed(const struct vma *v, enum fault_access access)
{
    if (access == FAULT_WRITE)
        return v->prot & PROT_WRITE;
    if (access == FAULT_EXEC)
        return v->prot & PROT_EXEC;
    return v->prot & (PROT_READ | PROT_WRITE);
}

int fault_locked(struct addrspace *as, uaddr_t va, enum fault_access access)
{
    struct fault f = {.as = as, .va = ALIGN_DOWN(va, PAGE_SIZE), .write = access == FAULT_WRITE};

    assert(mutex_held(&as->lock));
    if (va >= USER_TOP)
        return -EFAULT;
    f.vma = vma_find(as, va);
    if (!f.vma)
        f.vma = grow_stack(as, va);
    if (!f.vma)
        return -EFAULT;
    if (!access_allowed(f.vma, access))
        return -EACCES;
    f.pte = pte_make_path(&as->pt, f.va);
    if (!f.pte)
        return -ENOMEM;
    if (!f.pte->bits) {
        int err = f.vma->mapping ? fault_file(&f) : fault_zero(&f);

        if (!err && access == FAULT_EXEC)
            sync_code(as);
        return err;
    }
    if (f.write && !(f.pte->bits & PTE_W))
        return fault_write_protected(&f);
    stat_inc(faults_spurious);
    tlb_flush_page_local(f.va);
    return 0;
}

int handle_page_fault(uaddr_t va, enum fault_access access, bool user)
{
    struct addrspace *as = arch_this_hart()->as;
    int err;

    stat_inc(faults);
    if (!user)
        stat_inc(faults_kernel);
    if (!as)
        return -EFAULT;
    thread_count_fault(false);
    mutex_lock(&as->lock);
    err = fault_locked(as, va, access);
    mutex_unlock(&as->lock);
    if (err)
        stat_inc(faults_bad);
    return err;
}
