/* SPDX-License-Identifier: MIT */
/*
 * User memory access: the checks around the routines of usercopy.S, which dereference user pointers
 * as they are, for kernel and user share one page table. The range check against USER_TOP is what
 * keeps kernel memory and device registers out, because they *are* mapped.
 */
#include "arch/arch.h"
#include "lib/log.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "proc/process.h"

size_t user_copy(void *dst, const void *src, size_t len);
size_t user_clear(void *dst, size_t len);
ssize_t user_strncpy(char *dst, const char *src, size_t size);
int user_load32(uint32_t *val, const void *addr);
int user_load64(uint64_t *val, const void *addr);
int user_store32(void *addr, uint32_t val);
int user_store64(void *addr, uint64_t val);
int user_cmpxchg32(void *addr, uint32_t expect, uint32_t val, uint32_t *old);

/* The one place where a user address becomes a pointer. */
static inline void *user_ptr(uaddr_t addr)
{
    return (void *)addr;
}

int copy_from_user(void *dst, uaddr_t src, size_t len)
{
    size_t left;

    if (unlikely(!user_range_ok(src, len))) {
        if (len && len <= USER_TOP)
            memset(dst, 0, len);
        return len ? -EFAULT : 0;
    }
    stat_inc(copyin_calls);
    stat_add(copyin_bytes, len);
    left = user_copy(dst, user_ptr(src), len);
    if (likely(!left))
        return 0;
    memset((char *)dst + len - left, 0, left);
    return -EFAULT;
}

int copy_to_user(uaddr_t dst, const void *src, size_t len)
{
    if (unlikely(!user_range_ok(dst, len)))
        return len ? -EFAULT : 0;
    stat_inc(copyout_calls);
    stat_add(copyout_bytes, len);
    return unlikely(user_copy(user_ptr(dst), src, len)) ? -EFAULT : 0;
}

int clear_user(uaddr_t dst, size_t len)
{
    if (unlikely(!user_range_ok(dst, len)))
        return len ? -EFAULT : 0;
    stat_inc(copyout_calls);
    stat_add(copyout_bytes, len);
    return user_clear(user_ptr(dst), len) ? -EFAULT : 0;
}

ssize_t strncpy_from_user(char *dst, uaddr_t src, size_t size)
{
    size_t room = size;
    ssize_t n;

    if (src >= USER_TOP)
        return -EFAULT;
    if (room > USER_TOP - src)
        room = USER_TOP - src;
    n = user_strncpy(dst, user_ptr(src), room);
    stat_inc(copyinstr_calls);
    if (n < 0)
        return -EFAULT;
    stat_add(copyinstr_bytes, (uint64_t)n);
    if ((size_t)n < room)
        return n;
    return room < size ? -EFAULT : -ENAMETOOLONG; /* ran into USER_TOP, or out of room */
}

size_t copy_from_user_nofault(void *dst, uaddr_t src, size_t len)
{
    size_t left;

    if (!user_range_ok(src, len))
        return len;
    stat_inc(copyin_calls);
    stat_add(copyin_bytes, len);
    current->nofault = true;
    left = user_copy(dst, user_ptr(src), len);
    current->nofault = false;
    return left;
}

size_t copy_to_user_nofault(uaddr_t dst, const void *src, size_t len)
{
    size_t left;

    if (!user_range_ok(dst, len))
        return len;
    stat_inc(copyout_calls);
    stat_add(copyout_bytes, len);
    current->nofault = true;
    left = user_copy(user_ptr(dst), src, len);
    current->nofault = false;
    return left;
}

/* A read fault is provoked by reading; a write fault is served directly: the word must not change. */
int fault_in_user(uaddr_t addr, size_t len, bool write)
{
    if (!user_range_ok(addr, len))
        return len ? -EFAULT : 0;
    for (uaddr_t va = ALIGN_DOWN(addr, PAGE_SIZE); va < addr + len; va += PAGE_SIZE) {
        uaddr_t probe = MAX(va, addr) & ~3UL;
        uint32_t word;

        if (write ? handle_page_fault(va, FAULT_WRITE, true) : user_load32(&word, user_ptr(probe)))
            return -EFAULT;
    }
    return 0;
}

int get_user_u32(uint32_t *val, uaddr_t addr)
{
    *val = 0;
    if (!user_range_ok(addr, 4))
        return -EFAULT;
    stat_inc(copyin_calls);
    stat_add(copyin_bytes, 4);
    return user_load32(val, user_ptr(addr)) ? -EFAULT : 0;
}

int get_user_u64(uint64_t *val, uaddr_t addr)
{
    *val = 0;
    if (!user_range_ok(addr, 8))
        return -EFAULT;
    stat_inc(copyin_calls);
    stat_add(copyin_bytes, 8);
    return user_load64(val, user_ptr(addr)) ? -EFAULT : 0;
}

int put_user_u32(uaddr_t addr, uint32_t val)
{
    if (!user_range_ok(addr, 4))
        return -EFAULT;
    stat_inc(copyout_calls);
    stat_add(copyout_bytes, 4);
    return user_store32(user_ptr(addr), val) ? -EFAULT : 0;
}

int put_user_u64(uaddr_t addr, uint64_t val)
{
    if (!user_range_ok(addr, 8))
        return -EFAULT;
    stat_inc(copyout_calls);
    stat_add(copyout_bytes, 8);
    return user_store64(user_ptr(addr), val) ? -EFAULT : 0;
}

int cmpxchg_user_u32(uaddr_t addr, uint32_t expect, uint32_t val, uint32_t *old)
{
    if (!user_range_ok(addr, 4) || addr & 3)
        return -EFAULT;
    return user_cmpxchg32(user_ptr(addr), expect, val, old) ? -EFAULT : 0;
}
