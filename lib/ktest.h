/* SPDX-License-Identifier: MIT */
/*
 * The kernel ring of tests: KTEST(name) { ... } next to the code it tests, collected by the linker
 * (section .ktests) and run at boot when the argument "selftest" is given. A test returns normally
 * when it passed; KCHECK prints what failed and returns from the test.
 */
#pragma once

#include "lib/log.h"

struct ktest {
    const char *name;
    void (*run)(void);
};

extern const struct ktest __ktests_start[], __ktests_end[];
extern unsigned ktest_failures; /* of the running test */

#define KTEST(test)                                                        \
    static void ktest_##test(void);                                        \
    static const struct ktest ktest_entry_##test                           \
        __attribute__((used, section(".ktests"))) = {#test, ktest_##test}; \
    static void ktest_##test(void)

#define KCHECK(c)                                                 \
    do {                                                          \
        if (!(c)) {                                               \
            pr_err("ktest: %s:%d: %s\n", __FILE__, __LINE__, #c); \
            ktest_failures++;                                     \
            return;                                               \
        }                                                         \
    } while (0)

unsigned ktest_run_all(void); /* prints `ktest: N passed, N failed`; returns the failures */
