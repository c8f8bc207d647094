// SPDX-License-Identifier: MIT
// with: arch/fdt.c
/*
 * The device tree reader on the trees that QEMU makes, and on 20,000 damaged copies of one: wrong
 * answers are allowed there, reads outside the blob (the sanitizer watches an exact allocation) and
 * endless walks are not.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/fdt.h"

static unsigned checks;

#define CHECK(c)                                           \
    do {                                                   \
        checks++;                                          \
        if (!(c)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #c); \
            exit(1);                                       \
        }                                                  \
    } while (0)

static uint8_t *qemu_tree(const char *options, size_t *size)
{
    char path[] = "/tmp/fdt_test.XXXXXX", command[512];
    int fd = mkstemp(path);
    uint8_t *blob;
    FILE *f;

    /* QEMU wants some kernel before it takes boot arguments: a few zeros will do. */
    CHECK(fd >= 0 && ftruncate(fd, 64) == 0);
    snprintf(command, sizeof(command),
             "qemu-system-riscv64 -display none -machine virt,dumpdtb=%s -kernel %s %s 2>/dev/null",
             path, path, options);
    if (system(command) != 0)
        printf("fdt_test: qemu-system-riscv64 failed\n");
    close(fd);
    f = fopen(path, "rb");
    CHECK(f && fseek(f, 0, SEEK_END) == 0);
    *size = ftell(f);
    CHECK(*size > 40);
    rewind(f);
    blob = malloc(*size);
    CHECK(fread(blob, 1, *size, f) == *size);
    fclose(f);
    remove(path);
    return blob;
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = v >> 24, p[1] = v >> 16, p[2] = v >> 8, p[3] = v;
}

static unsigned count_compatible(const char *compatible)
{
    struct fdt_node n = {0};
    unsigned count = 0;

    while (fdt_next(&n))
        count += fdt_is_compatible(&n, compatible);
    return count;
}

static void test_machine(void)
{
    struct fdt_node n, plic;
    uint64_t base, size;
    uint32_t cell, phandle;
    size_t blob_size;
    uint8_t *blob = qemu_tree("-smp 4 -m 1G -append 'init=/bin/sh quiet'", &blob_size);

    CHECK(fdt_init(blob));
    CHECK(fdt_total_size() <= blob_size);
    CHECK(fdt_find_path(&n, "/") && n.depth == 0 && !strcmp(n.name, ""));
    CHECK(fdt_is_compatible(&n, "riscv-virtio") && !fdt_is_compatible(&n, "riscv"));
    CHECK(fdt_find_path(&n, "/chosen"));
    CHECK(!strcmp(fdt_string(&n, "bootargs"), "init=/bin/sh quiet"));
    CHECK(!fdt_string(&n, "absent") && fdt_number(&n, "absent", 77) == 77);
    CHECK(fdt_find_path(&n, "/cpus") && fdt_number(&n, "timebase-frequency", 0) == 10000000);
    CHECK(fdt_find_path(&n, "/cpus/cpu@3") && n.depth == 2 && fdt_reg(&n, 0, &base, &size));
    CHECK(base == 3 && size == 0 && fdt_is_enabled(&n));
    CHECK(!fdt_find_path(&n, "/cpus/cpu@4") && !fdt_find_path(&n, "/cpus/cpu@3/x/y"));
    CHECK(fdt_find_path(&n, "/memory") && fdt_reg(&n, 0, &base, &size));
    CHECK(base == 0x80000000 && size == 1UL << 30 && !fdt_reg(&n, 1, &base, &size));
    CHECK(fdt_find_path(&n, "/soc/serial") && fdt_reg(&n, 0, &base, &size));
    CHECK(base == 0x10000000 && fdt_cell(&n, "interrupts", 0, &cell) && cell == 10);
    CHECK(!fdt_cell(&n, "interrupts", 1, &cell));
    phandle = fdt_number(&n, "interrupt-parent", 0);
    CHECK(fdt_find_path(&plic, "/soc/plic") && fdt_is_compatible(&plic, "sifive,plic-1.0.0"));
    CHECK(phandle && fdt_number(&plic, "phandle", 0) == phandle);
    CHECK(count_compatible("virtio,mmio") == 8);
    CHECK(!fdt_reservation(0, &base, &size));
    free(blob);
}

static void test_numa(void)
{
    struct fdt_node n = {0};
    uint64_t base, size, total = 0;
    unsigned banks = 0;
    size_t blob_size;
    uint8_t *blob = qemu_tree(
        "-smp 2 -m 256M -numa node,mem=128M,cpus=0 -numa node,mem=128M,cpus=1", &blob_size);

    CHECK(fdt_init(blob));
    while (fdt_next(&n))
        if (fdt_string(&n, "device_type") && !strcmp(fdt_string(&n, "device_type"), "memory") &&
            fdt_reg(&n, 0, &base, &size))
            banks++, total += size;
    CHECK(banks == 2 && total == 256UL << 20);
    free(blob);
}

/* Asks everything of every node. */
static void walk_all(void)
{
    static const char *const names[] = {"compatible", "reg", "interrupts", "status", "phandle"};
    struct fdt_node n = {0};
    uint64_t base, size;
    uint32_t cell, len;
    unsigned nodes = 0;

    while (fdt_next(&n)) {
        CHECK(nodes++ < 100000);
        CHECK(strlen(n.name) < fdt_total_size());
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
            const uint8_t *val = fdt_prop(&n, names[i], &len);

            if (val && len)
                checks += (val[0] ^ val[len - 1]) & 1;
            fdt_string(&n, names[i]);
            fdt_number(&n, names[i], 0);
            fdt_cell(&n, names[i], 3, &cell);
        }
        for (unsigned i = 0; i < 3; i++)
            fdt_reg(&n, i, &base, &size);
        fdt_is_compatible(&n, "virtio,mmio");
        fdt_is_enabled(&n);
    }
    for (unsigned i = 0; i < 8; i++)
        fdt_reservation(i, &base, &size);
    fdt_find_path(&n, "/soc/serial@10000000");
}

static void mutate(uint8_t *blob, size_t size)
{
    static const uint32_t interesting[] = {0, 1, 2, 3, 4, 9, 0x7fffffff, 0x80000000, 0xffffffff};

    for (int n = 1 + rand() % 6; n; n--) {
        size_t at = rand() % 3 ? rand() % (int)size : rand() % MIN((int)size, 64);

        if (rand() % 2)
            blob[at] = rand();
        else if (at + 4 <= size)
            put32(blob + at / 4 * 4, interesting[rand() % ARRAY_SIZE(interesting)]);
    }
}

static void test_damaged(void)
{
    size_t size;
    uint8_t *good = qemu_tree("-smp 1", &size);

    CHECK(fdt_init(good));
    size = fdt_total_size();
    CHECK(size < 64 << 10); /* else most of the damage would hit padding */
    for (int round = 0; round < 20000; round++) {
        size_t len = rand() % 8 ? size : 40 + rand() % (size - 40);
        uint8_t *blob = malloc(len);

        memcpy(blob, good, len);
        mutate(blob, len);
        put32(blob, 0xd00dfeed);
        put32(blob + 4, rand() % 16 ? len : 40 + rand() % (len - 39));
        if (fdt_init(blob))
            walk_all();
        else
            CHECK(fdt_total_size() == 0);
        free(blob);
    }
    free(good);
}

static void test_rejected(void)
{
    uint8_t blob[64] = {0};
    struct fdt_node n = {0};

    CHECK(!fdt_init(blob) && !fdt_next(&n) && !fdt_find_path(&n, "/"));
    put32(blob, 0xd00dfeed);
    CHECK(!fdt_init(blob));
    put32(blob + 20, 17);
    put32(blob + 24, 16);
    put32(blob + 4, 0xffffffff);
    CHECK(!fdt_init(blob));
}

int main(void)
{
    srand(1);
    test_machine();
    test_numa();
    test_damaged();
    test_rejected();
    printf("fdt_test: %u checks passed\n", checks);
    return 0;
}
