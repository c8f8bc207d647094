/* SPDX-License-Identifier: MIT */
/*
 * Names: path lookup, symbolic links, and every call that creates, removes or renames a name, with
 * the errno for each way it can be wrong. Runs in the case's directory and, where the file system
 * may make a difference, once more in /tmp.
 */
#include "tests/test.h"

#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

static void touch(const char *path)
{
    write_file(path, "", 0, 0644);
}

static ino_t inode_of(const char *path)
{
    struct stat st;

    CHECK_OK(lstat(path, &st));
    return st.st_ino;
}

static nlink_t links_of(const char *path)
{
    struct stat st;

    CHECK_OK(lstat(path, &st));
    return st.st_nlink;
}

static bool exists(const char *path)
{
    struct stat st;

    return !lstat(path, &st);
}

/* Runs fn here and in a fresh directory on tmpfs. */
static void on_both(void (*fn)(void))
{
    char dir[] = "/tmp/unit-XXXXXX", here[512], cmd[600];

    fn();
    CHECK(getcwd(here, sizeof(here)));
    CHECK(mkdtemp(dir));
    CHECK_OK(chdir(dir));
    fn();
    CHECK_OK(chdir(here));
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    CHECK_EQ(system(cmd), 0);
}

static int renameat2_raw(const char *old, const char *new, unsigned flags)
{
    return (int)syscall(SYS_renameat2, AT_FDCWD, old, AT_FDCWD, new, flags);
}

static void lookup_errors(void)
{
    char name[300], path[5000];
    struct stat st;

    touch("f");
    CHECK_OK(mkdir("d", 0755));
    touch("d/x");
    CHECK_ERRNO(stat("", &st), ENOENT);
    CHECK_ERRNO(stat("nothing", &st), ENOENT);
    CHECK_ERRNO(stat("nothing/x", &st), ENOENT);
    CHECK_ERRNO(stat("f/x", &st), ENOTDIR);
    CHECK_ERRNO(stat("f/", &st), ENOTDIR);
    CHECK_ERRNO(stat("f/.", &st), ENOTDIR);
    CHECK_ERRNO(stat("f/..", &st), ENOTDIR);
    CHECK_OK(stat("d/", &st));
    CHECK_OK(stat(".//d///x", &st));
    CHECK_OK(stat("d/../d/./x", &st));
    CHECK_OK(stat("/../../..", &st));
    memset(name, 'n', sizeof(name));
    name[256] = 0;
    CHECK_ERRNO(stat(name, &st), ENAMETOOLONG);
    name[255] = 0;
    CHECK_ERRNO(stat(name, &st), ENOENT);
    CHECK_OK(mkdir(name, 0755));
    CHECK_OK(stat(name, &st));
    CHECK_OK(rmdir(name));
    memset(path, '/', sizeof(path));
    path[4095] = 0;
    CHECK_OK(stat(path, &st));
    path[4095] = '/';
    path[4096] = 0;
    CHECK_ERRNO(stat(path, &st), ENAMETOOLONG);
    CHECK_OK(unlink("f"));
    CHECK_OK(unlink("d/x"));
    CHECK_OK(rmdir("d"));
}

TEST(vfs_lookup_errors)
{
    on_both(lookup_errors);
}

static void negative_entries(void)
{
    for (int i = 0; i < 3; i++) {
        CHECK(!exists("n"));
        touch("n");
        CHECK(exists("n"));
        CHECK_OK(rename("n", "m"));
        CHECK(!exists("n"));
        CHECK_OK(mkdir("n", 0755));
        CHECK(!exists("n/x"));
        CHECK_OK(rename("m", "n/x"));
        CHECK(exists("n/x"));
        CHECK_OK(unlink("n/x"));
        CHECK_OK(rmdir("n"));
    }
}

TEST(vfs_negative_entries)
{
    on_both(negative_entries);
}

static void symlinks(void)
{
    char buf[64], name[16], target[16];
    struct stat st;
    int fd;

    CHECK_OK(mkdir("d", 0755));
    touch("d/f");
    CHECK_OK(symlink("d", "ld"));
    CHECK_OK(symlink("d/f", "lf"));
    CHECK_OK(symlink("nothing", "dangling"));
    CHECK_OK(symlink("loop", "loop"));
    CHECK_OK(symlink("../d/f", "d/up"));
    CHECK_EQ(inode_of("d/f"), (stat("lf", &st), st.st_ino));
    CHECK_OK(stat("ld/up", &st));
    CHECK_ERRNO(stat("dangling", &st), ENOENT);
    CHECK_ERRNO(stat("loop", &st), ELOOP);
    CHECK_ERRNO(stat("loop/x", &st), ELOOP);
    CHECK_ERRNO(stat("lf/", &st), ENOTDIR);
    CHECK_OK(lstat("ld", &st));
    CHECK(S_ISLNK(st.st_mode));
    CHECK_EQ(st.st_size, 1);
    CHECK_OK(lstat("ld/", &st));
    CHECK(S_ISDIR(st.st_mode));
    CHECK_EQ(readlink("lf", buf, sizeof(buf)), 3);
    CHECK(!memcmp(buf, "d/f", 3));
    CHECK_EQ(readlink("lf", buf, 2), 2);
    CHECK_ERRNO(readlink("d", buf, sizeof(buf)), EINVAL);
    CHECK_ERRNO(readlink("lf", buf, 0), EINVAL);
    CHECK_ERRNO(symlink("", "empty"), ENOENT);
    CHECK_ERRNO(symlink("x", "d"), EEXIST);
    CHECK_ERRNO(symlink("x", "new/"), ENOENT);
    CHECK_ERRNO(open("lf", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERRNO(open("dangling", O_RDONLY | O_CREAT | O_EXCL, 0600), EEXIST);
    fd = CHECK_OK(open("dangling", O_RDWR | O_CREAT, 0600));
    close(fd);
    CHECK(exists("nothing"));
    fd = CHECK_OK(open("lf", O_PATH | O_NOFOLLOW));
    CHECK_OK(fstat(fd, &st));
    CHECK(S_ISLNK(st.st_mode));
    CHECK_EQ(readlinkat(fd, "", buf, sizeof(buf)), 3);
    close(fd);
    CHECK_OK(rmdir("ld") == -1 && errno == ENOTDIR ? 0 : -1);
    CHECK_ERRNO(unlink("ld/"), ENOTDIR);
    /* A chain of 40 links is followed, one of 41 is not. */
    strcpy(target, "d/f");
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        CHECK_OK(symlink(target, name));
        strcpy(target, name);
    }
    CHECK_OK(stat("c40", &st));
    CHECK_ERRNO(stat("c41", &st), ELOOP);
    for (int i = 1; i <= 41; i++) {
        snprintf(name, sizeof(name), "c%d", i);
        CHECK_OK(unlink(name));
    }
    CHECK_OK(unlink("ld"));
    CHECK_OK(unlink("lf"));
    CHECK_OK(unlink("dangling"));
    CHECK_OK(unlink("nothing"));
    CHECK_OK(unlink("loop"));
    CHECK_OK(unlink("d/up"));
    CHECK_OK(unlink("d/f"));
    CHECK_OK(rmdir("d"));
}

TEST(vfs_symlinks)
{
    on_both(symlinks);
}

static void create_errors(void)
{
    touch("f");
    CHECK_ERRNO(mkdir("f", 0755), EEXIST);
    CHECK_ERRNO(mkdir("/", 0755), EEXIST);
    CHECK_ERRNO(mkdir(".", 0755), EEXIST);
    CHECK_ERRNO(mkdir("f/x", 0755), ENOTDIR);
    CHECK_ERRNO(mkdir("no/x", 0755), ENOENT);
    CHECK_OK(mkdir("d/", 0755));
    CHECK_EQ(links_of("d"), 2);
    CHECK_OK(mkdir("d/e", 0755));
    CHECK_EQ(links_of("d"), 3);
    CHECK_ERRNO(open("f", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    CHECK_ERRNO(open("d", O_CREAT | O_RDWR, 0600), EISDIR);
    CHECK_ERRNO(open("new/", O_CREAT | O_RDWR, 0600), EISDIR);
    CHECK_ERRNO(open(".", O_CREAT | O_RDONLY, 0600), EISDIR);
    CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
    CHECK_ERRNO(open("d", O_RDWR), EISDIR);
    CHECK_ERRNO(open("d", O_RDONLY | O_TRUNC), EISDIR);
    CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERRNO(mknod("m/", S_IFREG | 0600, 0), ENOENT);
    CHECK_ERRNO(mknod("m", S_IFDIR | 0600, 0), EPERM);
    CHECK_ERRNO(mknod("f", S_IFIFO | 0600, 0), EEXIST);
    CHECK_OK(mknod("m", S_IFREG | 0600, 0));
    CHECK_OK(unlink("m"));
    CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
    CHECK_ERRNO(rmdir("f"), ENOTDIR);
    CHECK_ERRNO(rmdir("."), EINVAL);
    CHECK_ERRNO(rmdir("d/."), EINVAL);
    CHECK_ERRNO(rmdir("d/.."), ENOTEMPTY);
    CHECK_ERRNO(rmdir("/"), EBUSY);
    CHECK_ERRNO(rmdir("no"), ENOENT);
    CHECK_ERRNO(unlink("d"), EISDIR);
    CHECK_ERRNO(unlink("."), EISDIR);
    CHECK_ERRNO(unlink("/"), EISDIR);
    CHECK_ERRNO(unlink("f/"), ENOTDIR);
    CHECK_ERRNO(unlink("no"), ENOENT);
    CHECK_ERRNO(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR), ENOTDIR);
    CHECK_ERRNO(unlinkat(AT_FDCWD, "f", 0x10000), EINVAL);
    CHECK_OK(rmdir("d/e/"));
    CHECK_EQ(links_of("d"), 2);
    CHECK_OK(rmdir("d"));
    CHECK_OK(unlink("f"));
}

TEST(vfs_create_errors)
{
    on_both(create_errors);
}

static void hard_links(void)
{
    struct stat st;
    int fd;

    touch("a");
    CHECK_OK(mkdir("d", 0755));
    CHECK_OK(symlink("a", "s"));
    CHECK_OK(link("a", "d/b"));
    CHECK_EQ(links_of("a"), 2);
    CHECK_EQ(inode_of("a"), inode_of("d/b"));
    CHECK_ERRNO(link("a", "d/b"), EEXIST);
    CHECK_ERRNO(link("a", "new/"), ENOENT);
    CHECK_ERRNO(link("d", "e"), EPERM);
    CHECK_ERRNO(link("no", "e"), ENOENT);
    CHECK_OK(link("s", "s2"));
    CHECK_EQ(inode_of("s"), inode_of("s2"));
    CHECK_OK(linkat(AT_FDCWD, "s", AT_FDCWD, "a2", AT_SYMLINK_FOLLOW));
    CHECK_EQ(inode_of("a"), inode_of("a2"));
    CHECK_EQ(links_of("a"), 3);
    fd = CHECK_OK(open("a", O_RDONLY));
    CHECK_OK(unlink("a"));
    CHECK_OK(unlink("a2"));
    CHECK_OK(unlink("d/b"));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_nlink, 0);
    close(fd);
    CHECK_OK(unlink("s"));
    CHECK_OK(unlink("s2"));
    CHECK_OK(rmdir("d"));
    if (strncmp(getcwd((char[512]){0}, 512), "/tmp", 4)) {
        touch("a");
        struct stat here, tmp;
        CHECK_OK(stat("/tmp", &tmp));
        CHECK_OK(stat(".", &here));
        if (here.st_dev != tmp.st_dev) {
            CHECK_ERRNO(link("a", "/tmp/unit-link"), EXDEV);
            CHECK_ERRNO(rename("a", "/tmp/unit-link"), EXDEV);
        }
        CHECK_OK(unlink("a"));
    }
}

TEST(vfs_hard_links)
{
    on_both(hard_links);
}

static void renames(void)
{
    ino_t a, d;

    touch("a");
    touch("b");
    CHECK_OK(mkdir("d", 0755));
    CHECK_OK(mkdir("d/e", 0755));
    CHECK_OK(mkdir("empty", 0755));
    a = inode_of("a");
    d = inode_of("d/e");
    CHECK_OK(rename("a", "c"));
    CHECK_EQ(inode_of("c"), a);
    CHECK_OK(rename("c", "b")); /* replaces */
    CHECK_EQ(inode_of("b"), a);
    CHECK(!exists("c"));
    CHECK_OK(rename("b", "d/e/b"));
    CHECK_EQ(inode_of("d/e/b"), a);
    CHECK_OK(link("d/e/b", "l"));
    CHECK_OK(rename("l", "d/e/b")); /* the same file: nothing happens */
    CHECK(exists("l"));
    CHECK_ERRNO(rename("no", "x"), ENOENT);
    CHECK_ERRNO(rename("l", "no/x"), ENOENT);
    CHECK_ERRNO(rename("l", "l/x"), ENOTDIR);
    CHECK_ERRNO(rename("d", "d/e/x"), EINVAL);
    CHECK_ERRNO(rename("d", "d/x"), EINVAL);
    CHECK_ERRNO(rename("d/e", "d"), ENOTEMPTY);
    CHECK_ERRNO(rename("d/e/b", "d"), ENOTEMPTY);
    CHECK_ERRNO(rename("l", "empty"), EISDIR);
    CHECK_ERRNO(rename("empty", "l"), ENOTDIR);
    CHECK_ERRNO(rename("empty", "d"), ENOTEMPTY);
    CHECK_ERRNO(rename("l", "x/"), ENOTDIR);
    CHECK_ERRNO(rename("l/", "x"), ENOTDIR);
    CHECK_ERRNO(rename(".", "x"), EBUSY);
    CHECK_ERRNO(rename("d/..", "x"), EBUSY);
    CHECK_ERRNO(rename("l", "."), EBUSY);
    CHECK_ERRNO(renameat2_raw("l", "d", RENAME_NOREPLACE), EEXIST);
    CHECK_ERRNO(renameat2_raw("l", "x", 0x80), EINVAL);
    CHECK_OK(renameat2_raw("l", "x", RENAME_NOREPLACE));
    CHECK_OK(unlink("x"));
    CHECK_EQ(links_of("d"), 3);
    CHECK_OK(rename("d/e", "empty")); /* a directory over an empty one */
    CHECK_EQ(inode_of("empty"), d);
    CHECK_EQ(links_of("d"), 2);
    CHECK_OK(rename("empty/", "d/f/"));
    CHECK(exists("d/f/b"));
    CHECK_EQ(inode_of("d/f/.."), inode_of("d"));
    CHECK_OK(unlink("d/f/b"));
    CHECK_OK(rmdir("d/f"));
    CHECK_OK(rmdir("d"));
}

TEST(vfs_rename)
{
    on_both(renames);
}

static void removed_cwd(void)
{
    char buf[64];

    CHECK_OK(mkdir("gone", 0755));
    CHECK_OK(chdir("gone"));
    CHECK_OK(rmdir("../gone"));
    CHECK_ERRNO(open("f", O_CREAT | O_RDWR, 0600), ENOENT);
    CHECK_ERRNO(mkdir("d", 0755), ENOENT);
    CHECK_ERRNO(symlink("x", "s"), ENOENT);
    CHECK_ERRNO(syscall(SYS_getcwd, buf, sizeof(buf)), ENOENT);
    CHECK_OK(chdir(".."));
    CHECK(!exists("gone"));
}

TEST(vfs_removed_cwd)
{
    on_both(removed_cwd);
}

TEST(vfs_getcwd)
{
    char top[512], buf[600], want[600];

    CHECK(getcwd(top, sizeof(top)));
    CHECK_OK(mkdir("d", 0755));
    CHECK_OK(mkdir("d/e", 0755));
    CHECK_OK(chdir("d/e"));
    snprintf(want, sizeof(want), "%s/d/e", top);
    CHECK_EQ(syscall(SYS_getcwd, buf, sizeof(buf)), (long)strlen(want) + 1);
    CHECK(!strcmp(buf, want));
    CHECK_ERRNO(syscall(SYS_getcwd, buf, strlen(want)), ERANGE);
    CHECK_ERRNO(syscall(SYS_getcwd, buf, 0), ERANGE);
    CHECK_OK(rename("../../d", "../../q"));
    snprintf(want, sizeof(want), "%s/q/e", top);
    CHECK(getcwd(buf, sizeof(buf)));
    CHECK(!strcmp(buf, want));
    CHECK_OK(chdir("/"));
    CHECK(getcwd(buf, sizeof(buf)));
    CHECK(!strcmp(buf, "/"));
    CHECK_ERRNO(chdir("/etc/passwd"), ENOTDIR);
    CHECK_ERRNO(chdir("/nothing"), ENOENT);
}

TEST(vfs_at_calls)
{
    struct stat st;
    int dir, fd;

    CHECK_OK(mkdir("d", 0755));
    touch("d/f");
    dir = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
    fd = CHECK_OK(openat(dir, "f", O_RDWR));
    CHECK_OK(fstatat(dir, "f", &st, 0));
    CHECK_OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
    CHECK(S_ISREG(st.st_mode));
    CHECK_ERRNO(fstatat(fd, "", &st, 0), ENOENT);
    CHECK_ERRNO(fstatat(fd, "x", &st, 0), ENOTDIR);
    CHECK_ERRNO(fstatat(99, "x", &st, 0), EBADF);
    CHECK_OK(fstatat(99, "/", &st, 0));
    CHECK_ERRNO(fstatat(dir, "f", &st, 0x40000000), EINVAL);
    CHECK_OK(mkdirat(dir, "e", 0755));
    CHECK_OK(symlinkat("f", dir, "s"));
    CHECK_OK(renameat(dir, "f", dir, "g"));
    CHECK_OK(unlinkat(dir, "e", AT_REMOVEDIR));
    CHECK_OK(unlinkat(dir, "s", 0));
    CHECK_OK(fchdir(dir));
    CHECK(exists("g"));
    CHECK_ERRNO(fchdir(fd), ENOTDIR);
    CHECK_ERRNO(fchdir(99), EBADF);
    close(fd);
    close(dir);
}

TEST(vfs_o_path)
{
    char c;
    int fd;
    struct stat st;

    touch("f");
    fd = CHECK_OK(open("f", O_PATH));
    CHECK_ERRNO(read(fd, &c, 1), EBADF);
    CHECK_ERRNO(write(fd, &c, 1), EBADF);
    CHECK_ERRNO(ioctl(fd, 0x5401, &st), EBADF);
    CHECK_ERRNO(fchmod(fd, 0600), EBADF);
    CHECK_OK(fstat(fd, &st));
    CHECK_OK(fcntl(fd, F_GETFD));
    CHECK_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    CHECK_OK(close(fd));
}

TEST(vfs_umask_and_setgid)
{
    struct stat st;

    umask(027);
    CHECK_OK(mkdir("d", 0777));
    CHECK_OK(stat("d", &st));
    CHECK_EQ(st.st_mode & 07777, 0750);
    close(CHECK_OK(open("f", O_CREAT | O_RDWR, 07666)));
    CHECK_OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 0777, 0640);
    if (geteuid() != 0)
        SKIP("not root");
    CHECK_OK(chown("d", 0, 4711));
    CHECK_OK(chmod("d", 02770));
    CHECK_OK(mkdir("d/e", 0777));
    CHECK_OK(stat("d/e", &st));
    CHECK_EQ(st.st_gid, 4711);
    CHECK_EQ(st.st_mode & S_ISGID, S_ISGID);
    close(CHECK_OK(open("d/f", O_CREAT | O_RDWR, 0666)));
    CHECK_OK(stat("d/f", &st));
    CHECK_EQ(st.st_gid, 4711);
}

static void as_user(void)
{
    CHECK_OK(setgid(1000));
    CHECK_OK(setuid(1000));
}

TEST(vfs_permissions)
{
    struct stat st;
    pid_t pid;

    if (geteuid() != 0)
        SKIP("not root");
    umask(0);
    CHECK_OK(chmod(".", 0777));
    CHECK_OK(mkdir("closed", 0700));
    touch("closed/f");
    CHECK_OK(mkdir("readable", 0744));
    CHECK_OK(mkdir("sticky", 01777));
    write_file("sticky/f", "", 0, 0666);
    write_file("root", "", 0, 0600);
    write_file("ro", "", 0, 0444);
    CHECK_OK(chmod("ro", 0444));
    write_file("exec", "", 0, 0755);
    CHECK_OK(chmod("exec", 0644));
    CHECK_ERRNO(access("exec", X_OK), EACCES); /* not even root */
    pid = fork_child();
    if (!pid) {
        as_user();
        CHECK_ERRNO(open("closed/f", O_RDONLY), EACCES);
        CHECK_ERRNO(stat("closed/f", &st), EACCES);
        CHECK_ERRNO(stat("readable/f", &st), EACCES);
        CHECK_ERRNO(mkdir("readable/d", 0755), EACCES);
        CHECK_ERRNO(open("root", O_RDONLY), EACCES);
        CHECK_ERRNO(open("ro", O_RDWR), EACCES);
        CHECK_ERRNO(open("ro", O_RDONLY | O_TRUNC), EACCES);
        CHECK_OK(open("ro", O_RDONLY));
        CHECK_ERRNO(truncate("ro", 0), EACCES);
        CHECK_ERRNO(unlink("sticky/f"), EPERM);
        CHECK_ERRNO(rename("sticky/f", "sticky/g"), EPERM);
        CHECK_ERRNO(chmod("root", 0777), EPERM);
        CHECK_ERRNO(chown("root", 1000, 1000), EPERM);
        CHECK_ERRNO(access("root", R_OK), EACCES);
        CHECK_OK(access("root", F_OK));
        CHECK_ERRNO(mknod("dev", S_IFCHR | 0666, 0x103), EPERM);
        CHECK_OK(mknod("fifo", S_IFIFO | 0666, 0));
        CHECK_ERRNO(chroot("."), EPERM);
        CHECK_ERRNO(mount("none", ".", "tmpfs", 0, ""), EPERM);
        CHECK_ERRNO(umount("/tmp"), EPERM);
        /* Its own file, mode 0: the owner may still change it. */
        close(CHECK_OK(open("own", O_CREAT | O_RDWR, 0)));
        CHECK_ERRNO(open("own", O_RDONLY), EACCES);
        CHECK_OK(chmod("own", 0600));
        CHECK_OK(stat("own", &st));
        CHECK_EQ(st.st_uid, 1000);
        CHECK_ERRNO(chown("own", 0, (gid_t)-1), EPERM);
        CHECK_ERRNO(chown("own", (uid_t)-1, 0), EPERM);
        CHECK_OK(chown("own", (uid_t)-1, 1000));
        exit(0);
    }
    CHECK_EXIT(pid, 0);
}

TEST(vfs_set_id_bits_go)
{
    struct stat st;
    pid_t pid;
    int fd;

    if (geteuid() != 0)
        SKIP("not root");
    CHECK_OK(chmod(".", 0777));
    write_file("f", "x", 1, 0777);
    CHECK_OK(chown("f", 1000, 1000));
    CHECK_OK(chmod("f", 06777));
    CHECK_OK(chown("f", 1000, 1000)); /* root's chown clears them */
    CHECK_OK(stat("f", &st));
    CHECK_EQ(st.st_mode & 07777, 0777);
    CHECK_OK(chmod("f", 06777));
    fd = CHECK_OK(open("f", O_RDWR));
    CHECK_EQ(write(fd, "y", 1), 1); /* root's write does not */
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_mode & 06000, 06000);
    pid = fork_child();
    if (!pid) {
        as_user();
        CHECK_EQ(write(fd, "z", 1), 1);
        exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_mode & 07777, 0777);
    CHECK_OK(chmod("f", 06777));
    pid = fork_child();
    if (!pid) {
        as_user();
        CHECK_OK(truncate("f", 0));
        exit(0);
    }
    CHECK_EXIT(pid, 0);
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_mode & 07777, 0777);
}

TEST(vfs_times)
{
    struct timespec t[2] = {{1000000000, 5}, {1100000000, 7}}, now;
    struct stat st;
    int fd;

    touch("f");
    CHECK_OK(utimensat(AT_FDCWD, "f", t, 0));
    CHECK_OK(stat("f", &st));
    CHECK_EQ(st.st_atim.tv_sec, 1000000000);
    CHECK_EQ(st.st_mtim.tv_sec, 1100000000);
    t[0].tv_nsec = UTIME_OMIT;
    t[1].tv_nsec = UTIME_NOW;
    fd = CHECK_OK(open("f", O_RDWR));
    CHECK_OK(futimens(fd, t));
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_atim.tv_sec, 1000000000);
    clock_gettime(CLOCK_REALTIME, &now);
    CHECK(now.tv_sec - st.st_mtim.tv_sec < 600 && st.st_mtim.tv_sec - now.tv_sec < 600);
    t[0].tv_nsec = 1000000000;
    CHECK_ERRNO(utimensat(AT_FDCWD, "f", t, 0), EINVAL);
    CHECK_ERRNO(utimensat(AT_FDCWD, "no", NULL, 0), ENOENT);
    t[0] = t[1] = (struct timespec){5, 0};
    CHECK_OK(futimens(fd, t));
    CHECK_EQ(write(fd, "x", 1), 1);
    CHECK_OK(fstat(fd, &st));
    CHECK(st.st_mtim.tv_sec > 5 && st.st_ctim.tv_sec > 5);
    close(fd);
}

TEST(vfs_mounts)
{
    struct stat st, inner;
    struct statfs fs;
    int fd;

    if (!on_unimap())
        SKIP("changes the host's mounts");
    CHECK_OK(mkdir("m", 0755));
    touch("m/below");
    CHECK_ERRNO(mount("none", "m", "nosuchfs", 0, ""), ENODEV);
    CHECK_ERRNO(mount("none", "no", "tmpfs", 0, ""), ENOENT);
    CHECK_ERRNO(mount("none", "m/below", "tmpfs", 0, ""), ENOTDIR);
    CHECK_ERRNO(mount("/dev/null", "m", "ext2", 0, ""), ENOTBLK);
    CHECK_ERRNO(mount("/dev/vda", "m", "ext2", 0, ""), EBUSY);
    CHECK_ERRNO(umount("m"), EINVAL);
    CHECK_OK(mount("none", "m", "tmpfs", 0, "size=64k"));
    CHECK(!exists("m/below"));
    CHECK_OK(stat("m", &inner));
    CHECK_OK(stat(".", &st));
    CHECK(inner.st_dev != st.st_dev);
    CHECK_OK(stat("m/..", &inner));
    CHECK_EQ(inner.st_ino, st.st_ino);
    CHECK_OK(statfs("m", &fs));
    CHECK_EQ(fs.f_blocks, 16);
    CHECK_ERRNO(rmdir("m"), EBUSY);
    CHECK_ERRNO(rename("m", "n"), EBUSY);
    fd = CHECK_OK(open("m/f", O_CREAT | O_RDWR, 0600));
    CHECK_ERRNO(umount("m"), EBUSY);
    CHECK_ERRNO(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, ""), EBUSY);
    close(fd);
    touch("m/gone");
    fd = CHECK_OK(open("m/gone", O_RDONLY));
    CHECK_OK(unlink("m/gone"));
    CHECK_ERRNO(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, ""), EBUSY);
    close(fd);
    CHECK_OK(mkdir("m/d", 0755));
    CHECK_OK(mount("none", "m/d", "tmpfs", 0, ""));
    CHECK_ERRNO(umount("m"), EBUSY);
    CHECK_OK(umount("m/d"));
    CHECK_OK(mount("none", "m", "tmpfs", 0, "")); /* one over the other */
    CHECK(!exists("m/f"));
    CHECK_OK(umount("m"));
    CHECK(exists("m/f"));
    CHECK_OK(mount("none", "m", "tmpfs", MS_REMOUNT | MS_RDONLY, ""));
    CHECK_ERRNO(open("m/f", O_RDWR), EROFS);
    CHECK_ERRNO(open("m/g", O_CREAT | O_RDWR, 0600), EROFS);
    CHECK_OK(open("m/f", O_RDONLY) >= 0 ? 0 : -1);
    CHECK_ERRNO(mkdir("m/e", 0755), EROFS);
    CHECK_ERRNO(mkdir("m/d", 0755), EEXIST);
    CHECK_ERRNO(unlink("m/f"), EROFS);
    CHECK_ERRNO(chmod("m/f", 0), EROFS);
    CHECK_ERRNO(utimensat(AT_FDCWD, "m/f", NULL, 0), EROFS);
    CHECK_ERRNO(access("m/f", W_OK), EROFS);
    CHECK_ERRNO(umount("m"), EBUSY); /* still open above */
    for (int i = 3; i < 10; i++)
        close(i);
    CHECK_OK(umount("m"));
    CHECK(exists("m/below"));
    CHECK_ERRNO(umount("/"), EBUSY);
}

TEST(vfs_many_names)
{
    char name[64];
    int n = 0;

    CHECK_OK(mkdir("d", 0755));
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "d/a-rather-long-name-so-that-it-is-not-kept-inline-%d", i);
        touch(name);
    }
    for (int i = 0; i < 500; i += 2) {
        snprintf(name, sizeof(name), "d/a-rather-long-name-so-that-it-is-not-kept-inline-%d", i);
        CHECK_OK(unlink(name));
    }
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof(name), "d/a-rather-long-name-so-that-it-is-not-kept-inline-%d", i);
        n += exists(name);
    }
    CHECK_EQ(n, 250);
}
