/* SPDX-License-Identifier: MIT */
/* Runs the tests that the linker collected, in their order of linking. */
#include "lib/ktest.h"

unsigned ktest_failures;

unsigned ktest_run_all(void)
{
    unsigned passed = 0, failed = 0;

    for (const struct ktest *t = __ktests_start; t < __ktests_end; t++) {
        ktest_failures = 0;
        t->run();
        if (ktest_failures) {
            failed++;
            pr_err("ktest: FAIL %s\n", t->name);
        } else {
            passed++;
            pr_info("ktest: ok %s\n", t->name);
        }
    }
    pr_err("ktest: %u passed, %u failed\n", passed, failed);
    return failed;
}
