// SPDX-License-Identifier: MIT
// with: fs/inode.c fs/dcache.c fs/namei.c fs/namespace.c fs/open.c fs/file.c fs/fdtable.c
// with: fs/cwd.c fs/fcntl.c fs/regular.c fs/read_write.c fs/readdir.c fs/stat.c fs/attr.c fs/pipe.c
// with: fs/tmpfs.c fs/mount.c fs/sync.c fs/flock.c mm/radix.c mm/uio.c mm/pagecache.c mm/pagewrite.c
// with: mm/writeback.c mm/reclaim.c tests/host/stub/os.c
/*
 * The file layer over tmpfs, by its system calls: a storm of names and descriptors from several
 * processes that take turns wherever the kernel may sleep, with and without failing allocations and
 * short user copies, caches shrunk in between. Afterwards everything is removed and unmounted, and
 * no object and no page may be missing.
 */
/* The stubs stand in for parts that are real here. */
#define dentry_make_anon stub_dentry_make_anon
#define fs_register stub_fs_register
struct dentry;
struct superblock;
struct inode;
struct fs_type;
struct dentry *stub_dentry_make_anon(const char *name, struct inode *ip);
void stub_fs_register(struct fs_type *t);
#include "tests/host/stub/kernel.c"
#undef dentry_make_anon
#undef fs_register

#include "fs/dcache.h"
#include "fs/devices.h"
#include "fs/fdtable.h"
#include "fs/tmpfs.h"
#include "proc/files.h"
#include "proc/syscalls.h"

#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/mount.h>

#define USER_BASE 0x01000000UL
#define USER_SIZE (4096 * 256UL)
#define NTHREADS 6
#define ROUNDS 1500

const struct file_ops blkdev_file_ops;

/* ---- What else the file layer asks for -------------------------------------------------------- */

void *mmap(void *addr, size_t len, int prot, int flags, int fd, long off);

ssize_t strncpy_from_user(char *dst, uaddr_t src, size_t size)
{
    size_t len = strnlen((char *)src, size);

    if (falls_short(size))
        return -EFAULT;
    if (len == size)
        return -ENAMETOOLONG;
    memcpy(dst, (char *)src, len + 1);
    return (ssize_t)len;
}

int get_user_u32(uint32_t *val, uaddr_t addr)
{
    return copy_from_user(val, addr, 4);
}

int get_user_u64(uint64_t *val, uaddr_t addr)
{
    return copy_from_user(val, addr, 8);
}

int put_user_u32(uaddr_t addr, uint32_t val)
{
    return copy_to_user(addr, &val, 4);
}

int put_user_u64(uaddr_t addr, uint64_t val)
{
    return copy_to_user(addr, &val, 8);
}

const struct file_ops *chrdev_find(uint32_t rdev)
{
    (void)rdev;
    return NULL;
}

struct block_device *block_find(const char *name)
{
    (void)name;
    return NULL;
}

struct block_device *block_at(unsigned i)
{
    (void)i;
    return NULL;
}

void poll_add(struct poll_table *pt, struct waitq *wq)
{
    (void)pt, (void)wq;
}

struct thread *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
    (void)name, (void)fn, (void)arg;
    return current;
}

/* ---- A process's side: its own corner of user memory ------------------------------------------ */

static char *corner(void)
{
    return (char *)USER_BASE + (unsigned)os_self() * 0x10000;
}

static uaddr_t user_path(unsigned slot, const char *path)
{
    char *at = corner() + slot * 4096;

    snprintf(at, 4096, "%s", path);
    return (uaddr_t)at;
}

static const char *const dirs[] = {"", "/a", "/b", "/a/c", "/a/c/d", "/mnt", ".", ".."};
static const char *const names[] = {"f",
                                    "g",
                                    "h",
                                    "a",
                                    "b",
                                    "c",
                                    "d",
                                    "l",
                                    "f/",
                                    "../f",
                                    "a-name-that-is-too-long-to-be-kept-inside-of-a-dentry"};

static uaddr_t random_path(unsigned slot)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dirs[host_random(ARRAY_SIZE(dirs))],
             names[host_random(ARRAY_SIZE(names))]);
    return user_path(slot, path);
}

static int random_fd(void)
{
    return (int)host_random(12);
}

static unsigned long ncalls, nsuccesses, nerrors[134];

/* An error must be an errno that programs know. */
static void expect_errno(long ret)
{
    CHECK(ret > -134);
    ncalls++;
    if (ret >= 0)
        nsuccesses++;
    else
        nerrors[-ret]++;
}

static void one_name_call(void)
{
    uaddr_t p = random_path(0), q = random_path(1);
    int at = AT_FDCWD;

    switch (host_random(14)) {
    case 0: expect_errno(sys_mkdirat(at, p, 0777)); break;
    case 1: expect_errno(sys_unlinkat(at, p, 0)); break;
    case 2: expect_errno(sys_unlinkat(at, p, AT_REMOVEDIR)); break;
    case 3:
    case 4: expect_errno(sys_renameat2(at, p, at, q, host_random(2) ? RENAME_NOREPLACE : 0)); break;
    case 5: expect_errno(sys_linkat(at, p, at, q, host_random(2) ? AT_SYMLINK_FOLLOW : 0)); break;
    case 6: expect_errno(sys_symlinkat(q, at, p)); break;
    case 7: expect_errno(sys_mknodat(at, p, 0010666, 0)); break;
    case 8: expect_errno(sys_chdir(p)); break;
    case 9: expect_errno(sys_getcwd((uaddr_t)corner() + 8192, 4096)); break;
    case 10: expect_errno(sys_newfstatat(at, p, (uaddr_t)corner() + 8192, 0)); break;
    case 11: expect_errno(sys_readlinkat(at, p, (uaddr_t)corner() + 8192, 100)); break;
    case 12: expect_errno(sys_truncate(p, host_random(20000))); break;
    default: expect_errno(sys_faccessat(at, p, (int)host_random(8))); break;
    }
}

static void one_fd_call(void)
{
    static const int flags[] = {
        O_RDONLY, O_RDWR | O_CREAT,       O_WRONLY | O_CREAT | O_EXCL,  O_RDWR | O_CREAT | O_TRUNC,
        O_PATH,   O_RDONLY | O_DIRECTORY, O_WRONLY | O_CREAT | O_APPEND};
    uaddr_t buf = (uaddr_t)corner() + 16384;
    int fd = random_fd();

    switch (host_random(12)) {
    case 0:
    case 1:
    case 2:
        expect_errno(sys_openat(AT_FDCWD, random_path(0),
                                flags[host_random(ARRAY_SIZE(flags))] | O_NONBLOCK, 0666));
        break;
    case 3:
    case 4: expect_errno(sys_close(fd)); break;
    case 5: expect_errno(sys_write(fd, buf, host_random(10000))); break;
    case 6: expect_errno(sys_read(fd, buf, host_random(10000))); break;
    case 7: expect_errno(sys_lseek(fd, host_random(50000), SEEK_SET)); break;
    case 8: expect_errno(sys_getdents64(fd, buf, 4096)); break;
    case 9: expect_errno(sys_dup3(fd, random_fd(), 0)); break;
    case 10: expect_errno(sys_pipe2(buf, O_NONBLOCK)); break;
    default: expect_errno(sys_flock(fd, host_random(2) ? 2 | 4 : 8)); break;
    }
}

static void one_mount_call(void)
{
    uaddr_t at = user_path(0, "/mnt"), type = user_path(1, "tmpfs");

    if (host_random(2))
        expect_errno(sys_mount(type, at, type, 0, 0));
    else
        expect_errno(sys_umount2(at, 0));
}

static void storm(unsigned i)
{
    struct files *fs = files_create();

    (void)i;
    if (!fs)
        return;
    current->proc->files = fs;
    for (int round = 0; round < ROUNDS; round++) {
        unsigned what = host_random(100);

        if (what < 45)
            one_name_call();
        else if (what < 95)
            one_fd_call();
        else if (what < 98)
            one_mount_call();
        else if (what < 99)
            dcache_shrink(1 + host_random(100));
        else
            inode_cache_shrink(1 + host_random(100));
    }
    current->proc->files = NULL;
    files_put(fs);
}

/* ---- Before and after ------------------------------------------------------------------------- */

static bool collect(void *arg, const char *name, size_t len, uint64_t ino, unsigned type,
                    off_t next)
{
    (void)ino, (void)next;
    if (name[0] == '.' && len <= 2)
        return true;
    snprintf(arg, 256, "%c%.*s", type == 4 ? 'd' : 'f', (int)len, name);
    return false;
}

/* Removes everything below the directory. */
static void remove_all(const char *dir)
{
    char entry[256], path[1024];
    struct file *f;
    off_t pos;

    for (;;) {
        f = vfs_open(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY, 0);
        CHECK(!is_err(f));
        entry[0] = '\0';
        pos = 0;
        f->ops->iterate(f, &pos, collect, entry);
        file_put(f);
        if (!entry[0])
            return;
        snprintf(path, sizeof(path), "%s/%s", dir, entry + 1);
        if (entry[0] == 'd')
            remove_all(path);
        CHECK(!sys_unlinkat(AT_FDCWD, user_path(0, path), entry[0] == 'd' ? AT_REMOVEDIR : 0));
    }
}

static void drop_caches(void)
{
    for (int i = 0; i < 3; i++) {
        dcache_shrink(10000);
        inode_cache_shrink(10000);
    }
}

static void run(uint32_t seed)
{
    struct files *fs = files_create();
    size_t objects, free_pages_before;

    host_seed(seed);
    current->proc->files = fs;
    CHECK(!sys_mkdirat(AT_FDCWD, user_path(0, "/mnt"), 0777));
    CHECK(!sys_unlinkat(AT_FDCWD, user_path(0, "/mnt"), AT_REMOVEDIR));
    drop_caches();
    objects = host_objects;
    free_pages_before = page_free_count();

    CHECK(!sys_mkdirat(AT_FDCWD, user_path(0, "/mnt"), 0777));
    host_alloc_fails = seed % 2 ? 100 : 0;
    host_user_faults = seed % 3 ? 0 : 30;
    host_run_threads(NTHREADS, storm);
    host_alloc_fails = host_user_faults = 0;

    while (!sys_umount2(user_path(0, "/mnt"), 0))
        ;
    remove_all("/");
    drop_caches();
    if (host_objects != objects || page_free_count() != free_pages_before)
        printf("%zu objects (%zu before), %zu pages (%zu), %zu dentries, %zu inodes, %zu files\n",
               host_objects, objects, page_free_count(), free_pages_before, dcache_count(),
               inode_cache_count(), file_open_count());
    CHECK(host_objects == objects);
    CHECK(page_free_count() == free_pages_before);
    current->proc->files = NULL;
    files_put(fs);
}

int main(void)
{
    mmap((void *)USER_BASE, USER_SIZE, 3, 0x32, -1, 0); /* fixed, private, anonymous */
    host_init(4096);
    host_quiet = true;
    for (unsigned i = 0; i <= MAX_THREADS; i++) {
        processes[i].limits[RLIMIT_NOFILE].rlim_cur = 64;
        processes[i].nthreads = 1;
    }
    mutex_init(&mount_lock, MUTEX_MOUNT);
    pagecache_init();
    dcache_init();
    inode_cache_init();
    pipe_init();
    tmpfs_init();
    CHECK(!vfs_mount("none", NULL, "tmpfs", 0, "mode=755"));
    for (uint32_t seed = 1; seed <= 40; seed++)
        run(seed);
    printf("vfs: %lu calls, %lu went well\n", ncalls, nsuccesses);
    return 0;
}
