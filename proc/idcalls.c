/* SPDX-License-Identifier: MIT */
/*
 * Who a process is: numbers, user and group IDs with Linux's rules for changing them. An effective
 * user ID of 0 stands for all capabilities. IDs belong to the process and are changed by its own
 * calls only; the file-system IDs follow the effective ones.
 */
#include "lib/string.h"
#include "proc/process.h"
#include "proc/syscalls.h"

#define KEEP UINT32_MAX /* -1: leave this one as it is */

long sys_getpid(void)
{
    return current->proc->pid;
}

long sys_gettid(void)
{
    return current->tid;
}

/*
 * Without the tree's lock: a parent goes away only after its children were given to another, so a
 * number read between two equal looks at the pointer is the parent's.
 */
long sys_getppid(void)
{
    const struct process *p = current->proc;
    const struct process *parent, *again = READ_ONCE(p->parent);
    long pid;

    do {
        parent = again;
        pid = parent != p ? READ_ONCE(parent->pid) : 0; /* init is its own */
        atomic_thread_fence(memory_order_acquire);
        again = READ_ONCE(p->parent);
    } while (again != parent);
    return pid;
}

long sys_set_tid_address(uaddr_t addr)
{
    current->clear_tid = addr;
    return current->tid;
}

long sys_getuid(void)
{
    return current->proc->uid;
}

long sys_geteuid(void)
{
    return current->proc->euid;
}

long sys_getgid(void)
{
    return current->proc->gid;
}

long sys_getegid(void)
{
    return current->proc->egid;
}

/* ---- The three IDs, user and group alike ------------------------------------------------------ */

struct ids { /* places in struct process */
    uint32_t *real, *effective, *saved, *fs;
};

static struct ids user_ids(void)
{
    struct process *p = current->proc;

    return (struct ids){&p->uid, &p->euid, &p->suid, &p->fsuid};
}

static struct ids group_ids(void)
{
    struct process *p = current->proc;

    return (struct ids){&p->gid, &p->egid, &p->sgid, &p->fsgid};
}

static bool privileged(void)
{
    return current->proc->euid == 0;
}

static bool is_one_of(struct ids ids, uint32_t id)
{
    return id == *ids.real || id == *ids.effective || id == *ids.saved;
}

static void set_effective(struct ids ids, uint32_t id)
{
    *ids.effective = id;
    *ids.fs = id;
}

static long set_id(struct ids ids, uint32_t id)
{
    if (id == KEEP)
        return -EINVAL;
    if (privileged()) {
        *ids.real = id;
        *ids.saved = id;
    } else if (id != *ids.real && id != *ids.saved) {
        return -EPERM;
    }
    set_effective(ids, id);
    return 0;
}

static long set_real_effective(struct ids ids, uint32_t real, uint32_t effective)
{
    uint32_t old_real = *ids.real;

    if (!privileged()) {
        if (real != KEEP && real != *ids.real && real != *ids.effective)
            return -EPERM;
        if (effective != KEEP && !is_one_of(ids, effective))
            return -EPERM;
    }
    if (real != KEEP)
        *ids.real = real;
    if (effective != KEEP)
        set_effective(ids, effective);
    /* The saved one follows when the identity was really taken on. */
    if (real != KEEP || (effective != KEEP && effective != old_real))
        *ids.saved = *ids.effective;
    return 0;
}

static long set_all(struct ids ids, uint32_t real, uint32_t effective, uint32_t saved)
{
    if (!privileged()) {
        if ((real != KEEP && !is_one_of(ids, real)) ||
            (effective != KEEP && !is_one_of(ids, effective)) ||
            (saved != KEEP && !is_one_of(ids, saved)))
            return -EPERM;
    }
    if (real != KEEP)
        *ids.real = real;
    set_effective(ids, effective != KEEP ? effective : *ids.effective);
    if (saved != KEEP)
        *ids.saved = saved;
    return 0;
}

static long get_all(struct ids ids, uaddr_t real, uaddr_t effective, uaddr_t saved)
{
    if (put_user_u32(real, *ids.real) || put_user_u32(effective, *ids.effective) ||
        put_user_u32(saved, *ids.saved))
        return -EFAULT;
    return 0;
}

/* Returns the old one, whether the new one was accepted or not. */
static long set_fs(struct ids ids, uint32_t id)
{
    long old = *ids.fs;

    if (id != KEEP && (privileged() || is_one_of(ids, id) || id == *ids.fs))
        *ids.fs = id;
    return old;
}

long sys_setuid(uint32_t uid)
{
    return set_id(user_ids(), uid);
}

long sys_setgid(uint32_t gid)
{
    return set_id(group_ids(), gid);
}

long sys_setreuid(uint32_t ruid, uint32_t euid)
{
    return set_real_effective(user_ids(), ruid, euid);
}

long sys_setregid(uint32_t rgid, uint32_t egid)
{
    return set_real_effective(group_ids(), rgid, egid);
}

long sys_setresuid(uint32_t ruid, uint32_t euid, uint32_t suid)
{
    return set_all(user_ids(), ruid, euid, suid);
}

long sys_setresgid(uint32_t rgid, uint32_t egid, uint32_t sgid)
{
    return set_all(group_ids(), rgid, egid, sgid);
}

long sys_getresuid(uaddr_t ruid, uaddr_t euid, uaddr_t suid)
{
    return get_all(user_ids(), ruid, euid, suid);
}

long sys_getresgid(uaddr_t rgid, uaddr_t egid, uaddr_t sgid)
{
    return get_all(group_ids(), rgid, egid, sgid);
}

long sys_setfsuid(uint32_t uid)
{
    return set_fs(user_ids(), uid);
}

long sys_setfsgid(uint32_t gid)
{
    return set_fs(group_ids(), gid);
}

/* ---- Supplementary groups --------------------------------------------------------------------- */

long sys_getgroups(int size, uaddr_t list)
{
    struct process *p = current->proc;

    if (size < 0 || (size > 0 && (uint32_t)size < p->ngroups))
        return -EINVAL;
    if (size > 0 && copy_to_user(list, p->groups, p->ngroups * sizeof(p->groups[0])))
        return -EFAULT;
    return p->ngroups;
}

long sys_setgroups(int size, uaddr_t list)
{
    struct process *p = current->proc;
    uint32_t groups[ARRAY_SIZE(p->groups)];

    if (!privileged())
        return -EPERM;
    if (size < 0 || (size_t)size > ARRAY_SIZE(groups))
        return -EINVAL;
    if (copy_from_user(groups, list, (size_t)size * sizeof(groups[0])))
        return -EFAULT;
    memcpy(p->groups, groups, (size_t)size * sizeof(groups[0]));
    p->ngroups = (uint32_t)size;
    return 0;
}
