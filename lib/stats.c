/* SPDX-License-Identifier: MIT */
/* The event counters' storage and names, made from the one list in lib/stats.h. */
#include "lib/stats.h"

uint64_t hart_stats[MAX_HARTS][STAT_COUNT];

const char *const stat_names[STAT_COUNT] = {
#define STAT_NAME(name) #name,
    STATS(STAT_NAME)
#undef STAT_NAME
};

uint64_t stat_total(enum stat_id id)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < MAX_HARTS; i++)
        sum += hart_stats[i][id];
    return sum;
}
