/* SPDX-License-Identifier: MIT */
#include "tests/host/stub/os.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS 16

static void die(const char *what)
{
    perror(what);
    exit(1);
}

void *os_map_file(const char *path, size_t size)
{
    int fd = open(path, O_RDWR | O_CREAT, 0644);
    void *p;

    if (fd < 0 || ftruncate(fd, (off_t)size))
        die(path);
    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        die("mmap");
    close(fd);
    return p;
}

void os_unmap(void *p, size_t size)
{
    munmap(p, size);
}

void *os_pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        die("mmap");
    return p;
}

static char temp_dir[64];

static void remove_temp_dir(void)
{
    char command[128];

    snprintf(command, sizeof(command), "rm -rf '%s'", temp_dir);
    if (system(command))
        perror(command);
}

char *os_temp_dir(void)
{
    if (!temp_dir[0]) {
        strcpy(temp_dir,
               access("/dev/shm", W_OK) ? "/tmp/unimap-XXXXXX" : "/dev/shm/unimap-XXXXXX");
        if (!mkdtemp(temp_dir))
            die("mkdtemp");
        atexit(remove_temp_dir);
    }
    return temp_dir;
}

int os_run(const char *log, const char *fmt, ...)
{
    char command[1024] = "(";
    va_list ap;
    int n, status;

    va_start(ap, fmt);
    n = 1 + vsnprintf(command + 1, sizeof(command) - 1, fmt, ap);
    va_end(ap);
    snprintf(command + n, sizeof(command) - (size_t)n, ") >'%s' 2>&1 </dev/null", log);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

double os_seconds(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- Threads ---------------------------------------------------------------------------------- */

static struct {
    pthread_cond_t cond;
    pthread_t thread;
    void (*fn)(void *);
    void *arg;
} threads[MAX_THREADS];
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static int running, nthreads = 1, started;

static void *run_thread(void *arg)
{
    int me = (int)(intptr_t)arg;

    pthread_mutex_lock(&baton);
    started++;
    pthread_cond_broadcast(&threads[0].cond);
    while (running != me)
        pthread_cond_wait(&threads[me].cond, &baton);
    threads[me].fn(threads[me].arg);
    abort(); /* os_exit_to does not return */
}

int os_self(void)
{
    return running;
}

int os_spawn(void (*fn)(void *), void *arg)
{
    int id = nthreads++, before;

    if (id == MAX_THREADS)
        abort();
    if (!started) {
        pthread_cond_init(&threads[0].cond, NULL);
        pthread_mutex_lock(&baton); /* thread 0 holds it from now on */
    }
    pthread_cond_init(&threads[id].cond, NULL);
    threads[id].fn = fn;
    threads[id].arg = arg;
    before = started;
    if (pthread_create(&threads[id].thread, NULL, run_thread, (void *)(intptr_t)id))
        die("pthread_create");
    while (started == before)
        pthread_cond_wait(&threads[0].cond, &baton);
    return id;
}

void os_switch(int to)
{
    int me = running;

    if (to == me)
        return;
    running = to;
    pthread_cond_signal(&threads[to].cond);
    while (running != me)
        pthread_cond_wait(&threads[me].cond, &baton);
}

void os_exit_to(int to)
{
    running = to;
    pthread_cond_signal(&threads[to].cond);
    pthread_mutex_unlock(&baton);
    pthread_exit(NULL);
}

void os_join_all(void)
{
    pthread_mutex_unlock(&baton);
    while (nthreads > 1)
        pthread_join(threads[--nthreads].thread, NULL);
    pthread_mutex_lock(&baton);
}
