/* SPDX-License-Identifier: MIT */
/* The initial RAM disk as a block device: the root file system may lie there. Changes are lost. */
#include "fs/mount.h"
#include "drivers/block.h"
#include "lib/log.h"
#include "lib/string.h"
#include "proc/boot.h"

static struct block_device ram0 = {.name = "ram0"};

static void submit(struct block_device *bd, struct bio *bio)
{
    char *at = (char *)bd->driver_data + bio->sector * SECTOR_SIZE;

    for (unsigned i = 0; i < bio->nsegs; i++) {
        if (bio->op == BIO_WRITE)
            memcpy(at, bio->segs[i].addr, bio->segs[i].len);
        else
            memcpy(bio->segs[i].addr, at, bio->segs[i].len);
        at += bio->segs[i].len;
    }
    bio->done(bio, 0);
}

struct block_device *ramdisk_from_initrd(void)
{
    paddr_t base;
    size_t size;

    if (!boot_initrd(&base, &size) || size < SECTOR_SIZE)
        return NULL;
    ram0.sectors = size / SECTOR_SIZE;
    ram0.driver_data = pa_to_va(base);
    ram0.submit = submit;
    return block_register(&ram0) ? NULL : &ram0;
}
