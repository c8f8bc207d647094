/* SPDX-License-Identifier: MIT */
/*
 * The signal frame: Linux riscv64's struct rt_sigframe, which programs and their unwinders know to
 * the byte (1088 bytes: siginfo, then ucontext with registers and FP state).
 *
 *      sp at the signal        ......................
 *      (16-aligned)            uc_mcontext: q.fcsr, reserved[3] = 0        + 1088
 *                              uc_mcontext: FP registers, 264 bytes used    + 560
 *                              uc_mcontext: pc, ra, sp ... t6               + 304
 *                              uc_stack, uc_sigmask, padding                + 144
 *                              ucontext: uc_flags, uc_link                  + 128
 *      sp, a1 in the handler   siginfo                                      + 0
 *
 * The kernel writes it piece by piece, straight from where the pieces are: it is too large for a
 * kernel stack. rt_sigreturn trusts nothing in it but what user mode may hold anyway.
 */
#include <linux/signal.h>

#include <asm/sigcontext.h>
#include <asm/ucontext.h>

#include "arch/arch.h"
#include "arch/trapframe.h"
#include "lib/string.h"
#include "proc/process.h"

struct rt_sigframe {
    siginfo_t info;
    struct ucontext uc;
};

#define AT_REGS offsetof(struct rt_sigframe, uc.uc_mcontext.sc_regs)
#define AT_FP offsetof(struct rt_sigframe, uc.uc_mcontext.sc_fpregs)
#define AT_RESERVED offsetof(struct rt_sigframe, uc.uc_mcontext.sc_fpregs.q.reserved)

_Static_assert(sizeof(struct rt_sigframe) == 1088, "Linux's");
_Static_assert(offsetof(struct rt_sigframe, uc.uc_mcontext) == 304, "Linux's");
_Static_assert(sizeof(struct user_regs_struct) == offsetof(struct trapframe, status),
               "a trap frame begins with the registers in the order of the signal frame");
_Static_assert(sizeof(struct fpstate) == sizeof(struct __riscv_d_ext_state), "copied as it is");

extern const char vdso_start[], vdso_sigreturn[];

/* Where the frame goes; 0 where it would run over the end of the alternate stack. */
static uaddr_t frame_address(const struct thread *t, const struct ksigaction *act, uaddr_t sp)
{
    if (signal_on_altstack(t, sp) && !signal_on_altstack(t, sp - sizeof(struct rt_sigframe)))
        return 0;
    if ((act->flags & SA_ONSTACK) && t->altstack_size && !signal_on_altstack(t, sp))
        sp = t->altstack_sp + t->altstack_size;
    return sp < sizeof(struct rt_sigframe) ? 0 : (sp - sizeof(struct rt_sigframe)) & ~15UL;
}

static int write_head(const struct thread *t, uaddr_t frame, uint64_t mask)
{
    struct {
        uint64_t flags, link;
        stack_t stack;
        uint64_t mask;
    } head = {.mask = mask};

    _Static_assert(sizeof(head) == offsetof(struct ucontext, __unused), "up to the padding");
    head.stack.ss_sp = (void *)t->altstack_sp;
    head.stack.ss_size = t->altstack_size;
    head.stack.ss_flags = t->altstack_size ? t->altstack_flags : SS_DISABLE;
    return copy_to_user(frame + offsetof(struct rt_sigframe, uc), &head, sizeof(head));
}

static int write_frame(struct thread *t, uaddr_t frame, const struct trapframe *tf,
                       const struct ksiginfo *info, uint64_t mask)
{
    siginfo_t exported;

    siginfo_export(&exported, info);
    arch_fp_save(t);
    if (copy_to_user(frame, &exported, sizeof(exported)) || write_head(t, frame, mask) ||
        copy_to_user(frame + AT_REGS, tf, sizeof(struct user_regs_struct)) ||
        copy_to_user(frame + AT_FP, &t->fp, sizeof(t->fp)))
        return -EFAULT;
    return clear_user(frame + AT_FP + sizeof(t->fp),
                      sizeof(struct rt_sigframe) - AT_FP - sizeof(t->fp));
}

int arch_signal_deliver(struct thread *t, const struct ksigaction *act, const struct ksiginfo *info,
                        uint64_t old_mask)
{
    struct trapframe *tf = arch_user_frame(t);
    uaddr_t frame = frame_address(t, act, tf->sp);

    if (!frame || write_frame(t, frame, tf, info, old_mask))
        return -EFAULT;
    if ((unsigned)t->altstack_flags & SS_AUTODISARM) {
        t->altstack_sp = 0;
        t->altstack_size = 0;
        t->altstack_flags = SS_DISABLE;
    }
    tf->ra = signal_return_address(t);
    tf->epc = act->handler;
    tf->sp = frame;
    tf->a[0] = (uint64_t)info->signo;
    tf->a[1] = frame;
    tf->a[2] = frame + offsetof(struct rt_sigframe, uc);
    return 0;
}

/* The registers in memory are the truth while user mode does not run: nothing saves over them. */
static int read_fp(struct thread *t, uaddr_t frame)
{
    uint32_t reserved[3];
    int err;

    arch_fp_save(t);
    err = copy_from_user(&t->fp, frame + AT_FP, sizeof(t->fp));
    arch_fp_discard(t);
    if (err || copy_from_user(reserved, frame + AT_RESERVED, sizeof(reserved)))
        return -EFAULT;
    return reserved[0] | reserved[1] | reserved[2] ? -EFAULT : 0;
}

int arch_signal_return(struct thread *t, uint64_t *mask)
{
    struct trapframe *tf = arch_user_frame(t);
    struct user_regs_struct regs;
    uaddr_t frame = tf->sp;
    stack_t stack;

    if (frame & 15 ||
        copy_from_user(mask, frame + offsetof(struct rt_sigframe, uc.uc_sigmask), sizeof(*mask)) ||
        copy_from_user(&regs, frame + AT_REGS, sizeof(regs)) ||
        copy_from_user(&stack, frame + offsetof(struct rt_sigframe, uc.uc_stack), sizeof(stack)) ||
        read_fp(t, frame))
        return -EFAULT;
    memcpy(tf, &regs, sizeof(regs));
    /* As on Linux, a refusal (a handler left for its own stack) is no error here. */
    (void)signal_altstack_set(t, tf->sp, (uaddr_t)stack.ss_sp, stack.ss_flags, stack.ss_size);
    return 0;
}

paddr_t arch_vdso_pa(void)
{
    return (paddr_t)vdso_start;
}

uaddr_t arch_vdso_sigreturn(uaddr_t vdso_base)
{
    return vdso_base + (uaddr_t)(vdso_sigreturn - vdso_start);
}
