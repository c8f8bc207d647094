/* SPDX-License-Identifier: MIT */
/*
 * id: who the process is.
 */
#include "user/box.h"

#include <stdlib.h>
#include <unistd.h>

static void print_id(const char *label, const char *db, uint32_t id)
{
    printf("%s%u(%s)", label, id, id_name(db, id));
}

static gid_t *read_groups(int *count)
{
    *count = getgroups(0, NULL);
    if (*count < 0)
        die("cannot get groups");
    gid_t *groups = xcalloc((size_t)*count + 1, sizeof(gid_t));
    *count = getgroups(*count, groups);
    if (*count < 0)
        die("cannot get groups");
    return groups;
}

static void print_all(void)
{
    int count;
    gid_t *groups = read_groups(&count);

    print_id("uid=", PASSWD, getuid());
    print_id(" gid=", GROUP, getgid());
    if (geteuid() != getuid())
        print_id(" euid=", PASSWD, geteuid());
    if (getegid() != getgid())
        print_id(" egid=", GROUP, getegid());
    print_id(" groups=", GROUP, getgid());
    for (int i = 0; i < count; i++)
        if (groups[i] != getgid())
            print_id(",", GROUP, groups[i]);
    putchar('\n');
    free(groups);
}

int id_main(int argc, char **argv)
{
    bool by_name = false, real = false;
    int opt, what = 0;

    while ((opt = getopt(argc, argv, "ugnr")) != -1) {
        switch (opt) {
        case 'u':
        case 'g': what = opt; break;
        case 'n': by_name = true; break;
        case 'r': real = true; break;
        default: usage(1);
        }
    }
    if (!what && by_name)
        diex("cannot print only names in default format");
    if (!what) {
        print_all();
        return 0;
    }
    uint32_t uid = real ? getuid() : geteuid(), gid = real ? getgid() : getegid();
    uint32_t id = what == 'u' ? uid : gid;
    if (by_name)
        puts(id_name(what == 'u' ? PASSWD : GROUP, id));
    else
        printf("%u\n", id);
    return 0;
}
