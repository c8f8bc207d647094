/* SPDX-License-Identifier: MIT */
/* Prototypes of all system calls, from syscalls.def. Each returns a result or a negative errno. */
#pragma once

#include "lib/types.h"

#define SYSCALL0(name) long sys_##name(void);
#define SYSCALL1(name, t1, a1) long sys_##name(t1 a1);
#define SYSCALL2(name, t1, a1, t2, a2) long sys_##name(t1 a1, t2 a2);
#define SYSCALL3(name, t1, a1, t2, a2, t3, a3) long sys_##name(t1 a1, t2 a2, t3 a3);
#define SYSCALL4(name, t1, a1, t2, a2, t3, a3, t4, a4) long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4);
#define SYSCALL5(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5) \
    long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5);
#define SYSCALL6(name, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, t6, a6) \
    long sys_##name(t1 a1, t2 a2, t3 a3, t4 a4, t5 a5, t6 a6);
#include "proc/syscalls.def"
#undef SYSCALL0
#undef SYSCALL1
#undef SYSCALL2
#undef SYSCALL3
#undef SYSCALL4
#undef SYSCALL5
#undef SYSCALL6
