/* SPDX-License-Identifier: MIT */
/*
 * The ELF loader (System V ABI, chapters 4 and 5; RISC-V ELF psABI). Everything in the file is
 * hostile: all headers are checked before the first segment is mapped, and what the checks let
 * through can only fail in mmap, with an errno.
 */
#include "proc/elf.h"

#include <linux/elf-em.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "proc/files.h"

#define MAX_PHDRS (PAGE_SIZE / sizeof(Elf64_Phdr))
#define MIN_SEGMENT PAGE_SIZE /* page 0 is never mapped */

static int read_exactly(struct file *file, void *buf, size_t size, uint64_t at)
{
    ssize_t n = (off_t)at < 0 ? 0 : file_read_kernel(file, buf, size, (off_t)at);

    return n < 0 ? (int)n : n == (ssize_t)size ? 0 : -ENOEXEC;
}

static int read_header(struct file *file, Elf64_Ehdr *eh)
{
    int err = read_exactly(file, eh, sizeof(*eh), 0);

    if (err)
        return err;
    if (memcmp(eh->e_ident, ELFMAG, SELFMAG) != 0)
        return -ENOEXEC;
    if (eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_ident[EI_DATA] != ELFDATA2LSB)
        return -ENOEXEC;
    if (eh->e_machine != EM_RISCV || (eh->e_type != ET_EXEC && eh->e_type != ET_DYN))
        return -ENOEXEC;
    if (eh->e_phentsize != sizeof(Elf64_Phdr) || !eh->e_phnum || eh->e_phnum > MAX_PHDRS)
        return -ENOEXEC;
    return 0;
}

/* One PT_LOAD, its addresses moved by base. */
static bool segment_ok(const Elf64_Phdr *ph, uaddr_t base)
{
    uaddr_t start = base + ph->p_vaddr;

    if (ph->p_filesz > ph->p_memsz || ph->p_vaddr > USER_TOP || start < MIN_SEGMENT)
        return false;
    if (!user_range_ok(start, ph->p_memsz))
        return false;
    if ((ph->p_vaddr ^ ph->p_offset) & PAGE_MASK)
        return false;
    return (off_t)ph->p_offset >= 0 && (off_t)(ph->p_offset + ph->p_filesz) >= 0;
}

static int check_segments(const Elf64_Ehdr *eh, const Elf64_Phdr *ph, uaddr_t base,
                          struct elf_image *img)
{
    bool entry_found = false, any = false;
    uaddr_t last_end = 0;

    for (unsigned i = 0; i < eh->e_phnum; i++) {
        uaddr_t start = base + ph[i].p_vaddr, end = start + ph[i].p_memsz;

        if (ph[i].p_type != PT_LOAD || !ph[i].p_memsz)
            continue;
        if (!segment_ok(&ph[i], base))
            return -ENOEXEC;
        /* In ascending order (the ABI asks for it), so overlap is a look at the last one. */
        if (any && ALIGN_DOWN(start, PAGE_SIZE) < last_end)
            return -ENOEXEC;
        any = true;
        last_end = ALIGN_UP(end, PAGE_SIZE);
        if (img->entry >= start && img->entry < end)
            entry_found = true;
        if (eh->e_phoff >= ph[i].p_offset && eh->e_phoff < ph[i].p_offset + ph[i].p_filesz)
            img->phdr = start + (eh->e_phoff - ph[i].p_offset);
    }
    img->end = last_end;
    return any && entry_found ? 0 : -ENOEXEC;
}

static int segment_prot(const Elf64_Phdr *ph)
{
    return (ph->p_flags & PF_R ? PROT_READ : 0) | (ph->p_flags & PF_W ? PROT_WRITE : 0) |
           (ph->p_flags & PF_X ? PROT_EXEC : 0);
}

static int map_segment(struct addrspace *as, struct file *file, const Elf64_Phdr *ph, uaddr_t base)
{
    static const char zeroes[PAGE_SIZE];
    const uint8_t any_prot = PROT_READ | PROT_WRITE | PROT_EXEC;
    uaddr_t start = ALIGN_DOWN(base + ph->p_vaddr, PAGE_SIZE);
    uaddr_t file_end = base + ph->p_vaddr + ph->p_filesz;
    uaddr_t file_map_end = ph->p_filesz ? ALIGN_UP(file_end, PAGE_SIZE) : start;
    uaddr_t end = ALIGN_UP(base + ph->p_vaddr + ph->p_memsz, PAGE_SIZE);
    int prot = segment_prot(ph);
    long err = 0;

    if (file_map_end > start)
        err = addrspace_map_segment(as, start, file_map_end - start, prot, file,
                                    ph->p_offset >> PAGE_SHIFT, any_prot);
    if (!err && end > file_map_end)
        err = addrspace_map_segment(as, file_map_end, end - file_map_end, prot, NULL, 0, any_prot);
    /* The bytes behind the file's part in its last page belong to the bss: zero. */
    if (!err && ph->p_memsz > ph->p_filesz && ph->p_filesz && prot & PROT_WRITE)
        err = addrspace_write(as, file_end, zeroes, MIN(file_map_end, end) - file_end);
    return (int)err;
}

/* PT_INTERP and PT_GNU_STACK. */
static int read_notes(struct file *file, const Elf64_Ehdr *eh, const Elf64_Phdr *ph,
                      struct elf_image *img)
{
    int err;

    for (unsigned i = 0; i < eh->e_phnum; i++) {
        if (ph[i].p_type == PT_GNU_STACK)
            img->exec_stack = ph[i].p_flags & PF_X;
        if (ph[i].p_type != PT_INTERP || img->interp[0])
            continue;
        if (ph[i].p_filesz < 2 || ph[i].p_filesz > sizeof(img->interp))
            return -ENOEXEC;
        err = read_exactly(file, img->interp, ph[i].p_filesz, ph[i].p_offset);
        if (err)
            return err;
        if (img->interp[ph[i].p_filesz - 1])
            return -ENOEXEC;
    }
    return 0;
}

static uaddr_t lowest_vaddr(const Elf64_Ehdr *eh, const Elf64_Phdr *ph)
{
    for (unsigned i = 0; i < eh->e_phnum; i++)
        if (ph[i].p_type == PT_LOAD && ph[i].p_memsz)
            return ALIGN_DOWN(ph[i].p_vaddr, PAGE_SIZE);
    return 0;
}

int elf_load(struct addrspace *as, struct file *file, uaddr_t pie_base, struct elf_image *img)
{
    Elf64_Phdr *ph;
    Elf64_Ehdr eh;
    int err = read_header(file, &eh);

    memset(img, 0, sizeof(*img));
    if (err)
        return err;
    ph = kmalloc(eh.e_phnum * sizeof(*ph), 0);
    if (!ph)
        return -ENOMEM;
    err = read_exactly(file, ph, eh.e_phnum * sizeof(*ph), eh.e_phoff);
    if (err)
        goto out;
    if (eh.e_type == ET_DYN)
        img->base = pie_base - lowest_vaddr(&eh, ph);
    img->entry = img->base + eh.e_entry;
    img->phnum = eh.e_phnum;
    err = check_segments(&eh, ph, img->base, img);
    if (!err)
        err = read_notes(file, &eh, ph, img);
    for (unsigned i = 0; !err && i < eh.e_phnum; i++)
        if (ph[i].p_type == PT_LOAD && ph[i].p_memsz)
            err = map_segment(as, file, &ph[i], img->base);
out:
    kfree(ph);
    return err;
}
