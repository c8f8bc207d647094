/* SPDX-License-Identifier: MIT */
/* The real header hides the S_IF* constants where it sees a C library, as it does on the host. */
#pragma once

#pragma push_macro("__GLIBC__")
#undef __GLIBC__
#include_next <linux/stat.h>
#pragma pop_macro("__GLIBC__")
