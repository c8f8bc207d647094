/* SPDX-License-Identifier: MIT */
/*
 * What machine this is and who we are (uname, hostname, nproc, id), what its kernel says (dmesg),
 * and nothing but an exit status (true, false).
 */
#include "user/box.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The fields in the order of -a, whatever the order of the options. */
int uname_main(int argc, char **argv)
{
    static const char letters[] = "snrvmo";
    struct utsname u;
    const char *gap = "";

    read_options(&argc, &argv, "amnorsv", 1);
    if (argc > 0)
        usage(1);
    if (uname(&u) != 0)
        die("cannot get system name");
    const char *fields[] = {u.sysname, u.nodename, u.release, u.version, u.machine, u.sysname};
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        if (opt('a') || opt(letters[i]) || (i == 0 && !opt_last(letters))) {
            printf("%s%s", gap, fields[i]);
            gap = " ";
        }
    putchar('\n');
    return 0;
}

int hostname_main(int argc, char **argv)
{
    char name[256] = "";

    if (argc > 2)
        usage(1);
    if (argc == 2 ? sethostname(argv[1], strlen(argv[1])) : gethostname(name, sizeof(name) - 1))
        die("cannot get or set the name");
    if (argc < 2)
        puts(name);
    return 0;
}

int nproc_main(int argc, char **argv)
{
    cpu_set_t set;

    (void)argc, (void)argv;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        die("cannot tell");
    printf("%d\n", CPU_COUNT(&set));
    return 0;
}

/* id */

static void print_all_ids(void)
{
    const struct {
        const char *label, *db;
        uint32_t id;
        bool shown;
    } ids[] = {
        {"uid=", PASSWD, getuid(), true},
        {" gid=", GROUP, getgid(), true},
        {" euid=", PASSWD, geteuid(), geteuid() != getuid()},
        {" egid=", GROUP, getegid(), getegid() != getgid()},
        {" groups=", GROUP, getgid(), true},
    };
    gid_t groups[64];
    int count = getgroups(ARRAY_SIZE(groups), groups);

    for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
        if (ids[i].shown)
            printf("%s%u(%s)", ids[i].label, ids[i].id, id_name(ids[i].db, ids[i].id));
    for (int i = 0; i < count; i++)
        if (groups[i] != getgid())
            printf(",%u(%s)", groups[i], id_name(GROUP, groups[i]));
    putchar('\n');
}

int id_main(int argc, char **argv)
{
    read_options(&argc, &argv, "ugnr", 1);
    bool user = opt_last("ug") == 'u';
    if (!opt_last("ug")) {
        print_all_ids();
        return 0;
    }
    uint32_t id = user ? (opt('r') ? getuid() : geteuid()) : opt('r') ? getgid() : getegid();
    if (opt('n'))
        puts(id_name(user ? PASSWD : GROUP, id));
    else
        printf("%u\n", id);
    return 0;
}

/* dmesg: each line begins with its level as "<6>", which only -r shows. */

enum { READ_ALL = 3, READ_CLEAR = 4, BUFFER_SIZE = 10 };

int dmesg_main(int argc, char **argv)
{
    read_options(&argc, &argv, "cr", 1);
    int size = klogctl(BUFFER_SIZE, NULL, 0);
    if (size <= 0)
        size = 1 << 20;
    char *log = xcalloc((size_t)size + 1, 1), *rest = log, *line;
    if (klogctl(opt('c') ? READ_CLEAR : READ_ALL, log, size) < 0)
        die("cannot read the kernel log");
    while ((line = strsep(&rest, "\n")) != NULL && (*line || rest)) {
        int level_len = 0;

        sscanf(line, "<%*d>%n", &level_len);
        puts(opt('r') ? line : line + level_len);
    }
    free(log);
    return 0;
}

int true_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 0;
}

int false_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return 1;
}
