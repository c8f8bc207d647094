/* SPDX-License-Identifier: MIT */
/* The memory system calls: arguments checked and turned into calls on the address space. */
#include <linux/mman.h>

#include "mm/addrspace.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define PROT_ALL (PROT_READ | PROT_WRITE | PROT_EXEC)

long sys_brk(uaddr_t addr)
{
    return (long)addrspace_brk(current->as, addr);
}

static struct file *file_for_mapping(size_t len, int prot, int flags, int fd, uint8_t *max)
{
    struct file *f;
    int err;

    if (flags & MAP_ANONYMOUS) {
        *max = PROT_ALL;
        return (flags & MAP_TYPE) == MAP_PRIVATE ? NULL : shared_anon_file(len);
    }
    f = fd_get(fd);
    if (!f)
        return err_ptr(-EBADF);
    err = file_mmap_check(f, prot, (flags & MAP_TYPE) != MAP_PRIVATE, max);
    if (!err)
        return f;
    file_put(f);
    return err_ptr(err);
}

long sys_mmap(uaddr_t addr, size_t len, int prot, int flags, int fd, off_t off)
{
    int type = flags & MAP_TYPE;
    uint8_t max = 0, vma_flags = type == MAP_PRIVATE ? 0 : VMA_SHARED;
    struct file *f;
    long ret;

    if (off & PAGE_MASK || !len)
        return -EINVAL;
    if (type != MAP_PRIVATE && type != MAP_SHARED && type != MAP_SHARED_VALIDATE)
        return -EINVAL;
    if (prot & ~(PROT_ALL | PROT_SEM | PROT_GROWSDOWN | PROT_GROWSUP))
        return -EINVAL;
    if (len > USER_TOP)
        return -ENOMEM;
    if (!(flags & MAP_ANONYMOUS) && (off < 0 || off > INT64_MAX - (off_t)len))
        return -EOVERFLOW;
    f = file_for_mapping(len, prot, flags, fd, &max);
    if (is_err(f))
        return ptr_err(f);
    ret = addrspace_mmap(current->as, addr, len, prot, flags, f,
                         flags & MAP_ANONYMOUS ? 0 : (uint64_t)off >> PAGE_SHIFT, max, vma_flags);
    if (f)
        file_put(f);
    return ret;
}

long sys_munmap(uaddr_t addr, size_t len)
{
    return addrspace_munmap(current->as, addr, len);
}

long sys_mprotect(uaddr_t addr, size_t len, int prot)
{
    return addrspace_mprotect(current->as, addr, len, prot);
}

long sys_mremap(uaddr_t addr, size_t old_len, size_t new_len, int flags, uaddr_t new_addr)
{
    return addrspace_mremap(current->as, addr, old_len, new_len, flags, new_addr);
}

long sys_madvise(uaddr_t addr, size_t len, int advice)
{
    return addrspace_madvise(current->as, addr, len, advice);
}

long sys_msync(uaddr_t addr, size_t len, int flags)
{
    return addrspace_msync(current->as, addr, len, flags);
}

long sys_mincore(uaddr_t addr, size_t len, uaddr_t vec)
{
    return addrspace_mincore(current->as, addr, len, vec);
}

/* There is no swap: what is touched stays. Locking means touching, unlocking nothing but the check
 * that all of it is mapped. */
long sys_munlock(uaddr_t addr, size_t len)
{
    uaddr_t start = ALIGN_DOWN(addr, PAGE_SIZE);

    if (!user_range_ok(addr, len))
        return -ENOMEM;
    return addrspace_madvise(current->as, start, len + (addr - start), MADV_NORMAL);
}

long sys_mlock(uaddr_t addr, size_t len)
{
    long err = sys_munlock(addr, len);

    return err ? err : fault_in_user(addr, len, false) ? -ENOMEM : 0;
}
