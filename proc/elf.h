/* SPDX-License-Identifier: MIT */
/* Loading ELF images into an address space that is being built (proc/elf.c). */
#pragma once

#include "lib/types.h"

struct addrspace;
struct file;

struct elf_image {
    uaddr_t entry;
    uaddr_t base; /* load bias: what was added to the file's addresses */
    uaddr_t phdr; /* where the program headers lie in memory, 0 if in no segment */
    uint16_t phnum;
    uaddr_t end; /* first page behind the highest segment */
    bool exec_stack;
    char interp[256]; /* "" = none */
};

/*
 * Maps the file's segments. A position-independent file is placed at pie_base. -ENOEXEC for a
 * malformed file, -ENOMEM, -EIO. Sleeps. On failure the address space is to be thrown away.
 */
int elf_load(struct addrspace *as, struct file *file, uaddr_t pie_base, struct elf_image *img);
