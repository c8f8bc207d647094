/* SPDX-License-Identifier: MIT */
/*
 * Changing an address space: mmap, munmap, mprotect, brk, mremap, madvise, msync, mincore, with
 * Linux's meaning and errors. Each call checks all arguments, reserves the room it may need in the
 * area array, and only then changes anything.
 *
 * Locks: as->lock, taken here. Where memory ends: user_range_ok() and vma_find_gap() know USER_TOP,
 * nothing else needs to.
 */
#include <linux/mman.h>
#include <linux/resource.h>

#include "arch/arch.h"
#include "lib/log.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/page.h"
#include "mm/pagecache.h"
#include "mm/vma.h"
#include "mm/vmfile.h"

#define MMAP_MIN_ADDR 0x10000UL
#define MAX_VMAS 32768

/* start page-aligned, len > 0: the page-aligned end, or 0 if it lies beyond user memory. */
static uaddr_t range_end(uaddr_t start, size_t len)
{
    return user_range_ok(start, len) ? ALIGN_UP(start + len, PAGE_SIZE) : 0;
}

/* The arguments of most calls: 0 and the end of the range (addr if it is empty), or an error. */
static int check_range(uaddr_t addr, size_t len, uaddr_t *end)
{
    if (addr & PAGE_MASK)
        return -EINVAL;
    *end = len ? range_end(addr, len) : addr;
    return *end || !len ? 0 : -ENOMEM;
}

/* How far [start, end) is mapped by areas that would allow prot; *err: why no further. */
static uaddr_t covered(struct addrspace *as, uaddr_t start, uaddr_t end, int prot, int *err)
{
    *err = 0;
    for (unsigned i = vma_index(as, start); start < end; i++) {
        if (i == as->nvmas || as->vmas[i].start > start)
            *err = -ENOMEM;
        else if (prot & ~as->vmas[i].max_prot)
            *err = -EACCES;
        if (*err)
            return start;
        start = as->vmas[i].end;
    }
    return end;
}

static bool over_limit(const struct addrspace *as, size_t more)
{
    uint64_t limit = rlimit_current(RLIMIT_AS);

    if (limit == RLIM_INFINITY)
        return false;
    for (unsigned i = 0; i < as->nvmas; i++)
        more += as->vmas[i].end - as->vmas[i].start;
    return more > limit;
}

/* Where the mapping goes: an address, or -ENOMEM, -EINVAL, -EPERM, -EEXIST. */
static long place(struct addrspace *as, uaddr_t addr, size_t len, int flags)
{
    uaddr_t gap;

    if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) {
        if (addr & PAGE_MASK)
            return -EINVAL;
        if (!range_end(addr, len))
            return -ENOMEM;
        if (addr < MMAP_MIN_ADDR)
            return -EPERM;
        if (flags & MAP_FIXED_NOREPLACE && !vma_range_free(as, addr, addr + len))
            return -EEXIST;
        return (long)addr;
    }
    addr = ALIGN_UP(addr, PAGE_SIZE);
    if (addr >= MMAP_MIN_ADDR && range_end(addr, len) && vma_range_free(as, addr, addr + len))
        return (long)addr;
    gap = vma_find_gap(as, len, as->mmap_top);
    if (!gap)
        gap = vma_find_gap(as, len, USER_TOP);
    return gap >= MMAP_MIN_ADDR ? (long)gap : -ENOMEM;
}

long addrspace_mmap(struct addrspace *as, uaddr_t addr, size_t len, int prot, int flags,
                    struct file *file, uint64_t pgoff, uint8_t max_prot, uint8_t vma_flags)
{
    struct vma v = {.prot = (uint8_t)(prot & 7),
                    .flags = vma_flags,
                    .max_prot = max_prot,
                    .file = file,
                    .mapping = file ? file_mapping(file) : NULL,
                    .pgoff = pgoff};
    long at;

    if (!len)
        return -EINVAL;
    if (len > USER_TOP)
        return -ENOMEM;
    len = ALIGN_UP(len, PAGE_SIZE);
    mutex_lock(&as->lock);
    at = place(as, addr, len, flags);
    if (at >= 0 && (as->nvmas >= MAX_VMAS || over_limit(as, len) || vma_reserve(as, 3)))
        at = -ENOMEM;
    if (at < 0) {
        mutex_unlock(&as->lock);
        return at;
    }
    unmap_range(as, (uaddr_t)at, (uaddr_t)at + len);
    v.start = (uaddr_t)at;
    v.end = v.start + len;
    vma_take_file(&v);
    vma_insert(as, &v);
    mutex_unlock(&as->lock);
    return at;
}

int addrspace_munmap(struct addrspace *as, uaddr_t addr, size_t len)
{
    uaddr_t end;
    int err = check_range(addr, len, &end);

    if (err || end == addr)
        return -EINVAL;
    mutex_lock(&as->lock);
    err = vma_reserve(as, 2);
    if (!err)
        unmap_range(as, addr, end);
    mutex_unlock(&as->lock);
    return err;
}

/* Glues neighbours that have become alike, so that mprotect back and forth does not pile up. */
static void merge_range(struct addrspace *as, uaddr_t start, uaddr_t end)
{
    unsigned i = vma_index(as, start ? start - 1 : 0);

    while (i + 1 < as->nvmas && as->vmas[i].start <= end) {
        unsigned before = as->nvmas;
        struct vma v = as->vmas[i + 1];

        /* Reinserting merges with the left neighbour where possible. */
        memmove(&as->vmas[i + 1], &as->vmas[i + 2], (before - i - 2) * sizeof(v));
        as->nvmas--;
        vma_insert(as, &v);
        if (as->nvmas == before)
            i++;
    }
}

static void protect_range(struct addrspace *as, uaddr_t start, uaddr_t end, int prot)
{
    vma_split(as, start);
    vma_split(as, end);
    for (unsigned i = vma_index(as, start); i < as->nvmas && as->vmas[i].start < end; i++) {
        struct vma *v = &as->vmas[i];

        if (v->prot == prot)
            continue;
        v->prot = (uint8_t)prot;
        protect_pages(as, v, v->start, v->end);
    }
    merge_range(as, start, end);
}

/* What lies before the first area that is missing, or forbids it, is changed all the same. */
int addrspace_mprotect(struct addrspace *as, uaddr_t addr, size_t len, int prot)
{
    uaddr_t end;
    int err = check_range(addr, len, &end);

    prot &= ~(PROT_GROWSDOWN | PROT_GROWSUP);
    if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC))
        return -EINVAL;
    if (err || end == addr)
        return err;
    mutex_lock(&as->lock);
    if (vma_reserve(as, 2)) {
        err = -ENOMEM;
    } else {
        end = covered(as, addr, end, prot, &err);
        if (end > addr)
            protect_range(as, addr, end, prot);
    }
    mutex_unlock(&as->lock);
    return err;
}

/* ---- brk ---- */

static bool brk_grow(struct addrspace *as, uaddr_t from, uaddr_t to)
{
    uint64_t limit = rlimit_current(RLIMIT_DATA);
    struct vma v = {.start = from,
                    .end = to,
                    .prot = PROT_READ | PROT_WRITE,
                    .max_prot = PROT_READ | PROT_WRITE | PROT_EXEC,
                    .flags = VMA_HEAP};

    if (!vma_range_free(as, from, to) || over_limit(as, to - from) ||
        (limit != RLIM_INFINITY && to - as->brk_start > limit) || vma_reserve(as, 1))
        return false;
    vma_insert(as, &v);
    return true;
}

uaddr_t addrspace_brk(struct addrspace *as, uaddr_t want)
{
    uaddr_t old_end, new_end = ALIGN_UP(want, PAGE_SIZE);
    bool ok;

    mutex_lock(&as->lock);
    old_end = ALIGN_UP(as->brk, PAGE_SIZE);
    ok = want >= as->brk_start && want <= USER_TOP;
    if (ok && new_end > old_end)
        ok = brk_grow(as, old_end, new_end);
    if (ok && new_end < old_end)
        ok = !vma_reserve(as, 2);
    if (ok && new_end < old_end)
        unmap_range(as, new_end, old_end);
    if (ok)
        as->brk = want;
    want = as->brk;
    mutex_unlock(&as->lock);
    return want;
}

/* ---- mremap ---- */

/* Moves pages of [from, from + len) to `to`; tables for the target exist before the first move. */
static int move_pages(struct addrspace *as, uaddr_t from, uaddr_t to, size_t len)
{
    bool moved = false;

    for (size_t off = 0; off < len; off += PAGE_SIZE) {
        pte_t *src = pte_find(&as->pt, from + off);

        if (src && src->bits && !pte_make_path(&as->pt, to + off)) {
            fence_and_free_tables(as, to, to + len);
            return -ENOMEM;
        }
    }
    for (size_t off = 0; off < len; off += PAGE_SIZE) {
        pte_t *src = pte_find(&as->pt, from + off);

        if (!src || !src->bits)
            continue;
        pte_set(pte_find(&as->pt, to + off), *src);
        pte_set(src, (pte_t){0});
        moved = true;
    }
    if (moved)
        fence_and_free_tables(as, from, from + len);
    return 0;
}

/* Moves what is asked for of an area to a free place. Room for 4 is reserved. */
static long move_area(struct addrspace *as, uaddr_t addr, size_t old_len, size_t new_len,
                      uaddr_t to)
{
    struct vma v = *vma_find(as, addr);
    int err = move_pages(as, addr, to, MIN(old_len, new_len));

    if (err)
        return err;
    if (v.mapping)
        v.pgoff += (addr - v.start) >> PAGE_SHIFT;
    v.start = to;
    v.end = to + new_len;
    v.flags &= (uint8_t) ~(VMA_HEAP | VMA_STACK);
    vma_take_file(&v);
    unmap_range(as, addr, addr + old_len);
    vma_insert(as, &v);
    return (long)to;
}

static long mremap_locked(struct addrspace *as, uaddr_t addr, size_t old_len, size_t new_len,
                          int flags, uaddr_t new_addr)
{
    struct vma *v = vma_find(as, addr);
    uaddr_t end = addr + old_len, new_end = range_end(addr, new_len);
    long to;

    if (!v || v->end < end)
        return -EFAULT;
    if (vma_reserve(as, 6) || (new_len > old_len && over_limit(as, new_len - old_len)))
        return -ENOMEM;
    v = vma_find(as, addr);
    if (flags & MREMAP_FIXED) {
        unmap_range(as, new_addr, new_addr + new_len);
        return move_area(as, addr, old_len, new_len, new_addr);
    }
    if (new_len < old_len)
        unmap_range(as, addr + new_len, end);
    if (new_len <= old_len)
        return (long)addr;
    if (v->end == end && new_end && vma_range_free(as, end, new_end)) {
        v->end = new_end;
        return (long)addr;
    }
    to = flags & MREMAP_MAYMOVE ? place(as, 0, new_len, 0) : -ENOMEM;
    return to < 0 ? to : move_area(as, addr, old_len, new_len, (uaddr_t)to);
}

long addrspace_mremap(struct addrspace *as, uaddr_t addr, size_t old_len, size_t new_len, int flags,
                      uaddr_t new_addr)
{
    long ret;

    if (addr & PAGE_MASK || !new_len || !old_len || flags & ~(MREMAP_MAYMOVE | MREMAP_FIXED))
        return -EINVAL;
    if (!user_range_ok(addr, old_len))
        return -EFAULT;
    if (new_len > USER_TOP)
        return -ENOMEM;
    old_len = ALIGN_UP(old_len, PAGE_SIZE);
    new_len = ALIGN_UP(new_len, PAGE_SIZE);
    if (flags & MREMAP_FIXED &&
        (!(flags & MREMAP_MAYMOVE) || new_addr & PAGE_MASK || !range_end(new_addr, new_len) ||
         new_addr < MMAP_MIN_ADDR || (new_addr < addr + old_len && addr < new_addr + new_len)))
        return -EINVAL;
    mutex_lock(&as->lock);
    ret = mremap_locked(as, addr, old_len, new_len, flags, new_addr);
    mutex_unlock(&as->lock);
    return ret;
}

/* ---- Advice and synchronisation ---- */

enum { HINT, DROP, REMOVE, UNKNOWN };

/* What is only a hint may be ignored; what promises an effect may not. */
static int kind_of_advice(int advice)
{
    switch (advice) {
    case MADV_NORMAL:
    case MADV_RANDOM:
    case MADV_SEQUENTIAL:
    case MADV_WILLNEED:
    case MADV_HUGEPAGE:
    case MADV_NOHUGEPAGE:
    case MADV_DONTDUMP:
    case MADV_DODUMP:
    case MADV_COLD:
    case MADV_PAGEOUT: return HINT;
    case MADV_DONTNEED:
    case MADV_FREE: return DROP;
    case MADV_REMOVE: return REMOVE;
    default: return UNKNOWN;
    }
}

/* No file system here can punch holes, and other memory has no store behind it. */
static int refuse_remove(struct addrspace *as, uaddr_t addr)
{
    const struct vma *v = vma_find(as, addr);

    if (!v || !v->mapping)
        return v ? -EINVAL : -ENOMEM;
    return v->flags & VMA_SHARED && v->max_prot & PROT_WRITE ? -EOPNOTSUPP : -EACCES;
}

int addrspace_madvise(struct addrspace *as, uaddr_t addr, size_t len, int advice)
{
    int kind = kind_of_advice(advice), err;
    uaddr_t end;

    err = check_range(addr, len, &end);
    if (kind == UNKNOWN)
        return -EINVAL;
    if (err || end == addr)
        return err;
    mutex_lock(&as->lock);
    covered(as, addr, end, 0, &err);
    if (kind == DROP)
        unmap_pages(as, addr, end);
    else if (kind == REMOVE)
        err = refuse_remove(as, addr);
    mutex_unlock(&as->lock);
    return err;
}

int addrspace_msync(struct addrspace *as, uaddr_t addr, size_t len, int flags)
{
    uaddr_t end;
    int err = check_range(addr, len, &end);

    if (flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC) || (flags & MS_ASYNC && flags & MS_SYNC))
        return -EINVAL;
    if (err || end == addr)
        return err;
    mutex_lock(&as->lock);
    covered(as, addr, end, 0, &err);
    for (unsigned i = vma_index(as, addr); i < as->nvmas && as->vmas[i].start < end; i++)
        if (as->vmas[i].mapping && as->vmas[i].flags & VMA_SHARED) {
            mapping_writeback(as->vmas[i].mapping, flags & MS_SYNC);
            if (flags & MS_SYNC && !err)
                err = mapping_take_error(as->vmas[i].mapping);
        }
    mutex_unlock(&as->lock);
    return err;
}

int addrspace_mincore(struct addrspace *as, uaddr_t addr, size_t len, uaddr_t vec)
{
    uaddr_t end;
    int err = check_range(addr, len, &end);

    for (uaddr_t va = addr; !err && va < end; va += PAGE_SIZE, vec++) {
        uint8_t here;
        pte_t *e;

        mutex_lock(&as->lock);
        err = vma_find(as, va) ? 0 : -ENOMEM;
        e = pte_find(&as->pt, va);
        here = e && e->bits;
        mutex_unlock(&as->lock);
        if (!err)
            err = copy_to_user(vec, &here, 1);
    }
    return err;
}

/* ---- For exec ---- */

long addrspace_map_segment(struct addrspace *as, uaddr_t start, size_t len, int prot,
                           struct file *file, uint64_t pgoff, uint8_t max_prot)
{
    struct vma v = {.start = start,
                    .end = start + len,
                    .prot = (uint8_t)prot,
                    .max_prot = max_prot,
                    .file = file,
                    .mapping = file ? file_mapping(file) : NULL,
                    .pgoff = pgoff};
    int err;

    if (!user_range_ok(start, len) || (file && !v.mapping))
        return -ENOEXEC;
    mutex_lock(&as->lock);
    err = vma_range_free(as, start, v.end) ? vma_reserve(as, 1) : -ENOEXEC;
    if (!err) {
        vma_take_file(&v);
        vma_insert(as, &v);
    }
    mutex_unlock(&as->lock);
    return err;
}

long addrspace_map_vdso(struct addrspace *as, struct page *page)
{
    const int prot = PROT_READ | PROT_EXEC;
    long at = addrspace_mmap(as, 0, PAGE_SIZE, prot, 0, NULL, 0, prot | PROT_WRITE, VMA_VDSO);
    pte_t *e;

    if (at < 0)
        return at;
    mutex_lock(&as->lock);
    e = pte_make_path(&as->pt, (uaddr_t)at);
    if (e) {
        page_get(page);
        pte_set(e, pte_make(page_to_pa(page), vma_pte_flags(vma_find(as, (uaddr_t)at), false)));
        as->rss++;
    }
    mutex_unlock(&as->lock);
    return e ? at : -ENOMEM;
}
