/* SPDX-License-Identifier: MIT */
/*
 * What a signal puts on the stack and takes from it again: the machine context a handler may read
 * and change, alternate stacks, nesting, faults as signals, and frames that lie to sigreturn.
 */
#include "tests/test.h"

#include <sys/resource.h>
#include <ucontext.h>

static volatile sig_atomic_t count;

/* ---- The machine context, by machine ---- */

#if defined(__riscv)
#define UC_PC(uc) ((uc)->uc_mcontext.__gregs[0])
#define UC_SP(uc) ((uc)->uc_mcontext.__gregs[2])
#define UC_RESULT(uc) ((uc)->uc_mcontext.__gregs[10])

/* A load that faults at a known place, four bytes long, and what it leaves in the result. */
__asm__(".pushsection .text\n"
        ".option push\n.option norvc\n"
        ".globl load_here\nload_here:\n"
        "    ld a0, 0(a0)\n"
        ".globl load_next\nload_next:\n"
        "    ret\n"
        ".globl bad_instruction\nbad_instruction:\n"
        "    .word 0\n    ret\n"
        ".globl breakpoint\nbreakpoint:\n"
        "    ebreak\n    ret\n"
        ".globl sigreturn_at\nsigreturn_at:\n"
        "    mv sp, a0\n    li a7, 139\n    ecall\n    ret\n"
        ".globl exit_here\nexit_here:\n"
        "    li a0, 0\n    li a7, 94\n    ecall\n"
        ".globl saved_sum\nsaved_sum:\n" /* s2..s11 = 0, a fault, their sum */
        "    addi sp, sp, -80\n"
        "    sd s2, 0(sp)\n    sd s3, 8(sp)\n    sd s4, 16(sp)\n    sd s5, 24(sp)\n"
        "    sd s6, 32(sp)\n    sd s7, 40(sp)\n    sd s8, 48(sp)\n    sd s9, 56(sp)\n"
        "    sd s10, 64(sp)\n    sd s11, 72(sp)\n"
        "    li s2, 0\n    li s3, 0\n    li s4, 0\n    li s5, 0\n    li s6, 0\n"
        "    li s7, 0\n    li s8, 0\n    li s9, 0\n    li s10, 0\n    li s11, 0\n"
        "    ld a0, 0(zero)\n"
        "    add a0, s2, s3\n    add a0, a0, s4\n    add a0, a0, s5\n    add a0, a0, s6\n"
        "    add a0, a0, s7\n    add a0, a0, s8\n    add a0, a0, s9\n    add a0, a0, s10\n"
        "    add a0, a0, s11\n"
        "    ld s2, 0(sp)\n    ld s3, 8(sp)\n    ld s4, 16(sp)\n    ld s5, 24(sp)\n"
        "    ld s6, 32(sp)\n    ld s7, 40(sp)\n    ld s8, 48(sp)\n    ld s9, 56(sp)\n"
        "    ld s10, 64(sp)\n    ld s11, 72(sp)\n"
        "    addi sp, sp, 80\n    ret\n"
        ".option pop\n.popsection\n");
#else
#define UC_PC(uc) ((uc)->uc_mcontext.gregs[REG_RIP])
#define UC_SP(uc) ((uc)->uc_mcontext.gregs[REG_RSP])
#define UC_RESULT(uc) ((uc)->uc_mcontext.gregs[REG_RAX])

__asm__(".pushsection .text\n"
        ".globl load_here\nload_here:\n"
        "    movq (%rdi), %rax\n"
        ".globl load_next\nload_next:\n"
        "    ret\n"
        ".globl bad_instruction\nbad_instruction:\n"
        "    ud2\n    ret\n"
        ".globl breakpoint\nbreakpoint:\n"
        "    int3\n    ret\n"
        ".globl sigreturn_at\nsigreturn_at:\n"
        "    movq %rdi, %rsp\n    movl $15, %eax\n    syscall\n    ret\n"
        ".globl exit_here\nexit_here:\n"
        "    xorl %edi, %edi\n    movl $231, %eax\n    syscall\n"
        ".popsection\n");
#endif

extern const char load_next[], exit_here[];
long load_here(uintptr_t addr);
void bad_instruction(void);
void breakpoint(void);
void sigreturn_at(uintptr_t sp);

/* ---- Reading and changing the interrupted code ---- */

static struct {
    uintptr_t pc, sp, addr;
    int sig, code;
} seen;

static void skip_load(int sig, siginfo_t *si, void *p)
{
    ucontext_t *uc = p;

    seen.sig = sig;
    seen.code = si->si_code;
    seen.addr = (uintptr_t)si->si_addr;
    seen.pc = (uintptr_t)UC_PC(uc);
    seen.sp = (uintptr_t)UC_SP(uc);
    UC_PC(uc) = (long)load_next;
    UC_RESULT(uc) = 0x1234;
    count++;
}

TEST(sigframe_context_can_be_changed)
{
    char here;

    set_handler(SIGSEGV, skip_load, 0);
    CHECK_EQ(load_here(0x10), 0x1234);
    CHECK_EQ(seen.sig, SIGSEGV);
    CHECK_EQ(seen.code, SEGV_MAPERR);
    CHECK_EQ(seen.addr, 0x10);
    CHECK(seen.pc == (uintptr_t)load_here);
    CHECK(seen.sp < (uintptr_t)&here + 4096 && seen.sp > (uintptr_t)&here - 4096);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(load_here(8 * (uintptr_t)i), 0x1234);
    CHECK_EQ(count, 1001);
}

#if defined(__riscv)
long saved_sum(void);

static void set_saved(int sig, siginfo_t *si, void *p)
{
    ucontext_t *uc = p;

    (void)sig, (void)si;
    UC_PC(uc) += 4;
    for (int i = 18; i < 28; i++) /* s2..s11 */
        uc->uc_mcontext.__gregs[i] = 1L << i;
}

/* Registers that calls preserve come from the frame too. */
TEST(sigframe_saved_registers_can_be_changed)
{
    set_handler(SIGSEGV, set_saved, 0);
    for (int i = 0; i < 100; i++)
        CHECK_EQ(saved_sum(), 0x3ff << 18);
}
#endif

/* The fault is told with its exact address and whether something is mapped there. */
TEST(sigframe_fault_address_and_code)
{
    char *p = page_before_hole();

    CHECK_EQ(try_load(p + PAGE), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_MAPERR);
    CHECK_EQ(last_fault.addr, (uintptr_t)p + PAGE);
    CHECK_EQ(try_store(p + PAGE + 123), SIGSEGV);
    CHECK_EQ(last_fault.addr, (uintptr_t)p + PAGE + 123);
    CHECK_OK(mprotect(p, PAGE, PROT_READ));
    CHECK_EQ(try_store(p + 77), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_ACCERR);
    CHECK_EQ(last_fault.addr, (uintptr_t)p + 77);
    CHECK_EQ(try_call(p), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_ACCERR);
    CHECK_EQ(last_fault.addr, (uintptr_t)p);
    CHECK_OK(mprotect(p, PAGE, PROT_NONE));
    CHECK_EQ(try_load(p + 1), SIGSEGV);
    CHECK_EQ(last_fault.code, SEGV_ACCERR);
}

static void leave(int sig, siginfo_t *si, void *p)
{
    ucontext_t *uc = p;

    seen.sig = sig;
    seen.code = si->si_code;
    seen.addr = (uintptr_t)si->si_addr;
    seen.pc = (uintptr_t)UC_PC(uc);
    UC_PC(uc) = (long)load_next;
}

TEST(sigframe_illegal_instruction)
{
    set_handler(SIGILL, leave, 0);
    bad_instruction();
    CHECK_EQ(seen.sig, SIGILL);
    CHECK(seen.addr == (uintptr_t)bad_instruction);
    CHECK(seen.pc == (uintptr_t)bad_instruction);
    CHECK(seen.code > 0);
}

TEST(sigframe_breakpoint)
{
    set_handler(SIGTRAP, leave, 0);
    breakpoint();
    CHECK_EQ(seen.sig, SIGTRAP);
#if defined(__riscv)
    CHECK_EQ(seen.code, TRAP_BRKPT);
    CHECK(seen.pc == (uintptr_t)breakpoint);
#endif
}

#if defined(__riscv)
/* What only the kernel may do. */
static void privileged(int which)
{
    switch (which) {
    case 0: __asm__ volatile("csrr a0, sstatus" : : : "a0"); break;
    case 1: __asm__ volatile("csrw satp, zero"); break;
    case 2: __asm__ volatile("sret"); break;
    case 3: __asm__ volatile("sfence.vma"); break;
    case 4: __asm__ volatile("csrw sscratch, zero"); break;
    case 5: __asm__ volatile("csrr a0, mstatus" : : : "a0"); break;
    case 6: __asm__ volatile("mret"); break;
    default: _exit(1);
    }
    _exit(0);
}

TEST(sigframe_privileged_instructions)
{
    for (int i = 0; i < 7; i++) {
        pid_t pid = fork_child();

        if (pid == 0)
            privileged(i);
        CHECK_SIGNAL(pid, SIGILL);
    }
}

/* Loads and stores may straddle, even pages; what cannot be done that way is SIGBUS. */
TEST(sigframe_misaligned)
{
    char *p = map_pages(2);
    long v;
    pid_t pid;

    __asm__ volatile("sd %1, 0(%2)\n ld %0, 0(%2)"
                     : "=&r"(v)
                     : "r"(0x1122334455667788L), "r"(p + PAGE - 3)
                     : "memory");
    CHECK_EQ(v, 0x1122334455667788L);
    pid = fork_child();
    if (pid == 0) {
        __asm__ volatile("lr.w %0, (%1)" : "=r"(v) : "r"(p + 1) : "memory");
        _exit(0);
    }
    if (on_qemu_user())
        reap(pid); /* does it on the host, which can */
    else
        CHECK_SIGNAL(pid, SIGBUS);
}
#endif

/* ---- Faults that no handler takes ---- */

TEST(sigframe_fault_while_blocked_or_ignored)
{
    for (int i = 0; i < 2; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            sigset_t set;

            sigemptyset(&set);
            sigaddset(&set, SIGSEGV);
            if (i == 0) {
                set_handler(SIGSEGV, skip_load, 0);
                CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
            } else {
                signal(SIGSEGV, SIG_IGN);
            }
            load_here(0x10);
            _exit(0);
        }
        CHECK_SIGNAL(pid, SIGSEGV);
    }
}

static void fault_again(int sig, siginfo_t *si, void *uc)
{
    (void)sig;
    (void)si;
    (void)uc;
    load_here(0x18);
}

TEST(sigframe_fault_in_handler)
{
    pid_t pid = fork_child();

    if (pid == 0) {
        set_handler(SIGSEGV, fault_again, 0);
        load_here(0x10);
        _exit(0);
    }
    CHECK_SIGNAL(pid, SIGSEGV);
}

/* ---- Nesting ---- */

static void nest(int sig, siginfo_t *si, void *uc)
{
    volatile char pad[256];

    (void)si;
    (void)uc;
    pad[0] = (char)count;
    if (++count < 60)
        raise(sig);
    count += pad[0] != pad[0];
}

TEST(sigframe_nested)
{
    set_handler(SIGUSR1, nest, SA_NODEFER);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(count, 60);
}

static void other(int sig, siginfo_t *si, void *uc)
{
    (void)si;
    (void)uc;
    count = count * 10 + (sig == SIGUSR1 ? 1 : 2);
    if (sig == SIGUSR1)
        raise(SIGUSR2);
    count = count * 10 + (sig == SIGUSR1 ? 3 : 4);
}

TEST(sigframe_one_inside_another)
{
    set_handler(SIGUSR1, other, 0);
    set_handler(SIGUSR2, other, 0);
    raise(SIGUSR1);
    CHECK_EQ(count, 1243);
}

/* ---- The mask in the frame is the mask afterwards ---- */

static void change_mask(int sig, siginfo_t *si, void *p)
{
    ucontext_t *uc = p;

    (void)sig;
    (void)si;
    CHECK(sigismember(&uc->uc_sigmask, SIGHUP) && !sigismember(&uc->uc_sigmask, SIGUSR1));
    sigaddset(&uc->uc_sigmask, SIGTERM);
    sigaddset(&uc->uc_sigmask, SIGKILL);
    sigdelset(&uc->uc_sigmask, SIGHUP);
}

TEST(sigframe_mask_is_restored_from_frame)
{
    sigset_t set;

    if (on_qemu_user())
        SKIP("the emulator keeps the mask elsewhere");
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    set_handler(SIGUSR1, change_mask, 0);
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &set));
    CHECK(sigismember(&set, SIGTERM) && !sigismember(&set, SIGHUP) && !sigismember(&set, SIGKILL));
}

/* ---- Alternate stacks ---- */

static char *alt;
enum { ALT_LEN = 32768 };

static void on_alt(int sig, siginfo_t *si, void *p)
{
    ucontext_t *uc = p;
    stack_t ss, mine = {.ss_sp = alt, .ss_size = ALT_LEN};
    char here;

    (void)si;
    CHECK(&here > alt && &here < alt + ALT_LEN);
    CHECK_OK(sigaltstack(NULL, &ss));
    CHECK_EQ(ss.ss_flags, SS_ONSTACK);
    CHECK_ERRNO(sigaltstack(&mine, NULL), EPERM);
    CHECK(uc->uc_stack.ss_sp == alt && uc->uc_stack.ss_size == ALT_LEN);
    CHECK((uintptr_t)UC_SP(uc) < (uintptr_t)alt ||
          (uintptr_t)UC_SP(uc) > (uintptr_t)alt + ALT_LEN || count > 0);
    count++;
    if (sig == SIGUSR1)
        raise(SIGUSR2); /* goes on where it is, not at the top again */
    CHECK(&here > alt && &here < alt + ALT_LEN);
}

TEST(sigframe_alternate_stack)
{
    stack_t ss = {.ss_sp = alt = map_pages(ALT_LEN / PAGE), .ss_size = ALT_LEN}, old;

    CHECK_OK(sigaltstack(&ss, &old));
    CHECK_EQ(old.ss_flags, SS_DISABLE);
    set_handler(SIGUSR1, on_alt, SA_ONSTACK);
    set_handler(SIGUSR2, on_alt, SA_ONSTACK);
    for (int i = 0; i < 10; i++) {
        count = 0;
        CHECK_OK(raise(SIGUSR1));
        CHECK_EQ(count, 2);
    }
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK_EQ(old.ss_flags, 0);
    CHECK(old.ss_sp == alt && old.ss_size == ALT_LEN);
    ss.ss_flags = SS_DISABLE;
    CHECK_OK(sigaltstack(&ss, NULL));
    CHECK_OK(sigaltstack(NULL, &old));
    CHECK_EQ(old.ss_flags, SS_DISABLE);
}

TEST(sigframe_alternate_stack_refused)
{
    stack_t small = {.ss_sp = map_pages(1), .ss_size = 1000},
            flags = {.ss_sp = map_pages(4), .ss_size = 4 * PAGE, .ss_flags = 0x77};

    CHECK_ERRNO(sigaltstack(&small, NULL), ENOMEM);
    CHECK_ERRNO(sigaltstack(&flags, NULL), EINVAL);
}

static void deep(int sig, siginfo_t *si, void *uc)
{
    volatile char room[6000];

    (void)si;
    (void)uc;
    room[0] = 1;
    raise(sig);
    count += room[0];
}

/* An alternate stack that overflows: the frame does not fit, so it is not delivered. */
TEST(sigframe_alternate_stack_overflows)
{
    pid_t pid = fork_child();

    if (pid == 0) {
        char *area = map_pages(16);
        stack_t ss = {.ss_sp = area + 8 * PAGE, .ss_size = 8 * PAGE};

        CHECK_OK(mprotect(area, 8 * PAGE, PROT_NONE));
        CHECK_OK(sigaltstack(&ss, NULL));
        set_handler(SIGUSR1, deep, SA_ONSTACK | SA_NODEFER);
        raise(SIGUSR1);
        _exit(0);
    }
    CHECK_SIGNAL(pid, SIGSEGV);
}

/* No room for a frame at all: the signal that cannot be delivered becomes SIGSEGV. */
TEST(sigframe_no_stack)
{
    if (on_qemu_user())
        SKIP("the emulator ends itself with the signal that it cannot deliver");
    static const uintptr_t sp[] = {0, 0x100, 0x0c000000, 0x10000000, 0x80200000, 1UL << 63, -16UL};

    for (size_t i = 0; i < ARRAY_SIZE(sp); i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            set_handler(SIGILL, skip_load, 0);
#if defined(__riscv)
            __asm__ volatile("mv sp, %0\n .word 0" : : "r"(sp[i]) : "memory");
#else
            __asm__ volatile("movq %0, %%rsp\n ud2" : : "r"(sp[i]) : "memory");
#endif
            _exit(0);
        }
        CHECK_SIGNAL(pid, SIGSEGV);
    }
}

/* ---- Frames that lie ---- */

TEST(sigframe_bad_sigreturn)
{
    char *garbage = map_pages(4), *hole = page_before_hole();
    uintptr_t sp[] = {0,
                      8,
                      0x0c000000,
                      0x0c000000 - 16,
                      0x10000000,
                      0x80200000,
                      1UL << 63,
                      -16UL,
                      (uintptr_t)hole + PAGE,
                      (uintptr_t)hole + PAGE - 64,
                      (uintptr_t)garbage,
                      (uintptr_t)garbage + PAGE + 1};

    if (on_qemu_user())
        SKIP("the emulator reads the frame for the host");
    memset(garbage, 0xff, 4 * PAGE);
    for (size_t i = 0; i < ARRAY_SIZE(sp); i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            sigreturn_at(sp[i]);
            _exit(0);
        }
        CHECK_SIGNAL(pid, SIGSEGV);
    }
}

static uintptr_t new_pc;

static void jump(int sig, siginfo_t *si, void *p)
{
    (void)sig;
    (void)si;
    if (count++)
        _exit(44);
    UC_PC((ucontext_t *)p) = (long)new_pc;
}

/* A frame may send the process anywhere, but only as the user it is. */
TEST(sigframe_pc_out_of_bounds)
{
    static const uintptr_t pc[] = {0, 2, 0x0c000000, 0x10000000, 0x80200000, 0x80000000, 1UL << 38};

    for (size_t i = 0; i < ARRAY_SIZE(pc); i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            new_pc = pc[i];
            set_handler(SIGUSR1, jump, 0);
            set_handler(SIGSEGV, jump, 0);
            raise(SIGUSR1);
            _exit(0);
        }
        CHECK_EXIT(pid, 44);
    }
}

/*
 * Random frames: any signal may come of it, but nothing worse. The program counter leads to the
 * end, or the process would run some part of this program with the powers of whoever tests.
 */
static void scramble(int sig, siginfo_t *si, void *p)
{
    unsigned char *bytes = p;

    (void)sig;
    (void)si;
    signal(SIGUSR1, SIG_DFL);
    for (int n = 1 + (int)(rnd() % 4); n > 0; n--)
        bytes[rnd() % sizeof(ucontext_t)] = (unsigned char)rnd();
    UC_PC((ucontext_t *)p) = (long)exit_here;
}

TEST(sigframe_random_frames)
{
    struct rlimit no_core = {0, 0};

    CHECK_OK(setrlimit(RLIMIT_CORE, &no_core));
    for (int i = 0; i < 300; i++) {
        pid_t pid = fork_child();

        if (pid == 0) {
            for (int k = 0; k < i; k++)
                rnd();
            alarm(20);
            set_handler(SIGUSR1, scramble, 0);
            kill(getpid(), SIGUSR1);
            _exit(0);
        }
        reap(pid);
    }
}

/* A restored frame must not raise the privilege or switch interrupts off: spin, and be killed. */
TEST(sigframe_still_preemptible_after_sigreturn)
{
    struct gate g;
    pid_t pid;

    gate_init(&g);
    pid = fork_child();
    if (pid == 0) {
        set_handler(SIGUSR1, nest, 0);
        count = 100;
        raise(SIGUSR1);
        gate_open(&g);
        for (volatile long i = 0;; i++)
            ;
    }
    gate_wait(&g);
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_SIGNAL(pid, SIGKILL);
}
