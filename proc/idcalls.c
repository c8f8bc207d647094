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

long sys_getppid(void)
{
    return READ_ONCE(current->proc->ppid);
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

static bool is_one_of(const struct ids *ids, uint32_t id)
{
    return id == ids->real || id == ids->effective || id == ids->saved;
}

/* KEEP, or what an unprivileged caller, too, may become. */
static bool allowed(const struct ids *ids, uint32_t id)
{
    return id == KEEP || is_privileged() || is_one_of(ids, id);
}

static long set_all(struct ids *ids, uint32_t real, uint32_t effective, uint32_t saved)
{
    if (!allowed(ids, real) || !allowed(ids, effective) || !allowed(ids, saved))
        return -EPERM;
    if (real != KEEP)
        ids->real = real;
    if (effective != KEEP)
        ids->effective = effective;
    if (saved != KEEP)
        ids->saved = saved;
    ids->fs = ids->effective;
    return 0;
}

static long set_id(struct ids *ids, uint32_t id)
{
    if (id == KEEP)
        return -EINVAL;
    if (is_privileged())
        return set_all(ids, id, id, id);
    return id == ids->real || id == ids->saved ? set_all(ids, KEEP, id, KEEP) : -EPERM;
}

static long set_real_effective(struct ids *ids, uint32_t real, uint32_t effective)
{
    uint32_t saved = KEEP;

    if (real == ids->saved && real != ids->real && real != ids->effective && !is_privileged())
        return -EPERM;
    /* The saved one follows when the identity was really taken on. */
    if (real != KEEP || (effective != KEEP && effective != ids->real))
        saved = effective != KEEP ? effective : ids->effective;
    return set_all(ids, real, effective, saved);
}

static long get_all(const struct ids *ids, uaddr_t real, uaddr_t effective, uaddr_t saved)
{
    if (put_user_u32(real, ids->real) || put_user_u32(effective, ids->effective) ||
        put_user_u32(saved, ids->saved))
        return -EFAULT;
    return 0;
}

/* Returns the old one, whether the new one was accepted or not. */
static long set_fs(struct ids *ids, uint32_t id)
{
    long old = ids->fs;

    if (id != KEEP && (allowed(ids, id) || id == ids->fs))
        ids->fs = id;
    return old;
}

long sys_setuid(uint32_t uid)
{
    return set_id(&current->proc->user_ids, uid);
}

long sys_setgid(uint32_t gid)
{
    return set_id(&current->proc->group_ids, gid);
}

long sys_setreuid(uint32_t ruid, uint32_t euid)
{
    return set_real_effective(&current->proc->user_ids, ruid, euid);
}

long sys_setregid(uint32_t rgid, uint32_t egid)
{
    return set_real_effective(&current->proc->group_ids, rgid, egid);
}

long sys_setresuid(uint32_t ruid, uint32_t euid, uint32_t suid)
{
    return set_all(&current->proc->user_ids, ruid, euid, suid);
}

long sys_setresgid(uint32_t rgid, uint32_t egid, uint32_t sgid)
{
    return set_all(&current->proc->group_ids, rgid, egid, sgid);
}

long sys_getresuid(uaddr_t ruid, uaddr_t euid, uaddr_t suid)
{
    return get_all(&current->proc->user_ids, ruid, euid, suid);
}

long sys_getresgid(uaddr_t rgid, uaddr_t egid, uaddr_t sgid)
{
    return get_all(&current->proc->group_ids, rgid, egid, sgid);
}

long sys_setfsuid(uint32_t uid)
{
    return set_fs(&current->proc->user_ids, uid);
}

long sys_setfsgid(uint32_t gid)
{
    return set_fs(&current->proc->group_ids, gid);
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

    if (!is_privileged())
        return -EPERM;
    if (size < 0 || (size_t)size > ARRAY_SIZE(groups))
        return -EINVAL;
    if (copy_from_user(groups, list, (size_t)size * sizeof(groups[0])))
        return -EFAULT;
    memcpy(p->groups, groups, (size_t)size * sizeof(groups[0]));
    p->ngroups = (uint32_t)size;
    return 0;
}
