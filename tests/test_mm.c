/* SPDX-License-Identifier: MIT */
/*
 * Getting and giving back memory: brk, anonymous mmap, munmap, mprotect; what each protection
 * allows; which requests are refused and how. The end of user memory is in test_limit.c, stale
 * translations in test_tlb.c, files in test_mmfile.c.
 */
#include "tests/test.h"

#include <sys/resource.h>
#include <sys/stat.h>

static long brk_to(uintptr_t addr)
{
    return syscall(SYS_brk, addr);
}

/* ---- brk ---- */

TEST(mm_brk_up_and_down)
{
    uintptr_t start = (uintptr_t)brk_to(0), base = (start + PAGE - 1) & ~(PAGE - 1);

    if (on_qemu_user())
        SKIP("the emulator keeps what brk gives back");
    CHECK(start != 0);
    CHECK_EQ(brk_to(0), start);
    CHECK_EQ(brk_to(base + 16 * PAGE), base + 16 * PAGE);
    for (size_t i = 0; i < 16 * PAGE; i += 512)
        CHECK_EQ(*(char *)(base + i), 0);
    fill((void *)base, 16 * PAGE, 1);
    CHECK_EQ(brk_to(base + 4 * PAGE), base + 4 * PAGE);
    CHECK_EQ(try_load((void *)(base + 4 * PAGE)), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_MAPERR);
    CHECK_EQ(last_fault.addr, base + 4 * PAGE);
    CHECK(filled((void *)base, 4 * PAGE, 1));
    CHECK_EQ(brk_to(base + 16 * PAGE), base + 16 * PAGE);
    for (size_t i = 4 * PAGE; i < 16 * PAGE; i += 512)
        CHECK_EQ(*(char *)(base + i), 0); /* what was given back comes again as zeros */
    CHECK_EQ(brk_to(start), start);
}

/* Any byte may be the break; the page it lies in is there as a whole. */
TEST(mm_brk_unaligned)
{
    uintptr_t start = (uintptr_t)brk_to(0), base = (start + PAGE - 1) & ~(PAGE - 1);

    if (on_qemu_user())
        SKIP("the emulator keeps what brk gives back");
    CHECK_EQ(brk_to(base + 1), base + 1);
    CHECK_EQ(try_store((void *)(base + PAGE - 1)), 0);
    CHECK_EQ(try_store((void *)(base + PAGE)), SIGSEGV);
    CHECK_EQ(brk_to(base + PAGE + 1), base + PAGE + 1);
    CHECK_EQ(try_store((void *)(base + PAGE)), 0);
    CHECK_EQ(brk_to(base + PAGE - 1), base + PAGE - 1);
    CHECK_EQ(try_load((void *)(base + PAGE)), SIGSEGV);
    CHECK_EQ(*(char *)(base + PAGE - 1), 1);
    for (uintptr_t i = 1; i < 3 * PAGE; i += 97)
        CHECK_EQ(brk_to(base + i), base + i);
    for (uintptr_t i = 3 * PAGE; i > 97; i -= 97)
        CHECK_EQ(brk_to(base + i), base + i);
    CHECK_EQ(brk_to(start), start);
}

TEST(mm_brk_too_much_changes_nothing)
{
    uintptr_t start = (uintptr_t)brk_to(0);
    static const uintptr_t bad[] = {1,         PAGE,      1UL << 38, 1UL << 47,
                                    1UL << 62, 1UL << 63, -1UL,      -PAGE};

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        CHECK_EQ(brk_to(bad[i]), start);
    CHECK_EQ(try_store((void *)(start - 1)), 0);
}

/* The heap stops where something else is mapped. */
TEST(mm_brk_stops_at_mapping)
{
    uintptr_t start = (uintptr_t)brk_to(0), base = (start + PAGE - 1) & ~(PAGE - 1);
    char *wall = mmap((void *)(base + 8 * PAGE), PAGE, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

    CHECK(wall == (char *)base + 8 * PAGE);
    *wall = 7;
    CHECK_EQ(brk_to(base + 16 * PAGE), start);
    CHECK_EQ(brk_to(base + 8 * PAGE + 1), start);
    CHECK_EQ(*wall, 7);
    CHECK_OK(munmap(wall, PAGE));
}

TEST(mm_brk_many_times)
{
    char *start = sbrk(0);

    for (int i = 0; i < 2000; i++) {
        char *p = sbrk(5 * PAGE + 123);

        CHECK(p != (void *)-1);
        p[0] = p[5 * PAGE] = (char)i;
        CHECK(sbrk(-(intptr_t)(5 * PAGE + 123)) != (void *)-1);
        CHECK(sbrk(0) == start);
    }
}

/* ---- mmap ---- */

static void *map_at(uintptr_t at, size_t len, int flags)
{
    return mmap((void *)at, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1,
                0);
}

TEST(mm_mmap_fresh_memory_is_zero)
{
    for (int round = 0; round < 4; round++) {
        char *p = map_pages(256);

        for (size_t i = 0; i < 256 * PAGE; i += sizeof(long))
            CHECK_EQ(*(long *)(p + i), 0);
        memset(p, 0x5a, 256 * PAGE);
        CHECK_OK(munmap(p, 256 * PAGE));
    }
}

TEST(mm_mmap_hint)
{
    char *p = map_pages(16);

    CHECK_OK(munmap(p + 4 * PAGE, 4 * PAGE));
    /* Free: taken. Not aligned: rounded. Not free: somewhere else. Nothing is overwritten. */
    CHECK(map_at((uintptr_t)p + 5 * PAGE, PAGE, 0) == p + 5 * PAGE);
    *p = 9;
    char *q = map_at((uintptr_t)p, PAGE, 0);

    CHECK(q != MAP_FAILED && q != p);
    CHECK_EQ(*p, 9);
    CHECK_EQ((uintptr_t)map_at((uintptr_t)p + 6 * PAGE + 5, PAGE, 0) % PAGE, 0);
}

/* pitfall 1: mapping over what is mapped replaces it, in one step. */
TEST(mm_mmap_fixed_replaces)
{
    char *p = map_pages(8);

    fill(p, 8 * PAGE, 3);
    for (int i = 0; i < 100; i++) {
        CHECK(map_at((uintptr_t)p + 2 * PAGE, 3 * PAGE, MAP_FIXED) == p + 2 * PAGE);
        for (size_t k = 2 * PAGE; k < 5 * PAGE; k += 256)
            CHECK_EQ(p[k], 0);
        memset(p + 2 * PAGE, 1, 3 * PAGE);
    }
    CHECK(filled(p, 2 * PAGE, 3));
    CHECK_EQ(p[5 * PAGE], (char)(3 + 5 * PAGE * 7 + (5 * PAGE >> 8)));
}

TEST(mm_mmap_noreplace)
{
    char *p = map_pages(4);

    if (on_qemu_user())
        SKIP("the emulator ignores MAP_FIXED_NOREPLACE");
    *p = 5;
    CHECK_ERRNO(map_at((uintptr_t)p, PAGE, MAP_FIXED_NOREPLACE), EEXIST);
    CHECK_ERRNO(map_at((uintptr_t)p - PAGE, 2 * PAGE, MAP_FIXED_NOREPLACE), EEXIST);
    CHECK_EQ(*p, 5);
    CHECK_OK(munmap(p + PAGE, PAGE));
    CHECK(map_at((uintptr_t)p + PAGE, PAGE, MAP_FIXED_NOREPLACE) == p + PAGE);
}

TEST(mm_mmap_refused)
{
    int rd, wr, dir = (int)CHECK_OK(open(".", O_RDONLY));
    char *p = map_pages(1);

    write_file("file", "x", 1, 0644);
    rd = (int)CHECK_OK(open("file", O_RDONLY));
    wr = (int)CHECK_OK(open("file", O_WRONLY));
    CHECK_ERRNO(map_at(0, 0, 0), EINVAL);
    CHECK_ERRNO(map_at((uintptr_t)p + 1, PAGE, MAP_FIXED), EINVAL);
    CHECK_ERRNO(map_at(0, -1UL, 0), ENOMEM);
    CHECK_ERRNO(map_at(0, -PAGE, 0), ENOMEM);
    CHECK_ERRNO(map_at(0, 1UL << 62, 0), ENOMEM);
    CHECK_ERRNO(map_at(1UL << 62, PAGE, MAP_FIXED), ENOMEM);
    CHECK_ERRNO(map_at(-PAGE, PAGE, MAP_FIXED), ENOMEM);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 500, 0), EBADF);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, wr, 0), EACCES);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, rd, 0), EACCES);
    CHECK_ERRNO(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0), ENODEV);
    if (!on_qemu_user()) { /* checks with its own idea of a page */
        CHECK_ERRNO(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, rd, 1L), EINVAL);
        CHECK_ERRNO(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, rd, PAGE - 1), EINVAL);
    }
}

TEST(mm_munmap)
{
    char *p = map_pages(16);

    if (on_qemu_user())
        SKIP("the emulator fails an assertion of its own at wrapping lengths");
    fill(p, 16 * PAGE, 2);
    CHECK_ERRNO(munmap(p + 1, PAGE), EINVAL);
    CHECK_ERRNO(munmap(p, 0), EINVAL);
    CHECK_ERRNO(munmap(p, -1UL), EINVAL);
    CHECK_ERRNO(munmap((void *)(1UL << 63), PAGE), EINVAL);
    CHECK_ERRNO(munmap((void *)-PAGE, PAGE), EINVAL);
    CHECK(filled(p, 16 * PAGE, 2));
    CHECK_OK(munmap(p + 4 * PAGE, 1)); /* a byte means its page */
    CHECK_EQ(try_load(p + 4 * PAGE), SIGSEGV);
    CHECK_EQ(try_load(p + 5 * PAGE), 0);
    CHECK_OK(munmap(p + 2 * PAGE, 6 * PAGE)); /* with a hole in it */
    for (size_t i = 0; i < 16; i++)
        CHECK_EQ(try_load(p + i * PAGE), i >= 2 && i < 8 ? SIGSEGV : 0);
    CHECK_OK(munmap(p + 2 * PAGE, 6 * PAGE)); /* nothing there at all */
    CHECK(filled(p, 2 * PAGE, 2));
    CHECK_OK(munmap(p, 16 * PAGE));
    CHECK_EQ(try_load(p), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_MAPERR);
}

/* Cut a mapping into ever smaller parts and give them back in any order. */
TEST(mm_munmap_in_pieces)
{
    enum { N = 128 };
    unsigned char order[N];

    for (int round = 0; round < 10; round++) {
        char *p = map_pages(N);

        for (size_t i = 0; i < N; i++) {
            order[i] = (unsigned char)i;
            *(size_t *)(p + i * PAGE) = i;
        }
        for (size_t i = N; i > 1; i--) {
            size_t j = rnd() % i;
            unsigned char t = order[i - 1];

            order[i - 1] = order[j];
            order[j] = t;
        }
        for (size_t i = 0; i < N; i++) {
            CHECK_EQ(*(size_t *)(p + order[i] * PAGE), order[i]);
            CHECK_OK(munmap(p + order[i] * PAGE, PAGE));
            CHECK_EQ(try_load(p + order[i] * PAGE), SIGSEGV);
        }
    }
}

/* PROT_NONE and untouched memory cost nothing, so much more may be reserved than there is. */
TEST(mm_mmap_reserve_and_commit)
{
    size_t len = 100UL << 20;
    char *p = mmap(NULL, len, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(p != MAP_FAILED);
    CHECK_EQ(try_load(p + len / 2), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_ACCERR);
    CHECK_OK(mprotect(p + len / 2, PAGE, PROT_READ | PROT_WRITE));
    CHECK_EQ(try_store(p + len / 2), 0);
    CHECK_EQ(try_store(p + len / 2 + PAGE), SIGSEGV);
    CHECK_OK(munmap(p, len));
}

/* ---- mprotect ---- */

/* x86 cannot execute what it cannot read; the emulator stands on it. */
static bool has_exec_only(void)
{
    return on_riscv() && !on_qemu_user();
}

/* All eight rows: what may be done with memory of each protection. */
TEST(mm_protections)
{
    bool exec_only = has_exec_only();
    char *p = map_pages(1);

    memcpy(p, code_ret, code_ret_len);
    for (int prot = 0; prot < 8; prot++) {
        bool readable = prot & (PROT_READ | PROT_WRITE); /* W implies R: RISC-V has no W alone */

        CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
        memcpy(p, code_ret, code_ret_len);
        CHECK_OK(mprotect(p, PAGE, prot));
        __builtin___clear_cache(p, p + PAGE);
        if (prot != PROT_EXEC || exec_only)
            CHECK_EQ(try_load(p), readable ? 0 : SIGSEGV);
        if (!readable && last_fault.sig)
            CHECK_EQ(last_fault.code, SEGV_ACCERR);
        CHECK_EQ(try_call(p), prot & PROT_EXEC ? 0 : SIGSEGV);
        CHECK_EQ(try_store(p + 64), prot & PROT_WRITE ? 0 : SIGSEGV);
    }
}

/* The same rows for memory that no one has touched when it gets its protection. */
TEST(mm_protections_of_untouched_memory)
{
    bool exec_only = has_exec_only();

    for (int prot = 0; prot < 8; prot++) {
        char *p = mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        CHECK(p != MAP_FAILED);
        CHECK_EQ(try_store(p), prot & PROT_WRITE ? 0 : SIGSEGV);
        if (prot != PROT_EXEC || exec_only)
            CHECK_EQ(try_load(p), prot & (PROT_READ | PROT_WRITE) ? 0 : SIGSEGV);
        CHECK_OK(munmap(p, PAGE));
    }
}

TEST(mm_mprotect_refused)
{
    char *p = map_pages(4);

    if (on_qemu_user())
        SKIP("the emulator checks in an order of its own");
    CHECK_OK(munmap(p + 2 * PAGE, PAGE));
    CHECK_ERRNO(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
    CHECK_OK(mprotect(p, 0, PROT_READ));
    CHECK_EQ(try_store(p), 0);
    CHECK_ERRNO(mprotect(p, 4 * PAGE, PROT_READ), ENOMEM); /* a hole in it */
    CHECK_EQ(try_store(p + PAGE), SIGSEGV);                /* before it: changed */
    CHECK_EQ(try_store(p + 3 * PAGE), 0);                  /* behind it: not */
    CHECK_ERRNO(mprotect(p + 2 * PAGE, PAGE, PROT_READ), ENOMEM);
    CHECK_ERRNO(mprotect(p, -PAGE, PROT_READ), ENOMEM);
    CHECK_ERRNO(mprotect((void *)-PAGE, PAGE, PROT_READ), ENOMEM);
    CHECK_ERRNO(mprotect(p, PAGE, 0x40), EINVAL);
}

TEST(mm_mprotect_splits_and_joins)
{
    char *p = map_pages(16);

    fill(p, 16 * PAGE, 1);
    for (size_t i = 0; i < 16; i += 2)
        CHECK_OK(mprotect(p + i * PAGE, PAGE, PROT_READ));
    for (size_t i = 0; i < 16; i++)
        CHECK_EQ(try_store(p + i * PAGE + 8), i & 1 ? 0 : SIGSEGV);
    CHECK_OK(mprotect(p, 16 * PAGE, PROT_NONE));
    for (size_t i = 0; i < 16; i++)
        CHECK_EQ(try_load(p + i * PAGE), SIGSEGV);
    CHECK_OK(mprotect(p, 16 * PAGE, PROT_READ | PROT_WRITE));
    for (size_t i = 0; i < 16; i++)
        CHECK_EQ(p[i * PAGE + 8],
                 i & 1 ? 1 : (char)(1 + (i * PAGE + 8) * 7 + ((i * PAGE + 8) >> 8)));
}

/* ---- madvise and mremap, where they are there ---- */

TEST(mm_madvise_dontneed_zeroes)
{
    char *p = map_pages(8);

    fill(p, 8 * PAGE, 1);
    CHECK_OK(madvise(p + 2 * PAGE, 2 * PAGE, MADV_DONTNEED));
    CHECK(filled(p, 2 * PAGE, 1));
    for (size_t i = 2 * PAGE; i < 4 * PAGE; i += 64)
        CHECK_EQ(p[i], 0);
    CHECK_EQ(p[4 * PAGE + 1], (char)(1 + (4 * PAGE + 1) * 7 + ((4 * PAGE + 1) >> 8)));
    CHECK_ERRNO(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_OK(madvise(p, PAGE, MADV_WILLNEED));
    if (on_qemu_user())
        SKIP("the emulator takes any advice");
    CHECK_ERRNO(madvise(p, PAGE, MADV_REMOVE), EINVAL); /* nothing is behind this memory */
    CHECK_ERRNO(madvise(p, PAGE, 12345), EINVAL);
    CHECK(filled(p, 2 * PAGE, 1));
}

TEST(mm_mremap)
{
    char *p = map_pages(4), *q;

    fill(p, 4 * PAGE, 1);
    q = mremap(p, 4 * PAGE, 32 * PAGE, MREMAP_MAYMOVE);
    if (q == MAP_FAILED && errno == ENOSYS)
        return; /* allowed: malloc copies instead */
    CHECK(q != MAP_FAILED);
    CHECK(filled(q, 4 * PAGE, 1));
    CHECK_EQ(q[31 * PAGE], 0);
    if (q != p)
        CHECK_EQ(try_load(p), SIGSEGV);
    CHECK(mremap(q, 32 * PAGE, 2 * PAGE, 0) == q);
    CHECK_EQ(try_load(q + 2 * PAGE), SIGSEGV);
    CHECK(filled(q, 2 * PAGE, 1));
}

/* ---- Untouched memory through system calls: the kernel is the first to touch it ---- */

TEST(mm_kernel_touches_first)
{
    char *p = map_pages(64), *q = map_pages(16);
    struct stat st;
    int fd = open_new("file"), fds[2];

    CHECK_OK(pipe(fds));
    CHECK_EQ(write(fd, q, 16 * PAGE), 16 * PAGE); /* zeros that were never written */
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, 16 * PAGE);
    CHECK_EQ(pread(fd, p + 100, 16 * PAGE, 0), 16 * PAGE);
    for (size_t i = 0; i < 16 * PAGE; i += 32)
        CHECK_EQ(p[100 + i], 0);
    CHECK_OK(stat("file", (struct stat *)(p + 20 * PAGE - 8))); /* across a boundary */
    CHECK_EQ(((struct stat *)(p + 20 * PAGE - 8))->st_size, 16 * PAGE);
    CHECK(getcwd(p + 24 * PAGE - 1, 200) == p + 24 * PAGE - 1);
    CHECK_EQ(p[24 * PAGE - 1], '/');
    CHECK_OK(pipe((int *)(p + 28 * PAGE)));
    char *heap = sbrk(4 * PAGE);

    CHECK_EQ(write(fds[1], "abc", 3), 3);
    CHECK_EQ(read(fds[0], heap + 2 * PAGE - 1, 3), 3);
    CHECK(memcmp(heap + 2 * PAGE - 1, "abc", 3) == 0);
}
