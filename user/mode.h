/* SPDX-License-Identifier: MIT */
/*
 * File modes as users write them.
 */
#ifndef USER_MODE_H
#define USER_MODE_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * "0644" or "u+x,go=r" applied to old, whose type bits tell whether it is a directory; the result
 * holds the permission bits only. False if the text is malformed.
 */
bool parse_mode(const char *text, mode_t old, mode_t *out);

#endif
