/* SPDX-License-Identifier: MIT */
/*
 * Address spaces: the areas (VMAs) of a process and its page table. The areas are a sorted array
 * without overlaps, so that lookup is a binary search and fork's copy is one memcpy.
 */
#pragma once

#include <stdatomic.h>

#include "arch/arch.h"
#include "lib/wait.h"
#include "mm/pagetable.h"

struct file;
struct mapping;
struct page;

enum vma_flag {                 /* protection uses Linux's PROT_* values in vma->prot */
                VMA_SHARED = 1, /* MAP_SHARED */
                VMA_STACK = 2,  /* grows down on faults below start, to RLIMIT_STACK */
                VMA_HEAP = 4,   /* brk's */
                VMA_VDSO = 8,
                VMA_COPIED =
                    16, /* a private file area with pages of its own, which fork must copy */
};

struct vma {
    uaddr_t start, end; /* page-aligned, end exclusive */
    uint8_t prot;
    uint8_t flags;
    uint8_t max_prot;        /* what mprotect may ask: no PROT_WRITE for a shared read-only file */
    struct file *file;       /* NULL: anonymous. Holds a reference */
    struct mapping *mapping; /* page cache behind file, or of a shared anonymous object */
    uint64_t pgoff;          /* page index in the mapping at start */
};

struct addrspace {                                  /* (l) lock, (I) immutable, (a) atomic */
    _Atomic uint32_t refs;                          /* (a) processes and borrowed uses */
    struct mutex lock;                              /* MUTEX_ADDRSPACE */
    struct pagetable pt;                            /* (l) user half */
    struct vma *vmas;                               /* (l) sorted */
    unsigned nvmas, vma_cap;                        /* (l) */
    _Atomic uint32_t harts;                         /* (a) harts whose satp holds pt, by index */
    uaddr_t brk_start, brk;                         /* (l) */
    uaddr_t mmap_top;                               /* (I) mmap searches downward from here */
    uaddr_t stack_top;                              /* (I) after exec */
    uaddr_t vdso;                                   /* (I) after exec */
    size_t rss;                                     /* (l) resident pages */
    uaddr_t arg_start, arg_end, env_start, env_end; /* (I) after exec */
    struct file *exe;                               /* (I) after exec; reference */
    struct list all_link;                           /* all address spaces; mm/addrspace.c's lock */
};

void addrspace_init(void);                           /* boot */
struct addrspace *addrspace_create(void) must_check; /* NULL: no memory. refs 1 */
struct addrspace *addrspace_get(struct addrspace *as);
void addrspace_put(struct addrspace *as); /* the last frees it; no hart has it in satp by then */
/* Copy-on-write duplicate of the current process's space; one fence. err_ptr(-ENOMEM). */
struct addrspace *addrspace_fork(struct addrspace *from) must_check;
void addrspace_activate(struct addrspace *as); /* NULL: the kernel's own table. Interrupts masked */

/* All below: as->lock is taken inside. Addresses and lengths as the user gave them. */
/* A mapping of len bytes; addr is a hint unless MAP_FIXED. Takes its own reference on file.
 * The address, or -EINVAL, -ENOMEM, -EEXIST, -EACCES as a negative number. */
long addrspace_mmap(struct addrspace *as, uaddr_t addr, size_t len, int prot, int flags,
                    struct file *file, uint64_t pgoff, uint8_t max_prot, uint8_t vma_flags);
/* exec's: exactly there, nothing may be in the way; also below the lowest address of mmap. 0 or an
 * errno (-ENOEXEC: in the way, or beyond user memory). */
long addrspace_map_segment(struct addrspace *as, uaddr_t start, size_t len, int prot,
                           struct file *file, uint64_t pgoff, uint8_t max_prot);
/* Maps the kernel's vDSO page R-X into a free place: its address, or -ENOMEM. */
long addrspace_map_vdso(struct addrspace *as, struct page *page);
int addrspace_munmap(struct addrspace *as, uaddr_t addr, size_t len);
int addrspace_mprotect(struct addrspace *as, uaddr_t addr, size_t len, int prot);
uaddr_t addrspace_brk(struct addrspace *as, uaddr_t want); /* the new or unchanged break */
long addrspace_mremap(struct addrspace *as, uaddr_t addr, size_t old_len, size_t new_len, int flags,
                      uaddr_t new_addr);
int addrspace_madvise(struct addrspace *as, uaddr_t addr, size_t len, int advice);
int addrspace_msync(struct addrspace *as, uaddr_t addr, size_t len, int flags);
int addrspace_mincore(struct addrspace *as, uaddr_t addr, size_t len, uaddr_t vec);
/* Writes into a space that is not the current one (exec's new stack): 0, -EFAULT, -ENOMEM, -EIO. */
int addrspace_write(struct addrspace *as, uaddr_t dst, const void *src, size_t len) must_check;
/* Reads from a space that need not be current (/proc/<pid>/cmdline). Bytes read. */
size_t addrspace_read(struct addrspace *as, void *dst, uaddr_t src, size_t len);

struct vma *vma_find(struct addrspace *as,
                     uaddr_t va); /* lock held; the one containing va, or NULL */
/* One fault in as at va (lock held): as handle_page_fault. */
int fault_locked(struct addrspace *as, uaddr_t va, enum fault_access access);
void addrspace_check(struct addrspace *as); /* DEBUG: invariants */

/* The caller's RLIMIT_* (proc/process.c). */
uint64_t rlimit_current(unsigned resource);

/* A mapping object for MAP_SHARED|MAP_ANONYMOUS, as a file that only mmap sees (fs/shmem). */
struct file *shared_anon_file(size_t len); /* err_ptr(-ENOMEM) */
