/* SPDX-License-Identifier: MIT */
/*
 * The design itself, seen from outside: one table per process, the kernel half shared by reference,
 * nothing of the kernel open to the user, nothing both writable and executable, and the counters
 * that show how little switching and flushing it takes. All of it is Unimap's own.
 */
#include "tests/test.h"

#include <sched.h>
#include <sys/stat.h>

enum { MAX_ENTRIES = 20000 };
enum { V = 1, R = 2, W = 4, X = 8, U = 16 };

struct entry {
    int depth; /* 1: root, 2: level 1, 3: level 0 */
    unsigned index;
    uint64_t pte, pa;
    uintptr_t va; /* where its range begins */
};

struct table {
    uint64_t root;
    size_t n;
    struct entry *e;
};

static void need_unimap(void)
{
    if (!on_unimap())
        SKIP("page tables are not shown elsewhere");
}

/* Once, and all of it touched at once: reading a table must not change the table. */
static char *read_all(const char *path)
{
    static char *text;
    size_t room = 1 << 20;

    if (!text)
        prefault(text = map_pages(room / PAGE), room);
    if (read_file(path, text, room) <= 0)
        FAIL("%s: %s", path, strerror(errno));
    return text;
}

/* ".. .." before the index says how deep. */
static int depth_of(const char **line)
{
    int depth = 0;

    for (const char *p = *line;; p++) {
        while (*p == ' ')
            p++;
        if (p[0] != '.' || p[1] != '.') {
            *line = p;
            return depth;
        }
        depth++;
        p++;
    }
}

static uintptr_t base_of(const struct entry *path)
{
    uintptr_t va = (uintptr_t)path[1].index << 30;

    if (va & 1UL << 38) /* sign extension */
        va |= ~((1UL << 39) - 1);
    return va;
}

static void parse(struct table *t, pid_t pid)
{
    size_t room = (MAX_ENTRIES * sizeof(struct entry) + PAGE - 1) & ~(PAGE - 1);
    struct entry path[4];
    char name[64];
    const char *line;
    unsigned long root;

    if (!t->e)
        prefault(t->e = (struct entry *)map_pages(room / PAGE), room);
    t->n = 0;
    snprintf(name, sizeof(name), "/proc/%d/pagetable", (int)pid);
    line = read_all(name);
    if (sscanf(line, "page table 0x%lx\n", &root) != 1)
        FAIL("first line: %.40s", line);
    t->root = root;
    while ((line = strchr(line, '\n')) && *++line) {
        struct entry e = {0};
        unsigned long pte, pa;

        e.depth = depth_of(&line);
        if (e.depth < 1 || e.depth > 3 ||
            sscanf(line, "%u: pte 0x%16lx pa 0x%16lx", &e.index, &pte, &pa) != 3)
            FAIL("line: %.60s", line);
        e.pte = pte;
        e.pa = pa;
        CHECK(e.index < 512);
        CHECK(pte & V);
        CHECK_EQ(pa, (pte >> 10 & ((1UL << 44) - 1)) << 12);
        path[e.depth] = e;
        e.va = base_of(path);
        for (int d = 2; d <= e.depth; d++)
            e.va += (uintptr_t)path[d].index << (39 - 9 * d);
        CHECK(t->n < MAX_ENTRIES);
        t->e[t->n++] = e;
    }
}

static bool is_leaf(const struct entry *e)
{
    return e->pte & (R | W | X);
}

/* ---- The format ---- */

/* Exactly the exercise's lines, so that its own checkers can read them. */
TEST(pagetable_format)
{
    char *text, line[128];
    static struct table t;
    const char *at;

    need_unimap();
    text = read_all("/proc/self/pagetable");
    parse(&t, getpid());
    CHECK_EQ(t.e[0].depth, 1);
    CHECK_EQ(t.e[0].index, 0);
    snprintf(line, sizeof(line), "page table 0x%016lx\n..0: pte 0x%016lx pa 0x%016lx\n", t.root,
             t.e[0].pte, t.e[0].pa);
    if (strncmp(text, line, strlen(line)) != 0)
        FAIL("it begins: %.120s", text);
    at = strstr(text, "\n.. ..");
    CHECK(at != NULL);
    CHECK(at[6] != ' ' && strstr(text, "\n.. .. .."));
}

/* ---- The kernel half ---- */

static void check_same_kernel_half(const struct table *a, const struct table *b)
{
    size_t i = 0, k = 0, shared = 0;

    CHECK(a->root != b->root);
    CHECK(a->e[0].pa != b->e[0].pa); /* the level-1 table of the first GiB is each one's own */
    for (;;) {
        while (i < a->n && a->e[i].va < USER_TOP)
            i++;
        while (k < b->n && b->e[k].va < USER_TOP)
            k++;
        if (i >= a->n || k >= b->n)
            break;
        if (a->e[i].pte != b->e[k].pte || a->e[i].va != b->e[k].va ||
            a->e[i].depth != b->e[k].depth)
            FAIL("at %#lx: %#lx and %#lx", (unsigned long)a->e[i].va, (unsigned long)a->e[i].pte,
                 (unsigned long)b->e[k].pte);
        shared += a->e[i].depth == 1;
        i++;
        k++;
    }
    CHECK(i >= a->n && k >= b->n);
    CHECK(shared >= 2); /* RAM, and what lies at the top */
}

/* pitfalls 7, 30: not alike but the same, in a parent, a child born later, and init. */
TEST(pagetable_kernel_half_is_shared)
{
    struct gate g;
    static struct table mine, its, inits;
    pid_t pid;

    need_unimap();
    gate_init(&g);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&g);
        _exit(0);
    }
    parse(&mine, getpid());
    parse(&its, pid);
    parse(&inits, 1);
    gate_open(&g);
    CHECK_EXIT(pid, 0);
    check_same_kernel_half(&mine, &its);
    check_same_kernel_half(&mine, &inits);
}

/* Kernel stacks that come and go do not change which tables the others point at. */
TEST(pagetable_kernel_half_after_many_processes)
{
    static struct table before, after;
    struct gate g;

    need_unimap();
    parse(&before, getpid());
    gate_init(&g);
    for (int i = 0; i < 60; i++)
        if (fork_child() == 0) {
            gate_wait(&g);
            _exit(0);
        }
    parse(&after, getpid());
    for (int i = 0; i < 60; i++)
        gate_open(&g);
    for (int i = 0; i < 60; i++)
        CHECK(wait(NULL) > 0);
    for (size_t i = 0, k = 0; i < before.n; i++) {
        if (before.e[i].depth != 1)
            continue;
        while (k < after.n && after.e[k].depth != 1)
            k++;
        CHECK(k < after.n);
        CHECK_EQ(before.e[i].pte, after.e[k].pte);
        k++;
    }
}

TEST(pagetable_rights)
{
    static struct table t;
    int devices = 0, ram = 0, text = 0;

    need_unimap();
    parse(&t, getpid());
    for (size_t i = 0; i < t.n; i++) {
        const struct entry *e = &t.e[i];
        unsigned long va = e->va, pte = e->pte;

        if (!is_leaf(e)) {
            CHECK_EQ(pte & U, 0); /* reserved in pointers */
            continue;
        }
        if (va < USER_TOP && !(pte & U))
            FAIL("%#lx: user memory without U (%#lx)", va, pte);
        if (va >= USER_TOP && pte & U)
            FAIL("%#lx: open to the user (%#lx)", va, pte);
        if (va >= USER_TOP && (pte & (W | X)) == (W | X))
            FAIL("%#lx: writable and executable (%#lx)", va, pte);
        if ((pte & (R | W)) == W)
            FAIL("%#lx: writable but not readable (%#lx)", va, pte);
        if (va < PAGE)
            FAIL("page 0 is mapped (%#lx)", pte);
        devices += va >= USER_TOP && va < 0x80000000UL;
        ram += va >= 0x80000000UL && va < 1UL << 38;
        text += va >= 0x80000000UL && va < 1UL << 38 && pte & X;
        if (va >= USER_TOP && va < 1UL << 38)
            CHECK_EQ(e->pa, e->va); /* what is in the lower half lies where it is */
        CHECK(!(va >= 0x80000000UL && va < 0x80080000UL)); /* the firmware's part */
    }
    CHECK(devices > 0 && ram > 0 && text > 0);
}

/* ---- What a process owns ---- */

static long count_level0(const struct table *t)
{
    long n = 0;

    for (size_t i = 0; i < t->n; i++)
        n += t->e[i].depth == 2 && t->e[i].va < USER_TOP && !is_leaf(&t->e[i]);
    return n;
}

/* Two pages and the level-0 tables of what is in use, told by /proc/<pid>/status. */
TEST(pagetable_own_pages)
{
    static struct table t;
    long before;
    char *p;

    need_unimap();
    parse(&t, getpid());
    before = status_field(getpid(), "PageTablesOwn");
    parse(&t, getpid()); /* now that its memory is there */
    CHECK_EQ(before, 2 + count_level0(&t));
    CHECK(status_field(getpid(), "PageTablesShared") > 0);
    CHECK_EQ(status_field(1, "PageTablesShared"), status_field(getpid(), "PageTablesShared"));
    p = mmap(NULL, 16UL << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(p != MAP_FAILED);
    CHECK_EQ(status_field(getpid(), "PageTablesOwn"), before); /* reserving costs nothing */
    for (size_t at = 0; at < 16UL << 20; at += 1UL << 20)
        p[at] = 1;
    CHECK(status_field(getpid(), "PageTablesOwn") >= before + 7);
    parse(&t, getpid());
    CHECK_EQ(status_field(getpid(), "PageTablesOwn"), 2 + count_level0(&t));
    CHECK_OK(munmap(p, 16UL << 20));
    CHECK(status_field(getpid(), "PageTablesOwn") <= before + 1); /* and they are given back */
}

TEST(pagetable_small_process)
{
    long own;
    struct gate g;
    pid_t pid;

    need_unimap();
    gate_init(&g);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&g);
        _exit(0);
    }
    own = status_field(pid, "PageTablesOwn");
    gate_open(&g);
    CHECK_EXIT(pid, 0);
    CHECK(own >= 4 && own <= 12);
}

/* The table shows what is mapped: a page there, its rights, and gone. */
TEST(pagetable_shows_user_pages)
{
    char *p = map_pages(2);
    static struct table t;
    const struct entry *found = NULL;

    need_unimap();
    *p = 1;
    parse(&t, getpid());
    for (size_t i = 0; i < t.n; i++)
        if (t.e[i].depth == 3 && t.e[i].va == (uintptr_t)p)
            found = &t.e[i];
    CHECK(found && (found->pte & 31) == (V | R | W | U));
    CHECK(found->pa >= 0x80080000UL);
    CHECK_OK(mprotect(p, PAGE, PROT_READ));
    parse(&t, getpid());
    for (size_t i = 0; i < t.n; i++)
        if (t.e[i].depth == 3 && t.e[i].va == (uintptr_t)p)
            CHECK_EQ(t.e[i].pte & 31, V | R | U);
    CHECK_OK(munmap(p, 2 * PAGE));
    parse(&t, getpid());
    for (size_t i = 0; i < t.n; i++)
        CHECK(t.e[i].depth != 3 || t.e[i].va != (uintptr_t)p);
}

/* After a fork both see the same page, neither may write it; after a write they differ. */
TEST(pagetable_copy_on_write)
{
    static struct table mine, its;
    char *p = map_pages(1);
    struct gate done, go;
    uint64_t a = 0, b = 0;
    pid_t pid;

    need_unimap();
    *p = 1;
    gate_init(&done);
    gate_init(&go);
    pid = fork_child();
    if (pid == 0) {
        gate_wait(&go);
        *p = 2;
        gate_open(&done);
        gate_wait(&go);
        _exit(0);
    }
    for (int round = 0; round < 2; round++) {
        parse(&mine, getpid());
        parse(&its, pid);
        for (size_t i = 0; i < mine.n; i++)
            if (mine.e[i].depth == 3 && mine.e[i].va == (uintptr_t)p)
                a = mine.e[i].pte;
        for (size_t i = 0; i < its.n; i++)
            if (its.e[i].depth == 3 && its.e[i].va == (uintptr_t)p)
                b = its.e[i].pte;
        CHECK(a && b);
        if (round == 0) {
            CHECK_EQ(a >> 10, b >> 10);
            CHECK_EQ(a & W, 0);
            CHECK_EQ(b & W, 0);
            gate_open(&go);
            gate_wait(&done);
        } else {
            CHECK(a >> 10 != b >> 10);
            CHECK(b & W);
        }
    }
    gate_open(&go);
    CHECK_EXIT(pid, 0);
}

/* ---- Counters ---- */

/* Nobody else runs: system calls alone change no table and flush nothing. */
TEST(pagetable_calls_do_not_switch)
{
    long satp, fences, remote, calls;

    need_unimap();
    satp = vmstat("satp_writes");
    fences = vmstat("local_fences");
    remote = vmstat("remote_fences");
    calls = vmstat("syscalls");
    CHECK(satp >= 0 && fences >= 0 && remote >= 0 && calls >= 0);
    for (int i = 0; i < 20000; i++)
        syscall(SYS_getppid);
    CHECK(vmstat("syscalls") >= calls + 20000);
    CHECK(vmstat("satp_writes") - satp < 2000);
    CHECK(vmstat("local_fences") - fences < 2000);
    CHECK_EQ(vmstat("remote_fences"), remote);
}

/* An address space that has run on one hart only needs no other hart's help. */
static void check_no_remote_fences(void)
{
    cpu_set_t one;
    long remote;

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    CHECK_OK(sched_setaffinity(0, sizeof(one), &one));
    pid_t pid = fork_child();

    if (pid == 0) {
        remote = vmstat("remote_fences");
        for (int i = 0; i < 200; i++) {
            char *p = map_pages(8);

            fill(p, 8 * PAGE, 1);
            CHECK_OK(mprotect(p, 4 * PAGE, PROT_READ));
            CHECK_OK(munmap(p, 8 * PAGE));
            CHECK(sbrk(4 * PAGE) != (void *)-1);
            CHECK(sbrk(-4 * (long)PAGE) != (void *)-1);
        }
        CHECK_EQ(vmstat("remote_fences"), remote);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
}

TEST(pagetable_one_hart_needs_no_remote_fence)
{
    need_unimap();
    check_no_remote_fences();
}

/* One fence per operation, however many pages. */
TEST(pagetable_fence_per_operation)
{
    long before, after;
    char *p;

    need_unimap();
    p = map_pages(1024);
    fill(p, 1024 * PAGE, 1);
    before = vmstat("local_fences");
    for (int i = 0; i < 16; i++) {
        CHECK_OK(mprotect(p, 1024 * PAGE, PROT_READ));
        CHECK_OK(mprotect(p, 1024 * PAGE, PROT_READ | PROT_WRITE));
    }
    CHECK_OK(munmap(p, 1024 * PAGE));
    after = vmstat("local_fences");
    CHECK(after - before < 33 + 200); /* 33 operations over 33,000 pages, and who else ran */
}

/* Each kind of fault is counted as what it was. */
TEST(pagetable_faults_are_counted)
{
    static const char *const kinds[] = {"faults_zero", "faults_cow", "faults_file", "faults_bad"};
    long before[4], total;
    int fd = open_new("file");
    char *p, *q;
    pid_t pid;

    need_unimap();
    CHECK_OK(ftruncate(fd, 32 * PAGE));
    for (int i = 0; i < 4; i++)
        CHECK((before[i] = vmstat(kinds[i])) >= 0);
    total = vmstat("faults");
    p = map_pages(32);
    fill(p, 32 * PAGE, 1);
    pid = fork_child();
    if (pid == 0) {
        fill(p, 32 * PAGE, 2);
        _exit(0);
    }
    CHECK_EXIT(pid, 0);
    q = mmap(NULL, 32 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    CHECK(q != MAP_FAILED);
    for (size_t i = 0; i < 32; i++)
        CHECK_EQ(q[i * PAGE], 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(try_load((void *)8), SIGSEGV);
    CHECK(vmstat("faults_zero") - before[0] >= 1); /* fault-around may take many pages at once */
    CHECK(vmstat("faults_cow") - before[1] >= 32);
    CHECK(vmstat("faults_file") - before[2] >= 1);
    CHECK(vmstat("faults_bad") - before[3] >= 10);
    CHECK(vmstat("faults") > total);
}

/* pitfall 6, seen by its own counter: a kernel stack per thread, none more. */
TEST(pagetable_kernel_stacks)
{
    long stacks, threads;

    need_unimap();
    stacks = vmstat("kernel_stacks");
    threads = vmstat("threads");
    for (int i = 0; i < 200; i++) {
        pid_t pid = fork_child();

        if (pid == 0)
            _exit(0);
        CHECK_EXIT(pid, 0);
    }
    /* What died last may still stand on its stack. */
    for (int i = 0; i < 10000 && vmstat("threads") != threads; i++)
        sched_yield();
    CHECK_EQ(vmstat("threads"), threads);
    CHECK(vmstat("kernel_stacks") <= stacks + 16); /* a few are kept for the next */
}
