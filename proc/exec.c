/* SPDX-License-Identifier: MIT */
/*
 * execve. The new image is built aside, in an address space that nobody else sees: arguments are
 * copied once into kernel pages, the segments mapped, the initial stack written. Until then every
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
#include "lib/log.h"
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

#define ARG_PAGES 64UL /* 256 KiB of strings */
#define ARG_MAX_STRING 131072UL
#define ARG_MIN_LIMIT 131072UL
#define PATH_SIZE 4096
#define SCRIPT_LINE 256
#define SCRIPT_DEPTH 5
#define STACK_TOP (USER_TOP - 0x10000)
#define STACK_INITIAL (8 * PAGE_SIZE)
#define STACK_RESERVE (8UL << 20) /* mmap starts this far below the stack's top, at least */
#define PIE_BASE 0x400000UL
#define AUX_PAIRS 24

/* Argument and environment strings, NUL-terminated, one after the other in kernel pages. */
struct args {
    char *pages[ARG_PAGES];
    size_t len;   /* bytes used */
    size_t limit; /* of strings and pointers together */
    unsigned argc, envc;
    size_t argv_len; /* bytes of the argument strings */
};

struct image {
    struct addrspace *as;
    struct elf_image elf, interp;
    struct file *file;
    uaddr_t sp, pc;
    uint32_t euid, egid;
};

/* ---- Collecting the strings ---- */

static char *args_room(struct args *a, size_t *room)
{
    size_t page = a->len / PAGE_SIZE, off = a->len & PAGE_MASK;

    if (page >= ARG_PAGES)
        return err_ptr(-E2BIG);
    if (!a->pages[page]) {
        a->pages[page] = kmalloc(PAGE_SIZE, 0);
        if (!a->pages[page])
            return err_ptr(-ENOMEM);
    }
    *room = PAGE_SIZE - off;
    return a->pages[page] + off;
}

static void args_free(struct args *a)
{
    for (unsigned i = 0; i < ARG_PAGES; i++)
        kfree(a->pages[i]);
    kfree(a);
}

static struct args *args_alloc(void)
{
    uint64_t stack = rlimit_current(RLIMIT_STACK);
    struct args *a = kzalloc(sizeof(*a));

    if (a)
        a->limit = MIN(ARG_PAGES * PAGE_SIZE, MAX(stack / 4, ARG_MIN_LIMIT));
    return a;
}

static bool args_over_limit(const struct args *a)
{
    return a->len + (a->argc + a->envc) * sizeof(uint64_t) > a->limit;
}

/* One string from user memory, page by page: copied once, so it cannot change under us. */
static int args_add_user(struct args *a, uaddr_t src)
{
    size_t start = a->len;

    for (;;) {
        size_t room;
        char *dst = args_room(a, &room);
        ssize_t n;

        if (is_err(dst))
            return ptr_err(dst);
        n = strncpy_from_user(dst, src, room);
        if (n >= 0) {
            a->len += (size_t)n + 1;
            break;
        }
        if (n != -ENAMETOOLONG)
            return (int)n;
        a->len += room;
        src += room;
        if (a->len - start > ARG_MAX_STRING)
            return -E2BIG;
    }
    return args_over_limit(a) || a->len - start > ARG_MAX_STRING ? -E2BIG : 0;
}

static int args_add_kernel(struct args *a, const char *s)
{
    size_t left = strlen(s) + 1;

    while (left) {
        size_t room;
        char *dst = args_room(a, &room);

        if (is_err(dst))
            return ptr_err(dst);
        room = MIN(room, left);
        memcpy(dst, s, room);
        a->len += room;
        s += room;
        left -= room;
    }
    return args_over_limit(a) ? -E2BIG : 0;
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

static int args_add_kernel_vector(struct args *a, char *const vec[], unsigned *count)
{
    int err = 0;

    for (; *vec && !err; vec++) {
        ++*count;
        err = args_add_kernel(a, *vec);
    }
    return err;
}

/* ---- Scripts ---- */

/* Puts interpreter, its one optional argument and the script's path in place of argv[0]. */
static int args_for_script(struct args **args, const char *interp, const char *arg,
                           const char *path)
{
    struct args *old = *args, *a = args_alloc();
    size_t skip = 0;
    int err;

    if (!a)
        return -ENOMEM;
    err = args_add_kernel(a, interp);
    a->argc = 1;
    if (!err && arg) {
        err = args_add_kernel(a, arg);
        a->argc++;
    }
    if (!err) {
        err = args_add_kernel(a, path);
        a->argc++;
    }
    if (old->argc) {
        while (old->pages[skip / PAGE_SIZE][skip & PAGE_MASK])
            skip++;
        skip++;
        a->argc += old->argc - 1;
    }
    a->envc = old->envc;
    a->argv_len = a->len + old->argv_len - skip;
    for (size_t i = skip; !err && i < old->len; i++) {
        size_t room;
        char *dst = args_room(a, &room);

        if (is_err(dst)) {
            err = ptr_err(dst);
            break;
        }
        *dst = old->pages[i / PAGE_SIZE][i & PAGE_MASK];
        a->len++;
    }
    if (!err && args_over_limit(a))
        err = -E2BIG;
    if (err) {
        args_free(a);
        return err;
    }
    args_free(old);
    *args = a;
    return 0;
}

static char *skip_blanks(char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    return s;
}

/* "#! interpreter [argument]": the rest of the line after blanks is one argument. line is changed.
 * NULL: no script, or one without an interpreter. */
static char *parse_script(char *line, size_t len, char **arg)
{
    char *interp, *end, *nl = memchr(line, '\n', len);

    *arg = NULL;
    if (len < 3 || line[0] != '#' || line[1] != '!' || (!nl && len == SCRIPT_LINE - 1))
        return NULL;
    end = nl ? nl : line + len;
    while (end > line && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    *end = '\0';
    interp = skip_blanks(line + 2);
    for (end = interp; *end && *end != ' ' && *end != '\t'; end++)
        ;
    if (*end) {
        *end = '\0';
        *arg = skip_blanks(end + 1);
    }
    return *interp ? interp : NULL;
}

/* Opens what is to be executed, following scripts to their interpreter. */
static struct file *open_program(char *path, struct args **args)
{
    char *line = kmalloc(SCRIPT_LINE, 0);
    struct file *f = NULL;
    int err = line ? 0 : -ENOMEM;

    for (int depth = 0; !err; depth++) {
        char *interp, *arg;
        ssize_t n;

        f = exec_open(path);
        if (is_err(f)) {
            err = ptr_err(f);
            break;
        }
        n = file_read_kernel(f, line, SCRIPT_LINE - 1, 0);
        if (n < 0)
            err = (int)n;
        if (n < 2 || line[0] != '#' || line[1] != '!')
            break;
        line[n] = '\0';
        interp = parse_script(line, (size_t)n, &arg);
        if (!interp)
            err = -ENOEXEC;
        else if (depth == SCRIPT_DEPTH)
            err = -ELOOP;
        else
            err = args_for_script(args, interp, arg, path);
        if (!err && strlcpy(path, interp, PATH_SIZE) >= PATH_SIZE)
            err = -ENAMETOOLONG;
        file_put(f);
        f = NULL;
    }
    kfree(line);
    if (err && f && !is_err(f))
        file_put(f);
    return err ? err_ptr(err) : f;
}

/* ---- The initial stack ---- */

struct stack_writer {
    struct addrspace *as;
    uaddr_t at; /* grows upward */
    uint64_t buf[64];
    unsigned n;
    int err;
};

static void flush_words(struct stack_writer *w)
{
    if (!w->err && w->n)
        w->err = addrspace_write(w->as, w->at, w->buf, w->n * sizeof(uint64_t));
    w->at += w->n * sizeof(uint64_t);
    w->n = 0;
}

static void put_word(struct stack_writer *w, uint64_t v)
{
    w->buf[w->n++] = v;
    if (w->n == ARRAY_SIZE(w->buf))
        flush_words(w);
}

/* Pointers to `count` strings that begin at *str in the new image and at *off in the kernel pages. */
static void put_pointers(struct stack_writer *w, const struct args *a, unsigned count,
                         uaddr_t strings, size_t *off)
{
    for (unsigned i = 0; i < count; i++) {
        put_word(w, strings + *off);
        while (a->pages[*off / PAGE_SIZE][*off & PAGE_MASK])
            ++*off;
        ++*off;
    }
    put_word(w, 0);
}

static void put_auxv(struct stack_writer *w, const struct image *img, uaddr_t random, uaddr_t name)
{
    const struct process *p = current_process();
    const uint64_t aux[][2] = {
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

    _Static_assert(ARRAY_SIZE(aux) <= AUX_PAIRS, "stack_words counts on it");
    for (unsigned i = 0; i < ARRAY_SIZE(aux); i++) {
        put_word(w, aux[i][0]);
        put_word(w, aux[i][1]);
    }
}

static int write_strings(struct image *img, const struct args *a, uaddr_t at)
{
    int err = 0;

    for (size_t off = 0; off < a->len && !err; off += PAGE_SIZE)
        err = addrspace_write(img->as, at + off, a->pages[off / PAGE_SIZE],
                              MIN(PAGE_SIZE, a->len - off));
    return err;
}

static int build_stack(struct image *img, const struct args *a, const char *path)
{
    struct stack_writer w = {.as = img->as};
    size_t name_len = strlen(path) + 1, off = 0;
    size_t words = 1 + a->argc + 1 + a->envc + 1 + 2 * AUX_PAIRS;
    uaddr_t name = STACK_TOP - 8 - name_len, strings = name - a->len;
    uaddr_t random = ALIGN_DOWN(strings - 16, 16);
    uint8_t seed[16];
    int err;

    img->sp = ALIGN_DOWN(random - words * sizeof(uint64_t), 16);
    err = addrspace_write(img->as, name, path, name_len);
    if (!err)
        err = write_strings(img, a, strings);
    random_bytes(seed, sizeof(seed));
    if (!err)
        err = addrspace_write(img->as, random, seed, sizeof(seed));
    if (err)
        return err;
    w.at = img->sp;
    put_word(&w, a->argc);
    put_pointers(&w, a, a->argc, strings, &off);
    img->as->arg_start = strings;
    img->as->arg_end = img->as->env_start = strings + off;
    put_pointers(&w, a, a->envc, strings, &off);
    img->as->env_end = strings + off;
    put_auxv(&w, img, random, name);
    flush_words(&w);
    return w.err;
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

static int map_vdso(struct addrspace *as)
{
    long at = addrspace_map_vdso(as, pa_to_page(arch_vdso_pa()));

    if (at < 0)
        return (int)at;
    as->vdso = (uaddr_t)at;
    return 0;
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
    struct addrspace *as = img->as;
    int err = elf_load(as, img->file, PIE_BASE, &img->elf);

    if (err)
        return err;
    as->brk_start = as->brk = img->elf.end;
    err = map_stack(as, img->elf.exec_stack, a->len + (a->argc + a->envc) * sizeof(uint64_t));
    if (!err && img->elf.interp[0])
        err = load_interp(img);
    if (!err)
        err = map_vdso(as);
    if (!err)
        err = build_stack(img, a, path);
    img->pc = img->interp.entry ? img->interp.entry : img->elf.entry;
    as->exe = file_get(img->file);
    return err;
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
    list_for_each (t, &p->threads, proc_link) {
        if (t == current)
            continue;
        signal_kill_thread(t);
    }
    spin_unlock(&p->lock);
    wait_event(&p->stop_wait, READ_ONCE(p->nthreads) == 1);
    thread_become_leader(current);
    return 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void commit(struct image *img, const char *path)
{
    struct process *p = current_process();
    struct addrspace *old = p->as;
    irqflags_t irq;

    spin_lock(&p->lock);
    p->as = img->as;
    spin_unlock(&p->lock);
    irq = arch_irq_save();
    current->as = img->as;
    addrspace_activate(img->as);
    arch_irq_restore(irq);
    p->euid = p->suid = p->fsuid = img->euid;
    p->egid = p->sgid = p->fsgid = img->egid;
    files_exec(p->files);
    signal_exec_reset(p);
    current->clear_tid = current->robust_list = 0;
    current->altstack_sp = current->altstack_size = 0;
    current->altstack_flags = 0;
    strlcpy(current->name, base_name(path), sizeof(current->name));
    arch_thread_exec(current, img->pc, img->sp);
    p->execed = true;
    vfork_release(current);
    if (old)
        p->dead.maxrss = MAX(p->dead.maxrss, old->rss);
    addrspace_put(old);
    stat_inc(execs);
    vmprint_first_exec(p);
}

/* path is a buffer of PATH_SIZE (scripts replace it); takes over args. */
static int exec_with(char *path, const char *shown_path, struct args *a)
{
    struct process *p = current_process();
    struct image *img = kzalloc(sizeof(*img));
    int err = -ENOMEM;

    if (!img)
        goto free_args;
    img->file = open_program(path, &a);
    if (is_err(img->file)) {
        err = ptr_err(img->file);
        goto free_image;
    }
    img->euid = p->euid;
    img->egid = p->egid;
    exec_file_ids(img->file, &img->euid, &img->egid);
    img->as = addrspace_create();
    if (img->as)
        err = build_image(img, a, shown_path);
    if (!err)
        err = become_only_thread(p);
    if (!err)
        commit(img, shown_path);
    else
        addrspace_put(img->as);
    file_put(img->file);
free_image:
    kfree(img);
free_args:
    args_free(a);
    return err;
}

int process_exec(const char *path, char *const argv[], char *const envp[])
{
    struct args *a = args_alloc();
    char *buf = kmalloc(PATH_SIZE, 0);
    int err = a && buf ? 0 : -ENOMEM;

    if (!err) {
        strlcpy(buf, path, PATH_SIZE);
        err = args_add_kernel_vector(a, argv, &a->argc);
        a->argv_len = a->len;
    }
    if (!err)
        err = args_add_kernel_vector(a, envp, &a->envc);
    if (!err)
        err = exec_with(buf, path, a);
    else if (a)
        args_free(a);
    kfree(buf);
    return err;
}

static int collect_user_args(struct args *a, uaddr_t argv, uaddr_t envp)
{
    int err = args_add_vector(a, argv, &a->argc);

    if (err)
        return err;
    if (!a->argc) { /* as Linux: a program never sees argc == 0 */
        a->argc = 1;
        err = args_add_kernel(a, "");
    }
    a->argv_len = a->len;
    return err ? err : args_add_vector(a, envp, &a->envc);
}

long sys_execve(uaddr_t upath, uaddr_t argv, uaddr_t envp)
{
    char *path = kmalloc(2 * PATH_SIZE, 0), *shown = path + PATH_SIZE;
    struct args *a;
    ssize_t n;
    int err;

    if (!path)
        return -ENOMEM;
    n = strncpy_from_user(path, upath, PATH_SIZE);
    err = n < 0 ? (int)n : n == 0 ? -ENOENT : 0;
    a = err ? NULL : args_alloc();
    if (!err && !a)
        err = -ENOMEM;
    if (!err)
        err = collect_user_args(a, argv, envp);
    if (!err) {
        strlcpy(shown, path, PATH_SIZE);
        err = exec_with(path, shown, a);
    } else if (a) {
        args_free(a);
    }
    kfree(path);
    return err;
}
