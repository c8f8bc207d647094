/* SPDX-License-Identifier: MIT */
/* The area array and the page-table side of areas: shared by mm/'s own files, as->lock held. */
#pragma once

#include "mm/addrspace.h"

struct page;

/* Index of the first area that ends above va: the one containing va, or the next one. */
unsigned vma_index(const struct addrspace *as, uaddr_t va);
/* Room for n more areas: 0 or -ENOMEM. */
int vma_reserve(struct addrspace *as, unsigned n) must_check;
/* Inserts (room reserved before); merges with a neighbour that continues it. Takes v's reference. */
void vma_insert(struct addrspace *as, const struct vma *v);
/* Splits the area containing va so that one begins there (room reserved before). */
void vma_split(struct addrspace *as, uaddr_t va);
/* The area is one more, or one less, that maps its file: counts, and takes or drops a reference. */
void vma_take_file(struct vma *v);
void vma_drop_file(struct vma *v);
/* Takes areas [first, last) out of the array, dropping their file references. */
void vma_remove(struct addrspace *as, unsigned first, unsigned last);
bool vma_range_free(const struct addrspace *as, uaddr_t start, uaddr_t end);
/* The highest free place for len bytes below limit; 0 if there is none. */
uaddr_t vma_find_gap(const struct addrspace *as, size_t len, uaddr_t limit);

/* PTE flags for an area's protection, without W where a write must fault first. 0: no access. */
uint64_t vma_pte_flags(const struct vma *v, bool writable_now);

/* Drops all pages of [start, end), with at most one fence, and the tables that become empty. */
void unmap_pages(struct addrspace *as, uaddr_t start, uaddr_t end);
void unmap_pages_dead(struct addrspace *as, uaddr_t start, uaddr_t end);
/* The fence for PTEs of [start, end) that the caller cleared; frees the tables left empty. */
void fence_and_free_tables(struct addrspace *as, uaddr_t start, uaddr_t end);
/* Rewrites the PTEs of [start, end), inside v, for v's (new) protection. One fence. */
void protect_pages(struct addrspace *as, const struct vma *v, uaddr_t start, uaddr_t end);
/* unmap_pages and the areas behind it: the range ends up free. Room for 2 reserved before. */
void unmap_range(struct addrspace *as, uaddr_t start, uaddr_t end);
