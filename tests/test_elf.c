/* SPDX-License-Identifier: MIT */
/*
 * execve of bad things: images whose headers lie. The image is made here, a few hundred bytes that
 * end with status 42, and then damaged: by hand, where the answer is known, and at random, where
 * any answer will do as long as it is an errno, a signal or an exit: the system must not notice.
 */
#include "tests/test.h"

#include <elf.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum { CODE_AT = 0x300, MAX_PH = 6 };
#define BASE 0x400000UL

#if defined(__riscv)
#define MACHINE EM_RISCV
/* li a0, 42; li a7, 94 (exit_group); ecall */
static const unsigned char code_exit42[] = {0x13, 0x05, 0xa0, 0x02, 0x93, 0x08,
                                            0xe0, 0x05, 0x73, 0x00, 0x00, 0x00};
/* ld a0, 0(sp); li a7, 94; ecall: exit(argc) */
static const unsigned char code_argc[] = {0x03, 0x35, 0x01, 0x00, 0x93, 0x08,
                                          0xe0, 0x05, 0x73, 0x00, 0x00, 0x00};
/* auipc a1, 1; ld a0, 0(a1); …: exit(the byte one page further) */
static const unsigned char code_next_page[] = {0x97, 0x15, 0x00, 0x00, 0x03, 0xc5, 0x05, 0x00,
                                               0x93, 0x08, 0xe0, 0x05, 0x73, 0x00, 0x00, 0x00};
#else
#define MACHINE EM_X86_64
/* mov edi, 42; mov eax, 231 (exit_group); syscall */
static const unsigned char code_exit42[] = {0xbf, 42, 0, 0, 0, 0xb8, 231, 0, 0, 0, 0x0f, 0x05};
/* mov edi, [rsp]; mov eax, 231; syscall */
static const unsigned char code_argc[] = {0x8b, 0x3c, 0x24, 0xb8, 231, 0, 0, 0, 0x0f, 0x05};
/* movzx edi, byte [rip + 0xff9]; mov eax, 231; syscall */
static const unsigned char code_next_page[] = {0x0f, 0xb6, 0x3d, 0xf9, 0x0f, 0,    0,
                                               0xb8, 231,  0,    0,    0,    0x0f, 0x05};
#endif

struct image {
    Elf64_Ehdr eh;
    Elf64_Phdr ph[MAX_PH];
    char pad[CODE_AT - sizeof(Elf64_Ehdr) - MAX_PH * sizeof(Elf64_Phdr)];
    unsigned char code[256];
    unsigned char data[2 * PAGE - CODE_AT - 256];
};

static void image_init(struct image *im)
{
    memset(im, 0, sizeof(*im));
    memcpy(im->eh.e_ident, ELFMAG, SELFMAG);
    im->eh.e_ident[EI_CLASS] = ELFCLASS64;
    im->eh.e_ident[EI_DATA] = ELFDATA2LSB;
    im->eh.e_ident[EI_VERSION] = EV_CURRENT;
    im->eh.e_type = ET_EXEC;
    im->eh.e_machine = MACHINE;
    im->eh.e_version = EV_CURRENT;
    im->eh.e_entry = BASE + CODE_AT;
    im->eh.e_phoff = offsetof(struct image, ph);
#if defined(__riscv)
    im->eh.e_flags = EF_RISCV_RVC | EF_RISCV_FLOAT_ABI_DOUBLE;
#endif
    im->eh.e_ehsize = sizeof(Elf64_Ehdr);
    im->eh.e_phentsize = sizeof(Elf64_Phdr);
    im->eh.e_phnum = 1;
    im->ph[0] = (Elf64_Phdr){PT_LOAD, PF_R | PF_X, 0, BASE, BASE, PAGE, PAGE, PAGE};
    memcpy(im->code, code_exit42, sizeof(code_exit42));
}

/* A second segment: the file's second page, two pages above the first. */
static void image_add_data(struct image *im, unsigned flags)
{
    im->ph[im->eh.e_phnum++] =
        (Elf64_Phdr){PT_LOAD, flags, PAGE, BASE + 2 * PAGE, BASE + 2 * PAGE, PAGE, PAGE, PAGE};
}

/* ---- Running one: the exit status, -errno, or 1000 + signal ---- */

enum { BY_SIGNAL = 1000 };

/* vfork: thousands of these are run, and copying this program for each would be most of the work. */
static int run_argv(char *const argv[])
{
    static volatile int err;
    char *envp[] = {NULL};
    int status;
    pid_t pid;

    err = 0;
    pid = vfork();
    if (pid == 0) {
        alarm(2); /* a damaged program may run in circles */
        execve("image", argv, envp);
        err = errno;
        _exit(0);
    }
    if (pid < 0)
        FAIL("vfork: %s", strerror(errno));
    status = reap(pid);
    if (err)
        return -err;
    return WIFSIGNALED(status) ? BY_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run_bytes(const void *data, size_t len)
{
    char *argv[] = {"image", NULL};

    write_file("image", data, len, 0755);
    return run_argv(argv);
}

static int run_image(const struct image *im)
{
    return run_bytes(im, sizeof(*im));
}

static bool refused(int result)
{
    return result < 0 || result == BY_SIGNAL + SIGSEGV || result == BY_SIGNAL + SIGBUS ||
           result == BY_SIGNAL + SIGKILL || result == BY_SIGNAL + SIGILL;
}

#define CHECK_REFUSED(result)            \
    do {                                 \
        int r_ = (result);               \
        if (!refused(r_))                \
            FAIL("%s: %d", #result, r_); \
    } while (0)

static void need_exec(void)
{
    struct rlimit no_core = {0, 0};
    struct image im;

    if (on_qemu_user())
        SKIP("the emulator cannot execute another image, nor vfork");
    CHECK_OK(setrlimit(RLIMIT_CORE, &no_core));
    image_init(&im);
    CHECK_EQ(run_image(&im), 42);
}

/* ---- Good ones ---- */

TEST(elf_smallest)
{
    struct image im;

    need_exec();
    image_init(&im);
    CHECK_EQ(run_bytes(&im, CODE_AT + sizeof(code_exit42)), 42); /* the file ends with the code */
    im.eh.e_shoff = ~0UL; /* sections are nobody's business */
    im.eh.e_shnum = 0xffff;
    CHECK_EQ(run_image(&im), 42);
}

TEST(elf_argc_zero_becomes_one)
{
    char *none[] = {NULL}, *two[] = {"a", "b", NULL};
    struct image im;

    need_exec();
    image_init(&im);
    memcpy(im.code, code_argc, sizeof(code_argc));
    write_file("image", &im, sizeof(im), 0755);
    CHECK_EQ(run_argv(two), 2);
    CHECK_EQ(run_argv(none), 1);
}

TEST(elf_segment_protections)
{
    struct image im;

    need_exec();
    image_init(&im);
    im.ph[0].p_flags = PF_R | PF_W | PF_X; /* an old linker's way: Linux runs it, so do we */
    CHECK_EQ(run_image(&im), 42);
    /* An entry that cannot be executed: at its first instruction, or at once. */
    im.ph[0].p_flags = PF_R | PF_W;
    CHECK_REFUSED(run_image(&im));
    im.ph[0].p_flags = PF_R;
    CHECK_REFUSED(run_image(&im));
    im.ph[0].p_flags = 0;
    CHECK_REFUSED(run_image(&im));
    im.ph[0].p_flags = PF_R | PF_X;
    image_add_data(&im, PF_R | PF_W);
    CHECK_EQ(run_image(&im), 42);
}

/* What lies behind p_filesz is zero, in the last page of the file's part and behind it. */
TEST(elf_bss_is_zero)
{
    struct image im;

    need_exec();
    image_init(&im);
    memcpy(im.code, code_next_page, sizeof(code_next_page));
    memset(im.data, 0x77, sizeof(im.data));
    im.ph[0].p_flags = PF_R | PF_W | PF_X;
    im.ph[0].p_memsz = 4 * PAGE;
    im.ph[0].p_filesz = 2 * PAGE;
    CHECK_EQ(run_image(&im), 0x77);
    im.ph[0].p_filesz = PAGE + CODE_AT; /* the byte read is the first one behind */
    CHECK_EQ(run_image(&im), 0);
    im.ph[0].p_filesz = CODE_AT + 64;
    CHECK_EQ(run_image(&im), 0);
}

/* ---- Bad ones, where Linux's answer is known ---- */

TEST(elf_bad_header)
{
    struct image im;

#define BAD(field, value, err)            \
    do {                                  \
        image_init(&im);                  \
        im.field = value;                 \
        CHECK_EQ(run_image(&im), -(err)); \
    } while (0)
    need_exec();
    BAD(eh.e_ident[0], 0x7e, ENOEXEC);
    BAD(eh.e_ident[3], 'G', ENOEXEC);
    BAD(eh.e_type, ET_REL, ENOEXEC);
    BAD(eh.e_type, ET_CORE, ENOEXEC);
    BAD(eh.e_type, ET_NONE, ENOEXEC);
    BAD(eh.e_machine, EM_ARM, ENOEXEC);
    BAD(eh.e_phentsize, 0, ENOEXEC);
    BAD(eh.e_phentsize, 55, ENOEXEC);
    BAD(eh.e_phentsize, 64, ENOEXEC);
    BAD(eh.e_phnum, 0, ENOEXEC);
    BAD(eh.e_phnum, 0xffff, ENOEXEC);
    BAD(eh.e_phnum, 1171, ENOEXEC); /* just over 64 KiB of them */
#undef BAD
    image_init(&im);
    im.eh.e_phoff = 1UL << 40;
    CHECK_REFUSED(run_image(&im));
    im.eh.e_phoff = 1UL << 63;
    CHECK_REFUSED(run_image(&im));
    im.eh.e_phoff = -8UL;
    CHECK_REFUSED(run_image(&im));
    image_init(&im);
    im.eh.e_phnum = 1000; /* reaches beyond the end of the file */
    CHECK_REFUSED(run_image(&im));
}

TEST(elf_truncated)
{
    struct image im;

    need_exec();
    image_init(&im);
    for (size_t len = 0; len < CODE_AT; len += len < 130 ? 1 : 37)
        CHECK_REFUSED(run_bytes(&im, len));
    /* The code is there, the data's page is not: nobody looks at it. */
    image_add_data(&im, PF_R | PF_W);
    CHECK_EQ(run_bytes(&im, CODE_AT + sizeof(code_exit42)), 42);
}

/* pitfall 15: ends that wrap, sizes that exceed, offsets that do not fit their address. */
TEST(elf_bad_segments)
{
    static const struct {
        uint64_t offset, vaddr, filesz, memsz;
    } bad[] = {
        {0, BASE, 2 * PAGE, PAGE}, /* more in the file than in memory */
        {0, BASE, PAGE, -PAGE},    /* wraps */
        {0, BASE, PAGE, -BASE},       {0, BASE, PAGE, -1UL},         {0, BASE, -1UL, -1UL},
        {0, -PAGE, PAGE, PAGE},       {0, -PAGE, PAGE, 2 * PAGE},    {0, 1UL << 63, PAGE, PAGE},
        {0, 1UL << 47, PAGE, PAGE},   {0, BASE, PAGE, 1UL << 47},    {0, BASE, PAGE, 1UL << 62},
        {PAGE / 2, BASE, PAGE, PAGE}, /* offset and address differ within the page */
        {1, BASE, PAGE, PAGE},        {1UL << 62, BASE, PAGE, PAGE}, {-PAGE, BASE, PAGE, PAGE},
    };
    struct image im;

    need_exec();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        image_init(&im);
        im.ph[0].p_offset = bad[i].offset;
        im.ph[0].p_vaddr = bad[i].vaddr;
        im.ph[0].p_filesz = bad[i].filesz;
        im.ph[0].p_memsz = bad[i].memsz;
        int result = run_image(&im);

        if (!refused(result))
            FAIL("bad segment %zu: %d", i, result);
        /* The same as a second segment, behind a good one. */
        image_init(&im);
        image_add_data(&im, PF_R | PF_W);
        im.ph[1].p_offset = bad[i].offset;
        im.ph[1].p_vaddr = bad[i].vaddr + (bad[i].vaddr == BASE ? 2 * PAGE : 0);
        im.ph[1].p_filesz = bad[i].filesz;
        im.ph[1].p_memsz = bad[i].memsz;
        result = run_image(&im);
        if (!refused(result) && result != 42)
            FAIL("bad second segment %zu: %d", i, result);
    }
}

TEST(elf_overlapping_segments)
{
    struct image im;
    int result;

    need_exec();
    image_init(&im);
    image_add_data(&im, PF_R | PF_W);
    im.ph[1].p_vaddr = BASE; /* the data's page over the code's */
    result = run_image(&im);
    CHECK(refused(result));
    image_init(&im);
    image_add_data(&im, PF_R | PF_X);
    im.ph[1] = im.ph[0]; /* twice the same */
    result = run_image(&im);
    CHECK(refused(result) || result == 42);
    image_init(&im);
    im.ph[0].p_memsz = 8 * PAGE; /* the first one's zeros reach into the second */
    image_add_data(&im, PF_R | PF_W);
    result = run_image(&im);
    CHECK(refused(result) || result == 42);
    image_init(&im);
    image_add_data(&im, PF_R | PF_W);
    im.ph[2] = im.ph[0]; /* descending order */
    im.ph[0] = im.ph[1];
    im.ph[1] = im.ph[2];
    result = run_image(&im);
    CHECK(refused(result) || result == 42);
}

TEST(elf_bad_entry)
{
    static const uint64_t entry[] = {
        0,         1,         8,    BASE - PAGE, BASE + PAGE, BASE + 64 * PAGE, 1UL << 38,
        1UL << 47, 1UL << 63, -1UL, -PAGE,       0x0c000000,  0x10000000,       0x80200000};
    struct image im;

    need_exec();
    for (size_t i = 0; i < ARRAY_SIZE(entry); i++) {
        image_init(&im);
        im.eh.e_entry = entry[i];
        int result = run_image(&im);

        if (!refused(result))
            FAIL("entry %#lx: %d", (unsigned long)entry[i], result);
    }
}

TEST(elf_no_segments_to_load)
{
    struct image im;

    need_exec();
    image_init(&im);
    im.ph[0].p_type = PT_NOTE;
    CHECK_REFUSED(run_image(&im));
    image_init(&im);
    im.ph[0].p_memsz = im.ph[0].p_filesz = 0;
    CHECK_REFUSED(run_image(&im));
}

TEST(elf_bad_interpreter)
{
    static const struct {
        const char *name;
        uint64_t offset, filesz;
    } bad[] = {
        {"/no/such/loader", offsetof(struct image, data), 16},
        {"/no/such/loader", offsetof(struct image, data), 15}, /* without its end */
        {"", offsetof(struct image, data), 1},
        {"x", offsetof(struct image, data), 0},
        {"x", offsetof(struct image, data), 5000},
        {"x", offsetof(struct image, data), 1UL << 40},
        {"x", 1UL << 62, 16},
        {"/", offsetof(struct image, data), 2},
    };
    struct image im;

    need_exec();
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        image_init(&im);
        im.eh.e_phnum = 2;
        im.ph[1] = im.ph[0];
        im.ph[0] =
            (Elf64_Phdr){PT_INTERP, PF_R, bad[i].offset, 0, 0, bad[i].filesz, bad[i].filesz, 1};
        strcpy((char *)im.data, bad[i].name);
        CHECK_REFUSED(run_image(&im));
    }
}

/* ---- The end of user memory ---- */

/* pitfall 14: the last page below it can be had, the first above it cannot. */
TEST(elf_user_memory_ends)
{
    static const struct {
        uint64_t vaddr, memsz;
        bool good;
    } at[] = {
        {USER_TOP - 16 * 1024 * 1024, PAGE, true},
        {USER_TOP, PAGE, false},
        {USER_TOP - PAGE, 2 * PAGE, false},
        {USER_TOP - 16 * PAGE, 17 * PAGE, false},
        {0x10000000, PAGE, false},
        {0x80200000, PAGE, false},
        {0x80000000, PAGE, false},
        {0x02000000, PAGE, true},
        {BASE, USER_TOP - BASE + 1, false},
        {1UL << 38, PAGE, false},
        {0xffffffd000000000, PAGE, false},
    };
    struct image im;

    if (!on_unimap())
        SKIP("Linux's user memory ends elsewhere");
    for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
        image_init(&im);
        im.eh.e_entry = at[i].vaddr + CODE_AT;
        im.ph[0].p_vaddr = at[i].vaddr;
        im.ph[0].p_memsz = at[i].memsz;
        int result = run_image(&im);

        if (at[i].good)
            CHECK_EQ(result, 42);
        else if (result >= 0)
            FAIL("segment at %#lx: %d", (unsigned long)at[i].vaddr, result);
    }
}

/* pitfall 22: page 0 is nobody's, even for an image that asks; the next ones are, for who asks. */
TEST(elf_low_addresses)
{
    struct image im;

    if (!on_unimap())
        SKIP("Linux asks the administrator (vm.mmap_min_addr)");
    image_init(&im);
    im.ph[0].p_vaddr = 0;
    im.eh.e_entry = CODE_AT;
    CHECK_REFUSED(run_image(&im));
    image_init(&im);
    im.ph[0].p_vaddr = PAGE;
    im.eh.e_entry = PAGE + CODE_AT;
    CHECK_EQ(run_image(&im), 42);
}

/* ---- At random ---- */

/* Interesting values are likelier than random ones to reach a branch. */
static uint64_t odd_value(void)
{
    static const uint64_t values[] = {
        0,           1,          PAGE - 1,   PAGE,       PAGE + 1,        BASE,       BASE - 1,
        BASE + PAGE, 0x7fffffff, 0x80000000, 0xffffffff, 1UL << 38,       1UL << 39,  1UL << 47,
        1UL << 63,   -1UL,       -PAGE,      USER_TOP,   USER_TOP - PAGE, 0x10000000, 0x02000000};
    uint64_t r = rnd();

    return r % 4 ? values[(r >> 8) % ARRAY_SIZE(values)] : rnd() >> (r >> 8) % 64;
}

static void mutate(struct image *im)
{
    size_t nph = im->eh.e_phnum, headers = sizeof(im->eh) + nph * sizeof(im->ph[0]);
    unsigned char *bytes = (unsigned char *)im;

    for (int n = 1 + (int)(rnd() % 3); n > 0; n--) {
        uint64_t value = odd_value();
        size_t field = rnd() % 8;

        if (rnd() % 3 == 0) {
            bytes[4 + rnd() % (headers - 4)] = (unsigned char)rnd();
        } else {
            /* One of a segment's 8-byte words, or one of the header's from e_entry on. */
            size_t word = field < 6 ? sizeof(im->eh) + 56 * (rnd() % nph) + 8 * (1 + field)
                                    : 24 + 8 * (rnd() % 5);

            memcpy(bytes + word, &value, sizeof(value));
        }
    }
}

static void fuzz(int times)
{
    struct image im;
    int ok = 0;

    need_exec();
    for (int i = 0; i < times; i++) {
        image_init(&im);
        image_add_data(&im, PF_R | PF_W);
        if (i & 1)
            im.ph[im.eh.e_phnum++] = (Elf64_Phdr){PT_GNU_STACK, PF_R | PF_W, 0, 0, 0, 0, 0, 16};
        mutate(&im);
        ok += run_image(&im) == 42;
    }
    note("%d of %d damaged images ran nevertheless", ok, times);
    image_init(&im);
    CHECK_EQ(run_image(&im), 42);
}

TEST_LONG(elf_fuzz_10000)
{
    fuzz(10000);
}

TEST_SLOW(elf_fuzz_100k)
{
    fuzz(100000);
}
