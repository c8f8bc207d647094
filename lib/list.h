/* SPDX-License-Identifier: MIT */
/* Intrusive circular doubly linked lists. The head is a node like any other; no locking. */
#pragma once

#include "lib/types.h"

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_add(struct list *after, struct list *n)
{
    n->prev = after;
    n->next = after->next;
    after->next->prev = n;
    after->next = n;
}

static inline void list_add_tail(struct list *head, struct list *n)
{
    list_add(head->prev, n);
}

/* Leaves the node self-linked, so that removing it twice, or asking list_empty(node), is safe. */
static inline void list_del(struct list *n)
{
    n->prev->next = n->next;
    n->next->prev = n->prev;
    list_init(n);
}

#define list_entry(p, type, member) container_of(p, type, member)
#define list_first(head, type, member) list_entry((head)->next, type, member)
#define list_last(head, type, member) list_entry((head)->prev, type, member)

#define list_for_each(pos, head, member)                                           \
    for (pos = list_first(head, __typeof__(*pos), member); &pos->member != (head); \
         pos = list_first(&pos->member, __typeof__(*pos), member))

#define list_for_each_safe(pos, tmp, head, member)                \
    for (pos = list_first(head, __typeof__(*pos), member),        \
        tmp = list_first(&pos->member, __typeof__(*pos), member); \
         &pos->member != (head);                                  \
         pos = tmp, tmp = list_first(&pos->member, __typeof__(*pos), member))
