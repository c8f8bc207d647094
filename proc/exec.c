/* SPDX-License-Identifier: MIT */
/*
 * execve. The new image is built aside, in an address space that nobody else sees: arguments are
 * copied once into the kernel, the segments mapped, the initial stack written. Until then every
 * failure leaves the old image as it was. The commit consists of steps that cannot fail.
 *
 * The initial user stack (RISC-V ELF psABI; Linux), from high to low:
 *
 *      stack_top   8 bytes of zero
 *                  file name (AT_EXECFN)
 *                  environment strings, argument strings
 *                  16 random bytes (AT_RANDOM)
 *                  auxiliary vector: pairs, ending with AT_NULL
 *                  environment pointers, NULL
 *                  argument pointers, NULL
 *      sp ->       argc                          (16-byte aligned)
 */
#include <linux/auxvec.h>
#include <linux/elf.h>
#include <linux/mman.h>

#include "arch/arch.h"
#include "lib/stats.h"
#include "lib/string.h"
#include "mm/addrspace.h"
#include "mm/kmalloc.h"
#include "mm/page.h"
#include "proc/elf.h"
#include "proc/files.h"
#include "proc/process.h"
#include "proc/sched.h"
#include "proc/syscalls.h"

#define ARG_SPACE (256UL << 10) /* strings and pointers, whatever the stack's limit */
#define ARG_MAX_STRING 131072UL
#define ARG_MIN_LIMIT 131072UL
#define PATH_SIZE 4096
#define SCRIPT_LINE 256
#define SCRIPT_DEPTH 5
#define STACK_TOP (USER_TOP - 0x10000)
#define STACK_INITIAL (8 * PAGE_SIZE)
#define STACK_RESERVE (8UL << 20) /* mmap starts this far below the stack's top, at least */
#define PIE_BASE 0x400000UL
#define AUX_PAIRS 18

struct args {
    char *buf; /* argument and environment strings, NUL-terminated, one after the other */
    size_t len, cap;
    unsigned argc, envc;
};

struct image {
    struct addrspace *as;
    struct elf_image elf, interp;
    struct file *file;
    uaddr_t sp, pc;
    uint32_t euid, egid;
};

/* ---- Collecting the strings ---- */

static int args_reserve(struct args *a, size_t room)
{
    size_t cap = MAX(a->cap, PAGE_SIZE);
    char *buf;

    while (cap < a->len + room)
        cap *= 2;
    if (cap == a->cap)
        return 0;
    if (cap > ARG_SPACE)
        return -E2BIG;
    buf = kmalloc(cap, 0);
    if (!buf)
        return -ENOMEM;
    memcpy(buf, a->buf, a->len);
    kfree(a->buf);
    a->buf = buf;
    a->cap = cap;
    return 0;
}

static int args_check_limit(const struct args *a)
{
    uint64_t limit = MIN(ARG_SPACE, MAX(rlimit_current(RLIMIT_STACK) / 4, ARG_MIN_LIMIT));

    return a->len + (a->argc + a->envc) * sizeof(uint64_t) > limit ? -E2BIG : 0;
}

/* One string from user memory: what was copied last counts, so it cannot change under us. */
static int args_add_user(struct args *a, uaddr_t src)
{
    size_t room;
    ssize_t n;

    for (;;) {
        room = a->cap - a->len;
        n = room ? strncpy_from_user(a->buf + a->len, src, room) : -ENAMETOOLONG;
        if (n >= 0)
            break;
        if (n == -ENAMETOOLONG)
            n = room > ARG_MAX_STRING ? -E2BIG : args_reserve(a, room + 1);
        if (n < 0)
            return (int)n;
    }
    a->len += (size_t)n + 1;
    return n < (ssize_t)ARG_MAX_STRING ? args_check_limit(a) : -E2BIG;
}

/* Puts s at offset `at`, in place of `drop` bytes. */
static int args_insert(struct args *a, size_t at, size_t drop, const char *s)
{
    size_t n = strlen(s) + 1;
    int err = args_reserve(a, n);

    if (err)
        return err;
    memmove(a->buf + at + n, a->buf + at + drop, a->len - at - drop);
    memcpy(a->buf + at, s, n);
    a->len += n - drop;
    return args_check_limit(a);
}

/* A NULL-terminated vector of user pointers; a NULL vector is an empty one, as on Linux. */
static int args_add_vector(struct args *a, uaddr_t vec, unsigned *count)
{
    for (; vec; vec += sizeof(uint64_t)) {
        uint64_t s;
        int err = get_user_u64(&s, vec);

        if (err || !s)
            return err;
        ++*count;
        err = args_add_user(a, s);
        if (err)
            return err;
        sched_point();
    }
    return 0;
}

/* ---- Scripts ---- */

/* Interpreter and its one optional argument go before the script's path, which stands in place of
 * what the caller gave as argv[0]; that of a script's script is its path already. */
static int args_for_script(struct args *a, const char *interp, const char *arg, const char *path)
{
    int err = path ? args_insert(a, 0, strlen(a->buf) + 1, path) : 0;

    if (!err && arg) {
        a->argc++;
        err = args_insert(a, 0, 0, arg);
    }
    if (err)
        return err;
    a->argc++;
    return args_insert(a, 0, 0, interp);
}

static char *skip_blanks(char *s)
{
    while (is_blank(*s))
        s++;
    return s;
}

/* "#! interpreter [argument]": the rest of the line after blanks is one argument. line is changed.
 * NULL: no interpreter, or the line is too long. */
static char *parse_script(char *line, size_t len, char **arg)
{
    char *interp = line + 2, *end = memchr(line, '\n', len);

    if (!end && len == SCRIPT_LINE - 1)
        return NULL;
    for (end = end ? end : line + len; end > interp && is_blank(end[-1]); end--)
        ;
    *end = '\0';
    interp = skip_blanks(interp);
    for (end = interp; *end && !is_blank(*end); end++)
        ;
    *arg = *end ? skip_blanks(end + 1) : NULL;
    *end = '\0';
    return *interp ? interp : NULL;
}

/* Opens what is to be executed, following scripts to their interpreter. */
static struct file *open_program(const char *path, struct args *a)
{
    char line[SCRIPT_LINE];

    for (int depth = 0;; depth++) {
        struct file *f = exec_open(depth ? a->buf : path);
        char *interp, *arg;
        ssize_t n;
        int err;

        if (is_err(f))
            return f;
        n = file_read_kernel(f, line, SCRIPT_LINE - 1, 0);
        if (n >= 0 && (n < 2 || line[0] != '#' || line[1] != '!'))
            return f;
        file_put(f);
        if (n < 0)
            return err_ptr(n);
        line[n] = '\0';
        interp = parse_script(line, (size_t)n, &arg);
        if (!interp)
            return err_ptr(-ENOEXEC);
        if (depth == SCRIPT_DEPTH)
            return err_ptr(-ELOOP);
        err = args_for_script(a, interp, arg, depth ? NULL : path);
        if (err)
            return err_ptr(err);
    }
}

/* ---- The initial stack ---- */

/* Pointers to `count` strings, the first of them *off bytes behind the first argument. */
static uint64_t *put_pointers(uint64_t *w, const struct args *a, unsigned count, uaddr_t strings,
                              size_t *off)
{
    for (; count; count--) {
        *w++ = strings + *off;
        *off += strlen(a->buf + *off) + 1;
    }
    *w++ = 0;
    return w;
}

static void put_auxv(uint64_t *w, const struct image *img, uaddr_t random, uaddr_t name)
{
    const struct process *p = current_process();
    const uint64_t aux[AUX_PAIRS][2] = {
        {AT_HWCAP, arch_hwcap},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, 100},
        {AT_PHDR, img->elf.phdr},
        {AT_PHENT, sizeof(Elf64_Phdr)},
        {AT_PHNUM, img->elf.phnum},
        {AT_BASE, img->interp.entry ? img->interp.base : 0},
        {AT_FLAGS, 0},
        {AT_ENTRY, img->elf.entry},
        {AT_UID, p->uid},
        {AT_EUID, img->euid},
        {AT_GID, p->gid},
        {AT_EGID, img->egid},
        {AT_SECURE, img->euid != p->uid || img->egid != p->gid},
        {AT_RANDOM, random},
        {AT_EXECFN, name},
        {AT_MINSIGSTKSZ, MINSIGSTKSZ},
        {AT_NULL, 0},
    };

    memcpy(w, aux, sizeof(aux));
}

/* All below the strings: argc, pointers and the auxiliary vector. */
static int write_table(struct image *img, const struct args *a, uaddr_t strings, uaddr_t random,
                       uaddr_t name)
{
    size_t off = 0, size = (3 + a->argc + a->envc + 2 * AUX_PAIRS) * sizeof(uint64_t);
    uint64_t *table = kmalloc(size, 0), *w = table;
    int err;

    if (!table)
        return -ENOMEM;
    *w++ = a->argc;
    w = put_pointers(w, a, a->argc, strings, &off);
    img->as->arg_start = strings;
    img->as->arg_end = img->as->env_start = strings + off;
    w = put_pointers(w, a, a->envc, strings, &off);
    img->as->env_end = strings + off;
    put_auxv(w, img, random, name);
    img->sp = ALIGN_DOWN(random - size, 16);
    err = addrspace_write(img->as, img->sp, table, size);
    kfree(table);
    return err;
}

static int build_stack(struct image *img, const struct args *a, const char *path)
{
    size_t name_len = strlen(path) + 1;
    uaddr_t name = STACK_TOP - 8 - name_len, strings = name - a->len;
    uaddr_t random = ALIGN_DOWN(strings - 16, 16);
    uint8_t seed[16];
    int err;

    random_bytes(seed, sizeof(seed));
    err = addrspace_write(img->as, name, path, name_len);
    if (!err)
        err = addrspace_write(img->as, strings, a->buf, a->len);
    if (!err)
        err = addrspace_write(img->as, random, seed, sizeof(seed));
    return err ? err : write_table(img, a, strings, random, name);
}

static int map_stack(struct addrspace *as, bool executable, size_t arg_bytes)
{
    int prot = PROT_READ | PROT_WRITE | (executable ? PROT_EXEC : 0);
    size_t size = ALIGN_UP(arg_bytes, PAGE_SIZE) + STACK_INITIAL;
    uint64_t limit = rlimit_current(RLIMIT_STACK);
    long at;

    as->stack_top = STACK_TOP;
    limit = MIN(MAX(limit, STACK_RESERVE), USER_TOP / 2);
    as->mmap_top = STACK_TOP - ALIGN_UP(limit, PAGE_SIZE) - 16 * PAGE_SIZE;
    at = addrspace_mmap(as, STACK_TOP - size, size, prot, MAP_FIXED, NULL, 0,
                        PROT_READ | PROT_WRITE | PROT_EXEC, VMA_STACK);
    return at < 0 ? (int)at : 0;
}

/* ---- Building and committing ---- */

static int load_interp(struct image *img)
{
    struct file *f = exec_open(img->elf.interp);
    int err;

    if (is_err(f))
        return ptr_err(f);
    /* High, below the mmap area's top, where it and the program's heap do not meet. */
    err = elf_load(img->as, f, ALIGN_DOWN(img->as->mmap_top - (16UL << 20), MEGAPAGE_SIZE),
                   &img->interp);
    file_put(f);
    if (!err && img->interp.interp[0])
        err = -ENOEXEC;
    return err;
}

static int build_image(struct image *img, const struct args *a, const char *path)
{
    const struct process *p = current_process();
    struct addrspace *as = addrspace_create();
    long vdso;
    int err;

    if (!as)
        return -ENOMEM;
    img->as = as;
    img->euid = p->euid;
    img->egid = p->egid;
    exec_file_ids(img->file, &img->euid, &img->egid);
    err = elf_load(as, img->file, PIE_BASE, &img->elf);
    if (err)
        return err;
    as->brk_start = as->brk = img->elf.end;
    err = map_stack(as, img->elf.exec_stack, a->len + (a->argc + a->envc) * sizeof(uint64_t));
    if (!err && img->elf.interp[0])
        err = load_interp(img);
    if (err)
        return err;
    vdso = addrspace_map_vdso(as, pa_to_page(arch_vdso_pa()));
    if (vdso < 0)
        return (int)vdso;
    as->vdso = (uaddr_t)vdso;
    img->pc = img->interp.entry ? img->interp.entry : img->elf.entry;
    as->exe = file_get(img->file);
    return build_stack(img, a, path);
}

/* Other threads of the group end; we go on alone. -EAGAIN if the group is ending anyway. */
static int become_only_thread(struct process *p)
{
    struct thread *t;

    spin_lock(&p->lock);
    /* Another thread's exec may have been faster: then it is we who end, at the trap exit. */
    if (p->group_exit || signal_fatal_pending(current)) {
        spin_unlock(&p->lock);
        return -EAGAIN;
    }
    list_for_each (t, &p->threads, proc_link)
        if (t != current)
            signal_kill_thread(t);
    spin_unlock(&p->lock);
    wait_event(&p->stop_wait, READ_ONCE(p->nthreads) == 1);
    thread_become_leader(current);
    return 0;
}

static void commit(struct image *img, const char *path)
{
    struct process *p = current_process();
    const char *slash = strrchr(path, '/');
    struct addrspace *old = p->as;

    futex_exit_robust(current); /* the list lies in the memory that goes */
    spin_lock(&p->lock);
    p->as = img->as;
    spin_unlock(&p->lock);
    thread_use_addrspace(img->as);
    p->euid = p->suid = p->fsuid = img->euid;
    p->egid = p->sgid = p->fsgid = img->egid;
    files_exec(p->files);
    signal_exec_reset(p);
    current->clear_tid = 0;
    strlcpy(current->name, slash ? slash + 1 : path, sizeof(current->name));
    arch_thread_exec(current, img->pc, img->sp);
    p->execed = true;
    vfork_release(current);
    if (old)
        p->dead.maxrss = MAX(p->dead.maxrss, old->rss);
    addrspace_put(old);
    stat_inc(execs);
    vmprint_first_exec(p);
}

static int exec_with(const char *path, struct args *a)
{
    struct image *img = kzalloc(sizeof(*img));
    int err;

    if (!img)
        return -ENOMEM;
    img->file = open_program(path, a);
    if (is_err(img->file)) {
        err = ptr_err(img->file);
        goto free_image;
    }
    err = build_image(img, a, path);
    if (!err)
        err = become_only_thread(current_process());
    if (!err)
        commit(img, path);
    else
        addrspace_put(img->as);
    file_put(img->file);
free_image:
    kfree(img);
    return err;
}

int process_exec(const char *path)
{
    struct args a = {.argc = 1, .envc = 2};
    int err = args_insert(&a, 0, 0, path);

    if (!err)
        err = args_insert(&a, a.len, 0, "HOME=/");
    if (!err)
        err = args_insert(&a, a.len, 0, "TERM=linux");
    if (!err)
        err = exec_with(path, &a);
    kfree(a.buf);
    return err;
}

static int collect_user_args(struct args *a, uaddr_t argv, uaddr_t envp)
{
    int err = args_add_vector(a, argv, &a->argc);

    if (!err && !a->argc) { /* as Linux: a program never sees argc == 0 */
        a->argc = 1;
        err = args_insert(a, 0, 0, "");
    }
    return err ? err : args_add_vector(a, envp, &a->envc);
}

long sys_execve(uaddr_t upath, uaddr_t argv, uaddr_t envp)
{
    char *path = kmalloc(PATH_SIZE, 0);
    struct args a = {0};
    ssize_t n;
    int err;

    if (!path)
        return -ENOMEM;
    n = strncpy_from_user(path, upath, PATH_SIZE);
    err = n < 0 ? (int)n : n == 0 ? -ENOENT : collect_user_args(&a, argv, envp);
    if (!err)
        err = exec_with(path, &a);
    kfree(a.buf);
    kfree(path);
    return err;
}
