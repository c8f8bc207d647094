/* SPDX-License-Identifier: MIT */
/*
 * The ext2 disk format, as in "The Second Extended File System" and as ext3 extends it. All fields
 * are little-endian, which is also the machine's order. Fields that are only kept are not named.
 */
#pragma once

#include "lib/types.h"

#define EXT2_MAGIC 0xef53
#define EXT2_SUPER_OFFSET 1024
#define EXT2_ROOT_INO 2
#define EXT2_FIRST_INO 11 /* revision 0 */
#define EXT2_LINK_MAX 32000
#define EXT2_NDIRECT 12
#define EXT2_NBLOCKS 15
#define EXT2_FAST_SYMLINK 60 /* shorter targets lie in the inode */

enum { EXT2_STATE_VALID = 1, EXT2_STATE_ERROR = 2 };
enum { EXT2_ERRORS_CONTINUE = 1, EXT2_ERRORS_READ_ONLY = 2, EXT2_ERRORS_PANIC = 3 };

enum { /* incompatible features: not understood = not mounted */
       EXT2_INCOMPAT_FILETYPE = 0x2,
       EXT2_INCOMPAT_RECOVER = 0x4, /* the journal has to be replayed */
};
enum { /* not understood = not written to */
       EXT2_RO_SPARSE_SUPER = 0x1,
       EXT2_RO_LARGE_FILE = 0x2,
};

enum ext2_kind { EXT2_BLOCKS, EXT2_INODES };

struct ext2_super {
    uint32_t s_inodes_count;
    uint32_t s_blocks_count;
    uint32_t s_r_blocks_count;
    uint32_t s_free_count[2]; /* by enum ext2_kind */
    uint32_t s_first_data_block;
    uint32_t s_log_block_size;
    uint32_t kept0;
    uint32_t s_blocks_per_group;
    uint32_t kept1;
    uint32_t s_inodes_per_group;
    uint32_t s_mtime;
    uint32_t s_wtime;
    uint16_t s_mnt_count;
    uint16_t kept2;
    uint16_t s_magic;
    uint16_t s_state;
    uint16_t s_errors;
    uint8_t kept3[14];
    uint32_t s_rev_level;
    uint16_t s_def_resuid;
    uint16_t s_def_resgid;
    /* Revision 1 only, from here on. */
    uint32_t s_first_ino;
    uint16_t s_inode_size;
    uint8_t kept4[6];
    uint32_t s_feature_incompat;
    uint32_t s_feature_ro_compat;
    uint8_t kept5[102];
    uint16_t s_reserved_gdt_blocks;
    uint8_t kept6[816];
};
_Static_assert(sizeof(struct ext2_super) == 1024, "superblock");
_Static_assert(offsetof(struct ext2_super, s_reserved_gdt_blocks) == 0xce, "superblock");
_Static_assert(offsetof(struct ext2_super, s_feature_incompat) == 0x60, "superblock");

struct ext2_group_desc {
    uint32_t bg_bitmap[2]; /* by enum ext2_kind: of blocks, of inodes */
    uint32_t bg_inode_table;
    uint16_t bg_free_count[2];
    uint16_t bg_used_dirs_count;
    uint16_t kept[7];
};
_Static_assert(sizeof(struct ext2_group_desc) == 32, "group descriptor");

enum { /* i_flags */
       EXT2_FL_IMMUTABLE = 0x10,
       EXT2_FL_APPEND = 0x20,
       EXT2_FL_INDEX = 0x1000, /* a hashed directory: ext3's */
       EXT2_FL_NOT_BLOCKS =
           0x10080800, /* encrypted, extents, inline data: i_block holds no pointers */
};

struct ext2_dinode {
    uint16_t i_mode;
    uint16_t i_uid;
    uint32_t i_size;
    uint32_t i_atime;
    uint32_t i_ctime;
    uint32_t i_mtime;
    uint32_t i_dtime;
    uint16_t i_gid;
    uint16_t i_links_count;
    uint32_t i_blocks; /* of 512 bytes */
    uint32_t i_flags;
    uint32_t i_version;
    uint32_t i_block[EXT2_NBLOCKS];
    uint32_t i_generation;
    uint32_t i_file_acl;  /* block with extended attributes */
    uint32_t i_size_high; /* regular files; directories once had an ACL here */
    uint32_t kept[2];
    uint16_t i_uid_high;
    uint16_t i_gid_high;
    uint32_t i_reserved;
    /* Only in inodes larger than 128 bytes, as far as i_extra_isize reaches. */
    uint16_t i_extra_isize;
    uint16_t i_checksum_high;
    uint32_t i_ctime_extra; /* nanoseconds << 2 | bits 32 and 33 of the seconds */
    uint32_t i_mtime_extra;
    uint32_t i_atime_extra;
};
#define EXT2_OLD_INODE_SIZE 128
#define EXT2_EXTRA_SIZE 32 /* i_extra_isize of new inodes: as ext4, with the version's high half */
_Static_assert(offsetof(struct ext2_dinode, i_extra_isize) == EXT2_OLD_INODE_SIZE, "inode");

struct ext2_dirent {
    uint32_t inode; /* 0: unused */
    uint16_t rec_len;
    uint8_t name_len;
    uint8_t file_type; /* with INCOMPAT_FILETYPE; else the name length's high byte */
    char name[];
};
#define EXT2_DIRENT_LEN(name_len) (((unsigned)(name_len) + 8 + 3) & ~3u)

struct ext2_xattr_header {
    uint32_t h_magic;
    uint32_t h_refcount; /* inodes that share the block */
};
#define EXT2_XATTR_MAGIC 0xea020000
